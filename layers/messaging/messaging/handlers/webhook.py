"""The handler of a function that receives: requests, what its queue held while the database was away, and
orders to read again what was kept."""

from collections.abc import Callable
from typing import Annotated, Any, Self

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from messaging.fields import Time
from messaging.handlers.queue import seconds_left
from messaging.inbound import receive, spool
from messaging.inbound.spool import Delayed
from messaging.inbound.store import Selector
from messaging.models import MAX_ID, Channel, Model
from messaging.problems import Invalid, Unavailable
from messaging.settings import settings
from messaging.telemetry import flush, log_fault, logger

KEEP_TIME = 20.0  # seconds that a record may take where the database is slow, and the files' bucket

Event = dict[str, Any]
Handler = Callable[[Event, LambdaContext], Any]
Id = Annotated[int, Field(ge=0, le=MAX_ID)]


def receiver(channel: Channel, requests: Handler) -> Handler:
    """The Lambda handler of a function with three triggers: its event says which one it is."""

    @logger.inject_lambda_context(clear_state=True)
    def internal(event: Event, context: LambdaContext) -> Any:
        try:
            return _replay(channel, event, context) if "replay" in event else _records(event, context)
        finally:
            flush()

    return lambda event, context: (
        internal(event, context) if {"Records", "replay"} & event.keys() else requests(event, context)
    )


# --- The queue ---------------------------------------------------------------------------------------


def _records(event: Event, context: LambdaContext) -> Any:
    """Keeps the request of each record. What cannot be kept now comes again later, and later each time; what
    is no request ends among the dead letters."""
    failed: list[str] = []
    delayed: list[Delayed] = []
    away = False
    for record in event["Records"]:
        try:
            held = spool.read(record["body"])
        except ValueError:
            logger.error("A record is no request", extra={"sqs_message_id": record["messageId"]})
            failed.append(record["messageId"])
            continue
        if not away and seconds_left(context) >= KEEP_TIME:
            try:
                receive.take(held)
            except Unavailable:
                away = True  # for the rest as well: each would wait for it in turn
            except Exception as error:  # noqa: BLE001  # whatever is wrong with one, the others can be kept
                log_fault("A held request cannot be kept", error, sqs_message_id=record["messageId"])
            else:
                continue
        failed.append(record["messageId"])
        delayed.append(Delayed(record["receiptHandle"], int(record["attributes"]["ApproximateReceiveCount"])))
    if delayed:
        logger.warning("Left in the queue", extra={"count": len(delayed)})
        spool.put_off(delayed)
    return {"batchItemFailures": [{"itemIdentifier": one} for one in failed]}


# --- Replays -----------------------------------------------------------------------------------------


class Order(Model):
    """Which requests are to be read again: those that all of its fields choose."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    unparsed: bool = False
    """Those that could not be read, wholly or in part."""
    since: Time | None = None
    """Of their arrival; `until` is not included."""
    until: Time | None = None
    provider: str | None = None
    ids: Annotated[list[Id], Field(default=[], max_length=1000)]
    after: Id = 0
    """What the answer before gave to go on with."""

    @model_validator(mode="after")
    def _chooses(self) -> Self:
        if not (self.unparsed or self.since or self.until or self.provider or self.ids):
            raise PydanticCustomError("nothing", "choose by unparsed, since, until, provider or ids")
        if self.provider and self.provider not in settings().providers:
            raise PydanticCustomError("provider", "this deployment has no such provider")
        return self


def _replay(channel: Channel, event: Event, context: LambdaContext) -> dict[str, int | None]:
    try:
        order = Order.model_validate(event["replay"])
    except ValidationError as error:
        found = Invalid.of_errors([one | {"loc": ("replay", *one["loc"])} for one in error.errors()])
        raise ValueError("; ".join(f"{one['field']}: {one['message']}" for one in found.errors)) from None
    chosen = Selector(channel, order.unparsed, order.since, order.until, order.provider, order.ids)
    replayed = receive.replay(chosen, order.after, lambda: seconds_left(context))
    logger.info("Replayed", extra=replayed._asdict())
    return replayed._asdict()
