"""functions/email_webhook: from its event, which came by the function's own URL, to what is kept."""

import pytest

from local.simulators.provider import ProviderSimulator
from tests.support.api import INBOUND_EMAIL, answer, call, call_url, invoke
from tests.support.configuration import Configure
from tests.support.database import Database
from tests.template.test_events import event

pytestmark = pytest.mark.usefixtures("unsigned")


@pytest.fixture
def unsigned(providers: ProviderSimulator, configure: Configure) -> None:
    configure(ALLOW_UNSIGNED_WEBHOOKS="true")


def test_keeps_its_event_s_message(database: Database) -> None:
    kept = answer(invoke("email_webhook", event("email_webhook")))
    assert kept.status == 200
    message = kept.json
    assert (message["type"], message["provider_message_id"]) == ("email", "message-3")
    assert message["body"] == "<html><body>html is <b>allowed</b> here</body></html>"
    assert message["attachments"] == ["https://example.com/received.pdf"]


def test_the_url_and_the_route_are_one_door(database: Database) -> None:
    first = call("POST", "/api/webhooks/email", INBOUND_EMAIL)
    assert call_url("email_webhook", "POST", "/", INBOUND_EMAIL).body == first.body


@pytest.mark.parametrize(
    "written",
    [
        "Contact@Example.org",
        "Contact <contact@example.org>",
        "[contact@example.org](mailto:contact@example.org)",
    ],
)
def test_an_address_is_read_however_a_mail_writes_it(database: Database, written: str) -> None:
    assert call("POST", "/api/webhooks/email", {**INBOUND_EMAIL, "from": written}).json["from"] == (
        "contact@example.org"
    )
