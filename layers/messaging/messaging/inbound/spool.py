"""The spool: the SQS queue of a webhook function, for verified webhooks that could not be stored yet.

While the database is unavailable, the spool holds the only copy of a request. Requests over 200 KB are stored
in S3; the queue message holds a pointer.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from pydantic import ValidationError

from messaging.aws import boto_clients
from messaging.inbound.webhook_request import WebhookRequest
from messaging.models import Model
from messaging.problems import Unavailable
from messaging.settings import settings
from messaging.telemetry import logger

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import ChangeMessageVisibilityBatchRequestEntryTypeDef

MAX_RECORD = 200_000  # bytes; SQS takes 256 KiB
MIN_DELAY = 2  # seconds; doubles with every receive
MAX_DELAY = 900  # seconds; the queue's 1,000 receives then last ten days


class SpoolPointer(Model):
    """The queue message of a request that is stored in S3."""

    key: str
    provider: str
    digest: str
    """In hexadecimal."""


class SpoolObjectMissing(Exception):
    """S3 did not return an object: it is deleted, or S3 is unavailable.

    S3 tells these apart only if the caller may list the bucket, and the function may not.
    """


class ReceivedRecord(NamedTuple):
    """A queue record that could not be stored, to be received again later."""

    receipt: str
    receives: int
    """How often the record was received, including this time."""


def spool_request(request: WebhookRequest) -> None:
    """Put a request in the queue, until it can be stored. Raises Unavailable if the queue or S3 fails."""
    record = json.dumps(request.model_dump(mode="json"))  # ASCII, because SQS does not take every character
    try:
        if len(record) > MAX_RECORD:
            record = _store_object(request, record)
        boto_clients.sqs().send_message(QueueUrl=settings().inbound_queue_url, MessageBody=record)
    except Exception as error:
        logger.warning("Inbound queue unavailable", extra={"cause": type(error).__name__})
        raise Unavailable("The database is unavailable; try again.") from error
    logger.warning("Webhook spooled", extra={"provider": request.provider})


def _store_object(request: WebhookRequest, record: str) -> str:
    # Every request has its own object: a shared one would be deleted when the first request is stored.
    key = f"{request.route}/{request.received_at:%Y-%m-%d}/{uuid4()}"
    boto_clients.s3().put_object(Bucket=settings().inbound_bucket, Key=key, Body=record.encode())
    return SpoolPointer(key=key, provider=request.provider, digest=request.digest.hex()).model_dump_json()


def parse_record(record: str) -> WebhookRequest | SpoolPointer:
    """Parse the body of a queue message. Raises ValueError if it is neither a request nor a pointer."""
    try:
        return WebhookRequest.model_validate_json(record)
    except ValidationError:
        return SpoolPointer.model_validate_json(record)


def load_request(pointer: SpoolPointer) -> WebhookRequest:
    """Load a request from S3. Raises SpoolObjectMissing if S3 does not return it."""
    try:
        response = boto_clients.s3().get_object(Bucket=settings().inbound_bucket, Key=pointer.key)
        record = response["Body"].read()
    except Exception as error:
        raise SpoolObjectMissing("S3 did not return the object.") from error
    return WebhookRequest.model_validate_json(record)


def delete_object(pointer: SpoolPointer) -> None:
    """Delete the S3 object of a stored request. If this fails, the bucket's lifecycle rule deletes it."""
    try:
        boto_clients.s3().delete_object(Bucket=settings().inbound_bucket, Key=pointer.key)
    except Exception as error:  # noqa: BLE001  # the request is stored, so there is nothing to undo
        logger.warning("Spooled object not deleted", extra={"cause": type(error).__name__})


def postpone(records: Sequence[ReceivedRecord]) -> None:
    """Make the queue deliver these records of one batch again later, each after its delay.

    Without this, the queue delivers them again after its visibility timeout. That is shorter than the delay
    in a long outage, and the receives would be used up in a day.
    """
    entries: list[ChangeMessageVisibilityBatchRequestEntryTypeDef] = [
        {"Id": str(position), "ReceiptHandle": record.receipt, "VisibilityTimeout": delay(record.receives)}
        for position, record in enumerate(records)
    ]
    try:
        boto_clients.sqs().change_message_visibility_batch(
            QueueUrl=settings().inbound_queue_url, Entries=entries
        )
    except Exception as error:  # noqa: BLE001  # the queue delivers them again in any case
        logger.warning("Inbound queue unavailable", extra={"cause": type(error).__name__})


def delay(receives: int) -> int:
    """Return the seconds after which a record is delivered again."""
    return min(MIN_DELAY << min(receives - 1, 10), MAX_DELAY)
