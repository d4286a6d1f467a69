"""HTTP events in, HTTP answers out: what is the same for every handler behind a route."""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel
from pydantic_core import from_json

from messaging.callers import Caller, Scope
from messaging.problems import (
    CONTENT_TYPE,
    Denied,
    Invalid,
    MethodNotAllowed,
    NotFound,
    Problem,
    TooLarge,
    Unauthorized,
    Unreadable,
    UnsupportedMediaType,
)
from messaging.providers.provider import Answer, Webhook
from messaging.settings import settings
from messaging.store import IdempotencyKey
from messaging.telemetry import fault, flush, logger

if TYPE_CHECKING:  # a function imports what its own path needs, and these are other functions' paths
    from messaging.outbox import Accepted
    from messaging.views import Page

JSON = "application/json"
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
PAGE_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Of a page that holds its own script, and asks nobody but this API."""
PUBLIC = {"Cache-Control": "max-age=300"}

Event = dict[str, Any]
Answered = dict[str, Any]
Handler = Callable[[Event, LambdaContext], Any]


def api() -> APIGatewayHttpResolver:
    """An app whose routes take and give JSON, and whose every failure is a problem document."""
    return _with_problems(APIGatewayHttpResolver(enable_validation=True))


def webhooks(prefix: str) -> APIGatewayHttpResolver:
    """An app whose routes take what a provider sends, under `prefix` and, on a function URL, without it."""
    app = _with_problems(APIGatewayHttpResolver(strip_prefixes=[prefix]))

    @app.not_found
    def nowhere(_: NotFoundError) -> None:
        if app.current_event.http_method != "POST":
            raise MethodNotAllowed("A webhook is a POST.", headers={"Allow": "POST"})
        raise NotFound("There is nothing here.")

    return app


def handler(app: APIGatewayHttpResolver, *, raw: bool = False) -> Handler:
    """The Lambda handler of an app; unless `raw`, a body that is not JSON ends here."""

    @logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP, clear_state=True)
    def handle(event: Event, context: LambdaContext) -> Any:
        try:
            body = _body(event)
            if not raw and event["requestContext"]["http"]["method"] in ("POST", "PATCH"):
                text, headers = _json(event, body), _headers(event) | {"content-type": JSON}
                event = event | {"body": text, "isBase64Encoded": False, "headers": headers}
            return _guarded(app.resolve(event, context))
        except Problem as problem:
            answer = _problem(problem)
            told = {"statusCode": answer.status_code, "headers": answer.headers, "body": answer.body}
            return _guarded(told)
        finally:
            flush()

    return handle


# --- Requests ----------------------------------------------------------------------------------------


def caller(app: APIGatewayHttpResolver, scope: Scope) -> Caller:
    """Whoever made this request, as its authorizer found it: a client writes nothing of that.

    Raises Unauthorized where no authorizer stood before the route, and Denied where the key lacks the scope:
    the authorizer's yes is good for every route, for as long as API Gateway keeps it.
    """
    found = app.current_event.raw_event["requestContext"].get("authorizer", {}).get("lambda")
    if not found:
        raise Unauthorized("This needs an API key.")
    if scope not in found["scopes"].split():
        raise Denied(f"This key has no scope {scope}.")
    return Caller(int(found["account"]), f"key:{found['key']}" if found["key"] else "operator")


def idempotency_key(app: APIGatewayHttpResolver, key: str | None) -> IdempotencyKey | None:
    """The key of this request, with its route and a fingerprint of the body as it was sent."""
    if key is None:
        return None
    event = app.current_event
    return IdempotencyKey(event.path, key, hashlib.sha256((event.body or "").encode()).hexdigest())


def webhook(app: APIGatewayHttpResolver) -> Webhook:
    event = app.current_event.raw_event
    called = settings().public_url.rstrip("/") or f"https://{event['requestContext']['domainName']}"
    return Webhook(
        url=called + event["rawPath"],
        query=event.get("rawQueryString", ""),
        headers=_headers(event),
        body=_body(event),
    )


def _headers(event: Event) -> dict[str, str]:
    return {name.lower(): value for name, value in event.get("headers", {}).items()}


def _body(event: Event) -> bytes:
    text: str = event.get("body") or ""
    try:
        body = base64.b64decode(text, validate=True) if event.get("isBase64Encoded") else text.encode()
    except ValueError as error:
        raise Unreadable("The body is not in the encoding that it is said to be in.") from error
    if len(body) > MAX_REQUEST:
        raise TooLarge(f"The body is larger than {MAX_REQUEST} bytes.")
    return body


def _json(event: Event, body: bytes) -> str:
    """The body as text, known to be JSON in UTF-8; without a content type it is taken for that."""
    if _headers(event).get("content-type", JSON).partition(";")[0].strip().lower() != JSON:
        raise UnsupportedMediaType(f"The body must be {JSON}.")
    try:
        fields = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise Unreadable("The body is not JSON in UTF-8.") from error
    if not isinstance(fields, dict):
        raise Unreadable("The body is not a JSON object.")
    return body.decode()


# --- Answers -----------------------------------------------------------------------------------------


def shows(model: type[BaseModel], status: int = 200) -> dict[int, Any]:
    """A route's answer, for the description."""
    return {status: {"description": model.__doc__ or model.__name__, "content": {JSON: {"model": model}}}}


def accepted(accepted: "Accepted") -> Response[str]:
    headers: dict[str, str | list[str]] = {"Location": f"/api/messages/{accepted.message.id}"}
    if accepted.replayed:
        headers["Idempotency-Replayed"] = "true"
    return Response(202, JSON, accepted.message.model_dump_json(), headers)


def found(document: str | None, what: str) -> Response[str]:
    """A JSON text as it is, or 404."""
    if document is None:
        raise NotFound(f"There is no such {what}.")
    return Response(200, JSON, document)


def elsewhere(url: str) -> Response[str]:
    return Response(302, "text/plain", "", {"Location": url})


def page(name: str, page: "Page") -> Response[str]:
    items = ",".join(page.items)
    return Response(200, JSON, f'{{"{name}":[{items}],"next_cursor":{json.dumps(page.next_cursor)}}}')


def answer(answer: Answer) -> Response[str]:
    return Response(answer.status, answer.content_type, answer.body)


def _guarded(answer: Answered) -> Answered:
    answer["headers"] = GUARDS | answer["headers"]
    return answer


def _with_problems(app: APIGatewayHttpResolver) -> APIGatewayHttpResolver:
    app.exception_handler(Problem)(_problem)
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(Exception)(_fault)
    app.not_found(lambda _: _problem(NotFound("There is nothing here.")))
    return app


def _invalid(error: RequestValidationError) -> Response[str]:
    found = error.errors()
    for one in found:
        kind, *field = one["loc"]
        if kind == "header":  # Powertools has them in lower case
            one["loc"] = (kind, *("-".join(map(str.capitalize, part.split("-"))) for part in field))
    return _problem(Invalid.found(found, skip=1))


def _problem(problem: Problem) -> Response[str]:
    headers: Mapping[str, str | list[str]] = problem.headers
    return Response(problem.status, CONTENT_TYPE, json.dumps(problem.document()), dict(headers))


def _fault(error: Exception) -> Response[str]:
    """A fault of ours: none of it in the answer."""
    fault("The request ended in a fault", error)
    return _problem(Problem("The service is at fault; it has been noted."))
