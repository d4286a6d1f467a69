"""Ed25519: what a key has signed, and what is no key."""

from base64 import b64encode

import pytest
from nacl.signing import SigningKey

from messaging.transport import ed25519

KEY = SigningKey(bytes(range(32)))
PUBLIC = b64encode(bytes(KEY.verify_key)).decode()
OTHER = b64encode(bytes(SigningKey(bytes(32)).verify_key)).decode()
SIGNED = b64encode(KEY.sign(b"text").signature).decode()


def test_one_of_several_keys_is_enough() -> None:
    assert ed25519.verify([PUBLIC], SIGNED, b"text")
    assert ed25519.verify(["no key", OTHER, PUBLIC], SIGNED, b"text")
    assert not ed25519.verify([OTHER], SIGNED, b"text")
    assert not ed25519.verify([PUBLIC], SIGNED, b"texts")
    assert not ed25519.verify([], SIGNED, b"text")


@pytest.mark.parametrize("signature", ["", "x", "\u00e9", SIGNED[:-4], SIGNED + "AAAA"])
def test_refuses_what_is_no_signature(signature: str) -> None:
    assert not ed25519.verify([PUBLIC], signature, b"text")


@pytest.mark.parametrize(
    "key", [bytes(32), b"\1" + bytes(31), b"\0" * 31 + b"\x80", b"\xed" + b"\xff" * 30 + b"\x7f"]
)
def test_a_key_under_which_anything_is_signed_is_none(key: bytes) -> None:
    """Zeros may stand in for a key that is still to come."""
    made_up = [bytes(64), b"\1" + bytes(63), key + bytes(32)]
    for text in map(str.encode, map(str, range(50))):
        for signature in made_up:
            assert not ed25519.verify([b64encode(key).decode()], b64encode(signature).decode(), text)
