"""The steps of a delivery, each of which may be its last. None is left out: see test_kills.py."""

from enum import Enum, auto
from typing import NamedTuple

from tests.e2e.faults.wire import Side


class Story(Enum):
    """What a delivery is about, because of which it takes a step."""

    TAKEN = auto()
    RETRY = auto()
    """The provider has no time for it, and it is to be tried again."""
    LAST = auto()
    """It is done, and lives on while its entry is still in the queue."""


class Known(Enum):
    """What stands in Postgres of the attempt, and what the provider has, when the process dies."""

    NOTHING = auto()
    CLAIM = auto()
    """And the provider does not have it."""
    CLAIM_AND_CALL = auto()
    """The provider has it, and nobody knows."""
    RECORD = auto()


class Step(NamedTuple):
    name: str
    known: Known
    wire: str
    call: str
    side: Side
    story: Story = Story.TAKEN


def _sides(wire: str, call: str, before: Known, after: Known, story: Story = Story.TAKEN) -> list[Step]:
    suffix = ", to be retried" if story is Story.RETRY else ""
    return [
        Step(f"{call} is not passed on{suffix}", before, wire, call, Side.REQUEST, story),
        Step(f"{call} has no answer{suffix}", after, wire, call, Side.ANSWER, story),
    ]


STEPS = [
    Step("no connection to Secrets Manager", Known.NOTHING, "secrets", "", Side.CONNECTION),
    *_sides("secrets", "GetSecretValue", Known.NOTHING, Known.NOTHING),
    Step("no connection to Postgres", Known.NOTHING, "postgres", "", Side.CONNECTION),
    *_sides("postgres", "claim_messages", Known.NOTHING, Known.CLAIM),
    Step("no connection to the provider", Known.CLAIM, "provider", "", Side.CONNECTION),
    *_sides("provider", "POST", Known.CLAIM, Known.CLAIM_AND_CALL),
    *_sides("postgres", "record_attempt", Known.CLAIM_AND_CALL, Known.RECORD),
    Step("a refusing answer is not passed back", Known.CLAIM, "provider", "POST", Side.ANSWER, Story.RETRY),
    *_sides("postgres", "record_attempt", Known.CLAIM, Known.RECORD, Story.RETRY),
    Step("no connection to SQS", Known.RECORD, "queue", "", Side.CONNECTION, Story.RETRY),
    *_sides("queue", "SendMessageBatch", Known.RECORD, Known.RECORD, Story.RETRY),
    Step("its entry is still in the queue", Known.RECORD, "", "", Side.ANSWER, Story.LAST),
]
