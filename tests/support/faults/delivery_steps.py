"""The steps of a delivery, each of which may be its last. None is left out: see test_kills.py."""

from collections.abc import Sequence
from enum import Enum, StrEnum, auto
from typing import NamedTuple

from tests.support.faults.proxies import Side


class World(StrEnum):
    """What decides of an outcome that nobody knows."""

    ONCE = "at_most_once"
    AGAIN = "at_least_once"
    ASKED = "its provider is asked"


class Story(StrEnum):
    """What a delivery is about, because of which it takes a step."""

    TAKEN = "taken"
    WAITING = "beside one whose conversation is busy"
    """Another message of the same batch cannot go yet, and is to be delivered again."""
    NEXT = "followed by the next"
    """Of its conversation."""
    RETRY = "to be retried"
    """The provider has no time for it."""
    FOUND = "looked up and found"
    MISSED = "looked up and missed"
    """The provider did not take it, and has not answered that."""
    SETTLED = "settled by its policy"
    """The provider took it, has not answered that, and cannot be asked."""


class Known(Enum):
    """What is told of a message when the process that delivers it dies, and by what."""

    NOTHING = auto()
    """It is queued."""
    CLAIM = auto()
    """Of an attempt, and the provider does not have it."""
    TAKEN = auto()
    """Of an attempt, and the provider has it."""
    SENT = auto()


ENDS = {
    Known.NOTHING: dict.fromkeys(World, ("sent", 1)),
    Known.CLAIM: {World.ONCE: ("unknown", 0), World.AGAIN: ("sent", 1), World.ASKED: ("sent", 1)},
    Known.TAKEN: {World.ONCE: ("unknown", 1), World.AGAIN: ("sent", 2), World.ASKED: ("sent", 1)},
    Known.SENT: dict.fromkeys(World, ("sent", 1)),
}
"""A message's status in the end, and how often the provider took it."""


class Step(NamedTuple):
    story: Story
    wire: str
    call: str
    side: Side
    known: Known

    @property
    def name(self) -> str:
        what = {
            Side.CONNECTION: f"no connection to {self.wire}",
            Side.REQUEST: f"{self.call} is not passed on",
            Side.ANSWER: f"{self.call} has no answer",
            Side.AFTER: "all is done and it is still in the queue",
        }
        return f"{self.story}: {what[self.side]}"


def _call(
    story: Story, wire: str, call: str, before: Known, after: Known, *, connects: bool = False
) -> list[Step]:
    """Before it is passed on, and before its answer is passed back; where it is the first to go this way,
    also before the connection is made. With what is known before the call, and after it."""
    return [
        *[Step(story, wire, "", Side.CONNECTION, before)] * connects,
        Step(story, wire, call, Side.REQUEST, before),
        Step(story, wire, call, Side.ANSWER, after),
    ]


def _dispatch(story: Story, known: Known) -> list[Step]:
    return _call(story, "queue", "SendMessageBatch", known, known, connects=True)


STEPS = [
    *_call(Story.TAKEN, "secrets", "GetSecretValue", Known.NOTHING, Known.NOTHING, connects=True),
    *_call(Story.TAKEN, "postgres", "claim_messages", Known.NOTHING, Known.CLAIM, connects=True),
    *_call(Story.TAKEN, "provider", "POST", Known.CLAIM, Known.TAKEN, connects=True),
    *_call(Story.TAKEN, "postgres", "record_attempt", Known.TAKEN, Known.SENT),
    Step(Story.TAKEN, "", "", Side.AFTER, Known.SENT),
    *_dispatch(Story.WAITING, Known.CLAIM),
    *_dispatch(Story.NEXT, Known.SENT),
    Step(Story.RETRY, "provider", "POST", Side.ANSWER, Known.CLAIM),
    *_call(Story.RETRY, "postgres", "record_attempt", Known.CLAIM, Known.NOTHING),
    *_dispatch(Story.RETRY, Known.NOTHING),
    *_call(Story.FOUND, "postgres", "claim_messages", Known.TAKEN, Known.TAKEN),
    *_call(Story.FOUND, "provider", "GET", Known.TAKEN, Known.TAKEN, connects=True),
    *_call(Story.FOUND, "postgres", "record_attempt", Known.TAKEN, Known.SENT),
    Step(Story.MISSED, "provider", "GET", Side.ANSWER, Known.CLAIM),
    *_call(Story.MISSED, "postgres", "resolve_attempt", Known.CLAIM, Known.NOTHING),
    *_dispatch(Story.MISSED, Known.NOTHING),
    *_call(Story.SETTLED, "postgres", "resolve_attempt", Known.TAKEN, Known.TAKEN),
]


def worlds(story: Story) -> Sequence[World]:
    """In which it can come to this."""
    match story:
        case Story.FOUND | Story.MISSED:
            return [World.ASKED]
        case Story.SETTLED:
            return [World.ONCE, World.AGAIN]
    return list(World)


def made_unknown_at(story: Story) -> Step | None:
    """The step at which an earlier delivery has died, where the story is about what became of it."""
    match story:
        case Story.FOUND | Story.SETTLED:
            return _at("POST", Side.ANSWER)
        case Story.MISSED:
            return _at("POST", Side.REQUEST)
    return None


CLAIMED = Step(Story.TAKEN, "postgres", "claim_messages", Side.ANSWER, Known.CLAIM)
"""A conversation is busy while nobody knows yet that whoever was at this is dead."""


def _at(call: str, side: Side) -> Step:
    return next(step for step in STEPS if (step.story, step.call, step.side) == (Story.TAKEN, call, side))
