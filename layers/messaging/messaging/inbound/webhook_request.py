"""A verified webhook as it came: what is kept of it, to be read again when our reading was at fault."""

import hashlib
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict

from messaging.fields import clean_text
from messaging.models import Channel

_CREDENTIALS = frozenset({"authorization", "cookie", "proxy-authorization"})


def _without_credentials(headers: Mapping[str, str]) -> dict[str, str]:
    return {
        clean_text(name): clean_text(value)
        for name, value in headers.items()
        if name.lower() not in _CREDENTIALS
    }


class RawRequest(BaseModel):
    """Its JSON is what the inbound queue carries. Verified once, it is not verified again: the headers that
    are credentials are gone, and a signature is right only for a few minutes."""

    model_config = ConfigDict(frozen=True, ser_json_bytes="base64", val_json_bytes="base64")

    route: Channel
    """`mms` comes in by the route of `sms`."""
    provider: str
    url: Annotated[str, AfterValidator(clean_text)]
    query: Annotated[str, AfterValidator(clean_text)]
    headers: Annotated[dict[str, str], AfterValidator(_without_credentials)]
    body: bytes
    received_at: AwareDatetime
    verified_at: AwareDatetime
    once: str | None = None
    """Of what its vendor signed in the body's stead: no other request may bear it."""

    @property
    def digest(self) -> bytes:
        """The same for the same request again, which its provider may sign anew."""
        return hashlib.sha256(self.query.encode() + b"\0" + self.body).digest()
