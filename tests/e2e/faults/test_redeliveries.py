"""What is delivered a thousand times is sent once, and the queue comes to its end."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from local import Behaviour, Stack
from tests.conftest import Database
from tests.e2e.conftest import keep
from tests.e2e.outbound import attempts, calls, message, wait_for
from tests.local.waiting import eventually

TIMES = 1000
BATCH = 10


def deliver(stack: Stack, id: int) -> list[Any]:
    """As often as there are times, in as many processes at once as there may be."""
    event = {"Records": [{"messageId": "record", "body": str(id)}]}
    with ThreadPoolExecutor(8) as threads:
        return list(threads.map(lambda _: stack.invoke("DeliverMessage", event), range(TIMES)))


def nudge(stack: Stack, ids: Sequence[int]) -> None:
    """Through the queue, as often in all."""
    bodies = [str(id) for _ in range(TIMES // len(ids)) for id in ids]
    for start in range(0, len(bodies), BATCH):
        batch = enumerate(bodies[start : start + BATCH])
        entries = [{"Id": str(place), "MessageBody": body} for place, body in batch]
        stack.sqs().send_message_batch(QueueUrl=queue(stack), Entries=entries)  # type: ignore[arg-type]  # plain dicts


def queue(stack: Stack) -> str:
    [url] = [one.queue.url for one in stack.template.sources if one.function == "DeliverMessage"]
    return url


def queued(stack: Stack) -> int:
    """What is in the queue: ready, delayed or with somebody."""
    found = stack.sqs().get_queue_attributes(QueueUrl=queue(stack), AttributeNames=["All"])["Attributes"]
    return sum(int(number) for name, number in found.items() if name.startswith("ApproximateNumber"))


def test_a_thousand_deliveries_of_a_message_are_one_call_to_the_provider(
    stack: Stack, kept: Database, contact: str
) -> None:
    id = keep(kept, contact)
    stack.provider.behave(Behaviour(delay=1, times=1))  # many come while it is under way, and others after
    assert deliver(stack, id) == [{"batchItemFailures": []}] * TIMES
    wait_for(stack, id, "delivered")
    assert len(calls(stack, id)) == 1
    assert attempts(message(stack, id)) == [(1, "sent", None)]


def test_a_thousand_nudges_of_two_messages_of_a_conversation_are_a_call_for_each(
    stack: Stack, kept: Database, contact: str
) -> None:
    ids = [keep(kept, contact) for _ in range(2)]
    stack.provider.behave(Behaviour(delay=1, times=1))
    nudge(stack, ids)
    for id in ids:
        wait_for(stack, id, "delivered")
    eventually(lambda: queued(stack) == 0, 60)
    assert [len(calls(stack, id)) for id in ids] == [1, 1]
