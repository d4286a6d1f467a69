"""The registry: which class serves a provider's type, and which instances this deployment has."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from itertools import chain
from typing import Any

from pydantic import ValidationError

from messaging.aws.secrets import get_secret
from messaging.models import Channel
from messaging.problems import Invalid, NotFound
from messaging.providers.provider import Limits, Provider
from messaging.settings import InvalidSetting, settings
from messaging.telemetry import logger

REGISTRY: dict[str, str | type[Provider]] = {
    "sms": "json_gateway.Sms",
    "email": "json_gateway.Email",
    "sendgrid": "sendgrid.SendGrid",
    "mailgun": "mailgun.Mailgun",
    "telnyx": "telnyx.Telnyx",
    "twilio": "twilio.Twilio",
    "aws-sms": "aws_sms.AwsSms",
    "ses": "ses.Ses",
}
"""The class, or where it stands: each takes some 20 ms of the cold start of who needs it."""


def check() -> None:
    """For the start of a function: raises InvalidSetting where no message could be accepted as configured."""
    try:
        configured = settings()
    except ValidationError as error:
        wrong = Invalid.found(error.errors(include_input=False, include_url=False)).errors
        said = "; ".join(f"{one['field'].partition('.')[0].upper()}: {one['message']}" for one in wrong)
        raise InvalidSetting(said) from None
    for name, type in configured.providers.items():
        if type not in REGISTRY:
            known = ", ".join(REGISTRY)
            raise InvalidSetting(f"PROVIDERS: {name!r} is of the type {type!r}; the types are {known}")
    for name in chain(*configured.sender_providers.values()):
        if name not in configured.providers:
            raise InvalidSetting(f"SENDER_PROVIDERS: {name!r} is not among PROVIDERS")


def kind(name: str) -> type[Provider]:
    """The class of this type of provider."""
    found = REGISTRY[name]
    if isinstance(found, type):
        return found
    module, _, title = found.partition(".")
    loaded: type[Provider] = getattr(import_module(f"{__name__}.{module}"), title)
    return loaded


def named(name: str) -> Provider:
    """The configured instance of this name.

    Raises NotFound where the deployment has none, and Unavailable where its secret cannot be read.
    """
    known = settings().providers.get(name)
    if known is None:
        raise NotFound(f"This deployment has no provider {name[:64]!r}.")
    fields = _secrets().get(name)
    if not isinstance(fields, dict):
        _note_missing(name, settings().provider_secret_arn)
        fields = {}
    return kind(known)(name, fields)


def serving(channel: Channel, sender: str) -> list[str]:
    """The names of the instances that carry this channel for this sending address, in order of preference."""
    names = settings().sender_providers.get(sender, settings().providers)
    return [name for name in names if channel in kind(settings().providers[name]).channels]


def limits(name: str) -> Limits:
    """Of the instance's type: a message is kept also while the secrets are away."""
    return kind(settings().providers[name]).limits


@cache
def _note_missing(name: str, arn: str) -> None:
    """Once an environment: it is not let in, or not sent, and that is said each time."""
    logger.warning(
        "A provider has no fields in the providers' secret", extra={"provider": name, "secret_arn": arn}
    )


def _secrets() -> Mapping[str, Any]:
    return get_secret(settings().provider_secret_arn) if settings().provider_secret_arn else {}
