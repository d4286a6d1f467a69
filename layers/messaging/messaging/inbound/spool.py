"""The queue of a function that receives: verified webhooks, raw, that the database was not there to keep.

It holds the only copy. What is too long for the queue lies in a bucket, and the queue holds a pointer to it.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from pydantic import ValidationError

from messaging.aws import boto_clients
from messaging.inbound.webhook_request import RawRequest
from messaging.models import Model
from messaging.problems import Unavailable
from messaging.settings import settings
from messaging.telemetry import logger

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import ChangeMessageVisibilityBatchRequestEntryTypeDef

MAX_RECORD = 200_000  # bytes: SQS takes 256 KiB
FIRST_WAIT = 2  # seconds; doubled with every receive
LONGEST_WAIT = 900  # seconds: so that 1,000 receives take ten days


class Pointer(Model):
    """What stands in the queue for a request that lies in the bucket."""

    key: str
    provider: str
    digest: str
    """In hexadecimal."""


class Missing(Exception):
    """The bucket does not give an object: it is gone, or the bucket is away (S3 tells these apart only to
    those who may list it)."""


class Delayed(NamedTuple):
    receipt: str
    receives: int
    """This one included."""


def put(request: RawRequest) -> None:
    """Keeps a request until the database is back. Raises Unavailable where this is away as well."""
    record = json.dumps(request.model_dump(mode="json"))  # in ASCII: SQS does not take every character
    try:
        if len(record) > MAX_RECORD:
            record = _put_object(request, record)
        boto_clients.sqs().send_message(QueueUrl=settings().inbound_queue_url, MessageBody=record)
    except Exception as error:
        logger.warning("The inbound queue is away", extra={"cause": type(error).__name__})
        raise Unavailable("The database is away; try again.") from error
    logger.warning("Kept in the inbound queue", extra={"provider": request.provider})


def _put_object(request: RawRequest, record: str) -> str:
    # No two have one object: the second would be gone with the first one's keep.
    key = f"{request.route}/{request.received_at:%Y-%m-%d}/{uuid4()}"
    boto_clients.s3().put_object(Bucket=settings().inbound_bucket, Key=key, Body=record.encode())
    return Pointer(key=key, provider=request.provider, digest=request.digest.hex()).model_dump_json()


def read(record: str) -> RawRequest | Pointer:
    """What a record of the queue is. Raises ValueError where it is neither."""
    try:
        return RawRequest.model_validate_json(record)
    except ValidationError:
        return Pointer.model_validate_json(record)


def fetch(pointer: Pointer) -> RawRequest:
    """Raises Missing."""
    try:
        found = boto_clients.s3().get_object(Bucket=settings().inbound_bucket, Key=pointer.key)["Body"].read()
    except Exception as error:
        raise Missing("The bucket does not give an object.") from error
    return RawRequest.model_validate_json(found)


def forget(pointer: Pointer) -> None:
    """After its keep; one that stays is deleted by the bucket itself later."""
    try:
        boto_clients.s3().delete_object(Bucket=settings().inbound_bucket, Key=pointer.key)
    except Exception as error:  # noqa: BLE001  # the request is kept, and nothing of the bucket's undoes that
        logger.warning("An object stays in the bucket", extra={"cause": type(error).__name__})


def put_off(records: Sequence[Delayed]) -> None:
    """Has the queue give these records, of one batch, again later. Without this it does so after its
    visibility time-out, which is shorter in the long run: the receives would be used up in a day."""
    entries: list[ChangeMessageVisibilityBatchRequestEntryTypeDef] = [
        {"Id": str(n), "ReceiptHandle": one.receipt, "VisibilityTimeout": wait(one.receives)}
        for n, one in enumerate(records)
    ]
    try:
        boto_clients.sqs().change_message_visibility_batch(
            QueueUrl=settings().inbound_queue_url, Entries=entries
        )
    except Exception as error:  # noqa: BLE001  # they come again in any case
        logger.warning("The inbound queue is away", extra={"cause": type(error).__name__})


def wait(receives: int) -> int:
    """Seconds after which a record is given again."""
    return min(FIRST_WAIT << min(receives - 1, 10), LONGEST_WAIT)
