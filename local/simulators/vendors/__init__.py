"""The types of providers that the simulator supports, one file each."""

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
"""The instances, each with its type, if the template's parameter Providers is empty."""
