"""functions/email_webhook: its event, which arrives by the function URL, becomes a stored message."""

import pytest

from local.simulators.provider import ProviderSimulator
from tests.support.api import INBOUND_EMAIL, answer, call, call_url, invoke
from tests.support.configuration import Configure
from tests.support.database import Database
from tests.template.test_events import event

pytestmark = pytest.mark.usefixtures("allow_unsigned")


@pytest.fixture
def allow_unsigned(providers: ProviderSimulator, configure: Configure) -> None:
    configure(ALLOW_UNSIGNED_WEBHOOKS="true")


def test_the_message_of_the_sample_event_is_stored(database: Database) -> None:
    response = answer(invoke("email_webhook", event("email_webhook")))
    assert response.status == 200
    message = response.json
    assert (message["type"], message["provider_message_id"]) == ("email", "message-3")
    assert message["body"] == "<html><body>html is <b>allowed</b> here</body></html>"
    assert message["attachments"] == ["https://example.com/received.pdf"]


def test_the_function_url_and_the_route_receive_the_same_message(database: Database) -> None:
    first = call("POST", "/api/webhooks/email", INBOUND_EMAIL)
    assert call_url("email_webhook", "POST", "/", INBOUND_EMAIL).body == first.body


@pytest.mark.parametrize(
    "sender",
    [
        "Contact@Example.org",
        "Contact <contact@example.org>",
        "[contact@example.org](mailto:contact@example.org)",
    ],
)
def test_an_address_is_parsed_in_every_form_of_email(database: Database, sender: str) -> None:
    assert call("POST", "/api/webhooks/email", {**INBOUND_EMAIL, "from": sender}).json["from"] == (
        "contact@example.org"
    )
