"""The part of the contract about sending, for any answer of the vendor."""

import socket
from base64 import b64encode
from itertools import chain

import pytest

from messaging import failures
from messaging.models import Channel, Content, OutboundMessage
from messaging.problems import Invalid
from messaging.providers.limits import REQUIRED
from messaging.providers.provider import Provider, ProviderResult
from tests.support.internet import PUBLIC, fake_internet
from tests.support.providers.vendor_profile import NAME, VendorProfile
from tests.support.tcp_server import Script, read_request, respond, serve

ODD = (b"", b"{}", b"[]", b"null", b"\xff", b"<html>", b'"\\ud800"', b"1e999", b"[" * 5000, b'{"a":' * 5000)
KINDS = {
    301: failures.Misconfigured,
    302: failures.Misconfigured,
    307: failures.Misconfigured,
    400: failures.PermanentFailure,
    401: failures.Misconfigured,
    403: failures.Misconfigured,
    404: failures.Misconfigured,
    405: failures.Misconfigured,
    413: failures.PermanentFailure,
    422: failures.PermanentFailure,
    429: failures.Throttled,
    500: failures.OutcomeUnknown,
    502: failures.OutcomeUnknown,
    503: failures.TemporaryFailure,
    504: failures.OutcomeUnknown,
    **dict.fromkeys((501, 505, *range(520, 528), 599), failures.OutcomeUnknown),
}


def written(status: int, body: bytes = b"", head: bytes = b"") -> bytes:
    first = f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\n"
    return first.encode() + head + b"\r\n" + body


def answer(status: int, body: bytes = b"", head: bytes = b"") -> Script:
    return respond(written(status, body, head))


def in_turn(*scripts: Script) -> Script:
    """A script that runs the next of these for each connection."""
    remaining = iter(scripts)

    def script(client: socket.socket) -> None:
        next(remaining)(client)

    return script


def sent(provider: Provider, message: OutboundMessage) -> ProviderResult | failures.Failure:
    """The result or the failure. Any other exception is a bug of the provider."""
    try:
        return provider.send(message)
    except failures.Failure as failure:
        return failure


FILE = "file-words"
SAMPLES: dict[str, tuple[object, list[str]]] = {
    "sender": (None, []),
    "recipient": (None, []),
    "body": ("body-words", ["body-words"]),
    "from_name": ("from-name", ["from-name"]),
    "to_name": ("to-name", ["to-name"]),
    "cc": (["copy@example.com"], ["copy@example.com"]),
    "cc_names": ({"copy@example.com": "copy-name"}, ["copy-name"]),
    "reply_to": ("reply@example.com", ["reply@example.com"]),
    "reply_to_name": ("reply-name", ["reply-name"]),
    "headers": ({"X-Given": "header-words"}, ["header-words"]),
    "subject": ("subject-words", ["subject-words"]),
    "html": ("<p>html-words</p>", ["html-words"]),
    "attachments": (
        ["http://files.example.com/a.txt"],
        ["http://files.example.com/a.txt", FILE, b64encode(FILE.encode()).decode()],
    ),
}
"""A value of each field, and texts: a request that sends the field holds one of them. None stands for the
value in the profile's message."""
NAMED = {"cc_names": "cc", "reply_to_name": "reply_to"}
"""The field with the address, by the field with the name that is only sent beside it."""
NEVER_SENT = {
    "type": "the provider's channels imply it",
    "timestamp": "it is the caller's time; vendors send at once",
}


class SendContract(VendorProfile):
    def accepted_answer(self, id: bytes | None = None) -> bytes:
        """The vendor's answer to an accepted message."""
        sent_id = self.sent_id.encode()
        body, head = (part.replace(sent_id, id or sent_id) for part in (self.accepted, self.accepted_head))
        return written(self.accepted_status, body, head)

    def accepting(self, id: bytes | None = None) -> Script:
        return respond(self.accepted_answer(id))

    def test_an_accepted_message_has_the_vendors_id(self) -> None:
        with serve(self.accepting()) as address, self.connected_to(address) as provider:
            assert provider.send(self.message()) == ProviderResult(self.sent_id)

    @pytest.mark.parametrize("status", [200, 201, 202, 204, 302, 400, 401, 404, 409, 422, 429, 500, 503])
    def test_any_answer_ends_in_a_result_or_a_failure(self, status: int) -> None:
        with (
            serve(in_turn(*(answer(status, body) for body in ODD))) as address,
            self.connected_to(address) as provider,
        ):
            for _ in ODD:
                ended = sent(provider, self.message())
                if isinstance(ended, failures.Failure):
                    assert ended.code
                    assert ended.reason
                else:
                    assert status < 300
                    assert ended == ProviderResult(None), "no answer names one"

    @pytest.mark.parametrize(("status", "kind"), KINDS.items())
    def test_each_http_status_is_the_right_type_of_failure(
        self, status: int, kind: type[failures.Failure]
    ) -> None:
        bodies = (b"", b"{}", b"<html>")
        with (
            serve(in_turn(*(answer(status, body) for body in bodies))) as address,
            self.connected_to(address) as provider,
        ):
            for _ in bodies:
                assert type(sent(provider, self.message())) is kind

    @pytest.mark.parametrize("id", [b"\0", b"\\u0000", b"x" * 513, b"\xff"])
    def test_an_id_that_cannot_be_stored_is_ignored(self, id: bytes) -> None:
        with serve(self.accepting(id)) as address, self.connected_to(address) as provider:
            ended = sent(provider, self.message())
        if not isinstance(ended, failures.OutcomeUnknown):
            assert isinstance(ended, ProviderResult)
            stored_id = ended.provider_message_id
            assert stored_id is None or (0 < len(stored_id) <= 512 and "\0" not in stored_id)

    def test_without_an_answer_the_outcome_is_unknown(self) -> None:
        for script in (lambda _: None, read_request, respond(b"\0\xff" * 100)):
            with serve(script) as address, self.connected_to(address) as provider:
                assert isinstance(sent(provider, self.message()), failures.OutcomeUnknown)

    def test_a_refused_connection_is_a_temporary_failure(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        with self.connected_to(f"127.0.0.1:{port}") as provider, pytest.raises(failures.TemporaryFailure):
            provider.send(self.message())

    def test_every_field_that_the_provider_supports_is_sent(self) -> None:
        limits = self.provider.limits
        fields: dict[str, object] = {"body": "body-words"}
        if Channel.EMAIL in self.provider.channels:
            fields |= {"subject": "subject-words", "html": "<p>html-words</p>"}
        if limits.cc:
            fields["cc"] = ["copy@example.com", "another@example.com"]
        if "reply_to" in limits.fields:
            fields["reply_to"] = "reply@example.com"
        if limits.headers:
            fields["headers"] = {"X-Given": "header-words"}
        message = self.message(**fields)
        with serve(self.accepting_all()) as address, self.connected_to(address) as provider:
            provider.send(message)
        [request] = self.requests
        sent_text = self.text_of(request)
        sent_words = [message.sender, message.recipient, *message.cc, message.reply_to, message.subject]
        sent_words += [message.body, message.html and "html-words", *chain(*message.headers.items())]
        assert [word for word in sent_words if word and word not in sent_text] == []

    @pytest.mark.parametrize("field", Content.model_fields)
    def test_a_field_is_either_sent_or_refused(self, field: str, monkeypatch: pytest.MonkeyPatch) -> None:
        if field in NEVER_SENT:
            return
        assert field in SAMPLES, f"add a sample of {field} to SAMPLES, so that this test can send it"
        value, sent_words = SAMPLES[field]
        fields = {} if value is None else {field: value}
        if field in NAMED:
            fields[NAMED[field]] = SAMPLES[NAMED[field]][0]
        message = self.message(**fields)
        refused = self.refused_fields(message)
        if field in refused:
            assert refused <= {field, NAMED.get(field)}
            assert field not in REQUIRED, f"{self.provider.__name__} must send {field}"
            return
        with fake_internet(monkeypatch) as internet, internet.serving(self.accepting_all()):
            internet.names = {"vendor.example.com": [[PUBLIC]], "files.example.com": [[PUBLIC]]}
            with self.connected_to("vendor.example.com") as provider:
                provider.send(message)
        [request] = self.requests
        expected = sent_words or [str(self.sent[Content.model_fields[field].alias or field])]
        sent_text = self.text_of(request)
        assert any(word in sent_text for word in expected), (
            f"{self.provider.__name__} neither sends {field} nor refuses it in its limits"
        )

    def refused_fields(self, message: OutboundMessage) -> set[str]:
        try:
            self.provider.limits.check(message, NAME)
        except Invalid as invalid:
            return {error["field"] for error in invalid.errors}
        return set()

    def accepting_all(self) -> Script:
        """Accept messages, keep their bodies in `requests`, and serve a file to each GET."""
        self.requests: list[bytes] = []

        def script(client: socket.socket) -> None:
            request = read_request(client)
            if request.startswith(b"GET "):
                client.sendall(written(200, FILE.encode(), b"Content-Type: text/plain\r\n"))
                return
            self.requests.append(request.partition(b"\r\n\r\n")[2])
            client.sendall(self.accepted_answer())

        return script

    def test_reserved_headers_are_refused(self) -> None:
        limits = self.provider.limits
        for name in (
            f"{header}more" if header.endswith("-") else header for header in limits.reserved_headers
        ):
            with pytest.raises(Invalid) as raised:
                limits.check(self.message(headers={name.upper(): "x", "X-Campaign": "x"}), NAME)
            [error] = raised.value.errors
            assert error["field"] == f"headers.{name.upper()}"
            assert NAME in error["message"]
            limits.check(self.message(headers={f"X-{name}": "x"}), NAME)

    def test_fields_beyond_the_limits_are_refused(self) -> None:
        limits = self.provider.limits
        limits.check(self.message(), NAME)
        beyond: dict[str, object] = {
            "body": "x" * (limits.body + 1) if limits.body < 2**20 else None,
            "attachments": ["https://example.com/"] * (limits.attachments + 1),
            "cc": [f"cc-{n}@example.com" for n in range(limits.cc + 1)],
            "headers": {f"X-{n}": "x" for n in range(limits.headers + 1)},
            "reply_to": None if "reply_to" in limits.fields else "reply@example.com",
        }
        for name, value in beyond.items():
            if value:
                with pytest.raises(Invalid) as raised:
                    limits.check(self.message().model_copy(update={name: value}), NAME)
                [error] = raised.value.errors
                assert error["field"] == name
                assert NAME in error["message"]
