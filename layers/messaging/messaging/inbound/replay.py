"""Replay: parse stored webhook requests again, for example after a bug in a provider's file is fixed.

An operator orders it by invoking the webhook function with {"replay": {...}}.
"""

from collections.abc import Callable
from typing import Annotated, NamedTuple, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from messaging.fields import Time
from messaging.inbound import store
from messaging.inbound.receive import is_read, store_verified
from messaging.inbound.store import Selector
from messaging.inbound.webhook_request import WebhookRequest
from messaging.models import MAX_ID, Channel, Model
from messaging.problems import NotFound, Unavailable
from messaging.settings import settings
from messaging.telemetry import log_fault

REPLAY_TIME = 20.0  # seconds that one more request may take if the database and the bucket are slow
REPLAY_BATCH = 10  # requests of up to 6 MB each

Id = Annotated[int, Field(ge=0, le=MAX_ID)]


class ReplayOrder(Model):
    """An operator's order. It selects the requests that match all of its fields."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    unparsed: bool = False
    """Only requests that could not be read, in whole or in part, and that nobody has dismissed."""
    since: Time | None = None
    """Received at this time or later, and before `until`."""
    until: Time | None = None
    provider: str | None = None
    ids: Annotated[list[Id], Field(default=[], max_length=1000)]
    after: Id = 0
    """`after` of the previous result, to continue."""

    @model_validator(mode="after")
    def _has_a_filter(self) -> Self:
        if not (self.unparsed or self.since or self.until or self.provider or self.ids):
            raise PydanticCustomError(
                "nothing", "must set at least one of unparsed, since, until, provider or ids"
            )
        if self.provider and self.provider not in settings().providers:
            raise PydanticCustomError("provider", "must name a provider of this deployment")
        return self

    def selector(self, route: Channel) -> Selector:
        return Selector(route, self.unparsed, self.since, self.until, self.provider, self.ids)


class ReplayResult(NamedTuple):
    replayed: int
    """Requests that are stored with all their parts."""
    failed: int
    """Requests that still cannot be read, in whole or in part."""
    not_configured: int
    """Requests of a provider that is not configured any more. They are unchanged."""
    after: int | None
    """The id of the last request if time ran out; None if there are no more requests."""


def replay(selector: Selector, after: int, seconds_left: Callable[[], float]) -> ReplayResult:
    """Parse and store the selected requests again, while there is time. What is stored already adds nothing.

    Raises Unavailable. The same call can be repeated.
    """
    replayed = failed = not_configured = 0
    while requests := store.list_requests(selector, after, REPLAY_BATCH):
        for id, request in requests:
            if seconds_left() < REPLAY_TIME:
                return ReplayResult(replayed, failed, not_configured, after)
            try:
                if _replay_request(id, request):
                    replayed += 1
                else:
                    failed += 1
            except NotFound:
                not_configured += 1
            after = id
    return ReplayResult(replayed, failed, not_configured, None)


def _replay_request(id: int, request: WebhookRequest) -> bool:
    """Whether the request is stored with all its parts. Raises NotFound and Unavailable."""
    try:
        return is_read(store_verified(request))
    except (Unavailable, NotFound):
        raise
    except Exception as error:  # noqa: BLE001  # one bad request must not stop the others
        log_fault("Replay of a request failed", error, request_id=id)
        return False
