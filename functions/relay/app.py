"""A schedule, every minute: runs the maintenance job."""

from aws_lambda_powertools.utilities.typing import LambdaContext

from messaging import relay
from messaging.handlers.lambda_types import LambdaEvent
from messaging.handlers.queue import seconds_left
from messaging.telemetry import flush, logger


@logger.inject_lambda_context
def handler(_: LambdaEvent, context: LambdaContext) -> dict[str, int]:
    try:
        return relay.relay(lambda: seconds_left(context))
    finally:
        flush()
