"""Thousands of queued messages drain to the end while the provider fails now and then: nothing is left
behind, and nothing is sent twice."""

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
from tests.support.http_client import post
from tests.support.waiting import eventually

MESSAGES = 10_000 if LONG else 300
CONVERSATION = 3 if LONG else 1
"""Messages in each."""
DELIVERIES = 24 if LONG else 10
"""At once, of up to ten messages: most of them wait for a time-out."""
SENDERS = {"asked": "+12016660001", "unasked": "+12016660002"}
ENDS = ("sent", "unknown", "failed")
PARAMETERS = {
    "Providers": "asked=sms,unasked=sms",
    "SenderProviders": '{"+12016660001": ["asked"], "+12016660002": ["unasked"]}',
    "MaxConcurrentDeliveries": str(DELIVERIES),
    "UnknownAfter": "30" if LONG else "3",
}
TROUBLE = (
    Behaviour(status=500, share=0.05),
    Behaviour(delay=30, close="before", share=0.025),
    Behaviour(delay=30, close="after", reports=(), share=0.025),
    Behaviour(delay=(0, 0.1), reports=()),
)
"""Of the requests that time out half were taken."""


class Drained(NamedTuple):
    ids: dict[str, list[int]]
    """Of the messages that each provider got."""
    statuses: dict[int, str]
    taken: Counter[int]
    """How often the provider has each."""
    timed_out: Counter[int]
    """How often a request for each had no answer."""


@pytest.fixture(scope="module")
def drained() -> Iterator[Drained]:
    with running(
        relay_every=1,
        polling=False,
        concurrency=DELIVERIES,
        parameters=PARAMETERS,
        without_status_lookup=["unasked"],
    ) as stack:
        stack.provider.behave(*TROUBLE, seed=1)
        ids = {instance: accept(stack, sender) for instance, sender in SENDERS.items()}
        pollers = list(stack.pollers(DELIVERIES))
        started = time.monotonic()
        for poller in pollers:
            poller.start()
        wait_until_all_is_done(stack, 900 if LONG else 90)
        seconds = time.monotonic() - started
        eventually(lambda: lying_in_queues(stack) == 0, 60)
        for poller in pollers:
            poller.stop()
        found = statuses(stack)
        calls = stack.provider.requests
        rows = [
            (
                name,
                *(sum(found[id] == status for id in ids[name]) for status in ("sent", "unknown", "failed")),
            )
            for name in SENDERS
        ]
        title = f"{MESSAGES} messages drained in {seconds:.0f} seconds with {len(calls)} calls"
        result_tables.tell(title, [("the provider is", *ENDS), *rows])
        yield Drained(
            ids,
            found,
            Counter(int(call.body["reference"]) for call in calls if call.id is not None),
            Counter(int(call.body["reference"]) for call in calls if call.status is None),
        )


def accept(stack: Stack, sender: str) -> list[int]:
    def accept(number: int) -> int:
        contact = f"+1804{number // CONVERSATION:07}"
        answer = post(f"{stack.url}/api/messages/sms", {"from": sender, "to": contact, "body": "Hello"})
        assert answer.status == 202, answer
        return int(answer.body["id"])

    with ThreadPoolExecutor(8) as threads:
        return list(threads.map(accept, range(MESSAGES // len(SENDERS))))


def lying_in_queues(stack: Stack) -> int:
    """Dead letters and all."""
    sqs = stack.sqs()
    found = 0
    for queue in stack.template.queues:
        attributes = sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["All"])["Attributes"]
        names = [name for name in attributes if name.startswith("ApproximateNumberOfMessages")]
        found += sum(int(attributes[name]) for name in names)
    return found


def test_nothing_is_left_behind(drained: Drained) -> None:
    accepted = sorted(id for ids in drained.ids.values() for id in ids)
    assert len(accepted) == MESSAGES
    assert list(drained.statuses) == accepted


def test_each_is_sent_once_where_the_provider_can_be_asked(drained: Drained) -> None:
    assert drained.timed_out.keys() & set(drained.ids["asked"])
    assert {drained.statuses[id] for id in drained.ids["asked"]} == {"sent"}
    assert {drained.taken[id] for id in drained.ids["asked"]} == {1}


def test_each_is_sent_once_or_visibly_unknown_where_it_cannot(drained: Drained) -> None:
    unknown = {id for id in drained.ids["unasked"] if drained.statuses[id] == "unknown"}
    assert unknown == drained.timed_out.keys() & set(drained.ids["unasked"])
    assert unknown
    sent = set(drained.ids["unasked"]) - unknown
    assert {drained.statuses[id] for id in sent} == {"sent"}
    assert {drained.taken[id] for id in sent} == {1}
    assert {drained.taken[id] for id in unknown} <= {0, 1}
