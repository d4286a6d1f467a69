"""Signatures of vendors that hold a private key: Ed25519.

https://www.rfc-editor.org/rfc/rfc8032
"""

from base64 import b64decode
from collections.abc import Sequence
from contextlib import suppress

_P = 2**255 - 19
_SMALL = frozenset(
    (
        *(0, 1, _P - 1, _P, _P + 1),
        0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
        0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
    )
)
"""The ordinates of the points of small order. Under one of them as its key, what anybody has made up is
signed: it is none. https://eprint.iacr.org/2020/1244"""


def verify(public_keys: Sequence[str], signature: str, signed: bytes) -> bool:
    """Whether one of these keys has signed it; they and the signature are in base64."""
    from cryptography.exceptions import InvalidSignature  # 30 ms of a cold start
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    for text in public_keys:
        with suppress(InvalidSignature, ValueError):  # ValueError: not of the form
            key = b64decode(text, validate=True)
            if int.from_bytes(key, "little") % 2**255 not in _SMALL:
                Ed25519PublicKey.from_public_bytes(key).verify(b64decode(signature, validate=True), signed)
                return True
    return False
