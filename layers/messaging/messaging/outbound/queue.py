"""The outbound queue in SQS. It carries ids of messages to deliver now, and nothing else."""

from collections.abc import Sequence
from math import ceil

from messaging.aws.signed_client import Service
from messaging.outbound.attempts import MAX_DELAY_SECONDS, Dispatch
from messaging.settings import settings
from messaging.telemetry import logger

_BATCH_SIZE = 10  # the most entries that SQS accepts in one request

# Short timeouts in seconds: if the queue is slow, the request must not be. The relay dispatches later.
_sqs = Service("SQS", "sqs", "AmazonSQS", "1.0", connect=0.5, read=0.5)


def send(dispatches: Sequence[Dispatch], delay: float = 0) -> list[int]:
    """Put messages on the queue, to be delivered in `delay` seconds (at most MAX_DELAY_SECONDS).

    Returns the ids of the messages that the queue did not take. An unavailable queue raises nothing: the
    messages are stored, so the caller's work is done.
    """
    # Rounded up, because a delivery before the message is due finds nothing to do.
    seconds = ceil(min(delay, MAX_DELAY_SECONDS))
    failed: list[int] = []
    for start in range(0, len(dispatches), _BATCH_SIZE):
        try:
            failed += _send(dispatches[start : start + _BATCH_SIZE], seconds)
        except Exception as error:  # noqa: BLE001  # the relay dispatches the messages, whatever went wrong
            logger.warning("Queue unavailable", extra={"cause": type(error).__name__})
            failed += [dispatch.message_id for dispatch in dispatches[start:]]
            break
    return failed


def _send(dispatches: Sequence[Dispatch], seconds: int) -> list[int]:
    entries = [
        {
            "Id": str(dispatch.message_id),
            "MessageBody": str(dispatch.message_id),
            "DelaySeconds": seconds,
            # On a standard queue this makes it fair: thousands of one account do not delay another account.
            "MessageGroupId": str(dispatch.account_id),
        }
        for dispatch in dispatches
    ]
    request = {"QueueUrl": settings().outbound_queue_url, "Entries": entries}
    # If the answer is lost the request is repeated. A message that is queued twice is still sent once.
    answer = _sqs.call("SendMessageBatch", request)
    return [int(entry["Id"]) for entry in answer.get("Failed", [])]
