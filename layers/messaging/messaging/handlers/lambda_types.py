"""Names for what Lambda passes to a handler and takes from it."""

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

LambdaEvent = dict[str, Any]
"""The event of any trigger: an HTTP request (payload format 2.0), a batch of SQS records, or an operator's
order."""
HttpResponse = dict[str, Any]
"""{"statusCode", "headers", "body"}, as API Gateway and function URLs take it."""
BatchResponse = dict[str, list[dict[str, str]]]
"""{"batchItemFailures": [{"itemIdentifier": <message id>}]}: the records that stay in the queue."""
LambdaHandler = Callable[[LambdaEvent, LambdaContext], Any]
