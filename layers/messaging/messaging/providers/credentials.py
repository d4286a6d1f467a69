"""Reads the fields of a provider's secret. A field of the wrong form counts as missing.

So a typing error in the secret does not let an unsigned request in, and the first send names the field.
"""

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from messaging.failures import Misconfigured
from messaging.fields import clean_text
from messaging.problems import SignatureRejected
from messaging.transport.aws_call import AwsAccess


def get_str(secret: Mapping[str, Any], field: str) -> str:
    """The field's text; empty if it is missing, blank or not text."""
    value = secret.get(field)
    return value if _is_text(value) else ""


def get_digits(secret: Mapping[str, Any], field: str) -> str:
    """The field's positive whole number, as text; empty if it is not one."""
    value = str(secret.get(field))
    return value if re.fullmatch("[1-9][0-9]{0,8}", value) else ""


def get_list(secret: Mapping[str, Any], field: str) -> list[str]:
    """The field's texts. A field holds one text, or a list of them while a key is rotated."""
    value = secret.get(field)
    items = value if isinstance(value, list) else [value]
    return [item for item in items if _is_text(item)]


def required(secret: Mapping[str, Any], field: str, provider: str) -> str:
    """The field's text. Raises Misconfigured if there is none."""
    value = get_str(secret, field)
    if not value:
        raise missing(field, provider)
    return value


def missing(field: str, provider: str) -> Misconfigured:
    """The failure of a send that needs a field which the provider's secret does not have."""
    return Misconfigured("not_configured", f"The secret holds no {field} for {provider}.")


def not_signed(keys: Sequence[object], field: str) -> SignatureRejected:
    """The refusal of a request that none of these keys has signed. `field` is the secret's field with the
    keys, which the log names if it is empty."""
    reason = "" if keys else f"The secret holds no {field} to verify it."
    return SignatureRejected("The request is not signed by this provider.", reason)


def basic_auth(user: str, password: str) -> str:
    """The value of an Authorization header: https://www.rfc-editor.org/rfc/rfc7617"""
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


def aws_access(secret: Mapping[str, Any], provider: str) -> AwsAccess:
    """Reads who calls AWS, and where. Raises Misconfigured if there is no region."""
    return AwsAccess(
        region=required(secret, "region", provider),
        endpoint_url=get_str(secret, "endpoint_url") or None,
        access_key_id=get_str(secret, "access_key_id") or None,
        secret_access_key=get_str(secret, "secret_access_key") or None,
    )


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value.strip()) and clean_text(value) == value
