"""What all HTTP handlers share: request body and headers, problem documents and security headers."""

import base64
import json

from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from messaging.handlers.lambda_types import HttpResponse, LambdaEvent, LambdaHandler
from messaging.problems import CONTENT_TYPE, Problem, TooLarge, Unreadable
from messaging.telemetry import flush, log_fault, logger

MAX_REQUEST = 6_000_000
"""Bytes of a request body. Lambda's own limit is slightly higher."""

SECURITY_HEADERS = {
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
"""Headers of every response that does not set its own: it is private to its caller, and not a page."""


def handler(respond: LambdaHandler) -> LambdaHandler:
    """Wrap a function that returns an HttpResponse: every exception becomes a problem document."""

    @logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP, clear_state=True)
    def handle(event: LambdaEvent, context: LambdaContext) -> HttpResponse:
        response: HttpResponse
        try:
            response = respond(event, context)
        except Problem as problem:
            response = problem_response(problem)
        except Exception as error:  # noqa: BLE001  # the caller learns nothing about it
            response = problem_response(internal_error(error))
        finally:
            flush()
        response["headers"] = SECURITY_HEADERS | response["headers"]
        return response

    return handle


def problem_response(problem: Problem) -> HttpResponse:
    """Return the HTTP response of a problem."""
    headers = {"Content-Type": CONTENT_TYPE, **problem.headers}
    return {"statusCode": int(problem.status), "headers": headers, "body": json.dumps(problem.document())}


def internal_error(error: Exception) -> Problem:
    """Log an unexpected exception, and return the problem that the caller sees instead of it."""
    log_fault("Request failed", error)
    return Problem("An internal error occurred. It has been logged.")


def headers(event: LambdaEvent) -> dict[str, str]:
    """Return the request's headers, with names in lower case."""
    return {name.lower(): value for name, value in event.get("headers", {}).items()}


def body(event: LambdaEvent) -> bytes:
    """Return the request's body as it was sent. Raises Unreadable and TooLarge."""
    text: str = event.get("body") or ""
    try:
        content = base64.b64decode(text, validate=True) if event.get("isBase64Encoded") else text.encode()
    except ValueError as error:
        raise Unreadable("The body is not encoded as the request says.") from error
    if len(content) > MAX_REQUEST:
        raise TooLarge(f"The body must be at most {MAX_REQUEST} bytes.")
    return content
