"""Who gets in by a house webhook: who signed with a secret of this deployment, lately. It fails closed."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from messaging.problems import SignatureRejected
from messaging.providers import json_gateway
from messaging.providers.provider import Webhook
from tests.support.api import signed
from tests.support.configuration import SIGNING_SECRET, Configure

BODY = b'{"from": "+18045551234", "body": "\xc3\xa9"}'
OTHER_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


def verify(headers: Mapping[str, str], secret: object = SIGNING_SECRET, body: bytes = BODY) -> None:
    json_gateway.Sms("sms", {"signing_secret": secret}).verify(
        Webhook("https://example.com/", "", headers, body)
    )


@pytest.fixture(params=["", "true"], ids=["signatures asked for", "unsigned let in"], autouse=True)
def allowed(request: pytest.FixtureRequest, configure: Configure) -> str:
    """What is refused for its signature is refused either way."""
    configure(ALLOW_UNSIGNED_WEBHOOKS=request.param)
    return str(request.param)


def test_lets_in_what_was_signed() -> None:
    verify(signed(BODY))


@pytest.mark.parametrize("secret", [[SIGNING_SECRET, OTHER_SECRET], [OTHER_SECRET, SIGNING_SECRET]])
def test_believes_both_secrets_while_they_are_rotated(secret: list[str]) -> None:
    verify(signed(BODY), secret)
    verify(signed(BODY, OTHER_SECRET), secret)
    with pytest.raises(SignatureRejected):
        verify(signed(BODY, "whsec_bm9uZSBvZiB0aGVt"), secret)


def test_lets_in_one_good_signature_among_several() -> None:
    good, other = signed(BODY), signed(BODY, OTHER_SECRET)
    both = f"v1a,x {other['webhook-signature']} {good['webhook-signature']}"
    verify({**good, "webhook-signature": both})


@pytest.mark.parametrize("secret", [None, "", " ", [], [""], [None], 7, {"a": "b"}, "whsec_", "whsec_!"])
def test_without_a_secret_no_signature_is_good(secret: object) -> None:
    for headers in (signed(BODY), signed(BODY, "whsec_AAAA")):
        with pytest.raises(SignatureRejected):
            verify(headers, secret)


def test_unsigned_is_let_in_only_by_the_deployment_s_word(allowed: str) -> None:
    for secret in (SIGNING_SECRET, None):
        if allowed:
            verify({}, secret)
        else:
            with pytest.raises(SignatureRejected):
                verify({}, secret)


@pytest.mark.parametrize("age", [timedelta(minutes=4), timedelta(minutes=-4)])
def test_clocks_may_differ_by_minutes(age: timedelta) -> None:
    verify(signed(BODY, age=age))


@pytest.mark.parametrize(
    "age", [timedelta(minutes=5, seconds=5), timedelta(minutes=-5, seconds=-5), timedelta(days=9)]
)
def test_refuses_what_was_signed_at_another_time(age: timedelta) -> None:
    with pytest.raises(SignatureRejected) as raised:
        verify(signed(BODY, age=age))
    assert "timestamp" in str(raised.value.__cause__)


@pytest.mark.parametrize("body", [b"", BODY + b" ", BODY.replace(b"1", b"2"), b"\xff\xfe", b"\x00"])
def test_refuses_another_body_than_was_signed(body: bytes) -> None:
    with pytest.raises(SignatureRejected):
        verify(signed(BODY), body=body)


@pytest.mark.parametrize(
    "changes",
    [
        {"webhook-id": "msg_2"},
        {"webhook-id": ""},
        {"webhook-timestamp": "0"},
        *(
            {"webhook-timestamp": value}
            for value in ("", "now", "1e400", "nan", "inf", "-1", "9" * 400, "\u0661")
        ),
        *(
            {"webhook-signature": value}
            for value in (",", "v1", "v1,", "v1,x", "v1,\u20ac", "v2,AAAA", " ", "v1,a,b")
        ),
        {"webhook-signature": "v1," + "A" * 100_000},
        {"webhook-id": "\ud800"},
        {"webhook-signature": "v1,\ud800"},
    ],
    ids=lambda changes: ascii(changes)[:40],
)
def test_refuses_headers_that_were_spoilt(changes: Mapping[str, str]) -> None:
    with pytest.raises(SignatureRejected):
        verify({**signed(BODY), **changes})


def test_refuses_what_was_signed_with_another_secret() -> None:
    with pytest.raises(SignatureRejected):
        verify(signed(BODY, OTHER_SECRET))


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp"])
def test_refuses_a_signature_without_its_other_headers(missing: str) -> None:
    with pytest.raises(SignatureRejected):
        verify({name: value for name, value in signed(BODY).items() if name != missing})


def test_the_caller_is_not_told_why() -> None:
    details = set()
    for headers in (
        {"webhook-signature": "x"},
        signed(BODY, OTHER_SECRET),
        signed(BODY, age=timedelta(days=1)),
    ):
        with pytest.raises(SignatureRejected) as raised:
            verify(headers)
        details.add(raised.value.detail)
    assert len(details) == 1
