"""Mailgun's signatures: recent, with our key, and with each token only once."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest

from messaging.problems import SignatureRejected
from messaging.providers.mailgun import Mailgun
from messaging.providers.provider import Verified, Webhook
from tests.layer.providers.mailgun.signatures import (
    BOUNDARY,
    KEY,
    MULTIPART,
    OTHER_KEY,
    URLENCODED,
    multipart,
    signature,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TOKEN = "50digits" + "e" * 42
REPLAY_TOKEN = hmac.new(KEY.encode(), f"once {TOKEN}".encode(), hashlib.sha256).hexdigest()


def verify(body: bytes, kind: str = "application/json", keys: object = KEY) -> Verified:
    request = Webhook("https://api.example.com/", "", {"content-type": kind}, body, NOW)
    return Mailgun("mailgun", {"signing_key": keys}).verify(request)


def written(signed: object) -> bytes:
    return json.dumps({"signature": signed, "event-data": {}}).encode()


def test_the_replay_token_depends_on_the_token_and_the_key() -> None:
    both = [OTHER_KEY, KEY]
    tokens = [
        verify(written(signature(NOW, token, key)), keys=both).replay_token
        for token in (TOKEN, TOKEN[1:])
        for key in both
    ]
    assert len(set(tokens)) == len(tokens)
    assert TOKEN not in "".join(map(str, tokens))


def test_each_format_is_verified_with_its_replay_token() -> None:
    signed = signature(NOW, TOKEN)
    for body, kind in (
        (written(signed), "application/json"),
        (urlencode({**signed, "body-plain": "é"}).encode(), URLENCODED),
        (b"body-mime=%E9&" + urlencode(signed).encode(), URLENCODED),
        (multipart(signed, {"attachment-1": ("a", "image/png", b"\xff")}), MULTIPART),
    ):
        assert verify(body, kind) == Verified(replay_token=REPLAY_TOKEN)


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON"])
def test_json_is_recognised_by_its_content_type(kind: str) -> None:
    assert verify(written(signature(NOW, TOKEN)), kind).replay_token == REPLAY_TOKEN


def test_a_form_may_have_any_boundary() -> None:
    form = multipart(signature(NOW, TOKEN), {}).replace(BOUNDARY.encode(), b"json")
    assert verify(form, "multipart/form-data; boundary=json").replay_token == REPLAY_TOKEN


@pytest.mark.parametrize("count", [999, 5000, 9900])
@pytest.mark.parametrize("kind", [URLENCODED, MULTIPART])
def test_a_mail_whose_many_headers_are_fields_is_verified(kind: str, count: int) -> None:
    headers = {f"X-Header-{number}": "a" for number in range(count)}
    fields = headers | signature(NOW, TOKEN)
    body = multipart(fields, {}) if kind == MULTIPART else urlencode(fields).encode()
    assert verify(body, kind).replay_token == REPLAY_TOKEN


def test_the_timestamp_may_be_a_number() -> None:
    signed = signature(NOW, TOKEN)
    assert verify(written({**signed, "timestamp": int(signed["timestamp"])})).replay_token == REPLAY_TOKEN


def test_the_signature_of_the_parent_account_verifies_a_request() -> None:
    """An event of a subaccount is also signed with the subaccount's own key."""
    signed = {
        **signature(NOW, TOKEN, OTHER_KEY),
        "parent-signature": signature(NOW, TOKEN)["signature"],
    }
    assert verify(written(signed)).replay_token == REPLAY_TOKEN
    assert verify(urlencode(signed).encode(), URLENCODED).replay_token == REPLAY_TOKEN
    with pytest.raises(SignatureRejected):
        verify(written(signed), keys="a third")


@pytest.mark.parametrize(
    ("age", "is_accepted"),
    [
        (timedelta(0), True),
        (timedelta(hours=8), True),  # the last retry has the time of the first request
        (timedelta(hours=11, minutes=59), True),
        (timedelta(hours=12, seconds=1), False),
        (timedelta(hours=-12, seconds=-1), False),
    ],
)
def test_retries_are_accepted_and_older_requests_are_refused(age: timedelta, is_accepted: bool) -> None:
    signed = signature(NOW - age, TOKEN)
    for body, kind in ((written(signed), "application/json"), (urlencode(signed).encode(), URLENCODED)):
        if is_accepted:
            assert verify(body, kind).replay_token == REPLAY_TOKEN
        else:
            with pytest.raises(SignatureRejected, match="stale"):
                verify(body, kind)


@pytest.mark.parametrize("moved", range(-5, 6))
def test_digits_cannot_be_moved_between_timestamp_and_token(moved: int) -> None:
    """Timestamp and token are signed without a separator."""
    signed = signature(NOW, TOKEN)
    together, at = signed["timestamp"] + signed["token"], len(signed["timestamp"]) + moved
    shifted = {**signed, "timestamp": together[:at], "token": together[at:]}
    if moved:
        with pytest.raises(SignatureRejected):
            verify(written(shifted))
    else:
        verify(written(shifted))


@pytest.mark.parametrize("time", ["", "now", "-1", "1e9", " 1772366400", "1772366400 ", "١٢", "9" * 13])
def test_a_malformed_timestamp_is_refused_even_if_signed(time: str) -> None:
    signature = hmac.new(KEY.encode(), f"{time}{TOKEN}".encode(), hashlib.sha256).hexdigest()
    with pytest.raises(SignatureRejected):
        verify(written({"timestamp": time, "token": TOKEN, "signature": signature}))


def test_a_malformed_token_is_refused_even_if_signed() -> None:
    time = str(int(NOW.timestamp()))
    signature = hmac.new(KEY.encode(), time.encode(), hashlib.sha256).hexdigest()
    with pytest.raises(SignatureRejected):
        verify(written({"timestamp": time, "token": "", "signature": signature}))


@pytest.mark.parametrize(
    "signed",
    [
        None,
        [],
        "x",
        {},
        {"timestamp": [], "token": {}, "signature": None},
        {**signature(NOW), "signature": ""},
        {**signature(NOW), "signature": "0" * 64},
        {**signature(NOW), "signature": "é\ud800"},
        {**signature(NOW), "token": "other"},
        {**signature(NOW, TOKEN), "signature": signature(NOW, TOKEN)["signature"].upper()},
    ],
)
def test_any_other_signature_is_refused(signed: object) -> None:
    with pytest.raises(SignatureRejected):
        verify(written(signed))


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b'{"signature": '])
@pytest.mark.parametrize("kind", ["application/json", URLENCODED, MULTIPART, "multipart/form-data", ""])
def test_an_unreadable_body_has_no_signature(body: bytes, kind: str) -> None:
    with pytest.raises(SignatureRejected):
        verify(body, kind)


@pytest.mark.parametrize("keys", [None, "", " ", [], [""], [" "], [None], 7, True, {"current": KEY}])
def test_without_a_key_every_request_is_refused(keys: object) -> None:
    for key in ("", " ", "7", "current", "None", "True", KEY):
        with pytest.raises(SignatureRejected):
            verify(written(signature(NOW, key=key)), keys=keys)
