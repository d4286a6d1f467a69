"""Who gets in as Mailgun: who has its key, lately, and with each token once."""

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
ONCE = hmac.new(KEY.encode(), f"once {TOKEN}".encode(), hashlib.sha256).hexdigest()


def verify(body: bytes, kind: str = "application/json", keys: object = KEY) -> Verified:
    request = Webhook("https://api.example.com/", "", {"content-type": kind}, body, NOW)
    return Mailgun("mailgun", {"signing_key": keys}).verify(request)


def written(signed: object) -> bytes:
    return json.dumps({"signature": signed, "event-data": {}}).encode()


def test_what_lets_in_one_body_is_of_the_token_and_of_its_key() -> None:
    both = [OTHER_KEY, KEY]
    tokens = [
        verify(written(signature(NOW, token, key)), keys=both).replay_token
        for token in (TOKEN, TOKEN[1:])
        for key in both
    ]
    assert len(set(tokens)) == len(tokens)
    assert TOKEN not in "".join(map(str, tokens))


def test_lets_in_each_form_and_gives_its_token() -> None:
    signed = signature(NOW, TOKEN)
    for body, kind in (
        (written(signed), "application/json"),
        (urlencode({**signed, "body-plain": "é"}).encode(), URLENCODED),
        (b"body-mime=%E9&" + urlencode(signed).encode(), URLENCODED),
        (multipart(signed, {"attachment-1": ("a", "image/png", b"\xff")}), MULTIPART),
    ):
        assert verify(body, kind) == Verified(replay_token=ONCE)


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON"])
def test_what_is_json_says_so(kind: str) -> None:
    assert verify(written(signature(NOW, TOKEN)), kind).replay_token == ONCE


def test_a_form_s_boundary_may_be_any() -> None:
    form = multipart(signature(NOW, TOKEN), {}).replace(BOUNDARY.encode(), b"json")
    assert verify(form, "multipart/form-data; boundary=json").replay_token == ONCE


def test_a_time_may_be_a_number() -> None:
    signed = signature(NOW, TOKEN)
    assert verify(written({**signed, "timestamp": int(signed["timestamp"])})).replay_token == ONCE


def test_a_parent_account_s_key_is_as_good() -> None:
    """Of a subaccount's event, which its own key signed as well."""
    signed = {
        **signature(NOW, TOKEN, OTHER_KEY),
        "parent-signature": signature(NOW, TOKEN)["signature"],
    }
    assert verify(written(signed)).replay_token == ONCE
    assert verify(urlencode(signed).encode(), URLENCODED).replay_token == ONCE
    with pytest.raises(SignatureRejected):
        verify(written(signed), keys="a third")


@pytest.mark.parametrize(
    ("age", "is_let_in"),
    [
        (timedelta(0), True),
        (timedelta(hours=8), True),  # the last of its retries bears the time of the first request
        (timedelta(hours=11, minutes=59), True),
        (timedelta(hours=12, seconds=1), False),
        (timedelta(hours=-12, seconds=-1), False),
    ],
)
def test_retries_are_accepted_and_older_requests_are_refused(age: timedelta, is_let_in: bool) -> None:
    signed = signature(NOW - age, TOKEN)
    for body, kind in ((written(signed), "application/json"), (urlencode(signed).encode(), URLENCODED)):
        if is_let_in:
            assert verify(body, kind).replay_token == ONCE
        else:
            with pytest.raises(SignatureRejected, match="stale"):
                verify(body, kind)


@pytest.mark.parametrize("moved", range(-5, 6))
def test_no_other_token_is_made_of_a_signed_one(moved: int) -> None:
    """Time and token are signed without anything between them."""
    signed = signature(NOW, TOKEN)
    together, at = signed["timestamp"] + signed["token"], len(signed["timestamp"]) + moved
    shifted = {**signed, "timestamp": together[:at], "token": together[at:]}
    if moved:
        with pytest.raises(SignatureRejected):
            verify(written(shifted))
    else:
        verify(written(shifted))


@pytest.mark.parametrize("time", ["", "now", "-1", "1e9", " 1772366400", "1772366400 ", "١٢", "9" * 13])
def test_lets_in_no_time_that_is_none_whoever_signed_it(time: str) -> None:
    made = hmac.new(KEY.encode(), f"{time}{TOKEN}".encode(), hashlib.sha256).hexdigest()
    with pytest.raises(SignatureRejected):
        verify(written({"timestamp": time, "token": TOKEN, "signature": made}))


def test_lets_in_no_token_that_is_none_whoever_signed_it() -> None:
    time = str(int(NOW.timestamp()))
    made = hmac.new(KEY.encode(), time.encode(), hashlib.sha256).hexdigest()
    with pytest.raises(SignatureRejected):
        verify(written({"timestamp": time, "token": "", "signature": made}))


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
def test_lets_in_nothing_else(signed: object) -> None:
    with pytest.raises(SignatureRejected):
        verify(written(signed))


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b'{"signature": '])
@pytest.mark.parametrize("kind", ["application/json", URLENCODED, MULTIPART, "multipart/form-data", ""])
def test_what_cannot_be_read_is_not_signed(body: bytes, kind: str) -> None:
    with pytest.raises(SignatureRejected):
        verify(body, kind)


@pytest.mark.parametrize("keys", [None, "", " ", [], [""], [" "], [None], 7, True, {"current": KEY}])
def test_without_a_key_nobody_is_let_in(keys: object) -> None:
    for key in ("", " ", "7", "current", "None", "True", KEY):
        with pytest.raises(SignatureRejected):
            verify(written(signature(NOW, key=key)), keys=keys)
