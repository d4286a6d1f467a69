"""What SES is sent, and the failures that its errors become."""

import base64
import json
import socket
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from messaging.failures import (
    Failure,
    Misconfigured,
    PermanentFailure,
    SenderNotAllowed,
    Throttled,
    Unready,
)
from messaging.models import NewEmail, OutboundMessage
from messaging.problems import Invalid
from messaging.providers import ses
from messaging.providers.provider import ProviderResult
from messaging.providers.ses import Ses
from messaging.transport.fetch import FetchedFile
from tests.support import api
from tests.support.names import NAMES, read_mailboxes
from tests.support.tcp_server import read_request, respond, serve

SECRET = {"region": "us-west-2", "access_key_id": "AKIDEXAMPLE", "secret_access_key": "wJalrXUtnFEMI"}


OWN_HEADERS = (
    *("From", "To", "Cc", "Reply-To", "Subject"),
    *("Content-Type", "Content-Transfer-Encoding", "MIME-Version"),
)


def message(**fields: object) -> OutboundMessage:
    claimed = {"id": 7, "provider": "x", "token": UUID(int=7), "attempt": 1, "tries": 1}
    return OutboundMessage.model_validate({**api.NEW_EMAIL, "type": "email", **claimed, **fields})


def sent(message: OutboundMessage, **secret: object) -> dict[str, Any]:
    """The request that AWS received, with the parsed mail in `mail`."""
    requests: list[bytes] = []
    answer = b'{"MessageId": "message-9"}'

    def script(client: socket.socket) -> None:
        requests.append(read_request(client))
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer))

    with serve(script) as address:
        provider = Ses("x", {**SECRET, "endpoint_url": f"http://{address}", **secret})
        assert provider.send(message) == ProviderResult("message-9")
    head, _, body = requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v2/email/outbound-emails ")
    assert b"/us-west-2/ses/aws4_request" in head
    fields: dict[str, Any] = json.loads(body)
    raw = base64.b64decode(fields.pop("Content")["Raw"]["Data"])
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert raw.isascii()
    return {**fields, "mail": read(raw)}


def read(raw: bytes) -> EmailMessage:
    return message_from_bytes(raw, policy=policy.default)


def text(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    content: str = part.get_content()
    return content.strip()


def test_sends_the_mail_with_our_id() -> None:
    fields = sent(message())
    mail = fields.pop("mail")
    assert fields == {
        "FromEmailAddress": "user@example.com",
        "Destination": {"ToAddresses": ["contact@example.org"], "CcAddresses": []},
        "EmailTags": [{"Name": "reference", "Value": "7"}],
    }
    assert (mail["From"], mail["To"], mail["Subject"]) == ("user@example.com", "contact@example.org", "Hi")
    assert mail["Cc"] is None
    assert text(mail, "plain") == "Hello"
    assert sent(message(), configuration_set="messaging")["ConfigurationSetName"] == "messaging"


def test_sends_copies_a_reply_address_and_headers() -> None:
    link = f"<https://example.com/{'x' * 300}>"
    more = {"X-Campaign": "Grüße 👋", "List-Unsubscribe": link, "In-Reply-To": "<1@example.org>"}
    copies = ["a@example.com", "contact@example.org", "b@example.com"]
    fields = sent(message(cc=copies, reply_to="reply@example.com", headers=more))
    assert fields["Destination"]["CcAddresses"] == ["a@example.com", "b@example.com"]
    mail = fields["mail"]
    assert (mail["Cc"], mail["Reply-To"]) == ("a@example.com, b@example.com", "reply@example.com")
    assert {name: mail[name] for name in more} == more
    assert link.encode() in mail.as_bytes(policy=policy.SMTP.clone(max_line_length=998))


@pytest.mark.parametrize("name", NAMES)
def test_names_arrive_as_they_were_written(name: str) -> None:
    copies = {"a@example.com": name, "contact@example.org": "unused"}
    fields = sent(
        message(
            from_name=name,
            to_name=name,
            cc=["a@example.com", "contact@example.org", "b@example.com"],
            cc_names=copies,
            reply_to="reply@example.com",
            reply_to_name=name,
        )
    )
    mail = fields["mail"]
    raw = dict(mail.raw_items())
    assert read_mailboxes(raw["From"]) == [(name, "user@example.com")]
    assert read_mailboxes(raw["To"]) == [(name, "contact@example.org")]
    assert read_mailboxes(raw["Cc"]) == [(name, "a@example.com"), ("", "b@example.com")]
    assert read_mailboxes(raw["Reply-To"]) == [(name, "reply@example.com")]
    assert read_mailboxes(fields["FromEmailAddress"]) == [(name, "user@example.com")]
    assert "\n" not in fields["FromEmailAddress"]
    assert fields["Destination"] == {
        "ToAddresses": ["contact@example.org"],
        "CcAddresses": ["a@example.com", "b@example.com"],
    }
    assert [header for header in raw if header not in OWN_HEADERS] == []
    assert text(mail, "plain") == "Hello"


@pytest.mark.parametrize("name", ["X-SES-SOURCE-ARN", "x-ses-message-tags"])
def test_a_header_that_ses_reads_as_a_command_is_refused(name: str) -> None:
    with pytest.raises(Invalid) as raised:
        Ses.limits.check(message(headers={name: "x", "X-Session": "x"}), "ses")
    assert [error["field"] for error in raised.value.errors] == [f"headers.{name}"]


def test_text_and_html_are_alternatives() -> None:
    mail = sent(message(body="Grüße 日本語 👋", html="<p>Grüße</p>", subject="日本語 👋"))["mail"]
    assert mail.get_content_type() == "multipart/alternative"
    assert mail["Subject"] == "日本語 👋"
    assert (text(mail, "plain"), text(mail, "html")) == ("Grüße 日本語 👋", "<p>Grüße</p>")
    html_only = sent(message(body="<p>Hello</p>"))["mail"]
    assert html_only.get_content_type() == "text/html"


def test_domains_are_sent_in_ascii() -> None:
    fields = sent(message(**{"from": "user@bücher.example", "to": "contact@例え.example"}))
    assert fields["FromEmailAddress"] == "user@xn--bcher-kva.example"
    assert fields["Destination"]["ToAddresses"] == ["contact@xn--r8jz45g.example"]
    assert fields["mail"]["To"] == "contact@xn--r8jz45g.example"


def test_attachments_are_parts() -> None:
    files = [
        FetchedFile("r\u00e4chnung.pdf", "application/pdf", b"%PDF\xff"),
        FetchedFile("a\r\nX-Evil: 1.txt", "text/plain", "Grüße".encode("latin-1")),
        FetchedFile("mail.eml", "message/rfc822", b"From: x\r\n\r\n"),
        FetchedFile("odd", "odd", b""),
    ]
    mail = read(ses.compose(message(html="<p>x</p>"), files))
    parts = [(part.get_filename(), part.get_content_type()) for part in mail.iter_attachments()]
    assert parts == [
        ("r\u00e4chnung.pdf", "application/pdf"),
        ("a__X-Evil: 1.txt", "text/plain"),
        ("mail.eml", "application/octet-stream"),
        ("odd", "application/octet-stream"),
    ]
    contents = [part.get_payload(decode=True) for part in mail.iter_attachments()]
    assert contents == [file.content for file in files]


def test_if_an_attachment_cannot_be_fetched_nothing_is_sent() -> None:
    with serve(lambda _: pytest.fail("was called")) as address, pytest.raises(Failure) as raised:
        Ses("x", {**SECRET, "endpoint_url": f"http://{address}"}).send(
            message(attachments=["http://127.0.0.1/a"])
        )
    assert isinstance(raised.value, (PermanentFailure, Unready))


WORDS = st.text(max_size=60)


@settings(max_examples=150)
@given(WORDS, WORDS, WORDS, WORDS, st.text(max_size=40))
def test_every_accepted_message_can_be_composed(
    subject: str, body: str, html: str, header: str, name: str
) -> None:
    try:
        fields = {"subject": subject, "body": body, "html": html, "headers": {"X-One": header}}
        accepted = NewEmail.model_validate({**api.NEW_EMAIL, **fields})
    except ValidationError:
        return
    files = [FetchedFile(name, "text/plain", body.encode())]
    raw = ses.compose(message(**accepted.content()), files)
    assert raw.isascii()
    assert len([line for line in raw.partition(b"\r\n\r\n")[0].split(b"\r\n") if b": " in line]) <= 8
    [attached] = read(raw).iter_attachments()
    assert attached.get_payload(decode=True) == body.encode()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("MessageRejected", PermanentFailure),
        ("BadRequestException", PermanentFailure),
        *((code, Misconfigured) for code in ("AccountSuspendedException", "SendingPausedException")),
        *((code, Misconfigured) for code in ("NotFoundException",)),
        ("MailFromDomainNotVerifiedException", SenderNotAllowed),
        *((code, Misconfigured) for code in ("AccessDeniedException", "UnrecognizedClientException")),
        *((code, Throttled) for code in ("TooManyRequestsException", "LimitExceededException")),
    ],
)
def test_each_error_code_is_the_right_type_of_failure(code: str, kind: type[Failure]) -> None:
    failure = refusal(code, "Because.")
    assert (type(failure), failure.code, failure.reason) == (kind, code, "Because.")


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (
            "MessageRejected",
            "Email address is not verified. The following identities failed the check in region X: a@b.c",
            SenderNotAllowed,
        ),
        (
            "AccessDeniedException",
            "User `x' is not authorized to perform `ses:SendEmail' on `arn:aws:ses:x:1:identity/a@b.example'",
            SenderNotAllowed,
        ),
        (
            "AccessDeniedException",
            "User x is not authorized to perform ses:SendEmail on resource arn:aws:ses:x:1:identity/b.c",
            SenderNotAllowed,
        ),
        ("AccessDeniedException", "User: x is not authorized to perform: ses:SendEmail", Misconfigured),
        ("MessageRejected", "Email address is on the suppression list.", PermanentFailure),
        ("MessageRejected", "The message contains a virus.", PermanentFailure),
    ],
)
def test_a_refusal_of_the_sender_is_not_about_the_provider_or_the_message(
    code: str, reason: str, kind: type[Failure]
) -> None:
    assert type(refusal(code, reason)) is kind


def refusal(code: str, reason: str) -> Failure:
    body = json.dumps({"message": reason}).encode()
    head = f"HTTP/1.1 400 x\r\nx-amzn-ErrorType: {code}:http://x/\r\nContent-Length: {len(body)}\r\n\r\n"
    with serve(respond(head.encode() + body)) as address, pytest.raises(Failure) as raised:
        Ses("x", {**SECRET, "endpoint_url": f"http://{address}"}).send(message())
    return raised.value
