"""Every minute: queues again what was left behind."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from messaging import relay
from messaging.handlers.queue import seconds_left
from messaging.telemetry import flush, logger


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    try:
        return relay.relay(lambda: seconds_left(context))
    finally:
        flush()
