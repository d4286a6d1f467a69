"""The handler of a function that consumes an SQS queue of ids."""

import re
from collections.abc import Callable, Iterable, Sequence

from aws_lambda_powertools.utilities.typing import LambdaContext

from messaging.handlers.lambda_types import BatchResponse, LambdaEvent, LambdaHandler
from messaging.models import MAX_ID
from messaging.problems import Unavailable
from messaging.telemetry import flush, logger


def consumer(process: Callable[[Sequence[int], Callable[[], float]], None]) -> LambdaHandler:
    """Return the Lambda handler of a queue of message ids.

    `process` receives the sorted ids of a batch, and a function that returns the seconds left. If it raises
    Unavailable or TimeoutError, all ids stay in the queue. A record that is not an id is never processed and
    ends in the dead-letter queue.
    """

    @logger.inject_lambda_context(clear_state=True)
    def handle(event: LambdaEvent, context: LambdaContext) -> BatchResponse:
        ids: dict[str, int] = {}
        failed: list[str] = []
        for record in event["Records"]:
            if re.fullmatch(r"[0-9]{1,19}", record["body"]) and int(record["body"]) <= MAX_ID:
                ids[record["messageId"]] = int(record["body"])
            else:
                logger.error("Queue record invalid", extra={"sqs_message_id": record["messageId"]})
                failed.append(record["messageId"])
        try:
            process(sorted(set(ids.values())), lambda: seconds_left(context))
        except (Unavailable, TimeoutError) as error:
            logger.warning("Batch failed", extra={"count": len(ids), "cause": type(error).__name__})
            failed += ids
        finally:
            flush()
        return batch_response(failed)

    return handle


def batch_response(failed: Iterable[str]) -> BatchResponse:
    """Return the answer to SQS that makes these records (message ids) stay in the queue."""
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def seconds_left(context: LambdaContext) -> float:
    """Return the seconds until Lambda stops this invocation."""
    return context.get_remaining_time_in_millis() / 1000
