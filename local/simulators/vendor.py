"""The interface of a simulated vendor: how to read a request, and how to respond and report."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict, Field

from local.http.server import Request, Response
from local.simulators.behaviour import Behaviour
from local.simulators.webhook_sender import SignedWebhook

FAILURE = {"code": "30003", "reason": "Unreachable"}
"""The error of a message that is reported as failed."""


@dataclass(frozen=True)
class VendorRequest:
    """A request of the product to a vendor's API: to send a message, or to look up its status."""

    body: Any
    """As /requests shows it."""
    reference: str = ""
    """Equal for repetitions of the same request only. `Behaviours` chooses by it."""
    is_status_lookup: bool = False
    rejection: Response | None = None
    """The response, if the vendor does not accept such a request."""


class VendorResponse(NamedTuple):
    message_id: str | None
    """The vendor's id of the message; None if the vendor does not have the message."""
    response: Response


class File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    type: str = "application/octet-stream"
    content: str
    """In base64."""
    content_id: str | None = None
    """The id by which HTML shows the file: `cid:<content_id>`."""


class InboundMessage(BaseModel):
    """A message that somebody sends to the product through the vendor.

    Attachments are URLs or files, depending on the vendor.
    """

    model_config = ConfigDict(extra="forbid")

    sender: str = Field(alias="from")
    recipient: str = Field(alias="to")
    id: Annotated[str, Field(min_length=1)] | None = None
    """The vendor's id of the message; a new one if None. A message with the same id is a repetition."""
    body: str = ""
    html: str | None = None
    subject: str = ""
    cc: list[str] = []
    attachments: list[str | File] = []

    @property
    def urls(self) -> list[str]:
        """Raises ValueError if an attachment is a file."""
        urls = [attachment for attachment in self.attachments if isinstance(attachment, str)]
        if len(urls) < len(self.attachments):
            raise ValueError("attachments: must be URLs for this provider")
        return urls

    @property
    def files(self) -> list[File]:
        """Raises ValueError if an attachment is a URL."""
        files = [attachment for attachment in self.attachments if isinstance(attachment, File)]
        if len(files) < len(self.attachments):
            raise ValueError("attachments: must be files with name, type and content for this provider")
        return files


class Vendor(Protocol):
    """An instance of a type of provider."""

    channel: ClassVar[str]
    """`sms` or `email`: the webhooks that the vendor calls."""
    report_statuses: ClassVar[frozenset[str]]
    """The statuses that the vendor's reports can have."""

    def __init__(self, name: str, gateway: str, secret: str) -> None:
        """`name` is the instance's name. All keys are derived from `secret`."""

    def credentials(self, url: str) -> dict[str, Any]:
        """Return the product's secret for the vendor, whose API is served at `url`."""

    def parse_request(self, request: Request, path: Sequence[str]) -> VendorRequest | None:
        """Read a request. `path` follows the instance's name. Return None if the API has no such path."""

    def respond(self, request: VendorRequest, /) -> VendorResponse:
        """Respond as the vendor does if all is well, and remember the message."""

    def failure_response(self, status: int) -> Response:
        """Return an error in the vendor's form."""

    def report_webhooks(
        self, request: VendorRequest, message_id: str, behaviour: Behaviour
    ) -> list[SignedWebhook]:
        """Return the delivery reports of a message."""

    def inbound_webhook(self, message: InboundMessage) -> SignedWebhook:
        """Raises ValueError if the vendor cannot carry such a message."""


def headers(request: Request) -> dict[str, str]:
    """Return the headers by their names in lower case."""
    return {name.lower(): value for name, value in request.headers}


def derive_key(secret: str, purpose: str) -> bytes:
    """Return 32 bytes, which are the same at every start."""
    return hmac.digest(secret.encode(), purpose.encode(), hashlib.sha256)
