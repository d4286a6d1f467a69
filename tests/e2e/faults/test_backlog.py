"""Thousands of queued messages are delivered while the provider sometimes fails: each gets a final status,
and none is sent twice."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest

from local import Behaviour, Stack, running
from tests.e2e.faults import LONG
from tests.support.faults import result_tables
from tests.support.faults.final_states import statuses, wait_until_all_is_done
from tests.support.faults.unknown_outcomes import UNKNOWN_AFTER, resolve_after_two_seconds
from tests.support.http_client import post
from tests.support.waiting import eventually

MESSAGES = 10_000 if LONG else 300
CONVERSATION_LENGTH = 3 if LONG else 1
"""Messages in each conversation."""
DELIVERIES = 24 if LONG else 10
"""Concurrent deliveries of up to ten messages. Most of them wait for a timeout."""
SENDERS = {"with_lookup": "+12016660001", "without_lookup": "+12016660002"}
FINAL_STATUSES = ("sent", "unknown", "failed")
PARAMETERS = {
    "Providers": "with_lookup=sms,without_lookup=sms",
    "SenderProviders": '{"+12016660001": ["with_lookup"], "+12016660002": ["without_lookup"]}',
    "MaxConcurrentDeliveries": str(DELIVERIES),
    **UNKNOWN_AFTER,
}
FAULTS = (
    Behaviour(status=503, share=0.05),
    Behaviour(delay=30, close="before", share=0.025),
    Behaviour(delay=30, close="after", reports=(), share=0.025),
    Behaviour(delay=(0, 0.1), reports=()),
)
"""Half of the requests that time out were taken by the provider."""


class Drained(NamedTuple):
    ids: dict[str, list[int]]
    """The messages of each provider."""
    statuses: dict[int, str]
    accepted_counts: Counter[int]
    """How often the provider accepted each message."""
    timed_out: Counter[int]
    """How many requests for each message had no answer."""


@pytest.fixture(scope="module")
def drained() -> Iterator[Drained]:
    with running(
        relay_every=1,
        polling=False,
        concurrency=DELIVERIES,
        parameters=PARAMETERS,
        without_status_lookup=["without_lookup"],
    ) as stack:
        if not LONG:
            resolve_after_two_seconds(stack)
        stack.provider.behave(*FAULTS, seed=1)
        ids = {instance: accept(stack, sender) for instance, sender in SENDERS.items()}
        pollers = list(stack.pollers(DELIVERIES))
        started = time.monotonic()
        for poller in pollers:
            poller.start()
        wait_until_all_is_done(stack, 900 if LONG else 90)
        seconds = time.monotonic() - started
        eventually(lambda: queued_messages(stack) == 0, 60)
        for poller in pollers:
            poller.stop()
        final = statuses(stack)
        calls = stack.provider.requests
        rows = [
            (
                name,
                *(sum(final[id] == status for id in ids[name]) for status in ("sent", "unknown", "failed")),
            )
            for name in SENDERS
        ]
        title = f"{MESSAGES} messages drained in {seconds:.0f} seconds with {len(calls)} calls"
        result_tables.add(title, [("the provider is", *FINAL_STATUSES), *rows])
        yield Drained(
            ids,
            final,
            Counter(int(call.body["reference"]) for call in calls if call.id is not None),
            Counter(int(call.body["reference"]) for call in calls if call.status is None),
        )


def accept(stack: Stack, sender: str) -> list[int]:
    def accept(number: int) -> int:
        contact = f"+1804{number // CONVERSATION_LENGTH:07}"
        answer = post(f"{stack.url}/api/messages/sms", {"from": sender, "to": contact, "body": "Hello"})
        assert answer.status == 202, answer
        return int(answer.body["id"])

    with ThreadPoolExecutor(8) as threads:
        return list(threads.map(accept, range(MESSAGES // len(SENDERS))))


def queued_messages(stack: Stack) -> int:
    """Count the messages of all queues, dead letters included."""
    sqs = stack.sqs()
    total = 0
    for queue in stack.template.queues:
        attributes = sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["All"])["Attributes"]
        names = [name for name in attributes if name.startswith("ApproximateNumberOfMessages")]
        total += sum(int(attributes[name]) for name in names)
    return total


def test_every_message_has_a_final_status(drained: Drained) -> None:
    accepted = sorted(id for ids in drained.ids.values() for id in ids)
    assert len(accepted) == MESSAGES
    assert list(drained.statuses) == accepted


def test_each_message_is_sent_once_if_the_provider_supports_status_lookup(drained: Drained) -> None:
    assert drained.timed_out.keys() & set(drained.ids["with_lookup"])
    assert {drained.statuses[id] for id in drained.ids["with_lookup"]} == {"sent"}
    assert {drained.accepted_counts[id] for id in drained.ids["with_lookup"]} == {1}


def test_each_message_is_sent_once_or_unknown_if_it_does_not(drained: Drained) -> None:
    unknown = {id for id in drained.ids["without_lookup"] if drained.statuses[id] == "unknown"}
    assert unknown == drained.timed_out.keys() & set(drained.ids["without_lookup"])
    assert unknown
    sent = set(drained.ids["without_lookup"]) - unknown
    assert {drained.statuses[id] for id in sent} == {"sent"}
    assert {drained.accepted_counts[id] for id in sent} == {1}
    assert {drained.accepted_counts[id] for id in unknown} <= {0, 1}
