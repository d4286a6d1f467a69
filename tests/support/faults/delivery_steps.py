"""The steps of a delivery at which it is killed. test_kills.py checks that no step is missing."""

from collections.abc import Sequence
from enum import Enum, StrEnum, auto
from typing import NamedTuple

from tests.support.faults.proxies import Side


class World(StrEnum):
    """What resolves an unknown outcome."""

    ONCE = "at_most_once"
    AGAIN = "at_least_once"
    LOOKUP = "status lookup"


class Story(StrEnum):
    """What happens in a delivery, and so which steps it has."""

    ACCEPTED = "accepted"
    WAITING = "beside one whose conversation is busy"
    """Another message of the same batch is blocked and must be dispatched again."""
    NEXT = "followed by the next"
    """The next message of its conversation can be sent."""
    RETRY = "to be retried"
    """The provider throttles it."""
    FOUND = "looked up and found"
    MISSED = "looked up and missed"
    """The provider did not take it, and the answer was lost."""
    RESOLVED = "resolved by its policy"
    """The provider took it, the answer was lost, and there is no status lookup."""


class Evidence(Enum):
    """What is recorded about a message when its delivery dies."""

    NOTHING = auto()
    """The message is queued."""
    CLAIM = auto()
    """An attempt is claimed, and the provider does not have the message."""
    ACCEPTED = auto()
    """An attempt is claimed, and the provider has the message."""
    SENT = auto()


ENDS = {
    Evidence.NOTHING: dict.fromkeys(World, ("sent", 1)),
    Evidence.CLAIM: {World.ONCE: ("unknown", 0), World.AGAIN: ("sent", 1), World.LOOKUP: ("sent", 1)},
    Evidence.ACCEPTED: {World.ONCE: ("unknown", 1), World.AGAIN: ("sent", 2), World.LOOKUP: ("sent", 1)},
    Evidence.SENT: dict.fromkeys(World, ("sent", 1)),
}
"""The final status of a message, and how often the provider took it."""


class Step(NamedTuple):
    story: Story
    wire: str
    call: str
    side: Side
    evidence: Evidence

    @property
    def name(self) -> str:
        events = {
            Side.CONNECTION: f"no connection to {self.wire}",
            Side.REQUEST: f"{self.call} is not passed on",
            Side.ANSWER: f"{self.call} has no answer",
            Side.AFTER: "it is finished and still in the queue",
        }
        return f"{self.story}: {events[self.side]}"


def _call(
    story: Story, wire: str, call: str, before: Evidence, after: Evidence, *, connects: bool = False
) -> list[Step]:
    """The steps of a call: before the request is forwarded, before its answer is, and with `connects` also
    before the connection is made. `before` and `after` is what is recorded around the call."""
    return [
        *[Step(story, wire, "", Side.CONNECTION, before)] * connects,
        Step(story, wire, call, Side.REQUEST, before),
        Step(story, wire, call, Side.ANSWER, after),
    ]


def _dispatch(story: Story, evidence: Evidence) -> list[Step]:
    return _call(story, "queue", "SendMessageBatch", evidence, evidence, connects=True)


STEPS = [
    *_call(Story.ACCEPTED, "secrets", "GetSecretValue", Evidence.NOTHING, Evidence.NOTHING, connects=True),
    *_call(Story.ACCEPTED, "postgres", "claim_messages", Evidence.NOTHING, Evidence.CLAIM, connects=True),
    *_call(Story.ACCEPTED, "provider", "POST", Evidence.CLAIM, Evidence.ACCEPTED, connects=True),
    *_call(Story.ACCEPTED, "postgres", "record_attempts", Evidence.ACCEPTED, Evidence.SENT),
    Step(Story.ACCEPTED, "", "", Side.AFTER, Evidence.SENT),
    *_dispatch(Story.WAITING, Evidence.CLAIM),
    *_dispatch(Story.NEXT, Evidence.SENT),
    Step(Story.RETRY, "provider", "POST", Side.ANSWER, Evidence.CLAIM),
    *_call(Story.RETRY, "postgres", "record_attempts", Evidence.CLAIM, Evidence.NOTHING),
    *_dispatch(Story.RETRY, Evidence.NOTHING),
    *_call(Story.FOUND, "postgres", "claim_messages", Evidence.ACCEPTED, Evidence.ACCEPTED),
    *_call(Story.FOUND, "provider", "GET", Evidence.ACCEPTED, Evidence.ACCEPTED, connects=True),
    *_call(Story.FOUND, "postgres", "record_attempt", Evidence.ACCEPTED, Evidence.SENT),
    Step(Story.MISSED, "provider", "GET", Side.ANSWER, Evidence.CLAIM),
    *_call(Story.MISSED, "postgres", "resolve_attempt", Evidence.CLAIM, Evidence.NOTHING),
    *_dispatch(Story.MISSED, Evidence.NOTHING),
    *_call(Story.RESOLVED, "postgres", "resolve_attempt", Evidence.ACCEPTED, Evidence.ACCEPTED),
]


def worlds(story: Story) -> Sequence[World]:
    """The settings in which this story can happen."""
    match story:
        case Story.FOUND | Story.MISSED:
            return [World.LOOKUP]
        case Story.RESOLVED:
            return [World.ONCE, World.AGAIN]
    return list(World)


def made_unknown_at(story: Story) -> Step | None:
    """The step at which an earlier delivery died, if the story is about its unknown outcome."""
    match story:
        case Story.FOUND | Story.RESOLVED:
            return _at("POST", Side.ANSWER)
        case Story.MISSED:
            return _at("POST", Side.REQUEST)
    return None


CLAIMED = Step(Story.ACCEPTED, "postgres", "claim_messages", Side.ANSWER, Evidence.CLAIM)
"""After this step the conversation is busy until the lease of the dead delivery runs out."""


def _at(call: str, side: Side) -> Step:
    return next(step for step in STEPS if (step.story, step.call, step.side) == (Story.ACCEPTED, call, side))
