"""The envelope of SNS: whose it lets in, what it asks Amazon for, and what it has to tell."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from messaging.problems import Invalid, Problem, SignatureRejected, Unavailable, Unreadable
from messaging.providers import sns
from tests.support.providers import sns as providers_sns
from tests.support.providers.sns import CONFIRMATION, HOST, PEM, TOPIC, Host, envelope, signed, webhook

SECRET = {"topics": [TOPIC, f"{TOPIC}-events"]}


@pytest.fixture
def host() -> Iterator[Host]:
    with providers_sns.at_work() as host:
        yield host


def refusal(body: bytes, at: datetime | None = None, secret: dict[str, Any] = SECRET) -> str:
    with pytest.raises(SignatureRejected) as raised:
        sns.verify(webhook(body, at), secret)
    return str(raised.value)


# --- Who is let in -----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("more", [{}, {"Subject": "Amazon Email Event Notification"}, {"Subject": ""}])
def test_lets_in_what_sns_signed(host: Host, version: str, more: dict[str, str]) -> None:
    told = envelope("Grüße \N{WAVING HAND SIGN}\n", SignatureVersion=version, **more)
    assert sns.verify(webhook(signed(told)), SECRET).signed
    assert host.asked == [PEM]


def test_the_certificate_is_fetched_once(host: Host) -> None:
    for topic in SECRET["topics"]:
        sns.verify(webhook(signed(envelope("x", TopicArn=topic))), SECRET)
    assert host.asked == [PEM]


@pytest.mark.parametrize(
    "topics",
    [None, "", [], [f"{TOPIC}x"], [TOPIC.replace("1", "2")], [TOPIC.replace("west", "east")], ["*"], [None]],
)
def test_nothing_is_asked_of_anybody_for_a_topic_that_is_not_ours(host: Host, topics: Any) -> None:
    for told in (envelope("x"), envelope("x", **CONFIRMATION)):
        assert "topic" in refusal(signed(told), secret={"topics": topics})
    assert host.asked == []


@pytest.mark.parametrize(
    "url",
    [
        *(f"http://{HOST}{PEM}", f"https://{HOST}:443{PEM}", f"https://{HOST}:8443{PEM}"),
        *(f"https://user@{HOST}{PEM}", f"https://{HOST}@evil.example{PEM}", f"https://evil.example{PEM}"),
        *(f"https://{HOST}.evil.example{PEM}", f"https://evil.example/{HOST}{PEM}", f"https://x.{HOST}{PEM}"),
        f"https://sns.us-east-1.amazonaws.com{PEM}",  # of another region than the topic
        f"https://sns.s3-us-west-2.amazonaws.com{PEM}",  # a bucket that somebody named so
        f"https://{HOST}.cn{PEM}",
        *(
            f"https://{HOST}/?x={PEM}",
            f"https://{HOST}{PEM}?x",
            f"https://{HOST}{PEM}#x",
            f"https://{HOST}/x",
        ),
        *(f"https://{HOST}/../x.pem", f"https://{HOST}\\@evil.example{PEM}", f"//{HOST}{PEM}", "", "x.pem"),
        f"https://{HOST}{PEM}\n",
        f"https://{HOST.replace('.', 'x', 1)}{PEM}",
    ],
)
def test_a_certificate_is_taken_from_sns_in_the_topic_s_region_alone(host: Host, url: str) -> None:
    assert "certificate's URL" in refusal(signed(envelope("x", SigningCertURL=url)))
    assert host.asked == []


@pytest.mark.parametrize(
    ("topic", "name"),
    [
        ("arn:aws-cn:sns:cn-north-1:123456789012:x", "sns.cn-north-1.amazonaws.com.cn"),
        ("arn:aws-us-gov:sns:us-gov-west-1:123456789012:x", "sns.us-gov-west-1.amazonaws.com"),
    ],
)
def test_other_partitions_have_hosts_of_their_own(host: Host, topic: str, name: str) -> None:
    told = signed(envelope("x", TopicArn=topic, SigningCertURL=f"https://{name}{PEM}"))
    with pytest.raises(Unavailable):  # that host is not there, and was looked for
        sns.verify(webhook(told), {"topics": topic})
    assert "certificate's URL" in refusal(signed(envelope("x", TopicArn=topic)), secret={"topics": topic})
    assert host.asked == []


@pytest.mark.parametrize("days", [(-9, -1), (1, 9)])
def test_a_certificate_that_is_not_valid_now_vouches_for_nothing(host: Host, days: tuple[int, int]) -> None:
    host.pages[PEM] = 200, providers_sns.certificate(providers_sns.key(), days)
    assert "not valid" in refusal(signed(envelope("x")))


def test_no_other_key_lets_anything_in(host: Host) -> None:
    assert "not signed" in refusal(signed(envelope("x"), generate_private_key(65537, 2048)))
    host.pages["/other.pem"] = 200, providers_sns.certificate(ec.generate_private_key(ec.SECP256R1()))
    assert "no key" in refusal(signed(envelope("x", SigningCertURL=f"https://{HOST}/other.pem")))


@pytest.mark.parametrize("page", [(200, b""), (200, b"<Error/>"), (404, b""), (403, b"x"), (302, b"")])
def test_where_there_is_no_certificate_nothing_is_let_in(host: Host, page: tuple[int, bytes]) -> None:
    host.pages[PEM] = page
    assert "no certificate" in refusal(signed(envelope("x")))


@pytest.mark.parametrize("status", [500, 503, 429])
def test_while_the_certificate_cannot_be_had_sns_is_to_come_again(host: Host, status: int) -> None:
    request = webhook(signed(envelope("x")))
    host.pages[PEM], kept = (status, b""), host.pages[PEM]
    with pytest.raises(Unavailable):  # 503: it repeats nothing after a 4xx
        sns.verify(request, SECRET)
    host.pages[PEM] = kept
    sns.verify(request, SECRET)


@pytest.mark.usefixtures("host")
def test_an_hour_s_retries_are_let_in_and_nothing_older() -> None:
    now = datetime.now(UTC)
    body = signed(envelope("x"))
    sns.verify(webhook(body, now + timedelta(minutes=60)), SECRET)
    assert "stale" in refusal(body, now + timedelta(minutes=66))
    assert "stale" in refusal(body, now - timedelta(minutes=66))


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize("name", ["Message", "MessageId", "Timestamp", "Type", "TopicArn"])
def test_no_field_of_a_notification_can_be_another(name: str) -> None:
    others = {
        "Timestamp": f"{datetime.now(UTC) - timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}",
        "TopicArn": SECRET["topics"][1],
        "Type": "UnsubscribeConfirmation",
    }
    told = json.loads(signed(envelope("x")))
    assert "not signed" in refusal(json.dumps({**told, name: others.get(name, "another")}).encode())


@pytest.mark.usefixtures("host")
def test_the_other_fields_and_the_headers_are_not_believed() -> None:
    told = {
        **json.loads(signed(envelope({"a": 1}))),
        "message": "x",
        "UnsubscribeURL": "https://evil.example/",
    }
    request = webhook(json.dumps(told).encode())
    sns.verify(request, SECRET)
    found = sns.notification(request)
    assert found is not None
    assert found.told == {"a": 1}


def test_what_is_delivered_raw_is_let_in_by_nothing(host: Host) -> None:
    for body in (
        b"",
        b"x",
        b"[]",
        b"null",
        b'{"notificationType": "Received"}',
        b"\xff",
        b'{"Type": "\\ud800"}',
    ):
        assert "no envelope" in refusal(body)
    assert host.asked == []


def test_says_in_one_line_what_an_envelope_lacks() -> None:
    told = {"Type": "Notification", "TopicArn": 7, "Message": "x", "MessageId": "1", "SignatureVersion": "3"}
    with pytest.raises(SignatureRejected) as raised:
        sns.verify(webhook(json.dumps(told).encode()), SECRET)
    assert raised.value.reason == (
        "No envelope of SNS: TopicArn: must be a string; Timestamp: is required; "
        "SignatureVersion: must be '1' or '2'; Signature: is required; SigningCertURL: is required"
    )


# --- What it tells -----------------------------------------------------------------------------------


def test_tells_when_it_was_told_first() -> None:
    found = sns.notification(webhook(signed(envelope({"a": 1}, Timestamp="2024-11-01T14:00:00.123Z"))))
    assert found == ({"a": 1}, datetime(2024, 11, 1, 14, 0, 0, 123000, UTC))


def test_a_greeting_tells_nothing() -> None:
    assert sns.notification(webhook(signed(envelope("Hello!"))), "Hello!") is None


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"x", Unreadable),
        (b"{}", Invalid),
        (signed(envelope("x")), Unreadable),
        (signed(envelope([1])), Unreadable),
        (json.dumps({**envelope("\ud800"), "Signature": ""}).encode(), Unreadable),
        (signed(envelope({"a": 1}, Timestamp="yesterday")), Invalid),
    ],
)
def test_says_what_it_cannot_read(body: bytes, problem: type[Problem]) -> None:
    with pytest.raises(problem):
        sns.notification(webhook(body))


@pytest.mark.parametrize("time", ["call +18045551234", "2024 +18045551234"])
def test_the_refusal_holds_nothing_of_the_request(time: str) -> None:
    with pytest.raises(SignatureRejected) as raised:
        sns.verify(webhook(signed(envelope({}, Timestamp=time))), SECRET)
    assert "18045551234" not in f"{raised.value} {raised.value.__cause__}"
