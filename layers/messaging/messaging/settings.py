"""The settings of a deployment: environment variables, read once."""

from functools import cache
from os import environ
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Json
from pydantic_core import PydanticCustomError

DeliveryPolicy = Literal["at_most_once", "at_least_once"]
"""What happens to a message if nobody can find out whether its provider took it: it stays `unknown`, or it is
sent again."""


def _instances(text: str) -> dict[str, str]:
    """Read `sms,sms-eu=sms` as {"sms": "sms", "sms-eu": "sms"}: the type of each instance, by its name."""
    instances: dict[str, str] = {}
    for part in text.split(","):
        if not part.strip():
            continue
        name, _, provider_type = (word.strip() for word in part.partition("="))
        if name in instances:
            raise PydanticCustomError(
                "twice",
                "must not name an instance twice; for two instances of a type write sms-us=sms,sms-eu=sms",
            )
        instances[name] = provider_type or name
    return instances


class Settings(BaseModel):
    """One field per environment variable, in lower case. An empty variable counts as not set."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    database_url: str = Field("", repr=False)
    """`postgresql://user:password@host:port/name`. TLS is verified, unless it ends in `?sslmode=disable`."""
    database_secret_arn: str = ""
    """The same as a secret in the form that RDS writes: `username`, `password`, `host`, `port`, `dbname`."""
    database_ca_file: str = ""
    """The path of a PEM bundle to verify the database's certificate with. Empty uses the system's."""

    one_round_trip: bool = True
    """Whether a statement takes one network round trip; `false` uses pg8000 as published, with three."""

    outbound_queue_url: str = ""
    """The queue of message ids to deliver."""
    inbound_queue_url: str = ""
    """A webhook function's own queue, for verified requests that the database could not take yet."""
    inbound_bucket: str = ""
    """The bucket for requests that are too large for that queue."""
    media_bucket: str = ""
    """The bucket for files that arrived inside webhooks. They are stored as long as their messages."""
    raw_retention_days: int = Field(30, ge=1)
    """Days to store a verified webhook as it arrived, so that it can be replayed. For one that could not be
    read, they begin when an operator has seen it."""

    providers: Annotated[dict[str, str], BeforeValidator(_instances)] = {"sms": "sms", "email": "email"}
    """Provider instances in order of preference. `sms-eu=sms` is another instance of the type `sms`. Each
    instance serves every channel that its type carries."""
    sender_providers: Json[dict[str, list[str]]] = {}
    """Sending addresses that have their own list of instances: `{"+12016661234": ["sms-eu"]}`."""
    provider_secret_arn: str = ""
    """One secret with the credentials and signing secrets of every provider: `{"instance": {fields}}`."""
    public_url: str = ""
    """`https://api.example.com`, without a path: the URL that providers call, sign and report to, if a domain
    of yours stands before the API. Enter the webhooks at the providers with it, not with a function's own
    URL. If it is empty, a webhook function uses the domain that was called, and sent messages name the API's
    own."""
    allow_unsigned_webhooks: bool = False
    """Accepts unsigned webhooks of the JSON gateway. For a first try (`make start` sets it), never on the
    internet."""

    default_region: str | None = None
    """The region, such as `US`, of phone numbers without a leading `+`. If it is empty, they are refused
    in requests, and inbound ones are stored as they were written unless they have a country code."""
    max_attempts: int = Field(16, ge=1)
    """How often a message is tried before it fails. 16 attempts take about three hours."""
    max_age: int = Field(86400, ge=1)
    """Seconds after which a message fails if no provider has taken it."""
    unknown_after: int = Field(600, ge=60)
    """Seconds to look for evidence after an attempt without an answer, before the delivery policy decides."""
    delivery_policy: DeliveryPolicy = "at_most_once"
    """The policy of messages that name none: whether a message of unknown outcome is sent again."""


class InvalidSetting(Exception):
    """An environment variable has an invalid value. The message names the variable."""


@cache
def settings() -> Settings:
    """Return the settings. They are read from the environment at the first call.

    Raises pydantic's ValidationError if a variable has an invalid value.
    """
    return Settings.model_validate({name.lower(): value for name, value in environ.items() if value})


class Role(NamedTuple):
    """The function's AWS credentials and region, which Lambda puts into every environment."""

    access_key: str
    secret_key: str
    token: str | None
    region: str


def role() -> Role:
    """Read the credentials at each call: Lambda's runtime may replace them."""
    return Role(
        environ.get("AWS_ACCESS_KEY_ID", ""),
        environ.get("AWS_SECRET_ACCESS_KEY", ""),
        environ.get("AWS_SESSION_TOKEN") or None,
        environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION", ""),
    )


def endpoint(service: str) -> str:
    """Return the URL to use instead of AWS's own endpoint, or an empty string for AWS's own.

    `service` is the service's name in AWS_ENDPOINT_URL_<service>; AWS_ENDPOINT_URL is that of all others.
    """
    return environ.get(f"AWS_ENDPOINT_URL_{service}") or environ.get("AWS_ENDPOINT_URL", "")
