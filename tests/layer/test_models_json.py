"""Messages survive the way through JSON between the models unchanged."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from messaging.conversations.responses import Message
from messaging.models import Content, InboundMessage, OutboundMessage
from tests.support.messages import CONTACT, CUSTOMER, NOT_IN_A_TEXT, email, sms

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
def test_the_content_is_the_same_in_a_request_and_in_an_outbound_message(message: Content) -> None:
    content = json.loads(json.dumps(message.content()))
    addresses = ["from", "to", "from_name", "to_name", "cc", "cc_names", "reply_to", "reply_to_name"]
    others = ["headers", "subject", "body", "html", "attachments", "timestamp"]
    assert list(content) == ["type", *addresses, *others]
    claim = {"id": 7, "provider": "sms", "token": str(UUID(int=7)), "attempt": 1, "tries": 1}
    claimed = OutboundMessage.model_validate(content | claim)
    assert claimed.content() == type(message).model_validate(content).content() == content
    assert (claimed.token, claimed.timestamp) == (UUID(int=7), message.timestamp)


def test_an_inbound_message_has_content_and_extra_fields() -> None:
    content: dict[str, Any] = sms(attachments=[URL], timestamp=NOON).content()
    payload = content | {"provider_message_id": "id-1", "extra": {"cost": 1.5, "via": [None, {"a": True}]}}
    inbound = InboundMessage.model_validate(payload)
    assert inbound.content() == content
    assert InboundMessage.model_validate_json(inbound.model_dump_json(by_alias=True)) == inbound
    assert InboundMessage.model_validate(payload | {"body": ""}).body == ""


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
        ("type", "fax"),
        ("status", "delivered"),
    ],
)
def test_an_error_names_the_wrong_field_of_an_inbound_message(name: str, value: object) -> None:
    with pytest.raises(ValidationError) as raised:
        InboundMessage.model_validate({**sms().content(), "provider_message_id": "id-1", name: value})
    assert [error["loc"] for error in raised.value.errors()] == [(name,)]


@pytest.mark.parametrize("error", [None, {"code": "30003", "reason": "Unreachable"}])
def test_a_message_has_the_json_of_the_contract(error: dict[str, str] | None) -> None:
    document = {
        **NOT_IN_A_TEXT,
        "id": 7,
        "conversation_id": 1,
        "direction": "outbound",
        "type": "sms",
        "from": CUSTOMER,
        "to": CONTACT,
        "body": "Hello",
        "attachments": [URL],
        "status": "failed" if error else "queued",
        "provider": "sms",
        "provider_message_id": None,
        "error": error,
        "timestamp": "2024-11-01T12:00:00Z",
        "created_at": "2024-11-01T12:00:00.123456Z",
        "updated_at": "2024-11-01T12:00:01Z",
        "version": 3,
    }
    message = Message.model_validate(document)
    assert json.loads(message.model_dump_json()) == document
    assert Message.model_validate_json(message.model_dump_json()) == message
    assert message.created_at - message.timestamp == timedelta(microseconds=123456)
    with pytest.raises(ValidationError, match="should have timezone info"):
        Message.model_validate(document | {"timestamp": "2024-11-01T12:00:00"})
