"""Any request is parsed or refused with one of our errors, at a bounded cost.

FUZZ=long tries as many requests as take about a minute for each provider.
"""

import os
import time
import tracemalloc
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from messaging.providers.provider import Webhook
from tests.support.providers import altered_requests
from tests.support.providers.contract import Contract, contracts
from tests.support.providers.oversized_requests import grown

pytestmark = pytest.mark.fuzz

LONG = os.environ.get("FUZZ") == "long"
EXAMPLES = settings(max_examples=3_000 if LONG else 100)
SIZE = 1_000_000 if LONG else 60_000  # bytes
KINDS = ("", "text/plain", "application/json", "application/x-www-form-urlencoded", "multipart/form-data")

every = pytest.mark.parametrize(
    "contract",
    [contract_class() for contract_class in contracts()],
    ids=lambda contract: type(contract).__name__,
)


def requests(contract: Contract) -> list[Webhook]:
    """Every request that the vendor is known to send."""
    return [contract.request(body) for body in (*contract.bodies(), *contract.samples())]


def nearly(request: Webhook) -> st.SearchStrategy[Webhook]:
    bodies = altered_requests.altered(request.body, request.headers["content-type"])
    return bodies.map(lambda body: replace(request, body=body))


def check(contract: Contract, request: Webhook) -> None:
    began = time.process_time()
    contract.can_read(request)
    assert (
        time.process_time() - began < 5 + len(request.body) / 100_000
    )  # a quadratic cost would be far above this


@every
def test_any_body_is_parsed_or_refused_within_bounds(contract: Contract) -> None:
    @EXAMPLES
    @given(
        altered_requests.ANYTHING,
        st.sampled_from([*KINDS, *(contract.content_type(body) for body in contract.bodies())]),
    )
    def read(body: bytes, kind: str) -> None:
        check(contract, contract.webhook(body, {"content-type": kind}))

    read()


@every
def test_an_altered_request_is_answered(contract: Contract) -> None:
    spoilt = [nearly(request) for request in requests(contract)]

    @EXAMPLES
    @given(st.one_of(spoilt))
    def read(request: Webhook) -> None:
        check(contract, request)

    read()


@every
def test_an_oversized_request_is_parsed_or_refused_within_bounds(contract: Contract) -> None:
    for request in requests(contract)[:3]:
        for body in grown(request.body, request.headers["content-type"], SIZE):
            tracemalloc.start()
            check(contract, replace(request, body=body))
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert peak < 4_000_000 + 40 * len(body)  # a model for every few bytes
