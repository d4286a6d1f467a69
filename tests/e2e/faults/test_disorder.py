"""SQS hands over what it has more than once and in any order: the provider's record does not show it."""

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
    """One whose queue nobody takes anything out of but the test."""
    with running(relay_every=0, polling=False, concurrency=4) as stack:
        stack.provider.behave(Behaviour(delay=(0, 0.2), reports=()))
        yield stack


def hand_over(stack: Stack, times: int) -> None:
    """What lies in the queue now, so often each; more than once, also the last first."""
    [url] = [one.queue.url for one in stack.template.sources if one.function == "DeliverMessage"]
    ids: list[str] = []
    while messages := stack.sqs().receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            ids.append(message["Body"])
            stack.sqs().delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    handed = ids if times == 1 else [id for id in reversed(ids) for _ in range(times)]
    batches = [handed[start : start + 10] for start in range(0, len(handed), 10)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda batch: deliver(stack, batch), batches))


def deliver(stack: Stack, ids: Sequence[str]) -> None:
    records = [{"messageId": f"record-{place}", "body": id} for place, id in enumerate(ids)]
    assert stack.invoke("DeliverMessage", {"Records": records}) == {"batchItemFailures": []}


def record(stack: Stack, prefix: str, times: int) -> list[list[int]]:
    """Which message of each conversation the provider was sent, in its order."""
    contacts = [f"{prefix}{number:03}" for number in range(CONVERSATIONS)]
    places = {sent(stack, contact): place for place in range(MESSAGES) for contact in contacts}
    with closing(Database(stack.database_url)) as database:

        def done() -> bool:
            hand_over(stack, times)
            return database.value(UNFINISHED) == 0

        eventually(done, 60)
    hand_over(stack, times)  # what is left of them in the queue
    calls = [[call for call in stack.provider.requests if call.body["to"] == contact] for contact in contacts]
    for received in calls:
        assert_one_after_the_other(received)
    return [[places[int(call.body["reference"])] for call in received] for received in calls]


def test_dispatches_that_come_three_times_and_in_reverse_send_what_one_each_sends(stack: Stack) -> None:
    once = record(stack, "+18045551", times=1)
    assert once == [list(range(MESSAGES))] * CONVERSATIONS
    assert record(stack, "+18045552", times=3) == once
