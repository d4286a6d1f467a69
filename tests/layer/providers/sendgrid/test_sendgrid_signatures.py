"""SendGrid's signatures, compared with its own library and its published sample."""

import base64
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from sendgrid.helpers.eventwebhook import EventWebhook

from messaging.problems import SignatureRejected
from messaging.providers.provider import Webhook
from messaging.providers.sendgrid import SendGrid
from tests.layer.providers.sendgrid import signatures
from tests.layer.providers.sendgrid.signatures import (
    OTHER_KEY,
    OTHER_PUBLIC_KEY,
    PUBLIC_KEY,
    SIGNATURE,
    TIMESTAMP,
    headers,
)

PAYLOADS = Path(__file__).parent / "payloads"
NOW = datetime(2024, 11, 1, 14, tzinfo=UTC)
BODY = '[{"event": "delivered", "reason": "é 🎉"}]\r\n'.encode()

# sendgrid-python, test/unit/test_eventwebhook.py; its body is payloads/events_vector.json.
VECTOR_KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw"
    "+2fNNRaINXvVpiglSI8eNEc6wEA3F+g=="
)
VECTOR_SIGNATURE = (
    "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM="
)
VECTOR_TIME = "1600112502"


def verify(
    signed: Mapping[str, str],
    body: bytes = BODY,
    received_at: datetime = NOW,
    public_key: object = PUBLIC_KEY,
) -> None:
    webhook = Webhook("https://example.com/hook", "", signed, body, received_at)
    assert SendGrid("sendgrid", {"public_key": public_key}).verify(webhook).signed


def reason(
    signed: Mapping[str, str], body: bytes = BODY, received_at: datetime = NOW, key: object = PUBLIC_KEY
) -> str:
    """The logged reason why a request is refused."""
    with pytest.raises(SignatureRejected) as raised:
        verify(signed, body, received_at, key)
    return str(raised.value.__cause__ or raised.value)


def vector() -> tuple[dict[str, str], bytes, datetime]:
    signed = {SIGNATURE: VECTOR_SIGNATURE, TIMESTAMP: VECTOR_TIME}
    sent_at = datetime.fromtimestamp(int(VECTOR_TIME), UTC)
    return signed, (PAYLOADS / "events_vector.json").read_bytes(), sent_at


def test_the_published_sample_is_verified() -> None:
    verify(*vector(), VECTOR_KEY)


def test_the_signature_covers_the_last_line_end() -> None:
    signed, body, at = vector()
    assert body.endswith(b"\r\n")
    assert "does not match the request" in reason(signed, body[:-2], at, VECTOR_KEY)


@pytest.mark.parametrize("payload", sorted(PAYLOADS.iterdir()), ids=lambda payload: payload.name)
def test_verification_agrees_with_sendgrids_own_library(payload: Path) -> None:
    """The library only reads text. SendGrid signs a body with a file as bytes."""
    body = payload.read_bytes()
    signed = headers(body, NOW)
    verify(signed, body)
    try:
        text = body.decode()
    except UnicodeDecodeError:
        assert payload.suffix == ".form"
    else:
        assert EventWebhook(PUBLIC_KEY).verify_signature(text, signed[SIGNATURE], signed[TIMESTAMP])


def test_a_signature_is_valid_for_five_minutes_before_and_after() -> None:
    signed = headers(BODY, NOW)
    for seconds in (-300, -299, 0, 299, 300):
        verify(signed, received_at=NOW + timedelta(seconds=seconds))
    for seconds in (-301, 301, 86400):
        assert "stale" in reason(signed, received_at=NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    "keys",
    [
        [PUBLIC_KEY],
        [OTHER_PUBLIC_KEY, PUBLIC_KEY],
        ["not a key", PUBLIC_KEY],
        f"{PUBLIC_KEY[:64]}\n{PUBLIC_KEY[64:]}\n",
    ],
    ids=["one of a list", "the second", "after a malformed one", "in lines"],
)
def test_each_key_of_the_secret_verifies_a_request(keys: object) -> None:
    verify(headers(BODY, NOW), public_key=keys)


@pytest.mark.parametrize(
    "key",
    [
        "not a key",
        "AAAA",
        PUBLIC_KEY[:-8],
        PUBLIC_KEY[4:],
        f"-----BEGIN PUBLIC KEY-----{PUBLIC_KEY}",
        signatures.shown(ec.generate_private_key(ec.SECP384R1()).public_key()),
        signatures.shown(ed25519.Ed25519PrivateKey.generate().public_key()),
        signatures.shown(rsa.generate_private_key(65537, 2048).public_key()),
    ],
    ids=["words", "four", "cut", "no prefix", "pem", "p384", "ed25519", "rsa"],
)
def test_a_malformed_public_key_is_named_as_the_reason(key: object) -> None:
    assert "must be a key on P-256" in reason(headers(BODY, NOW), key=key)


@pytest.mark.parametrize("key", [None, "", [], 7, {"key": PUBLIC_KEY}, [None], [[PUBLIC_KEY]]])
def test_without_a_key_every_request_is_refused(key: object) -> None:
    assert "no public key" in reason(headers(BODY, NOW), key=key)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({TIMESTAMP: ""}, "no time"),
        ({TIMESTAMP: "now"}, "no time"),
        ({TIMESTAMP: "-1730469600"}, "no time"),
        ({TIMESTAMP: "1730469600.5"}, "no time"),
        ({TIMESTAMP: " 1730469600"}, "no time"),
        ({TIMESTAMP: "01730469600"}, "does not match the request"),
        ({TIMESTAMP: "\u0661730469600"}, "no time"),
        ({TIMESTAMP: "9" * 5000}, "no time"),
        ({TIMESTAMP: "1730469601"}, "does not match the request"),
        ({SIGNATURE: ""}, "no signature"),
        ({SIGNATURE: "", TIMESTAMP: ""}, "no signature"),
        ({SIGNATURE: "AAAA"}, "does not match the request"),
        ({SIGNATURE: "é"}, "ASCII"),
        ({SIGNATURE: "MEUCIGH"}, "padding"),
        (
            {SIGNATURE: base64.b64encode(b"\x30\x06\x02\x01\x00\x02\x01\x00").decode()},
            "does not match the request",
        ),
        ({SIGNATURE: headers(BODY + b" ", NOW)[SIGNATURE]}, "does not match the request"),
        ({SIGNATURE: headers(BODY, NOW, OTHER_KEY)[SIGNATURE]}, "does not match the request"),
        ({SIGNATURE: VECTOR_SIGNATURE}, "does not match the request"),
        ({SIGNATURE: f"!{headers(BODY, NOW)[SIGNATURE]}"}, "base64"),
    ],
)
def test_another_time_or_signature_is_refused(changes: Mapping[str, str], expected: str) -> None:
    assert expected in reason({**headers(BODY, NOW), **changes})


@pytest.mark.parametrize(
    "body", [b"", BODY[:-2], BODY[:-1], BODY.replace(b"\r\n", b"\n"), BODY + b"\n", BODY.replace(b" ", b"")]
)
def test_another_body_is_refused(body: bytes) -> None:
    assert "does not match the request" in reason(headers(BODY, NOW), body)


@pytest.mark.parametrize(
    ("names", "expected"),
    [([SIGNATURE], "no signature"), ([TIMESTAMP], "no time"), ([SIGNATURE, TIMESTAMP], "no signature")],
)
def test_a_request_without_one_of_the_headers_is_refused(names: list[str], expected: str) -> None:
    left = {name: value for name, value in headers(BODY, NOW).items() if name not in names}
    assert expected in reason(left)


def test_the_response_does_not_say_why_it_was_refused() -> None:
    webhook = Webhook("https://example.com/hook", "", headers(BODY, NOW), BODY, NOW)
    details = set()
    for key in (None, "not a key", OTHER_PUBLIC_KEY):
        with pytest.raises(SignatureRejected) as raised:
            SendGrid("sendgrid", {"public_key": key}).verify(replace(webhook))
        details.add(raised.value.detail)
    assert details == {"The request is not signed by this provider."}
