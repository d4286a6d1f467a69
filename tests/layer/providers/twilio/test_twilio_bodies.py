"""The bodies that Twilio signs: forms, and JSON with its hash in the URL."""

import hashlib
import hmac
from base64 import b64encode
from dataclasses import replace
from urllib.parse import parse_qs, parse_qsl

import pytest

from messaging.providers.provider import Webhook
from tests.layer.providers.twilio import signatures
from tests.layer.providers.twilio.signatures import FORM, HEADER, JSON, URL, is_accepted, signed

BODY = b'{"CallSid": "CA1", "Caller": "+12349013030"}'
HASH = hashlib.sha256(BODY).hexdigest()
OTHER_HASH = hashlib.sha256(b"{}").hexdigest()


def signed_json(query: str, body: bytes = BODY) -> Webhook:
    return Webhook(URL, query, signatures.json(f"{URL}?{query}"), body)


@pytest.mark.parametrize(
    "query", [f"bodySHA256={HASH}", f"reference=7&bodySHA256={HASH}", f"bodySHA256={HASH}&bodySHA256={HASH}"]
)
def test_json_is_verified_by_its_hash_in_the_url(query: str) -> None:
    webhook = signed_json(query)
    assert is_accepted(webhook)
    assert is_accepted(
        replace(webhook, headers={**webhook.headers, "content-type": "Application/JSON; charset=utf-8"})
    )
    assert not is_accepted(replace(webhook, body=BODY + b" "))
    assert not is_accepted(replace(webhook, query=""))


@pytest.mark.parametrize(
    "query",
    [
        "",
        "reference=7",
        "bodySHA256=",
        f"bodySHA256={OTHER_HASH}",
        f"bodySHA256={HASH}&bodySHA256={OTHER_HASH}",
        f"bodySHA256={HASH.upper()}",
        f"bodysha256={HASH}",
        f"bodySHA256={HASH}%ff",
        "bodySHA256=é",
    ],
)
def test_json_without_a_matching_hash_in_the_url_is_refused(query: str) -> None:
    assert not is_accepted(signed_json(query))


@pytest.mark.parametrize(
    "kind", [None, "", "text/plain", "multipart/form-data; boundary=x", "application/xml", JSON]
)
def test_a_body_of_another_type_is_refused(kind: str | None) -> None:
    webhook = signed(b"a=1")
    headers = {HEADER: webhook.headers[HEADER], **({} if kind is None else {"content-type": kind})}
    assert not is_accepted(replace(webhook, headers=headers))
    signed_url_only = Webhook(URL, "", {**headers, HEADER: signatures.signature(URL, {})}, b"a=1")
    assert not is_accepted(signed_url_only)
    assert is_accepted(replace(signed_url_only, body=b""))


@pytest.mark.parametrize(
    "body", [b"a=%ff", b"a=\xe9&b=1", b"caf%E9=x&Body=%F0%9F%91", b"\xff", b"a=%ED%A0%80"]
)
def test_a_form_that_is_not_utf_8_is_verified_over_its_bytes_or_over_its_text(body: bytes) -> None:
    pairs = parse_qsl(body.decode(errors="surrogateescape"), keep_blank_values=True, errors="surrogateescape")
    raw = "".join(name + value for name, value in sorted(pairs)).encode(errors="surrogateescape")
    by_bytes = b64encode(hmac.digest(signatures.TOKEN.encode(), URL.encode() + raw, "sha1")).decode()
    text = parse_qs(body.decode(errors="replace"), keep_blank_values=True)  # as Twilio's library
    for signature in (by_bytes, signatures.signature(URL, text)):
        webhook = Webhook(URL, "", {HEADER: signature, "content-type": FORM}, body)
        assert is_accepted(webhook)
        assert not is_accepted(replace(webhook, body=body + b"&c=1"))


@pytest.mark.parametrize("body", [b"\xff", b"a=%ff", b"a=&" * 1001])
def test_a_malformed_form_body_is_refused(body: bytes) -> None:
    assert not is_accepted(
        Webhook(URL, "", {HEADER: signatures.signature(URL, {}), "content-type": FORM}, body)
    )


def test_a_hash_in_the_url_must_match_any_body() -> None:
    """The signature of JSON covers only its URL, so a captured one would also be right for an empty form."""
    body = b'{"a": 1}'
    query = f"bodySHA256={hashlib.sha256(body).hexdigest()}"
    captured = Webhook(URL, query, signatures.json(f"{URL}?{query}"), body)
    assert is_accepted(captured)
    for other, kind in ((b"", FORM), (b"&=&", FORM), (b"", JSON), (b"[]", JSON)):
        assert not is_accepted(
            replace(captured, body=other, headers={**captured.headers, "content-type": kind})
        )
