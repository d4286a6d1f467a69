"""What the queue delivers a thousand times is sent once, and the queue comes to its end."""

from local import Behaviour, Stack
from tests.conftest import Database
from tests.e2e.conftest import keep
from tests.e2e.outbound import calls, wait_for
from tests.local.waiting import eventually

NUDGES = 1000
BATCH = 10


def nudge(stack: Stack, *ids: int) -> None:
    """As many times as one of them each."""
    bodies = [str(id) for _ in range(NUDGES // len(ids)) for id in ids]
    for start in range(0, len(bodies), BATCH):
        entries = [
            {"Id": str(place), "MessageBody": body}
            for place, body in enumerate(bodies[start : start + BATCH])
        ]
        stack.sqs().send_message_batch(QueueUrl=queue(stack), Entries=entries)  # type: ignore[arg-type]  # plain dicts


def queue(stack: Stack) -> str:
    [url] = [one.queue.url for one in stack.template.sources if one.function == "DeliverMessage"]
    return url


def queued(stack: Stack) -> int:
    """What is in the queue: ready, delayed or with somebody."""
    found = stack.sqs().get_queue_attributes(QueueUrl=queue(stack), AttributeNames=["All"])["Attributes"]
    return sum(int(number) for name, number in found.items() if name.startswith("ApproximateNumber"))


def test_a_thousand_nudges_of_one_message_are_one_call_to_the_provider(
    stack: Stack, kept: Database, contact: str
) -> None:
    id = keep(kept, contact)
    stack.provider.behave(Behaviour(delay=2, times=1))  # many come while it is under way, and others after
    nudge(stack, id)
    wait_for(stack, id, "delivered")
    eventually(lambda: queued(stack) == 0, 60)
    assert len(calls(stack, id)) == 1


def test_a_thousand_nudges_of_two_messages_of_a_conversation_are_a_call_for_each(
    stack: Stack, kept: Database, contact: str
) -> None:
    first, second = (keep(kept, contact) for _ in range(2))
    stack.provider.behave(Behaviour(delay=2, times=1))
    nudge(stack, second, first)
    for id in (first, second):
        wait_for(stack, id, "delivered")
    eventually(lambda: queued(stack) == 0, 60)
    assert [len(calls(stack, id)) for id in (first, second)] == [1, 1]
