"""Secrets, which Secrets Manager keeps and an environment for a while."""

import json
from collections.abc import Mapping
from time import monotonic
from typing import Any

from messaging.aws.signed_client import AwsError, Service
from messaging.problems import Unavailable
from messaging.telemetry import logger

MAX_AGE = 300  # seconds for which an environment keeps a secret: how long a rotation takes

_manager = Service("SECRETS_MANAGER", "secretsmanager", "secretsmanager", "1.1", connect=1, read=2)
_kept: dict[str, tuple[float, Mapping[str, Any]]] = {}
"""Each with the time when it was read."""


def get_secret(arn: str) -> Mapping[str, Any]:
    """The JSON object kept under `arn` in Secrets Manager, at most MAX_AGE seconds old.

    Raises Unavailable where Secrets Manager does not give it.
    """
    if arn in _kept and monotonic() < _kept[arn][0] + MAX_AGE:
        return _kept[arn][1]
    try:
        fields = json.loads(_manager.call("GetSecretValue", {"SecretId": arn})["SecretString"])
    except Exception as error:  # noqa: BLE001  # whatever it was, the secret is not there
        # By its code: its words may be the secret's.
        cause = error.code if isinstance(error, AwsError) else type(error).__name__
        logger.warning("A secret cannot be read", extra={"secret_arn": arn, "cause": cause})
        raise Unavailable("A secret of this deployment could not be read.") from None
    if not isinstance(fields, dict):
        logger.warning("A secret is no JSON object", extra={"secret_arn": arn, "cause": None})
        raise Unavailable("A secret of this deployment is not a JSON object.")
    _kept[arn] = monotonic(), fields
    return fields
