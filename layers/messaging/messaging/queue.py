"""The outbound queue: it carries ids that say "look at this message now", and nothing else."""

from collections.abc import Sequence
from functools import cache
from math import ceil
from typing import TYPE_CHECKING

from messaging.attempts import Nudge
from messaging.settings import settings
from messaging.telemetry import logger

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

MAX_DELAY = 900  # seconds: SQS allows no more
_BATCH = 10  # as many as SQS takes in one request


@cache
def _client() -> "SQSClient":
    # boto3 costs 250 ms of a cold start: only those who send pay for it.
    import boto3
    from botocore.config import Config

    # A nudge has about a second: boto3's own time-outs outlast the API's 30 s, and the relay is there.
    return boto3.client(
        "sqs", config=Config(connect_timeout=0.5, read_timeout=0.5, retries={"total_max_attempts": 1})
    )


def nudge(nudges: Sequence[Nudge], delay: float = 0) -> list[int]:
    """Asks for the delivery of these messages in `delay` seconds; gives the ids for which that failed."""
    # Rounded up: a delivery that comes before the message is due finds nothing to do.
    seconds = ceil(min(delay, MAX_DELAY))
    failed: list[int] = []
    for start in range(0, len(nudges), _BATCH):
        try:
            failed += _send(nudges[start : start + _BATCH], seconds)
        except Exception as error:  # noqa: BLE001  # the messages are kept, and nothing of the queue's undoes that
            logger.warning("The queue is away", extra={"cause": type(error).__name__})
            failed += [one.id for one in nudges[start:]]
            break
    return failed


def _send(nudges: Sequence[Nudge], seconds: int) -> list[int]:
    from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

    entries: list[SendMessageBatchRequestEntryTypeDef] = [
        {
            "Id": str(one.id),
            "MessageBody": str(one.id),
            "DelaySeconds": seconds,
            # Even on a standard queue: one account's thousands do not delay another's one.
            "MessageGroupId": str(one.account_id),
        }
        for one in nudges
    ]
    try:
        answer = _client().send_message_batch(QueueUrl=settings().outbound_queue_url, Entries=entries)
    except (ConnectionClosedError, ReadTimeoutError):
        # The connection may have died while the environment was frozen. What is queued twice does no harm.
        _client().close()
        answer = _client().send_message_batch(QueueUrl=settings().outbound_queue_url, Entries=entries)
    return [int(entry["Id"]) for entry in answer.get("Failed", [])]
