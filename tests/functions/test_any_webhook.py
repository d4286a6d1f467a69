"""Whatever a vendor sends, or somebody in its name: no fault of ours, and kept where it is signed.

FUZZ=long tries as many as take some minutes of each provider.
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
KEPT = "SELECT count(*) FROM webhook_requests"


def check(database: Database, webhook: Webhook, path: str) -> int:
    """The answer's status."""
    before = database.value(KEPT)
    answer = call("POST", f"{path}?{webhook.query}".rstrip("?"), webhook.body, webhook.headers)
    assert answer.status < 500
    if answer.status >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert database.value(KEPT) == before
    return answer.status


def let_in(speaker: Contract, webhook: Webhook) -> Verified | None:
    try:
        return speaker.made().verify(webhook)
    except SignatureRejected:
        return None


def again(speaker: Contract) -> Callable[[Webhook], Webhook]:
    """Signs anew what was spoilt, as the vendor would if it were the one to send it."""

    def signed(webhook: Webhook) -> Webhook:
        try:
            return speaker.request(webhook.body)
        except Exception:  # noqa: BLE001  # there is no place in it for a signature
            return webhook

    return signed


@pytest.mark.usefixtures("deploy")
def test_any_body_and_headers_are_answered(speaker: Contract, database: Database) -> None:
    @EXAMPLES
    @given(altered_requests.ANYTHING, HEADERS, st.booleans())
    def answered(body: bytes, headers: dict[str, str], signs: bool) -> None:
        webhook = speaker.webhook(body, headers)
        check(database, again(speaker)(webhook) if signs else webhook, speaker.route)

    answered()


@pytest.mark.usefixtures("deploy")
def test_an_altered_request_is_answered(speaker: Contract, database: Database) -> None:
    plain = [speaker.webhook(body) for body in (*speaker.bodies(), *speaker.recorded())]
    whole = [speaker.request(webhook.body) for webhook in plain]
    spoilt: list[st.SearchStrategy[Any]] = [
        *(nearly(webhook).map(again(speaker)) for webhook in plain),
        *(nearly(webhook) for webhook in whole),
    ]

    @EXAMPLES
    @given(st.one_of(spoilt))
    def answered(webhook: Webhook) -> None:
        verified = let_in(speaker, webhook)
        status = check(database, webhook, speaker.route)
        assert verified or status == 403
        assert status < 300 or not verified or verified.replay_token, "it is good for one body alone"

    answered()
