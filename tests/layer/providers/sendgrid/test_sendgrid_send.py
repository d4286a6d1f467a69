"""The requests that SendGrid is sent."""

import base64
import json
import socket
from collections.abc import Mapping
from typing import Any

import pytest

from messaging.failures import Failure, PermanentFailure, Unready, Unsendable
from messaging.problems import Invalid
from messaging.providers.provider import ProviderResult
from messaging.providers.sendgrid import SendGrid, recipient_mark
from tests.layer.providers.sendgrid.api import ACCEPTED, ID, outbound, send
from tests.support.internet import PUBLIC, Internet
from tests.support.names import NAMES, named_everywhere
from tests.support.providers.send_contract import answer
from tests.support.tcp_server import read_request, serve

FILES = "http://files.example.com"
PLAIN = {
    "personalizations": [
        {
            "to": [{"email": "contact@example.org"}],
            "custom_args": {"reference": "7", "instance": "sendgrid-eu"},
        }
    ],
    "from": {"email": "user@example.com"},
    "subject": "Hi",
    "content": [{"type": "text/plain", "value": "Hello"}],
}


def request(**fields: object) -> tuple[bytes, bytes]:
    """The head and the body of the request that sends a message."""
    requests: list[bytes] = []

    def script(client: socket.socket) -> None:
        requests.append(read_request(client))
        client.sendall(ACCEPTED)

    with serve(script) as address:
        assert send(f"http://{address}", outbound(**fields)) == ProviderResult(ID)
    head, _, body = requests[0].partition(b"\r\n\r\n")
    return head, body


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {}),
        (
            {"body": "Grüße 🎉\r\n\"'\\"},
            {"content": [{"type": "text/plain", "value": "Grüße 🎉\r\n\"'\\"}]},
        ),
        ({"body": "<b>Hi</b>"}, {"content": [{"type": "text/html", "value": "<b>Hi</b>"}]}),
        (
            {"body": "Hi", "html": "<b>Hi</b>"},
            {
                "content": [
                    {"type": "text/plain", "value": "Hi"},
                    {"type": "text/html", "value": "<b>Hi</b>"},
                ]
            },
        ),
        ({"html": ""}, {}),
        ({"subject": "Grüße 🎉"}, {"subject": "Grüße 🎉"}),
        ({"subject": None}, {"subject": "(no subject)"}),
        ({"subject": ""}, {"subject": "(no subject)"}),
        ({"subject": " \t"}, {"subject": "(no subject)"}),
        ({"reply_to": "reply@example.com"}, {"reply_to": {"email": "reply@example.com"}}),
        (
            {"headers": {"X-Campaign": "ü", "List-Unsubscribe": "<mailto:u@example.com>"}},
            {"headers": {"X-Campaign": "ü", "List-Unsubscribe": "<mailto:u@example.com>"}},
        ),
    ],
)
def test_sends_a_mail(fields: Mapping[str, object], expected: Mapping[str, object]) -> None:
    head, body = request(**fields)
    assert json.loads(body) == {**PLAIN, **expected}
    assert head.startswith(b"POST /v3/mail/send HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Bearer SG.secret\r\n" in head
    assert b"\r\nContent-Type: application/json\r\n" in head


def personalization(cc: list[str]) -> Any:
    [recipients] = json.loads(request(cc=cc)[1])["personalizations"]
    return recipients


def test_copies_are_sent_with_the_mark_of_the_recipient() -> None:
    recipients = personalization(["a@example.org", "b@example.org"])
    assert recipients["cc"] == [{"email": "a@example.org"}, {"email": "b@example.org"}]
    assert recipients["to"] == [{"email": "contact@example.org"}]
    assert recipients["custom_args"]["recipient"] == recipient_mark(7, "contact@example.org")
    assert "contact" not in json.dumps(recipients["custom_args"])


@pytest.mark.parametrize("name", NAMES)
def test_names_are_sent_as_they_were_written(name: str) -> None:
    """SendGrid quotes and encodes them itself."""
    _, body = request(**named_everywhere(name))
    fields = json.loads(body)
    [recipients] = fields["personalizations"]
    assert fields["from"] == {"email": "user@example.com", "name": name}
    assert recipients["to"] == [{"email": "contact@example.org", "name": name}]
    assert recipients["cc"] == [
        {"email": "copy@example.org", "name": name},
        {"email": "other@example.org"},
    ]
    assert fields["reply_to"] == {"email": "office@example.com", "name": name}


def test_an_address_is_not_named_twice() -> None:
    assert personalization(["contact@example.org"]) == PLAIN["personalizations"][0]  # type: ignore[index]  # a list
    both = personalization(["contact@example.org", "a@example.org"])
    assert both["cc"] == [{"email": "a@example.org"}]


@pytest.mark.parametrize(
    ("url", "name", "kind"),
    [
        ("/report.pdf", "report.pdf", "application/pdf"),
        ("/%C3%9Cbersicht%20Q3.pdf?signed=1", "Übersicht Q3.pdf", "application/pdf"),
        ("/a%3B%0D%0Ab%2C%00c.pdf", None, "application/pdf"),
    ],
)
def test_attachments_are_fetched_from_their_urls_and_sent(
    url: str, name: str | None, kind: str, internet: Internet
) -> None:
    internet.names = {"files.example.com": [[PUBLIC]], "api.example.com": [[PUBLIC]]}
    content = bytes(range(256))
    file = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}; x=y\r\nContent-Length: {len(content)}\r\n\r\n".encode()
    mails: list[Any] = []

    def script(client: socket.socket) -> None:
        received = read_request(client)
        if received.startswith(b"GET"):
            client.sendall(file + content)
        else:
            mails.append(json.loads(received.partition(b"\r\n\r\n")[2]))
            client.sendall(ACCEPTED)

    with internet.serving(script):
        send("http://api.example.com", outbound(attachments=[FILES + url]))
    [attachment] = mails[0]["attachments"]
    assert base64.b64decode(attachment["content"]) == content
    assert (attachment["type"], attachment["disposition"]) == (kind, "attachment")
    assert name in (None, attachment["filename"])
    assert not set(attachment["filename"]) & set("\0\r\n;,")


@pytest.mark.parametrize(
    ("status", "kind"), [(503, Unready), (404, Unsendable)], ids=["temporarily", "permanently"]
)
def test_if_an_attachment_is_unavailable_sendgrid_is_not_called(
    status: int, kind: type[Failure], internet: Internet
) -> None:
    internet.names = {"files.example.com": [[PUBLIC]]}
    with internet.serving(answer(status)), pytest.raises(kind):
        send("http://api.example.com", outbound(attachments=[f"{FILES}/a"]))
    assert internet.resolved == ["files.example.com"]


def test_an_attachment_is_not_fetched_from_a_private_network() -> None:
    with pytest.raises(PermanentFailure):
        send("http://127.0.0.1:9", outbound(attachments=["http://127.0.0.1/secret"]))


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"cc": [f"{n}@example.com" for n in range(51)]}, "cc"),
        ({"headers": {f"X-{n}": "x" for n in range(21)}}, "headers"),
        ({"headers": {"X-SG-ID": "x", "X-Campaign": "x"}}, "headers.X-SG-ID"),
        ({"headers": {"x-sg-eid": "x"}}, "headers.x-sg-eid"),
        ({"attachments": [FILES] * 101}, "attachments"),
    ],
)
def test_a_message_beyond_the_limits_is_refused(fields: Mapping[str, object], field: str) -> None:
    with pytest.raises(Invalid) as raised:
        SendGrid.limits.check(outbound().model_copy(update=dict(fields)), "sendgrid")
    assert [error["field"] for error in raised.value.errors] == [field]
