"""A message that is delivered a thousand times is sent once, and the queue is empty in the end."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from local import Behaviour, Stack
from tests.support.database import Database
from tests.support.faults.outbound_queue import OutboundQueue
from tests.support.outbound import attempts, calls, message, wait_for
from tests.support.stack import add_undispatched
from tests.support.waiting import eventually

TIMES = 1000


def deliver(stack: Stack, id: int) -> list[Any]:
    """Deliver the message a thousand times, in as many processes as the stack has."""
    event = {"Records": [{"messageId": "record", "body": str(id)}]}
    with ThreadPoolExecutor(8) as threads:
        return list(threads.map(lambda _: stack.invoke("DeliverMessage", event), range(TIMES)))


def test_a_thousand_deliveries_of_a_message_make_one_call(
    stack: Stack, stack_database: Database, contact: str
) -> None:
    id = add_undispatched(stack_database, contact)
    stack.provider.behave(
        Behaviour(delay=1, times=1)
    )  # many deliveries come during the call, and the others after it
    assert deliver(stack, id) == [{"batchItemFailures": []}] * TIMES
    wait_for(stack, id, "delivered")
    assert len(calls(stack, id)) == 1
    assert attempts(message(stack, id)) == [(1, "sent", None)]


def test_a_thousand_dispatches_of_two_messages_make_one_call_each(
    stack: Stack, stack_database: Database, contact: str
) -> None:
    ids = [add_undispatched(stack_database, contact) for _ in range(2)]
    queue = OutboundQueue(stack)
    stack.provider.behave(Behaviour(delay=1, times=1))
    for _ in range(TIMES // 10):
        queue.send(*ids * 5)
    for id in ids:
        wait_for(stack, id, "delivered")
    eventually(lambda: queue.size() == 0, 60)
    assert [len(calls(stack, id)) for id in ids] == [1, 1]
