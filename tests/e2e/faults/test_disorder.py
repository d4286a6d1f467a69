"""SQS may deliver an id twice and in any order: the provider still gets each message once, in order."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from local import Behaviour, Stack, running
from tests.e2e.faults import LONG
from tests.support.database import Database
from tests.support.faults.final_states import UNFINISHED, assert_one_after_the_other
from tests.support.outbound import sent
from tests.support.waiting import eventually

CONVERSATIONS, MESSAGES = (20, 10) if LONG else (5, 4)


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack in which only the test receives from the queue."""
    with running(relay_every=0, polling=False, concurrency=4) as stack:
        stack.provider.behave(Behaviour(delay=(0, 0.2), reports=()))
        yield stack


def deliver_queue(stack: Stack, times: int) -> None:
    """Deliver everything in the queue, each id `times` times. If more than once, in reverse order."""
    [url] = [source.queue.url for source in stack.template.sources if source.function == "DeliverMessage"]
    ids: list[str] = []
    while messages := stack.sqs().receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            ids.append(message["Body"])
            stack.sqs().delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    deliveries = ids if times == 1 else [id for id in reversed(ids) for _ in range(times)]
    batches = [deliveries[start : start + 10] for start in range(0, len(deliveries), 10)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda batch: deliver(stack, batch), batches))


def deliver(stack: Stack, ids: Sequence[str]) -> None:
    records = [{"messageId": f"record-{position}", "body": id} for position, id in enumerate(ids)]
    assert stack.invoke("DeliverMessage", {"Records": records}) == {"batchItemFailures": []}


def send_conversations(stack: Stack, prefix: str, times: int) -> list[list[int]]:
    """Send conversations. Returns the positions of the messages that the provider got, in its order."""
    contacts = [f"{prefix}{number:03}" for number in range(CONVERSATIONS)]
    positions = {sent(stack, contact): position for position in range(MESSAGES) for contact in contacts}
    with closing(Database(stack.database_url)) as database:

        def done() -> bool:
            deliver_queue(stack, times)
            return database.value(UNFINISHED) == 0

        eventually(done, 60)
    deliver_queue(stack, times)  # the ids that are still in the queue
    calls = [[call for call in stack.provider.requests if call.body["to"] == contact] for contact in contacts]
    for received in calls:
        assert_one_after_the_other(received)
    return [[positions[int(call.body["reference"])] for call in received] for received in calls]


def test_repeated_and_reversed_dispatches_send_the_same_as_single_ones(stack: Stack) -> None:
    once = send_conversations(stack, "+18045551", times=1)
    assert once == [list(range(MESSAGES))] * CONVERSATIONS
    assert send_conversations(stack, "+18045552", times=3) == once
