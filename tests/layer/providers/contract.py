"""What every provider keeps to, whoever its vendor is: a subclass of Contract says how that one speaks."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.models import (
    Channel,
    DeliveryReport,
    Direction,
    InboundMessage,
    Message,
    OutboundMessage,
    Status,
)
from messaging.problems import Forbidden, Invalid, Unreadable
from messaging.providers.provider import (
    Failure,
    OutcomeUnknown,
    Provider,
    ProviderResult,
    TemporaryFailure,
    Webhook,
)
from tests.conftest import Configure
from tests.layer.providers.vendor import Script, answering, playing

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
HEADERS = st.dictionaries(
    st.text(st.characters(codec="latin-1"), max_size=30).map(str.lower), st.text(max_size=60)
)
SENT = datetime(2024, 11, 1, 14, tzinfo=UTC)


def answer(status: int, body: bytes = b"") -> Script:
    return answering(f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)


class Contract(ABC):
    """Subclasses are named Test..., so that pytest finds all of this in them."""

    provider: ClassVar[type[Provider]]
    sent: ClassVar[Mapping[str, object]]
    """The content of a message that it can carry."""
    accepted: ClassVar[bytes]
    """The vendor's answer to one that it took, with the id `message-9`."""
    inbound: ClassVar[bytes]
    """A request that tells of one message, with the id `message-1`."""
    report: ClassVar[bytes]
    """A request that reports the message with the id `message-9`, ours 7, as delivered."""

    @abstractmethod
    def secret(self, url: str) -> Mapping[str, Any]:
        """Its fields, with which it sends to `url`."""

    @abstractmethod
    def sign(self, body: bytes) -> dict[str, str]:
        """The headers with which the vendor signs this request."""

    def made(self, url: str = "http://127.0.0.1:9/") -> Provider:
        return self.provider("instance", self.secret(url))

    def webhook(self, body: bytes, headers: Mapping[str, str] | None = None) -> Webhook:
        return Webhook("https://example.com/hook", "", headers or {}, body)

    def message(self) -> OutboundMessage:
        claimed = {
            "id": 7,
            "provider": "instance",
            "token": UUID(int=7),
            "attempt": 1,
            "tries": 1,
            "timestamp": SENT,
        }
        return OutboundMessage.model_validate({**self.sent, **claimed})

    def test_has_the_name_that_the_deployment_gives_it(self) -> None:
        assert self.made().name == "instance"

    def test_says_what_it_carries(self) -> None:
        assert self.provider.channels
        assert self.provider.channels <= set(Channel)
        assert self.provider.limits.body > 0

    def test_is_made_without_a_secret_and_then_neither_sends_nor_lets_anybody_in(
        self, configure: Configure
    ) -> None:
        configure(ALLOW_UNSIGNED_WEBHOOKS="")
        bare = self.provider("instance", {})
        with pytest.raises(TemporaryFailure):
            bare.send(self.message())
        for headers in ({}, self.sign(self.inbound)):
            with pytest.raises(Forbidden):
                bare.verify(self.webhook(self.inbound, headers))

    def test_gives_the_vendor_s_id_of_a_message_that_was_taken(self) -> None:
        with playing(answer(200, self.accepted)) as address:
            assert self.made(f"http://{address}/").send(self.message()) == ProviderResult("message-9")

    @pytest.mark.parametrize("status", [200, 201, 204, 302, 400, 401, 404, 409, 422, 429, 500, 502, 503])
    @pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b"\xff", b"<html>", b'"\\ud800"', b"1e999"])
    def test_whatever_the_vendor_answers_sending_ends_in_our_words(self, status: int, body: bytes) -> None:
        with playing(answer(status, body)) as address, pytest.raises(Failure) as raised:
            self.made(f"http://{address}/").send(self.message())
        assert raised.value.code
        assert raised.value.reason

    @pytest.mark.parametrize("id", [b"", b"\0", b"\\u0000", b"x" * 513, b"\xff"])
    def test_an_id_that_cannot_be_kept_is_none(self, id: bytes) -> None:
        with playing(answer(200, self.accepted.replace(b"message-9", id))) as address:
            try:
                kept = self.made(f"http://{address}/").send(self.message()).provider_message_id
            except OutcomeUnknown:
                return
        assert kept is None or (0 < len(kept) <= 512 and "\0" not in kept)

    def test_without_an_answer_the_outcome_is_unknown(self) -> None:
        with playing(lambda _: None) as address, pytest.raises(OutcomeUnknown):
            self.made(f"http://{address}/").send(self.message())

    def test_lets_in_what_the_vendor_signed(self) -> None:
        for body in (self.inbound, self.report):
            self.made().verify(self.webhook(body, self.sign(body)))

    def test_lets_in_nothing_unsigned(self, configure: Configure) -> None:
        configure(ALLOW_UNSIGNED_WEBHOOKS="")
        with pytest.raises(Forbidden):
            self.made().verify(self.webhook(self.inbound))

    def test_lets_in_no_body_but_the_one_that_was_signed(self) -> None:
        for body in (self.inbound + b" ", self.inbound[:-1], b"", b"\xff\xfe"):
            with pytest.raises(Forbidden):
                self.made().verify(self.webhook(body, self.sign(self.inbound)))

    def test_no_headers_let_anything_in_or_break_it(self) -> None:
        signed = self.sign(self.inbound)
        spoilt = st.dictionaries(st.sampled_from(sorted(signed)), st.text(), min_size=1)

        @given(spoilt.filter(lambda spoilt: spoilt.items() - signed.items()), HEADERS)
        def refused(spoilt: dict[str, str], more: dict[str, str]) -> None:
            with pytest.raises(Forbidden):
                self.made().verify(self.webhook(self.inbound, more | signed | spoilt))

        refused()

    def test_reads_a_message(self) -> None:
        for _ in range(2):  # reading changes nothing
            [message] = self.made().parse(self.webhook(self.inbound, self.sign(self.inbound)))
            assert isinstance(message, InboundMessage)
            assert message.provider_message_id == "message-1"
            assert message.type in self.provider.channels

    def test_reads_a_report(self) -> None:
        [report] = self.made().parse(self.webhook(self.report, self.sign(self.report)))
        assert isinstance(report, DeliveryReport)
        assert (report.provider_message_id, report.status) == ("message-9", Status.DELIVERED)
        assert report.reference in (7, None)

    def test_refuses_what_it_cannot_read(self) -> None:
        given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))(self.parses_or_refuses)()

    def test_refuses_what_only_looks_like_its_vendor_s(self) -> None:
        for known in (self.inbound, self.report):
            fields = json.loads(known)
            names = st.sampled_from(sorted(fields))

            @given(st.dictionaries(names, JSON), st.sets(names), st.dictionaries(st.text(), JSON, max_size=2))
            def read(changed: dict[str, Any], missing: set[str], more: dict[str, Any]) -> None:
                spoilt = {**more, **fields, **changed}  # noqa: B023  # called within the round
                self.parses_or_refuses(
                    json.dumps(
                        {name: value for name, value in spoilt.items() if name not in missing}
                    ).encode()
                )

            read()

    def parses_or_refuses(self, body: bytes) -> None:
        try:
            parts = self.made().parse(self.webhook(body))
        except (Unreadable, Invalid):
            return
        assert all(isinstance(part, (InboundMessage, DeliveryReport, Invalid)) for part in parts)

    def test_answers_what_was_kept_and_what_is_not_known_yet(self) -> None:
        for kept in (self.kept(), None):
            assert 200 <= self.made().answer([kept]).status < 300

    def kept(self) -> Message:
        row = {
            "id": 1,
            "conversation_id": 1,
            "direction": Direction.INBOUND,
            "status": Status.RECEIVED,
            "html": None,
        }
        row |= {
            "cc": [],
            "reply_to": None,
            "headers": {},
            "subject": None,
            "body": "",
            "attachments": [],
            "provider": "instance",
            "error": None,
        }
        times = dict.fromkeys(("timestamp", "created_at", "updated_at"), SENT)
        addresses = {"type": self.sent["type"], "from": "a", "to": "b", "provider_message_id": "message-1"}
        return Message.model_validate(row | times | addresses)
