"""The fields of a provider's secret as somebody wrote them: what is of no use counts as missing.

So a slip of the pen lets nobody in, and says at the first send which field it is in.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from messaging.fields import clean_text
from messaging.problems import SignatureRejected


def single(secret: Mapping[str, Any], field: str) -> str:
    """Empty of what is missing, blank or no text."""
    written = secret.get(field)
    return written if _is_text(written) else ""


def number(secret: Mapping[str, Any], field: str) -> str:
    """As text; empty of what is none."""
    written = secret.get(field)
    return str(written) if re.fullmatch("[1-9][0-9]{0,8}", str(written)) else ""


def several(secret: Mapping[str, Any], field: str) -> list[str]:
    """One, or each of a list: the keys of a field that is being rotated. Empty where there is none."""
    written = secret.get(field)
    return [one for one in (written if isinstance(written, list) else [written]) if _is_text(one)]


def unsigned(keys: Sequence[object], field: str) -> SignatureRejected:
    """Of a request that none of these keys has signed, which stand in the secret's `field`."""
    missing = "" if keys else f"The secret holds no {field} to verify it."
    return SignatureRejected("The request is not signed by this provider.", missing)


def _is_text(written: object) -> TypeGuard[str]:
    return isinstance(written, str) and bool(written.strip()) and clean_text(written) == written
