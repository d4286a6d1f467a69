"""Queue events in, partial failures out: the handler of a function behind an SQS queue."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from messaging.models import MAX_ID
from messaging.problems import Unavailable
from messaging.telemetry import flush, logger

Event = dict[str, Any]


def consumer(
    deliver: Callable[[Sequence[int], Callable[[], float]], None],
) -> Callable[[Event, LambdaContext], Any]:
    """The Lambda handler of a queue of ids. What could not be done now stays in the queue; what is no id
    ends among the dead letters."""

    @logger.inject_lambda_context(clear_state=True)
    def handle(event: Event, context: LambdaContext) -> Any:
        ids: dict[str, int] = {}
        failed: list[str] = []
        for record in event["Records"]:
            if re.fullmatch(r"[0-9]{1,19}", record["body"]) and int(record["body"]) <= MAX_ID:
                ids[record["messageId"]] = int(record["body"])
            else:
                logger.error("A record is no message's id", extra={"sqs_message_id": record["messageId"]})
                failed.append(record["messageId"])
        try:
            deliver(sorted(set(ids.values())), lambda: seconds_left(context))
        except (Unavailable, TimeoutError) as error:
            logger.warning("Left in the queue", extra={"count": len(ids), "cause": type(error).__name__})
            failed += ids
        finally:
            flush()
        return {"batchItemFailures": [{"itemIdentifier": one} for one in failed]}

    return handle


def seconds_left(context: LambdaContext) -> float:
    return context.get_remaining_time_in_millis() / 1000
