"""The form fields that Mailgun is sent, and the failures that its answers become."""

import socket
from base64 import b64encode
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from typing import cast

import pytest

from messaging import failures
from messaging.problems import Invalid
from messaging.providers.mailgun import Mailgun
from messaging.providers.provider import ProviderResult
from tests.layer.providers.mailgun.test_contract import TestUrlencoded as Vendor
from tests.support.internet import PUBLIC, Internet
from tests.support.names import NAMES, named_everywhere, read_mailboxes
from tests.support.providers.send_contract import answer, in_turn
from tests.support.tcp_server import Script, read_request, serve

PNG = b"\x89PNG\r\n\x1a\n--" + bytes(range(256))


class Api:
    """A vendor that accepts every request and stores the last one."""

    def __init__(self) -> None:
        self.head = b""
        self.parts: list[Message] = []

    def __call__(self, client: socket.socket) -> None:
        request = read_request(client)
        self.head, _, body = request.partition(b"\r\n\r\n")
        kind = next(line for line in self.head.split(b"\r\n") if line.startswith(b"Content-Type: "))
        form = BytesParser(policy=HTTP).parsebytes(kind + b"\r\n\r\n" + body)
        assert form.get_content_type() == "multipart/form-data"
        assert not form.defects
        self.parts = cast("list[Message]", form.get_payload())
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + Vendor.accepted)

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The form fields that are not files, in order."""
        named = [(str(name(part)), content(part)) for part in self.parts if not part.get_filename()]
        return [(name, value.decode()) for name, value in named]


def name(part: Message) -> object:
    assert part.get_content_disposition() == "form-data"
    return part.get_param("name", header="Content-Disposition")


def content(part: Message) -> bytes:
    return cast("bytes", part.get_payload(decode=True))


def send(api: Script, secret: dict[str, str] | None = None, **fields: object) -> ProviderResult:
    with serve(api) as address:
        return Vendor().create(secret, f"http://{address}/").send(Vendor().message(**fields))


def test_a_mail_is_sent_as_form_fields() -> None:
    api = Api()
    assert send(api) == ProviderResult("message-9")
    assert api.head.startswith(b"POST /v3/example.com/messages HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Basic " + b64encode(b"api:key-secret") + b"\r\n" in api.head
    assert api.fields == [
        ("from", "user@example.com"),
        ("to", "contact@example.org"),
        ("subject", "Hi"),
        ("text", "Hello"),
        ("v:reference", "7"),
    ]


def test_every_field_of_a_mail_is_sent() -> None:
    api = Api()
    more = {
        "cc": ["copy@example.org", "contact@example.org", "other@example.org"],
        "reply_to": "office@example.com",
        "headers": {"X-Campaign": 'Grüße "ü"', "X-Other": ""},
        "subject": "Grüße 👋",
        "body": "Text",
        "html": "<p>Text</p>",
    }
    send(api, {"domain": "mg.example.com"}, **more)
    assert api.head.startswith(b"POST /v3/mg.example.com/messages HTTP/1.1\r\n")
    assert api.fields == [
        ("from", "user@example.com"),
        ("to", "contact@example.org"),
        ("cc", "copy@example.org"),
        ("cc", "other@example.org"),
        ("subject", "Grüße 👋"),
        ("text", "Text"),
        ("html", "<p>Text</p>"),
        ("h:Reply-To", "office@example.com"),
        ("h:X-Campaign", 'Grüße "ü"'),
        ("h:X-Other", ""),
        ("v:reference", "7"),
        ("v:recipient", "contact@example.org"),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_names_arrive_as_they_were_written(name: str) -> None:
    api = Api()
    send(api, **named_everywhere(name))
    addresses = [(field, value) for field, value in api.fields if "@" in value and not field.startswith("v:")]
    assert [(field, read_mailboxes(value)) for field, value in addresses] == [
        ("from", [(name, "user@example.com")]),
        ("to", [(name, "contact@example.org")]),
        ("cc", [(name, "copy@example.org")]),
        ("cc", [("", "other@example.org")]),
        ("h:Reply-To", [(name, "office@example.com")]),
    ]
    assert all(value.isascii() and "\n" not in value for _, value in addresses)
    assert ("v:recipient", "contact@example.org") in api.fields


def test_a_body_with_a_tag_is_html_and_the_subject_is_never_missing() -> None:
    api = Api()
    send(api, body="<p>Hello</p>", subject=None)
    assert [field for field in api.fields if field[0] in ("subject", "text", "html")] == [
        ("subject", ""),
        ("html", "<p>Hello</p>"),
    ]


def test_the_header_of_the_variables_is_refused() -> None:
    with pytest.raises(Invalid) as raised:
        Mailgun.limits.check(Vendor().message(headers={"X-Mailgun-Variables": "{}", "X-A": "x"}), "mailgun")
    assert [error["field"] for error in raised.value.errors] == ["headers.X-Mailgun-Variables"]


def test_the_content_of_a_mail_cannot_end_its_field() -> None:
    api = Api()
    body = '\r\n--x--\r\nContent-Disposition: form-data; name="to"\r\n\r\nevil@example.org\r\n'
    send(api, body=body, headers={'X-"\\': "x"})
    assert [value for field, value in api.fields if field == "text"] == [body]
    assert [value for field, value in api.fields if field == "to"] == ["contact@example.org"]
    assert api.fields[-2:] == [("h:X-%22%5C", "x"), ("v:reference", "7")]


def test_each_request_has_its_own_boundary() -> None:
    first, second = Api(), Api()
    send(in_turn(first))
    send(in_turn(second))
    heads = [
        {line for line in request.head.split(b"\r\n") if b"boundary" in line} for request in (first, second)
    ]
    assert len(heads[0] | heads[1]) == 2


def test_attachments_are_fetched_and_sent(internet: Internet) -> None:
    api = Api()
    internet.names = {"files.example.com": [[PUBLIC]], "api.example.com": [[PUBLIC]]}
    files = (
        answer(200, PNG, b"Content-Type: image/png\r\n"),
        answer(200, b"", b"Content-Type: text/plain\r\n"),
    )
    urls = ["https://files.example.com/a%22b%0D%0A.png", "https://files.example.com/%C3%BC.txt"]
    provider = Mailgun("mailgun", Vendor().secret("http://api.example.com/"))
    with internet.serving(in_turn(*files, api)):
        message = Vendor().message(attachments=[url.replace("https:", "http:") for url in urls])
        assert provider.send(message) == ProviderResult("message-9")
    sent = [part for part in api.parts if part.get_filename()]
    assert [(name(part), part.get_content_type(), content(part)) for part in sent] == [
        ("attachment", "image/png", PNG),
        ("attachment", "text/plain", b""),
    ]
    assert str(sent[0].get_filename()).startswith("a%22b")
    assert sent[1].get_filename() == "ü.txt"
    assert len(api.fields) == 5


def test_if_an_attachment_is_unavailable_nothing_is_sent(internet: Internet) -> None:
    internet.names = {"files.example.com": [[PUBLIC]]}
    message = Vendor().message(attachments=["http://files.example.com/a"])
    with internet.serving(answer(503)), pytest.raises(failures.Unready):
        Vendor().create(url="http://api.example.com/").send(message)
    assert internet.resolved == ["files.example.com"]


@pytest.mark.parametrize(
    ("status", "domain", "kind"),
    [
        (400, None, failures.PermanentFailure),
        (401, None, failures.Misconfigured),
        (403, None, failures.Misconfigured),
        (404, None, failures.Misconfigured),
        (404, "mg.example.com", failures.Misconfigured),
        (413, None, failures.PermanentFailure),
        (429, None, failures.Throttled),
        (500, None, failures.OutcomeUnknown),
    ],
)
def test_a_failure_has_mailguns_reason(status: int, domain: str | None, kind: type[failures.Failure]) -> None:
    response = b'{"message": "to parameter is not a valid address: contact@example.org"}'
    with pytest.raises(failures.Failure) as raised:
        send(answer(status, response), {"domain": domain} if domain else None)
    assert type(raised.value) is kind
    assert raised.value.code == str(status)
    assert raised.value.reason == "to parameter is not a valid address: <address>"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (
            b'{"message": "Domain not found: example.com"}',
            failures.SenderNotAllowed,
        ),  # the domain of the message's sender
        *(
            (body, failures.Misconfigured)
            for body in (b"<h1>Not Found</h1>", b'{"message": "Not Found"}', b'{"message": 7}')
        ),
    ],
)
def test_a_404_from_a_wrong_url_is_a_misconfiguration(body: bytes, kind: type[failures.Failure]) -> None:
    with pytest.raises(failures.Failure) as raised:
        send(answer(404, body))
    assert type(raised.value) is kind


@pytest.mark.parametrize("body", [b"Forbidden", b"{}", b'{"message": 7}', b'{"message": ""}', b"[]", b""])
def test_a_failure_without_a_reason_has_a_default_reason(body: bytes) -> None:
    with pytest.raises(failures.Misconfigured) as raised:
        send(answer(401, body))
    assert raised.value.reason == "The provider answered 401."


@pytest.mark.parametrize("body", [b"", b"{}", b'{"id": ""}', b'{"id": "<>"}', b'{"id": 9}', b'{"id": null}'])
def test_an_answer_without_an_id_has_an_unknown_outcome(body: bytes) -> None:
    with pytest.raises(failures.OutcomeUnknown):
        send(answer(200, body))
