"""The registry: which class serves a provider's type, and which instances this deployment has."""

from collections.abc import Mapping
from typing import Any

from messaging.models import Channel
from messaging.problems import NotFound
from messaging.providers import aws_sms, house, mailgun, sendgrid, ses, telnyx, twilio
from messaging.providers.provider import Limits, Provider
from messaging.settings import secret, settings

REGISTRY: dict[str, type[Provider]] = {
    "sms": house.Sms,
    "email": house.Email,
    "sendgrid": sendgrid.SendGrid,
    "mailgun": mailgun.Mailgun,
    "telnyx": telnyx.Telnyx,
    "twilio": twilio.Twilio,
    "aws-sms": aws_sms.AwsSms,
    "ses": ses.Ses,
}


def named(name: str) -> Provider:
    """The configured instance of this name.

    Raises NotFound where the deployment has none, and Unavailable where its secret cannot be read.
    """
    kind = settings().providers.get(name)
    if kind is None:
        raise NotFound(f"This deployment has no provider {name[:64]!r}.")
    return REGISTRY[kind](name, _secrets().get(name, {}))


def serving(channel: Channel, sender: str) -> list[str]:
    """The names of the instances that carry this channel for this sending address, in order of preference."""
    names = settings().sender_providers.get(sender, settings().providers)
    return [name for name in names if channel in REGISTRY[settings().providers[name]].channels]


def limits(name: str) -> Limits:
    """Of the instance's type: a message is kept also while the secrets are away."""
    return REGISTRY[settings().providers[name]].limits


def _secrets() -> Mapping[str, Any]:
    return secret(settings().provider_secret_arn) if settings().provider_secret_arn else {}
