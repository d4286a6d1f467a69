"""Inbound mails, and the messages that they become."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from messaging.mail import inbound as mail_inbound
from messaging.mail.addresses import parse_mailboxes
from messaging.mail.message import Mail
from messaging.models import InboundMessage

NOW = datetime(2024, 11, 1, 14, tzinfo=UTC)
US = "us@example.com"


def make_mail(**fields: Any) -> Mail:
    """Return a mail from Ann. Mailboxes are in the form of a header's values."""
    for name in fields.keys() & {"to", "cc", "reply_to"}:
        fields[name] = parse_mailboxes(*fields[name])
    return Mail(**{"sender": "Ann <Ann@Example.com>", "message_id": "1@example.com"} | fields)


def inbound(
    mail: Mail, to: str, at: datetime = NOW, extra: Mapping[str, Any] | None = None
) -> InboundMessage:
    """Return the message of one recipient."""
    [message] = mail_inbound.inbound_messages(mail, [to], at, extra)
    assert isinstance(message, InboundMessage)
    return message
