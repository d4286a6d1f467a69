"""What the deployment decides: environment variables, read once."""

from functools import cache
from os import environ
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Json
from pydantic_core import PydanticCustomError

DeliveryPolicy = Literal["at_most_once", "at_least_once"]
"""What becomes of a message when nobody can tell whether its provider took it: it stays `unknown`, or it is
sent again."""


def _instances(text: str) -> dict[str, str]:
    """`sms,sms-eu=sms` as {"sms": "sms", "sms-eu": "sms"}: an instance's name and its type."""
    pairs = (part.partition("=") for part in text.split(",") if part.strip())
    listed = [(name.strip(), kind.strip() or name.strip()) for name, _, kind in pairs]
    if len(instances := dict(listed)) < len(listed):
        raise PydanticCustomError("twice", "names an instance twice; two of a type are sms-us=sms,sms-eu=sms")
    return instances


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


class Role(NamedTuple):
    """Whom AWS takes the function for, and where that is: Lambda writes it into every environment."""

    access_key: str
    secret_key: str
    token: str | None
    region: str


def role() -> Role:
    return Role(
        environ.get("AWS_ACCESS_KEY_ID", ""),
        environ.get("AWS_SECRET_ACCESS_KEY", ""),
        environ.get("AWS_SESSION_TOKEN") or None,
        environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION", ""),
    )


def endpoint(service: str) -> str:
    """Another address than the region's own, for a try elsewhere: of one service, or of all."""
    return environ.get(f"AWS_ENDPOINT_URL_{service}") or environ.get("AWS_ENDPOINT_URL", "")
