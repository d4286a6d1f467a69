"""Signatures of vendors that hold a private key: ECDSA on P-256 with SHA-256, and Ed25519.

Both functions take several public keys, so that a key can be rotated without downtime, and raise ValueError
if none of them has made the signature.

https://csrc.nist.gov/pubs/fips/186-5/final
https://www.rfc-editor.org/rfc/rfc8032
"""

import base64
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_P = 2**255 - 19
_SMALL_ORDER = frozenset(
    {
        0,
        1,
        _P - 1,
        _P,
        _P + 1,
        0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
        0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
    }
)
"""The y coordinates of the Ed25519 points of small order. Anybody can make up a signature that is valid under
such a public key, so these keys are refused. https://eprint.iacr.org/2020/1244"""


class MalformedKey(ValueError):
    """A configured public key is not a key of the scheme."""


def verify_ecdsa(public_keys: Sequence[str], signature: str, signed: bytes) -> None:
    """Check an ECDSA signature. Keys are SubjectPublicKeyInfo; keys and signature are DER in base64.

    Raises ValueError, whose text says what is wrong.
    """
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.hashes import SHA256

    def verify(key: str, decoded_signature: bytes) -> None:
        _ecdsa_key(key).verify(decoded_signature, signed, ECDSA(SHA256()))

    _verify_with_any(public_keys, signature, verify)


def verify_ed25519(public_keys: Sequence[str], signature: str, signed: bytes) -> None:
    """Check an Ed25519 signature. Keys and signature are raw bytes in base64.

    Raises ValueError, whose text says what is wrong.
    """

    def verify(key: str, decoded_signature: bytes) -> None:
        _ed25519_key(key).verify(decoded_signature, signed)

    _verify_with_any(public_keys, signature, verify)


def _verify_with_any(
    public_keys: Sequence[str], signature: str, verify: Callable[[str, bytes], None]
) -> None:
    """Try one key after the other. A malformed key is reported only if no other key matches."""
    from cryptography.exceptions import InvalidSignature

    if not public_keys:
        raise ValueError("There is no public key to verify the signature.")
    decoded_signature = base64.b64decode(signature, validate=True)
    malformed: MalformedKey | None = None
    for key in public_keys:
        try:
            verify(key, decoded_signature)
        except MalformedKey as error:
            malformed = error
        except InvalidSignature:
            continue
        else:
            return
    raise malformed or ValueError("The signature does not match the request.")


@lru_cache(maxsize=16)
def _ecdsa_key(text: str) -> "EllipticCurvePublicKey":
    """Read a public key, whose lines may be wrapped. Raises MalformedKey if it is not a key on P-256."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    message = "A public key is malformed: it must be a key on P-256, in base64."
    try:
        key = load_der_public_key(base64.b64decode("".join(text.split()), validate=True))
    except (ValueError, UnsupportedAlgorithm):
        raise MalformedKey(message) from None
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise MalformedKey(message)
    return key


@lru_cache(maxsize=16)
def _ed25519_key(text: str) -> "Ed25519PublicKey":
    """Read a public key. Raises MalformedKey if it is not an Ed25519 key, or one of small order."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    message = "A public key is malformed: it must be an Ed25519 key of 32 bytes, in base64."
    try:
        raw = base64.b64decode(text, validate=True)
        if int.from_bytes(raw, "little") % 2**255 in _SMALL_ORDER:
            raise MalformedKey(message)
        return Ed25519PublicKey.from_public_bytes(raw)
    except ValueError:
        raise MalformedKey(message) from None
