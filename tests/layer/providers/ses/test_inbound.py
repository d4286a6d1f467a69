"""Mail that SES receives: in the notification, or in a bucket."""

import base64
import json
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from messaging.inbound import receive, spool
from messaging.models import Channel, InboundMessage
from messaging.problems import Invalid, Unavailable, Unreadable
from messaging.providers.ses import GREETING, MAX_MAIL, Ses
from messaging.telemetry import flush
from tests.support.aws import Aws
from tests.support.configuration import Configure
from tests.support.database import Database
from tests.support.providers import sns
from tests.support.providers.sns import TOPIC, envelope, signed, webhook
from tests.support.tcp_server import Script, hang, respond, serve

PAYLOADS = Path(__file__).parent / "payloads"
SECRET = {"region": "us-west-2", "access_key_id": "x", "secret_access_key": "y", "bucket": "mails"}
RAW = "From: Contact <contact@example.org>\r\nMessage-ID: <1@example.org>\r\nSubject: {}\r\n{}\r\n\r\n"
BASE64 = {"type": "SNS", "topicArn": TOPIC, "encoding": "BASE64"}
KEY = "in/d6iitobk75ur44p8kdnnp7g2n800"


def payload(name: str, **receipt: object) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text())
    event["receipt"] |= receipt
    return event


def parse(event: object, **secret: str) -> Any:
    return Ses("x", {**SECRET, **secret}).parse(webhook(signed(envelope(event))))


@pytest.fixture
def bucket(aws: Aws) -> Any:
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.create_bucket(Bucket="mails")
    s3.create_bucket(Bucket="another")
    return s3


# --- In the notification -----------------------------------------------------------------------------


def test_a_mail_in_the_notification_is_read() -> None:
    [message] = parse(payload("received"))
    assert isinstance(message, InboundMessage)
    assert (message.sender, message.recipient) == ("contact@example.org", "user@example.com")
    assert (message.subject, message.body.strip()) == ("Example subject", "Grüße 日本語 👋")
    assert message.provider_message_id == "d6iitobk75ur44p8kdnnp7g2n800/user@example.com"
    assert message.extra["message_id"] == "61967230-7A45-4A9D-BEC9-87CBCF2211C9@example.org"
    verdicts = {name: word for name, word in message.extra.items() if name.endswith("Verdict")}
    assert verdicts == {
        "spamVerdict": "PASS",
        "virusVerdict": "PASS",
        "spfVerdict": "PASS",
        "dkimVerdict": "GRAY",
        "dmarcVerdict": "FAIL",
    }


@pytest.mark.parametrize(("charset", "text"), [("windows-1252", "“Grüße” €5"), ("ISO-2022-JP", "日本語")])
def test_a_mail_in_base64_may_have_any_charset(charset: str, text: str) -> None:
    head = RAW.format("x", f"Content-Type: text/plain; charset={charset}")
    content = base64.b64encode(head.encode() + text.encode(charset)).decode()
    event = payload("received", action=BASE64)
    [message] = parse({**event, "content": content})
    assert message.body.strip() == text


def test_each_recipient_has_a_message() -> None:
    reached = ["user@example.com", "Other@Example.com", "user@example.com"]
    messages = parse(payload("received", recipients=reached))
    assert [message.recipient for message in messages] == ["user@example.com", "other@example.com"]
    ids = {message.provider_message_id.partition("/")[::2] for message in messages}
    assert ids == {
        (messages[0].provider_message_id.partition("/")[0], message.recipient) for message in messages
    }


def test_each_recipient_gets_the_mail() -> None:
    messages = parse(payload("received", recipients=["nobody", "user@example.com"]))
    assert [message.recipient for message in messages] == ["nobody", "user@example.com"]


@pytest.mark.parametrize(
    "changed",
    [
        {"content": " "},
        {"content": "x", "receipt": {**payload("received")["receipt"], "recipients": []}},
        {"content": "x", "receipt": {}},
        {
            "content": "!",
            "receipt": payload("received", action={"type": "SNS", "encoding": "BASE64"})["receipt"],
        },
        {"content": None},  # an action without content: WorkMail, Lambda or bounce
    ],
)
def test_the_error_names_the_field_that_cannot_be_read(changed: dict[str, object]) -> None:
    with pytest.raises((Invalid, Unreadable)):
        parse({**payload("received"), **changed})


def test_greetings_are_not_messages() -> None:
    for greeting in (GREETING, json.loads((PAYLOADS / "feedback_greeting.json").read_text())):
        assert parse(greeting) == []


# --- In a bucket -------------------------------------------------------------------------------------


def test_a_mail_is_read_from_its_bucket(bucket: Any) -> None:
    body = b"x" * 500_000
    bucket.put_object(Bucket="mails", Key=KEY, Body=RAW.format("Large", "").encode() + body)
    for _ in range(2):
        [message] = parse(payload("received_bucket"))
        assert (message.subject, len(message.body.strip())) == ("Large", len(body))


@pytest.mark.parametrize("secret", [{"bucket": "another"}, {"bucket": ""}])
def test_only_the_bucket_of_the_secret_is_read(bucket: Any, secret: dict[str, str]) -> None:
    bucket.put_object(Bucket="mails", Key=KEY, Body=RAW.format("x", "").encode())
    with pytest.raises(Unreadable):
        parse(payload("received_bucket"), **secret)


@pytest.mark.usefixtures("bucket")
def test_a_mail_that_is_not_in_the_bucket_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        parse(payload("received_bucket"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "problem"),
    [
        (respond(b"HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n"), Unavailable),
        (respond(b"HTTP/1.1 200 x\r\nContent-Length: 9\r\n\r\nhalf"), Unavailable),
        (lambda _: None, Unavailable),
        (hang, Unavailable),
        (respond(b"HTTP/1.1 403 x\r\nContent-Length: 0\r\n\r\n"), Unreadable),
        (respond(b"HTTP/1.1 200 x\r\nContent-Length: %d\r\n\r\nx" % (MAX_MAIL + 1)), Unreadable),
    ],
)
def test_an_unavailable_bucket_is_not_the_mails_fault(script: Script, problem: type[Exception]) -> None:
    with serve(script) as address, pytest.raises(problem):
        parse(payload("received_bucket"), endpoint_url=f"http://{address}")


def test_a_mail_is_spooled_while_its_bucket_is_unavailable(
    bucket: Any, aws: Aws, database: Database, configure: Configure
) -> None:
    bucket.put_object(Bucket="mails", Key=KEY, Body=RAW.format("Late", "").encode() + b"text")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nobody = f"http://127.0.0.1:{listener.getsockname()[1]}"

    def deploy(**more: str) -> None:
        fields = {**SECRET, "topics": TOPIC, **more}
        configure(PROVIDERS="mine=ses", PROVIDER_SECRET_ARN=aws.create_secret({"mine": fields}))

    deploy(endpoint_url=nobody)
    with sns.running():
        request = webhook(signed(envelope(payload("received_bucket"))))
        assert receive.receive(Channel.EMAIL, "mine", request).status == 202
    assert database.value("SELECT count(*) FROM webhook_requests") == 0
    [held] = aws.receive_spooled()
    with pytest.raises(Unavailable):
        receive.store_spooled(spool.parse_record(held["body"]))
    deploy()
    receive.store_spooled(spool.parse_record(held["body"]))
    assert database.rows("SELECT subject FROM messages") == [["Late"]]
    assert database.rows("SELECT fault FROM webhook_requests") == [[None]]
    flush()


@pytest.mark.parametrize("mail", [{}, None, {"messageId": None}, {"messageId": "x" * 181}])
def test_a_mail_without_ses_s_own_fields_is_read(mail: object) -> None:
    receipt = {"recipients": ["user@example.com"], "timestamp": None, "action": None}
    content = "From: contact@example.org\r\n\r\nHello"
    document = {**payload("received"), "content": content, "mail": mail, "receipt": receipt}
    [message] = Ses("x", {}).parse(webhook(signed(envelope(document, Timestamp="2024-11-01T14:00:00.000Z"))))
    assert isinstance(message, InboundMessage)
    assert (message.sender, message.body) == ("contact@example.org", "Hello")
    assert message.timestamp == datetime(2024, 11, 1, 14, tzinfo=UTC)
