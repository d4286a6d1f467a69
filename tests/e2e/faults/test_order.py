"""The messages of a conversation reach the provider one at a time, in the order in which they were accepted,
with any number of concurrent deliveries."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from statistics import quantiles

from local import Behaviour, Stack, running
from tests.e2e.faults import LONG
from tests.support.database import Database
from tests.support.faults import result_tables
from tests.support.faults.final_states import assert_one_after_the_other, wait_until_all_is_done
from tests.support.outbound import sent

CONVERSATIONS, MESSAGES = (20, 100) if LONG else (6, 10)
INTERVAL = 0.65
"""Seconds between the messages of a conversation: a little more than the delivery of one takes."""
DELAY = (0, 0.3)
DELIVERIES = 4
P99 = 5.0  # seconds


def send_conversation(stack: Stack, number: int) -> list[int]:
    """Send a conversation. Returns the ids of its messages in the order in which they were accepted."""
    start = time.monotonic() + INTERVAL * number / CONVERSATIONS
    ids = []
    for message in range(MESSAGES):
        time.sleep(max(0, start + INTERVAL * message - time.monotonic()))
        ids.append(sent(stack, f"+1804555{number:04}"))
    return ids


def latencies(stack: Stack, ids: list[int]) -> list[float]:
    """Seconds from accepted to sent."""
    took = "extract(epoch FROM e.created_at - m.created_at)::float"
    with closing(Database(stack.database_url)) as database:
        rows = database.rows(
            f"SELECT {took} FROM message_events e JOIN messages m ON m.id = e.message_id"
            " WHERE e.kind = 'attempt' AND e.status = 'sent' AND m.id = ANY (:ids)",
            ids=ids,
        )
    return [float(str(seconds)) for [seconds] in rows]


def warm_up(stack: Stack) -> None:
    """Start the processes before the measurement."""
    with ThreadPoolExecutor(CONVERSATIONS) as threads:
        list(threads.map(partial(sent, stack), [f"+1804556{number:04}" for number in range(40)]))
    wait_until_all_is_done(stack, 60)


def test_concurrent_deliveries_send_a_conversation_in_order() -> None:
    with running(relay_every=60, concurrency=DELIVERIES) as stack:
        stack.provider.behave(Behaviour(delay=DELAY, reports=()))
        warm_up(stack)
        with ThreadPoolExecutor(CONVERSATIONS) as threads:
            accepted = list(threads.map(partial(send_conversation, stack), range(CONVERSATIONS)))
        wait_until_all_is_done(stack, 90)
        calls = stack.provider.requests
        seconds = latencies(stack, [id for ids in accepted for id in ids])
    for number, ids in enumerate(accepted):
        received = [call for call in calls if call.body["to"] == f"+1804555{number:04}"]
        assert [int(call.body["reference"]) for call in received] == ids
        assert_one_after_the_other(received)
    p50, p99 = (quantiles(seconds, n=100)[percent - 1] for percent in (50, 99))
    row = (CONVERSATIONS, MESSAGES, DELIVERIES, f"{p50:.2f}", f"{p99:.2f}", f"{max(seconds):.2f}")
    columns = ("conversations", "messages each", "processes", "p50", "p99", "longest")
    result_tables.add("Seconds from accepted to sent", [columns, row])
    assert not LONG or p99 < P99
