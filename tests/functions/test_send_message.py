"""functions/send_message: from its event to what is stored, queued and answered."""

import pytest

from tests.support.api import EMAIL, NEW_EMAIL, NEW_SMS, SMS, answer, call, invoke
from tests.support.aws import Aws
from tests.support.database import Database
from tests.support.messages import NOT_IN_A_TEXT
from tests.template.test_events import event

pytestmark = pytest.mark.usefixtures("providers")


def test_the_message_of_the_sample_event_is_stored_and_queued(database: Database, aws: Aws) -> None:
    accepted = answer(invoke("send_message", event("send_message")))
    assert accepted.status == 202
    message = accepted.json
    assert message["created_at"] == message["updated_at"]
    assert {name: value for name, value in message.items() if not name.endswith("_at")} == {
        **NOT_IN_A_TEXT,
        "id": 1,
        "conversation_id": 1,
        "direction": "outbound",
        "type": "sms",
        "status": "queued",
        "from": "+12016661234",
        "to": "+18045551234",
        "version": 1,
        "attachments": [],
        "body": "Hello! This is a test SMS message.",
        "timestamp": "2024-11-01T14:00:00Z",
        "provider": "sms",
        "provider_message_id": None,
        "error": None,
    }
    assert [message["Body"] for message in aws.receive_queued()] == ["1"]
    assert database.rows("SELECT address, role FROM conversation_participants ORDER BY role DESC") == [
        ["+12016661234", "customer"],
        ["+18045551234", "contact"],
    ]


def test_attachments_make_an_mms(database: Database) -> None:
    picture = ["https://example.com/image.jpg"]
    for fields in (
        {"type": "mms", "attachments": picture},
        {"type": None, "attachments": picture, "body": ""},
    ):
        message = call("POST", SMS, {**NEW_SMS, **fields}).json
        assert (message["type"], message["attachments"]) == ("mms", picture)


def test_an_email_is_stored_as_it_was_written(database: Database) -> None:
    message = call("POST", EMAIL, {**NEW_EMAIL, "body": "text or <b>HTML</b>"}).json
    assert (message["type"], message["provider"], message["subject"]) == ("email", "email", "Hi")
    assert message["body"] == "text or <b>HTML</b>"


def test_sms_and_mms_between_two_addresses_share_a_conversation(database: Database) -> None:
    for changes in (
        {},
        {"to": "+1 (804) 555-1234"},
        {"type": "mms", "attachments": ["https://example.com/i"]},
    ):
        assert call("POST", SMS, {**NEW_SMS, **changes}).json["conversation_id"] == 1
    assert call("POST", SMS, {**NEW_SMS, "from": "+12016660000"}).json["conversation_id"] == 2
