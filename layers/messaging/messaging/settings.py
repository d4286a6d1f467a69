"""What the deployment decides: environment variables, read once, and the secrets that they name."""

from collections.abc import Mapping
from functools import cache
from os import environ
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Json

from messaging.problems import Unavailable
from messaging.telemetry import logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.parameters import SecretsProvider

DeliveryPolicy = Literal["at_most_once", "at_least_once"]
"""What becomes of a message when nobody can tell whether its provider took it: it stays `unknown`, or it is
sent again."""

SECRET_MAX_AGE = 300  # seconds for which an environment keeps a secret: how long a rotation takes


def _instances(text: str) -> dict[str, str]:
    """`sms,sms-eu=sms` as {"sms": "sms", "sms-eu": "sms"}: an instance's name and its type."""
    pairs = (part.partition("=") for part in text.split(",") if part.strip())
    return {name.strip(): kind.strip() or name.strip() for name, _, kind in pairs}


class Settings(BaseModel):
    """One field a variable, in lower case. An empty variable counts as one that is not set."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    database_url: str = Field("", repr=False)
    """postgresql://user:password@host:port/name; TLS is verified unless it ends in ?sslmode=disable."""
    database_secret_arn: str = ""
    """The same as a secret in the form that RDS writes: username, password, host, port, dbname."""
    database_ca_file: str = ""
    """A PEM bundle that vouches for the database; the system's where empty."""

    one_round_trip: bool = True
    """Of a statement; false goes back to pg8000 as it comes, with three."""

    outbound_queue_url: str = ""
    inbound_queue_url: str = ""
    """The queue of a function that receives: of what it could not keep in the database yet."""
    inbound_bucket: str = ""
    """The bucket of what is too long for that queue."""
    media_bucket: str = ""
    """The bucket of files that came inside webhooks."""
    raw_retention_days: int = Field(30, ge=1)
    """How long a verified webhook is kept as it came, to be replayed."""

    providers: Annotated[dict[str, str], BeforeValidator(_instances)] = {"sms": "sms", "email": "email"}
    """Instances of providers in order of preference: each serves every channel that its type can."""
    sender_providers: Json[dict[str, list[str]]] = {}
    """A sending address with a list of its own: {"+12016661234": ["sms-eu"]}."""
    provider_secret_arn: str = ""
    """One secret, {instance: its fields}: the credentials and signing secrets of every provider."""
    public_url: str = ""
    """https://api.example.com, without a path: what providers call, and sign. A function that receives takes
    its event's own domain where this is empty."""
    allow_unsigned_webhooks: bool = False
    """Lets house webhooks in that carry no signature. For a first try, never on the internet."""

    default_region: str | None = None
    """The region, such as US, of a phone number without a leading +; without it such a number is refused."""
    max_attempts: int = Field(16, ge=1)
    """How often a message is tried before it is failed: 16 take about three hours."""
    max_age: int = Field(86400, ge=1)
    """Seconds after which a message that was not taken is failed instead of tried again."""
    unknown_after: int = Field(600, ge=1)
    """Seconds for which evidence is sought of what became of an attempt without an answer."""
    delivery_policy: DeliveryPolicy = "at_most_once"
    """Of messages that name none."""


class InvalidSetting(Exception):
    """A variable says what cannot be; the message names it."""


@cache
def settings() -> Settings:
    return Settings.model_validate({name.lower(): value for name, value in environ.items() if value})


def secret(arn: str) -> Mapping[str, Any]:
    """The JSON object kept under `arn` in Secrets Manager, at most SECRET_MAX_AGE seconds old.

    Raises Unavailable where Secrets Manager does not give it.
    """
    from aws_lambda_powertools.utilities.parameters.exceptions import (
        GetParameterError,
        TransformParameterError,
    )

    try:
        fields = _secrets_manager().get(arn, transform="json", max_age=SECRET_MAX_AGE)
    except (GetParameterError, TransformParameterError) as error:
        _warn("A secret cannot be read", arn, error.__context__ or error)
        raise Unavailable("A secret of this deployment could not be read.") from error
    if not isinstance(fields, dict):
        _warn("A secret is no JSON object", arn)
        raise Unavailable("A secret of this deployment is not a JSON object.")
    return fields


def _warn(message: str, arn: str, error: BaseException | None = None) -> None:
    """Names the secret in the log, and the error by its code: its words may be the secret's."""
    answer = getattr(error, "response", None) or {}  # botocore's time-outs have one that is None
    cause = answer.get("Error", {}).get("Code") or (error and type(error).__name__)
    logger.warning(message, extra={"secret_arn": arn, "cause": cause})


@cache
def _secrets_manager() -> "SecretsProvider":
    # Imports boto3 (200 ms of a cold start): paid only by a deployment that keeps secrets there.
    from aws_lambda_powertools.utilities.parameters import SecretsProvider
    from botocore.config import Config

    # boto3's own time-outs (a minute, five times) outlast every function.
    return SecretsProvider(
        boto_config=Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 2})
    )
