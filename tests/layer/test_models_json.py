"""Messages on their way in, out and to be read: nothing is lost or changed between the models."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from messaging.conversations.responses import Message
from messaging.models import Content, InboundMessage, OutboundMessage
from tests.support.messages import CONTACT, CUSTOMER, email, sms

URL = "https://example.com/image.jpg"
NOON = datetime(2024, 11, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "message",
    [
        sms(timestamp=NOON),
        sms(attachments=[URL], body=""),
        email(subject="H\u00e9llo", html="<b>\U0001f600</b>", timestamp="0001-01-01T00:00:00Z"),
    ],
)
def test_the_content_goes_to_a_provider_as_it_was_accepted(message: Content) -> None:
    content = json.loads(json.dumps(message.content()))
    first, last = ["type", "from", "to", "cc", "reply_to", "headers"], ["html", "attachments", "timestamp"]
    assert list(content) == [*first, "subject", "body", *last]
    claim = {"id": 7, "provider": "sms", "token": str(UUID(int=7)), "attempt": 1, "tries": 1}
    claimed = OutboundMessage.model_validate(content | claim)
    assert claimed.content() == type(message).model_validate(content).content() == content
    assert (claimed.token, claimed.timestamp) == (UUID(int=7), message.timestamp)


def test_an_inbound_message_is_its_content_and_what_was_said_beside() -> None:
    content: dict[str, Any] = sms(attachments=[URL], timestamp=NOON).content()
    told = content | {"provider_message_id": "id-1", "extra": {"cost": 1.5, "via": [None, {"a": True}]}}
    inbound = InboundMessage.model_validate(told)
    assert inbound.content() == content
    assert InboundMessage.model_validate_json(inbound.model_dump_json(by_alias=True)) == inbound
    assert InboundMessage.model_validate(told | {"body": ""}).body == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("provider_message_id", None),
        ("provider_message_id", ""),
        ("provider_message_id", 5),
        ("provider_message_id", "a\0b"),
        ("provider_message_id", "a" * 513),
        ("extra", None),
        ("extra", []),
        ("extra", {"a": "\0"}),
        ("type", "fax"),
        ("status", "delivered"),
    ],
)
def test_an_inbound_message_is_refused_by_the_name_of_its_field(name: str, value: object) -> None:
    with pytest.raises(ValidationError) as refused:
        InboundMessage.model_validate({**sms().content(), "provider_message_id": "id-1", name: value})
    assert [error["loc"] for error in refused.value.errors()] == [(name,)]


@pytest.mark.parametrize("error", [None, {"code": "30003", "reason": "Unreachable"}])
def test_a_message_is_read_as_the_contract_shows_it(error: dict[str, str] | None) -> None:
    shown = {
        "id": 7,
        "conversation_id": 1,
        "direction": "outbound",
        "type": "sms",
        "from": CUSTOMER,
        "to": CONTACT,
        "subject": None,
        "body": "Hello",
        "cc": [],
        "reply_to": None,
        "headers": {},
        "html": None,
        "attachments": [URL],
        "content_ids": {},
        "status": "failed" if error else "queued",
        "provider": "sms",
        "provider_message_id": None,
        "error": error,
        "timestamp": "2024-11-01T12:00:00Z",
        "created_at": "2024-11-01T12:00:00.123456Z",
        "updated_at": "2024-11-01T12:00:01Z",
        "version": 3,
    }
    message = Message.model_validate(shown)
    assert json.loads(message.model_dump_json()) == shown
    assert Message.model_validate_json(message.model_dump_json()) == message
    assert message.created_at - message.timestamp == timedelta(microseconds=123456)
    with pytest.raises(ValidationError, match="should have timezone info"):
        Message.model_validate(shown | {"timestamp": "2024-11-01T12:00:00"})
