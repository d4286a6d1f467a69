"""What the playing provider asks of whom it plays: to read what the product sends, and to answer, report and
write in the vendor's own words."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict, Field

from local.http.server import Request, Response
from local.simulators.behaviour import Behaviour
from local.simulators.reports import Post

FAILURE = {"code": "30003", "reason": "Unreachable"}
"""Of a message that is reported as failed."""


@dataclass(frozen=True)
class Asked:
    """A request of the product: to send a message, or about one where it `looks_up`."""

    body: Any
    """As it is shown."""
    reference: str = ""
    """What it has in common with its repetitions alone: a behaviour has its share of these."""
    looks_up: bool = False
    refusal: Response | None = None


class Answered(NamedTuple):
    id: str | None
    """The vendor's, of a message that it has; None where it has none."""
    response: Response


class File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    type: str = "application/octet-stream"
    content: str
    """In base64."""
    content_id: str | None = None
    """By which the letter's HTML shows it: `cid:` and this."""


class Letter(BaseModel):
    """What somebody has the vendor send in. It has attachments by their URLs or files, as the vendor has."""

    model_config = ConfigDict(extra="forbid")

    sender: str = Field(alias="from")
    recipient: str = Field(alias="to")
    id: Annotated[str, Field(min_length=1)] | None = None
    """The vendor's, a new one where it is not given; the same again is the same message again."""
    body: str = ""
    html: str | None = None
    subject: str = ""
    cc: list[str] = []
    attachments: list[str | File] = []

    @property
    def urls(self) -> list[str]:
        """Raises ValueError."""
        found = [attachment for attachment in self.attachments if isinstance(attachment, str)]
        if len(found) < len(self.attachments):
            raise ValueError("attachments: this provider has them by their URLs")
        return found

    @property
    def files(self) -> list[File]:
        """Raises ValueError."""
        found = [attachment for attachment in self.attachments if isinstance(attachment, File)]
        if len(found) < len(self.attachments):
            raise ValueError("attachments: this provider has files, each with its name, type and content")
        return found


class Vendor(Protocol):
    """One instance of a type of provider."""

    channel: ClassVar[str]
    """`sms` or `email`: whose webhooks it calls."""
    words: ClassVar[frozenset[str]]
    """Those of its reports."""

    def __init__(self, name: str, gateway: str, secret: str) -> None:
        """`name` is the instance's; all keys that it needs are made of `secret`."""

    def credentials(self, url: str) -> dict[str, Any]:
        """What the product's secret holds of it where it is served at `url`."""

    def read(self, request: Request, path: Sequence[str]) -> Asked | None:
        """`path` is what follows the instance's own; None where the vendor has nothing there."""

    def answer(self, asked: Asked, /) -> Answered:
        """When it is well. A message that it is sent it has from now on."""

    def failure(self, status: int) -> Response:
        """When it is told to fail."""

    def reports(self, asked: Asked, id: str, told: Behaviour) -> list[Post]: ...

    def inbound(self, letter: Letter) -> Post:
        """Raises ValueError where the vendor has no such letters."""


def headers(request: Request) -> dict[str, str]:
    """By their names in lower case."""
    return {name.lower(): value for name, value in request.headers}


def key(secret: str, purpose: str) -> bytes:
    """The same at every start, and 32 bytes long."""
    return hmac.digest(secret.encode(), purpose.encode(), hashlib.sha256)
