"""A subscription of SNS: confirmed for a topic of ours alone, and at SNS alone."""

import json
from collections.abc import Iterator

import pytest

from messaging.problems import SignatureRejected, Unavailable
from messaging.providers import sns
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
    webhook,
)

SECRET = {"topics": TOPIC}


@pytest.fixture
def host() -> Iterator[Host]:
    with providers_sns.at_work() as host:
        yield host


def refused(body: bytes) -> None:
    with pytest.raises(SignatureRejected):
        sns.verify(webhook(body), SECRET)


def test_confirms_a_subscription_of_its_topic(host: Host) -> None:
    request = webhook(signed(envelope("You have chosen to subscribe", **CONFIRMATION)))
    sns.verify(request, SECRET)
    assert host.asked == [PEM, CONFIRM.partition(HOST)[2]]
    assert sns.notification(request) is None


def test_confirms_nothing_that_sns_did_not_sign(host: Host) -> None:
    told = json.loads(signed(envelope("x", **CONFIRMATION)))
    for name in ("Token", "SubscribeURL", "Message"):
        refused(json.dumps({**told, name: told[name] + "x"}).encode())
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
def test_goes_nowhere_else_to_confirm(host: Host, url: str) -> None:
    refused(signed(envelope("x", **{**CONFIRMATION, "SubscribeURL": url})))
    assert host.asked == [PEM]


@pytest.mark.parametrize("status", [400, 403, 429, 500])
def test_where_it_cannot_be_confirmed_sns_is_to_come_again(host: Host, status: int) -> None:
    host.pages[CONFIRM.partition(HOST)[2]] = status, b""
    with pytest.raises(Unavailable):
        sns.verify(webhook(signed(envelope("x", **CONFIRMATION))), SECRET)


def test_the_end_of_a_subscription_is_read_and_not_undone(host: Host) -> None:
    request = webhook(signed(envelope("x", **{**CONFIRMATION, "Type": "UnsubscribeConfirmation"})))
    assert sns.verify(request, SECRET).signed
    assert sns.notification(request) is None
    assert host.asked == [PEM]
