"""The types of providers that can be played, each a file of its own."""

from collections.abc import Mapping

from local.vendors import house, twilio
from local.vendors.vendor import Vendor

PLAYED: Mapping[str, type[Vendor]] = {
    "sms": house.Sms,
    "email": house.Email,
    "twilio": twilio.Twilio,
}
HOUSE = {"sms": "sms", "email": "email"}
"""Instances, each with its type: what is played where nothing else is asked for."""
