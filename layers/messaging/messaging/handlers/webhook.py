"""The handler of a webhook function. The event says which of its three triggers called it:

- a provider's POST, through the API or the function's own URL
- records of its queue: webhooks that were spooled while the database was unavailable
- an operator's order to replay stored webhooks, {"replay": {...}}
"""

import re

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ValidationError

from messaging.handlers import http
from messaging.handlers.lambda_types import BatchResponse, HttpResponse, LambdaEvent, LambdaHandler
from messaging.handlers.queue import batch_response, seconds_left
from messaging.inbound import receive, spool
from messaging.inbound.replay import ReplayOrder, replay
from messaging.inbound.spool import ReceivedRecord, SpoolPointer
from messaging.inbound.webhook_request import WebhookRequest
from messaging.models import Channel
from messaging.problems import Invalid, MethodNotAllowed, NotFound, Unavailable
from messaging.providers.provider import Webhook
from messaging.settings import settings
from messaging.telemetry import flush, log_fault, logger

RECORD_TIME = 20.0  # seconds that one record may take if the database and the media bucket are slow


def webhook_function(channel: Channel) -> LambdaHandler:
    """Return the Lambda handler of the function that receives webhooks for a channel."""
    handle_request = _request_handler(channel)

    def handle(event: LambdaEvent, context: LambdaContext) -> object:
        if "replay" in event:
            return _handle_replay(event, context, channel)
        if "Records" in event:
            return _handle_records(event, context)
        return handle_request(event, context)

    return handle


# --- Requests ----------------------------------------------------------------------------------------


def _request_handler(channel: Channel) -> LambdaHandler:
    """Return the handler of POST /api/webhooks/<channel>[/<provider>].

    A function URL also takes /<provider> and /. Without a provider, the request is for the built-in provider
    with the channel's name. Powertools' resolver is not used: it would take a seventh of the cold start.
    """
    path = re.compile(rf"(?:/api/webhooks/{channel})?(?:/(?P<provider>[^/]*))?")

    @http.handler
    def handle_request(event: LambdaEvent, _: LambdaContext) -> HttpResponse:
        webhook = _webhook(event)
        if event["requestContext"]["http"]["method"] != "POST":
            raise MethodNotAllowed("A webhook must be sent with POST.", headers={"Allow": "POST"})
        match = path.fullmatch(event["rawPath"])
        if match is None:
            raise NotFound("This path does not exist.")
        answer = receive.receive(channel, match["provider"] or channel, webhook)
        headers = {"Content-Type": answer.content_type}
        return {"statusCode": answer.status, "headers": headers, "body": answer.body}

    return handle_request


def _webhook(event: LambdaEvent) -> Webhook:
    host = settings().public_url.rstrip("/") or f"https://{event['requestContext']['domainName']}"
    return Webhook(
        url=host + event["rawPath"],
        query=event.get("rawQueryString", ""),
        headers=http.headers(event),
        body=http.body(event),
    )


# --- Queue records -----------------------------------------------------------------------------------


@logger.inject_lambda_context(clear_state=True)
def _handle_records(event: LambdaEvent, context: LambdaContext) -> BatchResponse:
    """Store the spooled request of each record.

    A record that cannot be stored now is postponed, for longer each time. A record that is not a request ends
    in the dead-letter queue.
    """
    failed: list[str] = []
    postponed: list[ReceivedRecord] = []
    unavailable = False
    try:
        for record in event["Records"]:
            try:
                request = spool.parse_record(record["body"])
            except ValueError:
                logger.error("Queue record invalid", extra={"sqs_message_id": record["messageId"]})
                failed.append(record["messageId"])
                continue
            if not unavailable and seconds_left(context) >= RECORD_TIME:
                try:
                    if _store_record(request, record["messageId"]):
                        continue
                except Unavailable:
                    unavailable = True  # do not try the other records: each would wait for the same timeout
            failed.append(record["messageId"])
            receives = int(record["attributes"]["ApproximateReceiveCount"])
            postponed.append(ReceivedRecord(record["receiptHandle"], receives))
        if postponed:
            logger.warning("Spooled webhooks postponed", extra={"count": len(postponed)})
            spool.postpone(postponed)
    finally:
        flush()
    return batch_response(failed)


def _store_record(request: WebhookRequest | SpoolPointer, sqs_message_id: str) -> bool:
    """Whether the request is stored. Raises Unavailable."""
    try:
        receive.store_spooled(request)
    except Unavailable:
        raise
    except Exception as error:  # noqa: BLE001  # one bad request must not stop the others
        log_fault("Spooled webhook failed", error, sqs_message_id=sqs_message_id)
        return False
    return True


# --- Replay ------------------------------------------------------------------------------------------


@logger.inject_lambda_context(clear_state=True)
def _handle_replay(event: LambdaEvent, context: LambdaContext, channel: Channel) -> dict[str, int | None]:
    """Replay the webhooks that an operator's order selects. Raises ValueError if the order is invalid."""
    try:
        order = _parse_order(event["replay"])
        result = replay(order.selector(channel), order.after, lambda: seconds_left(context))
        logger.info("Replay finished", extra=result._asdict())
        return result._asdict()
    finally:
        flush()


def _parse_order(fields: object) -> ReplayOrder:
    try:
        return ReplayOrder.model_validate(fields)
    except ValidationError as error:
        problem = Invalid.of_errors(
            [details | {"loc": ("replay", *details["loc"])} for details in error.errors()]
        )
    raise ValueError("; ".join(f"{wrong['field']}: {wrong['message']}" for wrong in problem.errors))
