"""What a provider's test says of its vendor: how it answers, how it calls, and how it signs."""

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote_plus
from uuid import UUID

import pytest

from messaging.conversations.responses import Message
from messaging.models import Channel, Direction, OutboundMessage, Status
from messaging.problems import SignatureRejected
from messaging.providers.provider import Provider, Webhook

NAME = "instance"
PUBLIC_URL = "https://api.example.com"
SENT = datetime(2024, 11, 1, 14, tzinfo=UTC)
ONLY_WHERE: Mapping[str, str] = {
    "test_a_stale_request_is_refused": "tolerance",
    "test_a_changed_body_is_refused": "signs_body",
    "test_a_changed_url_is_refused": "signs_url",
    "test_any_of_several_keys_verifies_a_request": "keys",
    "test_a_request_signed_with_another_key_is_refused": "keys",
    "test_the_reason_names_the_field_that_the_secret_lacks": "keys",
    "test_an_unreadable_part_of_a_batch_does_not_lose_the_others": "batch",
}
"""Tests that a provider has only where it says so, by an attribute."""


class Speaking(ABC):
    provider: ClassVar[type[Provider]]
    sent: ClassVar[Mapping[str, object]]
    """The content of a message that it can carry."""
    accepted: ClassVar[bytes]
    """The vendor's answer to one that it took, with the id `sent_id` in it or in the head."""
    accepted_head: ClassVar[bytes] = b""
    """Lines of that answer's head, each with its CR LF."""
    accepted_status: ClassVar[int] = 200
    sent_id: ClassVar[str] = "message-9"

    inbound: ClassVar[bytes]
    """A request that tells of one message; without its signature where that is inside."""
    inbound_id: ClassVar[str] = "message-1"
    """The provider_message_id that is read from it."""
    report: ClassVar[bytes]
    """A request that reports the message with the id `sent_id`, ours 7, as delivered."""
    delivered: ClassVar[bytes] = b"delivered"
    """The word in `report` that says so."""
    batch: ClassVar[bytes | None] = None
    """A request with a part that cannot be read between two that can; None where the vendor sends none."""
    unreadable: ClassVar[bytes] = b"{]"
    """A request that the vendor may have signed, and that cannot be read."""
    query: ClassVar[str] = ""
    """Of each request's URL."""

    signs_body: ClassVar[bool] = True
    """Where it signs a token in its stead, the token is given as Verified.replay_token."""
    signs_url: ClassVar[bool] = False
    tolerance: ClassVar[timedelta | None] = timedelta(minutes=5)
    """How old a request may be, and how far ahead; None where the vendor signs no time."""
    keys: ClassVar[Sequence[tuple[str, str]]]
    """The secret's fields whose keys let a request in, each with another key of that form; empty where there
    is none to be rotated. Each field takes a list of keys as well."""
    signature_fields: ClassVar[Sequence[str]] = ()
    """Where the signature is inside the body: the fields that it is made of."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name, attribute in ONLY_WHERE.items():
            if not getattr(cls, attribute, True):
                setattr(cls, name, None)

    @abstractmethod
    def secret(self, url: str) -> Mapping[str, Any]:
        """Its fields, with which it sends to `url` (which ends in a slash)."""

    def content_type(self, body: bytes) -> str:
        return "application/json"

    def sign(self, body: bytes, at: datetime) -> Mapping[str, str]:
        """The headers, in lower case, with which the vendor signs this body at `url` and `query`."""
        return {}

    def signed(self, body: bytes, at: datetime) -> bytes:
        """The body with the signature inside, where that is the vendor's way."""
        return body

    def tampered(self, body: bytes) -> Sequence[bytes]:
        """Others than the one that was signed; fewer where not every byte is."""
        return [body + b" ", body[:-1], b"", b"\xff\xfe"]

    def said(self, body: bytes) -> str:
        """What the body of a request to the vendor says, for a message's words to be found in it."""
        text = body.decode(errors="replace")
        return text if text.startswith("{") else unquote_plus(text)

    def recorded(self) -> Sequence[bytes]:
        """Requests as the vendor documents them, without a signature inside: all under payloads/."""
        here = Path(sys.modules[type(self).__module__].__file__ or "").parent
        return [file.read_bytes() for file in sorted((here / "payloads").glob("*"))]

    @contextmanager
    def reaching(self, address: str) -> Iterator[Provider]:
        """A provider whose vendor is at this host and port."""
        yield self.made(url=f"http://{address}/")

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """While its requests are verified, where that needs more of the vendor than its signature."""
        yield

    # --- What follows from that ------------------------------------------------------------------------

    @property
    def route(self) -> str:
        return f"/api/webhooks/{'email' if Channel.EMAIL in self.provider.channels else 'sms'}/{NAME}"

    @property
    def url(self) -> str:
        """Of its webhook, as the vendor calls it."""
        return PUBLIC_URL + self.route

    def made(self, secret: Mapping[str, Any] | None = None, url: str = "http://127.0.0.1:9/") -> Provider:
        """`secret` holds the fields that are others than usual."""
        return self.provider(NAME, {**self.secret(url), **(secret or {})})

    def webhook(self, body: bytes, headers: Mapping[str, str] | None = None) -> Webhook:
        kind = {"content-type": self.content_type(body)}
        return Webhook(self.url, self.query, {**kind, **(headers or {})}, body)

    def request(self, body: bytes, at: datetime | None = None) -> Webhook:
        """As the vendor sends it, signed."""
        at = at or datetime.now(UTC)
        whole = self.signed(body, at)
        return self.webhook(whole, self.sign(whole, at))

    def refused(self, webhook: Webhook, provider: Provider | None = None) -> str:
        """The reason that the log has."""
        with pytest.raises(SignatureRejected) as raised:
            (provider or self.made()).verify(webhook)
        logged = raised.value.reason
        secrets = [one for one in self.secret("").values() if isinstance(one, str) and len(one) > 2]
        assert not [one for one in secrets if one in logged]
        assert "\n" not in logged
        return logged

    def message(self, **fields: object) -> OutboundMessage:
        claimed = {"id": 7, "provider": NAME, "token": UUID(int=7), "attempt": 1, "tries": 1}
        return OutboundMessage.model_validate({**self.sent, **claimed, "timestamp": SENT, **fields})

    def kept(self) -> str:
        named = {"id": 1, "conversation_id": 1, "provider": NAME, "provider_message_id": self.inbound_id}
        state = {"direction": Direction.INBOUND, "status": Status.RECEIVED, "version": 1, "error": None}
        empty: dict[str, object] = {
            "cc": [],
            "reply_to": None,
            "headers": {},
            "subject": None,
            "body": "",
            "html": None,
        }
        times = dict.fromkeys(("timestamp", "created_at", "updated_at"), SENT)
        addresses = {"type": self.sent["type"], "from": "a", "to": "b", "attachments": []}
        return Message.model_validate({**named, **state, **empty, **times, **addresses}).model_dump_json()
