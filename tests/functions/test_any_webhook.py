"""Any request of a vendor, or of somebody in its name, is answered without a 5xx, and stored if it is signed.

FUZZ=long tries as many requests as take some minutes for each provider.
"""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from messaging.problems import SignatureRejected
from messaging.providers.provider import Verified, Webhook
from tests.functions.test_any_input import HEADERS
from tests.layer.providers.test_fuzz import LONG, nearly
from tests.support.api import call
from tests.support.database import Database
from tests.support.providers import altered_requests
from tests.support.providers.contract import Contract

pytestmark = pytest.mark.fuzz

EXAMPLES = settings(
    max_examples=2_000 if LONG else 40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
STORED_REQUESTS = "SELECT count(*) FROM webhook_requests"


def check(database: Database, webhook: Webhook, path: str) -> int:
    """Send the webhook, and return the HTTP status of the response."""
    before = database.value(STORED_REQUESTS)
    answer = call("POST", f"{path}?{webhook.query}".rstrip("?"), webhook.body, webhook.headers)
    assert answer.status < 500
    if answer.status >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert database.value(STORED_REQUESTS) == before
    return answer.status


def verify(contract: Contract, webhook: Webhook) -> Verified | None:
    try:
        return contract.create().verify(webhook)
    except SignatureRejected:
        return None


def signed_again(contract: Contract) -> Callable[[Webhook], Webhook]:
    """Sign an altered request, as the vendor would."""

    def signed(webhook: Webhook) -> Webhook:
        try:
            return contract.request(webhook.body)
        except Exception:  # noqa: BLE001  # the body has no place for a signature
            return webhook

    return signed


@pytest.mark.usefixtures("deploy")
def test_any_body_and_headers_are_answered(contract: Contract, database: Database) -> None:
    @EXAMPLES
    @given(altered_requests.ANYTHING, HEADERS, st.booleans())
    def answered(body: bytes, headers: dict[str, str], signs: bool) -> None:
        webhook = contract.webhook(body, headers)
        check(database, signed_again(contract)(webhook) if signs else webhook, contract.route)

    answered()


@pytest.mark.usefixtures("deploy")
def test_an_altered_request_is_answered(contract: Contract, database: Database) -> None:
    unsigned = [contract.webhook(body) for body in (*contract.bodies(), *contract.samples())]
    signed_requests = [contract.request(webhook.body) for webhook in unsigned]
    altered: list[st.SearchStrategy[Any]] = [
        *(nearly(webhook).map(signed_again(contract)) for webhook in unsigned),
        *(nearly(webhook) for webhook in signed_requests),
    ]

    @EXAMPLES
    @given(st.one_of(altered))
    def answered(webhook: Webhook) -> None:
        verified = verify(contract, webhook)
        status = check(database, webhook, contract.route)
        assert verified or status == 403
        assert status < 300 or not verified or verified.replay_token, "a replay token is valid for one body"

    answered()
