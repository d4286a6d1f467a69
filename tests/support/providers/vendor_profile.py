"""What a contract test says about its vendor: its answers, its requests and its signatures."""

import json
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

from messaging.models import Channel, Direction, OutboundMessage, Status
from messaging.problems import SignatureRejected
from messaging.providers.provider import Provider, Webhook

NAME = "instance"
PUBLIC_URL = "https://api.example.com"
SENT = datetime(2024, 11, 1, 14, tzinfo=UTC)
ONLY_IF: Mapping[str, str] = {
    "test_a_stale_request_is_refused": "tolerance",
    "test_a_changed_body_is_refused": "signs_body",
    "test_a_changed_url_is_refused": "signs_url",
    "test_any_of_several_keys_verifies_a_request": "keys",
    "test_a_request_signed_with_another_key_is_refused": "keys",
    "test_the_reason_names_the_field_that_the_secret_lacks": "keys",
    "test_an_unreadable_part_of_a_batch_does_not_lose_the_others": "batch",
}
"""Tests that only run if the profile sets the attribute."""


class VendorProfile(ABC):
    provider: ClassVar[type[Provider]]
    sent: ClassVar[Mapping[str, object]]
    """The content of a message that the provider can send."""
    accepted: ClassVar[bytes]
    """The vendor's answer to an accepted message, with the id `sent_id` in its body or its headers."""
    accepted_head: ClassVar[bytes] = b""
    """Header lines of that answer, each with its CR LF."""
    accepted_status: ClassVar[int] = 200
    sent_id: ClassVar[str] = "message-9"

    inbound: ClassVar[bytes]
    """A request with one message. If the signature is in the body, without it."""
    inbound_id: ClassVar[str] = "message-1"
    """The provider_message_id of that message."""
    report: ClassVar[bytes]
    """A request that reports the message with the id `sent_id`, and our id 7, as delivered."""
    delivered: ClassVar[bytes] = b"delivered"
    """The word in `report` that means delivered."""
    batch: ClassVar[bytes | None] = None
    """A request with an unreadable part between two readable ones. None if the vendor sends no batches."""
    message_fields: ClassVar[Sequence[str]] = ()
    """The fields of `inbound` with what a person wrote, and with the addresses."""
    unreadable: ClassVar[bytes] = b"{]"
    """A request that can be signed but not read."""
    query: ClassVar[str] = ""
    """The query of each request's URL."""

    signs_body: ClassVar[bool] = True
    """False if it signs a token instead. The token is then in Verified.replay_token."""
    signs_url: ClassVar[bool] = False
    tolerance: ClassVar[timedelta | None] = timedelta(minutes=5)
    """How far the signed time may be from now. None if the vendor signs no time."""
    keys: ClassVar[Sequence[tuple[str, str]]]
    """The secret's fields with keys that verify a request, each with another key of that form. Empty if no
    key can be rotated. Each field also takes a list of keys."""
    signature_fields: ClassVar[Sequence[str]] = ()
    """The fields of the signature, if it is in the body."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name, attribute in ONLY_IF.items():
            if not getattr(cls, attribute, True):
                setattr(cls, name, None)

    @abstractmethod
    def secret(self, url: str) -> Mapping[str, Any]:
        """The secret of a provider that sends to `url`, which ends in a slash."""

    def content_type(self, body: bytes) -> str:
        return "application/json"

    def raw_mail(self, raw: bytes) -> bytes | None:
        """A request with this mail. None if the vendor does not deliver mails in their raw form."""
        return None

    def sign(self, body: bytes, at: datetime) -> Mapping[str, str]:
        """The headers (names in lower case) with which the vendor signs this body at `url` and `query`."""
        return {}

    def signed(self, body: bytes, at: datetime) -> bytes:
        """The body with the signature in it, if the vendor signs that way."""
        return body

    def tampered(self, body: bytes) -> Sequence[bytes]:
        """Changed bodies, which the signature does not cover."""
        return [body + b" ", body[:-1], b"", b"\xff\xfe"]

    def text_of(self, body: bytes) -> str:
        """The text of a request to the vendor, in which a message's words can be found."""
        text = body.decode(errors="replace")
        return text if text.startswith("{") else unquote_plus(text)

    def samples(self) -> Sequence[bytes]:
        """The samples of the vendor's documentation in payloads/, without a signature in the body."""
        here = Path(sys.modules[type(self).__module__].__file__ or "").parent
        return [file.read_bytes() for file in sorted((here / "payloads").glob("*"))]

    @contextmanager
    def connected_to(self, address: str) -> Iterator[Provider]:
        """A provider whose vendor is at this host and port."""
        yield self.create(url=f"http://{address}/")

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the server, if any, that verification needs besides the signature."""
        yield

    # --- Derived from the above -------------------------------------------------------------------------

    @property
    def route(self) -> str:
        return f"/api/webhooks/{'email' if Channel.EMAIL in self.provider.channels else 'sms'}/{NAME}"

    @property
    def url(self) -> str:
        """The URL of the webhook, as the vendor calls it."""
        return PUBLIC_URL + self.route

    def create(self, secret: Mapping[str, Any] | None = None, url: str = "http://127.0.0.1:9/") -> Provider:
        """`secret` replaces fields of the usual secret."""
        return self.provider(NAME, {**self.secret(url), **(secret or {})})

    def webhook(self, body: bytes, headers: Mapping[str, str] | None = None) -> Webhook:
        kind = {"content-type": self.content_type(body)}
        return Webhook(self.url, self.query, {**kind, **(headers or {})}, body)

    def request(self, body: bytes, at: datetime | None = None) -> Webhook:
        """The webhook as the vendor sends it, signed."""
        at = at or datetime.now(UTC)
        signed_body = self.signed(body, at)
        return self.webhook(signed_body, self.sign(signed_body, at))

    def assert_refused(self, webhook: Webhook, provider: Provider | None = None) -> str:
        """Check that the webhook is refused, and return the reason for the log."""
        with pytest.raises(SignatureRejected) as raised:
            (provider or self.create()).verify(webhook)
        logged = raised.value.reason
        secrets = [value for value in self.secret("").values() if isinstance(value, str) and len(value) > 2]
        assert not [secret for secret in secrets if secret in logged]
        assert "\n" not in logged
        return logged

    def message(self, **fields: object) -> OutboundMessage:
        claimed = {"id": 7, "provider": NAME, "token": UUID(int=7), "attempt": 1, "tries": 1}
        return OutboundMessage.model_validate({**self.sent, **claimed, "timestamp": SENT, **fields})

    def stored_message(self) -> str:
        """The JSON text of a message as Provider.respond gets it, with a few of its fields."""
        return json.dumps(
            {
                "id": 1,
                "direction": Direction.INBOUND,
                "status": Status.RECEIVED,
                "provider": NAME,
                "provider_message_id": self.inbound_id,
            }
        )
