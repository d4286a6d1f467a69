"""The API's routes: what is the same for all that take JSON from a caller and give it back."""

import hashlib
import json
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel
from pydantic_core import from_json

from messaging.accounts.caller import Caller, Scope
from messaging.handlers import http
from messaging.handlers.http import Answered, Event, Handler
from messaging.outbound.store import IdempotencyKey
from messaging.problems import (
    CONTENT_TYPE,
    Invalid,
    NotFound,
    PermissionDenied,
    Problem,
    Unauthorized,
    Unreadable,
    UnsupportedMediaType,
)

if TYPE_CHECKING:  # a function imports what its own path needs, and these are other functions' paths
    from messaging.conversations.reads import Page
    from messaging.outbound.accept import Accepted

JSON = "application/json"
PAGE_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Of a page that holds its own script, and asks nobody but this API."""
NOWHERE = "$default"
"""The route of what has none: any key is told so."""
PUBLIC = {"Cache-Control": "max-age=300"}


def api() -> APIGatewayHttpResolver:
    """An app whose routes take and give JSON, and whose every failure is a problem document."""
    return _with_problems(APIGatewayHttpResolver(enable_validation=True))


def handler(app: APIGatewayHttpResolver, scope: Scope, *, raw: bool = False) -> Handler:
    """The Lambda handler of an app, for keys that have this scope: the authorizer's yes is good for every
    route, for as long as API Gateway keeps it. Unless `raw`, a body that is not JSON ends here."""

    def respond(event: Event, context: LambdaContext) -> Answered:
        found = _authorized(event)
        if found and event.get("routeKey") != NOWHERE:
            _check(found, scope)
        body = http.body(event)
        if not raw and event["requestContext"]["http"]["method"] in ("POST", "PATCH"):
            text, headers = _json(event, body), http.headers(event) | {"content-type": JSON}
            event = event | {"body": text, "isBase64Encoded": False, "headers": headers}
        return app.resolve(event, context)

    return http.handler(respond)


# --- Requests ----------------------------------------------------------------------------------------


def caller(app: APIGatewayHttpResolver, scope: Scope) -> Caller:
    """The caller of this request, as the authorizer identified it.

    This includes requests that reach this function by $default, for example because of an extra slash. Raises
    Unauthorized if the route has no authorizer, and PermissionDenied if the key lacks the scope.
    """
    found = _authorized(app.current_event.raw_event)
    if not found:
        raise Unauthorized("This needs an API key.")
    _check(found, scope)
    return Caller(int(found["account"]), f"key:{found['key']}" if found["key"] else "operator")


def _authorized(event: Event) -> dict[str, str]:
    """What the authorizer said, of which a client writes nothing; empty of a route that stands open."""
    found: dict[str, str] = event["requestContext"].get("authorizer", {}).get("lambda") or {}
    return found


def _check(found: dict[str, str], scope: Scope) -> None:
    if scope not in found["scopes"].split():
        raise PermissionDenied(f"This key has no scope {scope}.")


def idempotency_key(app: APIGatewayHttpResolver, key: str | None) -> IdempotencyKey | None:
    """The key of this request, with its route and a fingerprint of the body as it was sent."""
    if key is None:
        return None
    event = app.current_event
    return IdempotencyKey(event.path, key, hashlib.sha256((event.body or "").encode()).hexdigest())


def _json(event: Event, body: bytes) -> str:
    """The body as text, known to be JSON in UTF-8; without a content type it is taken for that."""
    if http.headers(event).get("content-type", JSON).partition(";")[0].strip().lower() != JSON:
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
    return _problem(Invalid.of_errors(found, skip=1))


def _problem(problem: Problem) -> Response[str]:
    told = http.refused(problem)
    return Response(told["statusCode"], CONTENT_TYPE, told["body"], dict(problem.headers))


def _fault(error: Exception) -> Response[str]:
    return _problem(http.at_fault(error))
