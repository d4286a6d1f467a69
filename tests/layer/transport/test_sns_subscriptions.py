"""SNS subscriptions: only those to our topics are confirmed, and only at the SNS host."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from messaging.problems import SignatureRejected, Unavailable
from messaging.transport import sns
from tests.support.providers import sns as providers_sns
from tests.support.providers.sns import (
    CONFIRM,
    CONFIRMATION,
    HOST,
    PEM,
    TOPIC,
    Host,
    envelope,
    signed,
)


@pytest.fixture
def host() -> Iterator[Host]:
    with providers_sns.running() as host:
        yield host


def verify(body: bytes) -> None:
    sns.verify(body, datetime.now(UTC), [TOPIC])


def assert_refused(body: bytes) -> None:
    with pytest.raises(SignatureRejected):
        verify(body)


def test_a_subscription_to_our_topic_is_confirmed(host: Host) -> None:
    request = signed(envelope("You have chosen to subscribe", **CONFIRMATION))
    verify(request)
    assert host.asked == [PEM, CONFIRM.partition(HOST)[2]]
    assert sns.notification(request) is None


def test_a_confirmation_that_sns_did_not_sign_is_refused(host: Host) -> None:
    fields = json.loads(signed(envelope("x", **CONFIRMATION)))
    for name in ("Token", "SubscribeURL", "Message"):
        assert_refused(json.dumps({**fields, name: fields[name] + "x"}).encode())
    assert host.asked == [PEM]


@pytest.mark.parametrize(
    "url",
    [
        *(
            CONFIRM.replace("https", "http"),
            CONFIRM.replace(HOST, "evil.example"),
            CONFIRM.replace(HOST, "x.y"),
        ),
        *(CONFIRM.replace(HOST, f"{HOST}:8443"), CONFIRM.replace(HOST, f"x@{HOST}"), CONFIRM + " x"),
        *(CONFIRM.replace("us-west-2", "us-east-1", 1), f"https://{HOST}/?Action=Unsubscribe&x=y", ""),
    ],
)
def test_a_subscription_is_only_confirmed_at_the_sns_host(host: Host, url: str) -> None:
    assert_refused(signed(envelope("x", **{**CONFIRMATION, "SubscribeURL": url})))
    assert host.asked == [PEM]


@pytest.mark.parametrize("status", [400, 403, 429, 500])
def test_a_request_is_unavailable_if_the_subscription_cannot_be_confirmed(host: Host, status: int) -> None:
    host.pages[CONFIRM.partition(HOST)[2]] = status, b""
    with pytest.raises(Unavailable):
        verify(signed(envelope("x", **CONFIRMATION)))


def test_the_end_of_a_subscription_is_accepted_and_not_undone(host: Host) -> None:
    request = signed(envelope("x", **{**CONFIRMATION, "Type": "UnsubscribeConfirmation"}))
    verify(request)
    assert sns.notification(request) is None
    assert host.asked == [PEM]
