"""HTTP as Lambda has it: what is the same for every handler behind a route, whatever routes it."""

import base64
import json
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from messaging.problems import CONTENT_TYPE, Problem, TooLarge, Unreadable
from messaging.telemetry import flush, log_fault, logger

MAX_REQUEST = 6_000_000
"""Bytes of a body: Lambda's own limit is hardly higher."""

GUARDS = {
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
"""Headers of every answer that does not say otherwise: it is a caller's own, and no page."""

Event = dict[str, Any]
Answered = dict[str, Any]
Handler = Callable[[Event, LambdaContext], Any]


def handler(respond: Callable[[Event, LambdaContext], Answered]) -> Handler:
    """A Lambda handler whose every failure is a problem document."""

    @logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP, clear_state=True)
    def handle(event: Event, context: LambdaContext) -> Any:
        try:
            answered = respond(event, context)
        except Problem as problem:
            answered = refused(problem)
        except Exception as error:  # noqa: BLE001  # none of it is told
            answered = refused(at_fault(error))
        finally:
            flush()
        answered["headers"] = GUARDS | answered["headers"]
        return answered

    return handle


def refused(problem: Problem) -> Answered:
    headers = {"Content-Type": CONTENT_TYPE, **problem.headers}
    return {"statusCode": int(problem.status), "headers": headers, "body": json.dumps(problem.document())}


def at_fault(error: Exception) -> Problem:
    """What the caller of a request gets to hear of a fault of ours."""
    log_fault("The request ended in a fault", error)
    return Problem("The service is at fault; it has been noted.")


def headers(event: Event) -> dict[str, str]:
    return {name.lower(): value for name, value in event.get("headers", {}).items()}


def body(event: Event) -> bytes:
    """As it was sent. Raises Unreadable and TooLarge."""
    text: str = event.get("body") or ""
    try:
        sent = base64.b64decode(text, validate=True) if event.get("isBase64Encoded") else text.encode()
    except ValueError as error:
        raise Unreadable("The body is not in the encoding that it is said to be in.") from error
    if len(sent) > MAX_REQUEST:
        raise TooLarge(f"The body is larger than {MAX_REQUEST} bytes.")
    return sent
