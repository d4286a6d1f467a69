"""The outbound queue: it carries ids that say "look at this message now", and nothing else."""

from collections.abc import Sequence
from math import ceil

from messaging.aws.signed_client import Service
from messaging.outbound.attempts import MAX_DELAY, Dispatch
from messaging.settings import settings
from messaging.telemetry import logger

_BATCH = 10  # as many as SQS takes in one request


# A dispatch has about a second: the relay is there where it fails.
_sqs = Service("SQS", "sqs", "AmazonSQS", "1.0", connect=0.5, read=0.5)


def send(dispatches: Sequence[Dispatch], delay: float = 0) -> list[int]:
    """Asks for the delivery of these messages in `delay` seconds; gives the ids for which that failed."""
    # Rounded up: a delivery that comes before the message is due finds nothing to do.
    seconds = ceil(min(delay, MAX_DELAY))
    failed: list[int] = []
    for start in range(0, len(dispatches), _BATCH):
        try:
            failed += _send(dispatches[start : start + _BATCH], seconds)
        except Exception as error:  # noqa: BLE001  # the messages are kept, and nothing of the queue's undoes that
            logger.warning("The queue is away", extra={"cause": type(error).__name__})
            failed += [one.id for one in dispatches[start:]]
            break
    return failed


def _send(dispatches: Sequence[Dispatch], seconds: int) -> list[int]:
    entries = [
        {
            "Id": str(one.id),
            "MessageBody": str(one.id),
            "DelaySeconds": seconds,
            # Even on a standard queue: one account's thousands do not delay another's one.
            "MessageGroupId": str(one.account_id),
        }
        for one in dispatches
    ]
    request = {"QueueUrl": settings().outbound_queue_url, "Entries": entries}
    answer = _sqs.call("SendMessageBatch", request)  # what is queued twice does no harm
    return [int(entry["Id"]) for entry in answer.get("Failed", [])]
