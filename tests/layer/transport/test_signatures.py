"""Ed25519 signatures: valid ones, forged ones, and malformed keys."""

from base64 import b64encode
from collections.abc import Sequence

import pytest
from nacl.signing import SigningKey

from messaging.transport.signatures import verify_ed25519

KEY = SigningKey(bytes(range(32)))
PUBLIC = b64encode(bytes(KEY.verify_key)).decode()
OTHER = b64encode(bytes(SigningKey(bytes(32)).verify_key)).decode()
SIGNATURE = b64encode(KEY.sign(b"text").signature).decode()


def assert_refused(public_keys: Sequence[str], signature: str, signed: bytes) -> None:
    with pytest.raises(ValueError, match=r"key|signature|base64|padding|ASCII"):
        verify_ed25519(public_keys, signature, signed)


def test_any_of_several_keys_verifies_a_signature() -> None:
    verify_ed25519([PUBLIC], SIGNATURE, b"text")
    verify_ed25519(["no key", OTHER, PUBLIC], SIGNATURE, b"text")
    assert_refused([OTHER], SIGNATURE, b"text")
    assert_refused([PUBLIC], SIGNATURE, b"texts")
    assert_refused([], SIGNATURE, b"text")
    assert_refused(["no key"], SIGNATURE, b"text")


@pytest.mark.parametrize("signature", ["", "x", "\u00e9", SIGNATURE[:-4], SIGNATURE + "AAAA"])
def test_a_malformed_signature_is_refused(signature: str) -> None:
    assert_refused([PUBLIC], signature, b"text")


@pytest.mark.parametrize(
    "key", [bytes(32), b"\1" + bytes(31), b"\0" * 31 + b"\x80", b"\xed" + b"\xff" * 30 + b"\x7f"]
)
def test_a_public_key_of_small_order_is_refused(key: bytes) -> None:
    """A deployment may use zeros as a placeholder for a key."""
    forgeries = [bytes(64), b"\1" + bytes(63), key + bytes(32)]
    for text in map(str.encode, map(str, range(50))):
        for signature in forgeries:
            assert_refused([b64encode(key).decode()], b64encode(signature).decode(), text)
