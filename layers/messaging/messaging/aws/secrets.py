"""Secrets from AWS Secrets Manager, cached in each environment for a few minutes."""

import json
from collections.abc import Mapping
from time import monotonic
from typing import Any

from messaging.aws.signed_client import AwsError, Service
from messaging.problems import Unavailable
from messaging.telemetry import logger

MAX_AGE = 300  # seconds that a secret is cached; a rotation takes this long to reach every environment

_manager = Service("SECRETS_MANAGER", "secretsmanager", "secretsmanager", "1.1", connect=1, read=2)
_cache: dict[str, tuple[float, Mapping[str, Any]]] = {}
"""By ARN: the time at which the secret was read, in seconds of the monotonic clock, and its fields."""


def get_secret(arn: str) -> Mapping[str, Any]:
    """Return the JSON object that the secret holds, at most MAX_AGE seconds old.

    Raises Unavailable if Secrets Manager does not return the secret, or if it is not a JSON object.
    """
    if arn in _cache:
        read_at, fields = _cache[arn]
        if monotonic() < read_at + MAX_AGE:
            return fields
    try:
        fields = json.loads(_manager.call("GetSecretValue", {"SecretId": arn})["SecretString"])
    except Exception as error:  # noqa: BLE001  # whatever the error is, there is no secret
        # Only the code is logged: a parser's error message quotes the secret.
        cause = error.code if isinstance(error, AwsError) else type(error).__name__
        logger.warning("Secret unavailable", extra={"secret_arn": arn, "cause": cause})
        raise Unavailable("A secret of this deployment could not be read.") from None
    if not isinstance(fields, dict):
        logger.warning("Secret is not a JSON object", extra={"secret_arn": arn, "cause": None})
        raise Unavailable("A secret of this deployment is not a JSON object.")
    _cache[arn] = monotonic(), fields
    return fields
