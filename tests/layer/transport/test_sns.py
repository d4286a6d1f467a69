"""The envelope of SNS: how a request is verified, what is fetched for that, and what a notification holds."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from messaging.problems import Invalid, Problem, SignatureRejected, Unavailable, Unreadable
from messaging.providers.credentials import get_list
from messaging.transport import sns
from tests.support.providers import sns as providers_sns
from tests.support.providers.sns import CONFIRMATION, HOST, PEM, TOPIC, Host, envelope, signed

TOPICS = [TOPIC, f"{TOPIC}-events"]


@pytest.fixture
def host() -> Iterator[Host]:
    with providers_sns.running() as host:
        yield host


def verify(body: bytes, at: datetime | None = None, topics: Sequence[str] = TOPICS) -> None:
    sns.verify(body, at or datetime.now(UTC), topics)


def refusal(body: bytes, at: datetime | None = None, topics: Sequence[str] = TOPICS) -> str:
    with pytest.raises(SignatureRejected) as raised:
        verify(body, at, topics)
    return str(raised.value)


# --- Verification -----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("more", [{}, {"Subject": "Amazon Email Event Notification"}, {"Subject": ""}])
def test_a_request_signed_by_sns_is_verified(host: Host, version: str, more: dict[str, str]) -> None:
    fields = envelope("Grüße \N{WAVING HAND SIGN}\n", SignatureVersion=version, **more)
    verify(signed(fields))
    assert host.asked == [PEM]


def test_the_certificate_is_fetched_once(host: Host) -> None:
    for topic in TOPICS:
        verify(signed(envelope("x", TopicArn=topic)))
    assert host.asked == [PEM]


@pytest.mark.parametrize(
    "topics",
    [None, "", [], [f"{TOPIC}x"], [TOPIC.replace("1", "2")], [TOPIC.replace("west", "east")], ["*"], [None]],
)
def test_a_topic_that_is_not_ours_is_refused_before_anything_is_fetched(host: Host, topics: Any) -> None:
    for fields in (envelope("x"), envelope("x", **CONFIRMATION)):
        assert "topic" in refusal(signed(fields), topics=get_list({"topics": topics}, "topics"))
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
def test_a_certificate_is_only_fetched_from_sns_in_the_region_of_the_topic(host: Host, url: str) -> None:
    assert "certificate's URL" in refusal(signed(envelope("x", SigningCertURL=url)))
    assert host.asked == []


@pytest.mark.parametrize(
    ("topic", "name"),
    [
        ("arn:aws-cn:sns:cn-north-1:123456789012:x", "sns.cn-north-1.amazonaws.com.cn"),
        ("arn:aws-us-gov:sns:us-gov-west-1:123456789012:x", "sns.us-gov-west-1.amazonaws.com"),
    ],
)
def test_other_partitions_have_their_own_hosts(host: Host, topic: str, name: str) -> None:
    fields = signed(envelope("x", TopicArn=topic, SigningCertURL=f"https://{name}{PEM}"))
    with pytest.raises(Unavailable):  # that host is not there, and was looked for
        verify(fields, topics=[topic])
    assert "certificate's URL" in refusal(signed(envelope("x", TopicArn=topic)), topics=[topic])
    assert host.asked == []


@pytest.mark.parametrize("days", [(-9, -1), (1, 9)])
def test_an_expired_or_future_certificate_is_refused(host: Host, days: tuple[int, int]) -> None:
    host.pages[PEM] = 200, providers_sns.certificate(providers_sns.key(), days)
    assert "not valid" in refusal(signed(envelope("x")))


def test_a_signature_by_another_key_is_refused(host: Host) -> None:
    assert "not signed" in refusal(signed(envelope("x"), generate_private_key(65537, 2048)))
    host.pages["/other.pem"] = 200, providers_sns.certificate(ec.generate_private_key(ec.SECP256R1()))
    assert "not hold an RSA key" in refusal(signed(envelope("x", SigningCertURL=f"https://{HOST}/other.pem")))


@pytest.mark.parametrize("page", [(200, b""), (200, b"<Error/>"), (404, b""), (403, b"x"), (302, b"")])
def test_a_request_whose_certificate_does_not_exist_is_refused(host: Host, page: tuple[int, bytes]) -> None:
    host.pages[PEM] = page
    assert "no certificate" in refusal(signed(envelope("x")))


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_request_is_unavailable_while_its_certificate_cannot_be_fetched(host: Host, status: int) -> None:
    request = signed(envelope("x"))
    host.pages[PEM], page = (status, b""), host.pages[PEM]
    with pytest.raises(Unavailable):  # 503: it repeats nothing after a 4xx
        verify(request)
    host.pages[PEM] = page
    verify(request)


@pytest.mark.usefixtures("host")
def test_retries_are_accepted_for_an_hour_and_older_requests_are_refused() -> None:
    now = datetime.now(UTC)
    body = signed(envelope("x"))
    verify(body, now + timedelta(minutes=60))
    assert "stale" in refusal(body, now + timedelta(minutes=66))
    assert "stale" in refusal(body, now - timedelta(minutes=66))


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize("name", ["Message", "MessageId", "Timestamp", "Type", "TopicArn"])
def test_a_changed_signed_field_is_refused(name: str) -> None:
    others = {
        "Timestamp": f"{datetime.now(UTC) - timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}",
        "TopicArn": TOPICS[1],
        "Type": "UnsubscribeConfirmation",
    }
    fields = json.loads(signed(envelope("x")))
    assert "not signed" in refusal(json.dumps({**fields, name: others.get(name, "another")}).encode())


@pytest.mark.usefixtures("host")
def test_unsigned_fields_and_headers_are_ignored() -> None:
    fields = {
        **json.loads(signed(envelope({"a": 1}))),
        "message": "x",
        "UnsubscribeURL": "https://evil.example/",
    }
    request = json.dumps(fields).encode()
    verify(request)
    notification = sns.notification(request)
    assert notification is not None
    assert notification.fields == {"a": 1}


def test_raw_message_delivery_is_refused(host: Host) -> None:
    for body in (
        b"",
        b"x",
        b"[]",
        b"null",
        b'{"notificationType": "Received"}',
        b"\xff",
        b'{"Type": "\\ud800"}',
    ):
        assert "not an SNS envelope" in refusal(body)
    assert host.asked == []


def test_the_reason_lists_on_one_line_what_is_wrong_with_an_envelope() -> None:
    fields = {
        "Type": "Notification",
        "TopicArn": 7,
        "Message": "x",
        "MessageId": "1",
        "SignatureVersion": "3",
    }
    with pytest.raises(SignatureRejected) as raised:
        verify(json.dumps(fields).encode())
    assert raised.value.reason == (
        "The request is not an SNS envelope: TopicArn: must be a string; Timestamp: is required; "
        "SignatureVersion: must be '1' or '2'; Signature: is required; SigningCertURL: is required"
    )


# --- Notifications -----------------------------------------------------------------------------------


def test_a_notification_has_the_time_of_its_first_delivery() -> None:
    notification = sns.notification(signed(envelope({"a": 1}, Timestamp="2024-11-01T14:00:00.123Z")))
    assert notification == ({"a": 1}, datetime(2024, 11, 1, 14, 0, 0, 123000, UTC))


def test_a_greeting_holds_no_notification() -> None:
    assert sns.notification(signed(envelope("Hello!")), "Hello!") is None


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
def test_an_unreadable_notification_raises_a_problem(body: bytes, problem: type[Problem]) -> None:
    with pytest.raises(problem):
        sns.notification(body)


@pytest.mark.parametrize("time", ["call +18045551234", "2024 +18045551234"])
def test_a_refusal_does_not_quote_the_request(time: str) -> None:
    with pytest.raises(SignatureRejected) as raised:
        verify(signed(envelope({}, Timestamp=time)))
    assert "18045551234" not in f"{raised.value} {raised.value.__cause__}"
