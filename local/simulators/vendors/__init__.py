"""The types of providers that can be played, each a file of its own."""

from collections.abc import Mapping

from local.simulators.vendor import Vendor
from local.simulators.vendors import json_gateway, sendgrid, twilio

VENDORS: Mapping[str, type[Vendor]] = {
    "sms": json_gateway.Sms,
    "email": json_gateway.Email,
    "twilio": twilio.Twilio,
    "sendgrid": sendgrid.SendGrid,
}
DEFAULT_INSTANCES = {"sms": "sms", "email": "email"}
"""Instances, each with its type: what is played where nothing else is asked for."""
