"""A webhook of a JSON gateway must be signed recently with a secret of this deployment."""

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


@pytest.fixture(params=["", "true"], ids=["signed only", "unsigned allowed"], autouse=True)
def allowed(request: pytest.FixtureRequest, configure: Configure) -> str:
    """Run each test in both settings: an invalid signature is refused in both."""
    configure(ALLOW_UNSIGNED_WEBHOOKS=request.param)
    return str(request.param)


def test_a_signed_request_is_verified() -> None:
    verify(signed(BODY))


@pytest.mark.parametrize("secret", [[SIGNING_SECRET, OTHER_SECRET], [OTHER_SECRET, SIGNING_SECRET]])
def test_either_secret_verifies_a_request_during_rotation(secret: list[str]) -> None:
    verify(signed(BODY), secret)
    verify(signed(BODY, OTHER_SECRET), secret)
    with pytest.raises(SignatureRejected):
        verify(signed(BODY, "whsec_bm9uZSBvZiB0aGVt"), secret)


def test_one_valid_signature_of_several_is_enough() -> None:
    good, other = signed(BODY), signed(BODY, OTHER_SECRET)
    both = f"v1a,x {other['webhook-signature']} {good['webhook-signature']}"
    verify({**good, "webhook-signature": both})


@pytest.mark.parametrize("secret", [None, "", " ", [], [""], [None], 7, {"a": "b"}, "whsec_", "whsec_!"])
def test_without_a_secret_every_signature_is_refused(secret: object) -> None:
    for headers in (signed(BODY), signed(BODY, "whsec_AAAA")):
        with pytest.raises(SignatureRejected):
            verify(headers, secret)


def test_an_unsigned_request_is_only_accepted_if_the_deployment_allows_it(allowed: str) -> None:
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
def test_a_stale_signature_is_refused(age: timedelta) -> None:
    with pytest.raises(SignatureRejected) as raised:
        verify(signed(BODY, age=age))
    assert "timestamp" in str(raised.value.__cause__)


@pytest.mark.parametrize("body", [b"", BODY + b" ", BODY.replace(b"1", b"2"), b"\xff\xfe", b"\x00"])
def test_a_signature_of_another_body_is_refused(body: bytes) -> None:
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
def test_malformed_signature_headers_are_refused(changes: Mapping[str, str]) -> None:
    with pytest.raises(SignatureRejected):
        verify({**signed(BODY), **changes})


def test_a_signature_with_another_secret_is_refused() -> None:
    with pytest.raises(SignatureRejected):
        verify(signed(BODY, OTHER_SECRET))


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp"])
def test_a_signature_without_its_other_headers_is_refused(missing: str) -> None:
    with pytest.raises(SignatureRejected):
        verify({name: value for name, value in signed(BODY).items() if name != missing})


def test_the_response_does_not_say_why_a_request_was_refused() -> None:
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
