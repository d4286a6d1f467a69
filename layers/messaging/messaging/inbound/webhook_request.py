"""A verified webhook request as it is stored, so that it can be parsed again after a fix."""

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


class WebhookRequest(BaseModel):
    """A webhook request that passed verification.

    Its JSON is what the inbound queue carries. It is not verified again: the headers that hold credentials
    are removed, and a signature is valid for a few minutes only.
    """

    model_config = ConfigDict(frozen=True, ser_json_bytes="base64", val_json_bytes="base64")

    route: Channel
    """The channel of the webhook function. MMS messages arrive by the route of `sms`."""
    provider: str
    url: Annotated[str, AfterValidator(clean_text)]
    query: Annotated[str, AfterValidator(clean_text)]
    headers: Annotated[dict[str, str], AfterValidator(_without_credentials)]
    body: bytes
    received_at: AwareDatetime
    verified_at: AwareDatetime
    replay_token: str | None = None
    """A hash of what the vendor signed instead of the body. Only one request may use it."""

    @property
    def digest(self) -> bytes:
        """SHA-256 of query and body, 16 bytes of it. Equal for a redelivery, even if it is signed again."""
        return hashlib.sha256(self.query.encode() + b"\0" + self.body).digest()[:16]
