"""The types of providers that can be played, each a file of its own."""

from collections.abc import Mapping

from local.vendors import house, sendgrid, twilio
from local.vendors.vendor import Vendor

PLAYED: Mapping[str, type[Vendor]] = {
    "sms": house.Sms,
    "email": house.Email,
    "twilio": twilio.Twilio,
    "sendgrid": sendgrid.SendGrid,
}
HOUSE = {"sms": "sms", "email": "email"}
"""Instances, each with its type: what is played where nothing else is asked for."""
