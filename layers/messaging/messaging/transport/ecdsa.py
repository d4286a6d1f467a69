"""Signatures of vendors that hold a private key: ECDSA with SHA-256 on the curve P-256.

https://csrc.nist.gov/pubs/fips/186-5/final
"""

import base64
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey


def verify(public_keys: Sequence[str], signature: str, signed: bytes) -> None:
    """By any of these keys, each a SubjectPublicKeyInfo; they and the signature are DER in base64.

    Raises ValueError, which says what is wrong.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.hashes import SHA256

    if not public_keys:
        raise ValueError("There is no public key to verify it.")
    made = base64.b64decode(signature, validate=True)
    keys = [_key(one) for one in public_keys]
    for key in filter(None, keys):
        with suppress(InvalidSignature):
            key.verify(made, signed, ECDSA(SHA256()))
            return
    if None in keys:
        raise ValueError("A public key is none: it has to be one on P-256, in base64.")
    raise ValueError("The signature is not that of the request.")


@lru_cache(maxsize=16)
def _key(text: str) -> "EllipticCurvePublicKey | None":
    """None of what is no public key on P-256. Lines may be wrapped."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        key = load_der_public_key(base64.b64decode("".join(text.split()), validate=True))
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1) else None
