"""The registry: the class of each type of provider, and the instances of this deployment."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from itertools import chain
from typing import Any

from pydantic import ValidationError

from messaging.aws.secrets import get_secret
from messaging.models import Channel
from messaging.problems import Invalid, NotFound
from messaging.providers.limits import Limits
from messaging.providers.provider import Provider
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
"""Each type's class, or where to import it from: an import takes about 20 ms of a cold start."""


def check_configuration() -> None:
    """Checks the settings when a function starts. Raises InvalidSetting if no message could be accepted."""
    try:
        configured = settings()
    except ValidationError as error:
        errors = Invalid.of(error).errors
        variables = [f"{error['field'].partition('.')[0].upper()}: {error['message']}" for error in errors]
        raise InvalidSetting("; ".join(variables)) from None
    for name, type in configured.providers.items():
        if type not in REGISTRY:
            types = ", ".join(REGISTRY)
            raise InvalidSetting(f"PROVIDERS: {name!r} is of the type {type!r}; the types are {types}")
    for name in chain(*configured.sender_providers.values()):
        if name not in configured.providers:
            raise InvalidSetting(f"SENDER_PROVIDERS: {name!r} is not among PROVIDERS")


def provider_class(type_name: str) -> type[Provider]:
    """The class of this type of provider."""
    entry = REGISTRY[type_name]
    if isinstance(entry, type):
        return entry
    module, _, class_name = entry.partition(".")
    loaded: type[Provider] = getattr(import_module(f"{__name__}.{module}"), class_name)
    return loaded


def get_provider(name: str) -> Provider:
    """The configured instance of this name.

    Raises NotFound if the deployment does not have it, and Unavailable if its secret cannot be read.
    """
    type_name = settings().providers.get(name)
    if type_name is None:
        raise NotFound(f"This deployment has no provider {name[:64]!r}.")
    fields = _secrets().get(name)
    if not isinstance(fields, dict):
        _warn_of_missing_fields(name, settings().provider_secret_arn)
        fields = {}
    return provider_class(type_name)(name, fields)


def names_for(channel: Channel, sender: str) -> list[str]:
    """The names of the instances that serve this channel for this sending address, in order of preference."""
    names = settings().sender_providers.get(sender, settings().providers)
    return [name for name in names if channel in provider_class(settings().providers[name]).channels]


def limits_for(name: str) -> Limits:
    """The limits of an instance. They need no secret: a message is accepted while secrets are unavailable."""
    return provider_class(settings().providers[name]).limits


@cache
def _warn_of_missing_fields(name: str, arn: str) -> None:
    """Logs once per environment. Each send and each webhook says it again in its own failure."""
    logger.warning("Provider secret missing", extra={"provider": name, "secret_arn": arn})


def _secrets() -> Mapping[str, Any]:
    return get_secret(settings().provider_secret_arn) if settings().provider_secret_arn else {}
