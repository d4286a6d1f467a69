"""What the JSON API's functions share: authorization, request bodies and responses."""

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel
from pydantic_core import from_json

from messaging.accounts.caller import Caller, Scope
from messaging.handlers import http
from messaging.handlers.lambda_types import HttpResponse, LambdaEvent, LambdaHandler
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

if TYPE_CHECKING:  # only some functions need these at run time
    from messaging.conversations.reads import Page
    from messaging.outbound.accept import Accepted

JSON = "application/json"
DOCS_PAGE_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The Content-Security-Policy of the documentation page: it has inline scripts, and calls only this API."""
DEFAULT_ROUTE = "$default"
"""API Gateway's route for paths without a route. A key needs no scope to get its 404."""
PUBLIC_CACHING = {"Cache-Control": "max-age=300"}


def create_app() -> APIGatewayHttpResolver:
    """Return an app for routes that take and return JSON. Every exception becomes a problem document."""
    app = APIGatewayHttpResolver(enable_validation=True)
    app.exception_handler(Problem)(_problem_response)
    app.exception_handler(RequestValidationError)(_validation_response)
    app.exception_handler(Exception)(_internal_error_response)
    app.not_found(_not_found_response)
    return app


def handler(app: APIGatewayHttpResolver, scope: Scope, *, json_body: bool = True) -> LambdaHandler:
    """Return the Lambda handler of an app, for keys with this scope.

    The scope is checked here, because API Gateway caches the authorizer's result and uses it for every route.
    If `json_body`, the body of a POST or PATCH must be a JSON object.
    """

    def respond(event: LambdaEvent, context: LambdaContext) -> HttpResponse:
        authorization = _authorization(event)
        if authorization and event.get("routeKey") != DEFAULT_ROUTE:
            _check_scope(authorization, scope)
        body = http.body(event)
        if json_body and event["requestContext"]["http"]["method"] in ("POST", "PATCH"):
            headers = http.headers(event) | {"content-type": JSON}
            text = _json_text(event, body)
            event = event | {"body": text, "isBase64Encoded": False, "headers": headers}
        return app.resolve(event, context)

    return http.handler(respond)


# --- Requests ----------------------------------------------------------------------------------------


def caller(app: APIGatewayHttpResolver, scope: Scope) -> Caller:
    """The caller of this request, as the authorizer identified it.

    This includes requests that reach this function by $default, for example because of an extra slash. Raises
    Unauthorized if the route has no authorizer, and PermissionDenied if the key lacks the scope.
    """
    authorization = _authorization(app.current_event.raw_event)
    if not authorization:
        raise Unauthorized("An API key is required.")
    _check_scope(authorization, scope)
    key = authorization["key"]
    return Caller(int(authorization["account"]), f"key:{key}" if key else "operator")


def _authorization(event: LambdaEvent) -> dict[str, str]:
    """The authorizer's context, {"account", "scopes", "key"}; empty for a public route.

    API Gateway sets it. A client cannot.
    """
    context: dict[str, str] = event["requestContext"].get("authorizer", {}).get("lambda") or {}
    return context


def _check_scope(authorization: dict[str, str], scope: Scope) -> None:
    if scope not in authorization["scopes"].split():
        raise PermissionDenied(f"The API key does not have the scope {scope}.")


def idempotency_key(app: APIGatewayHttpResolver, key: str | None) -> IdempotencyKey | None:
    """Return the request's idempotency key with its path and the SHA-256 of its body; None without a key."""
    if key is None:
        return None
    event = app.current_event
    return IdempotencyKey(event.path, key, hashlib.sha256((event.body or "").encode()).hexdigest())


def _json_text(event: LambdaEvent, body: bytes) -> str:
    """The body as text, checked to be a JSON object. A missing content type is taken as JSON."""
    if http.headers(event).get("content-type", JSON).partition(";")[0].strip().lower() != JSON:
        raise UnsupportedMediaType(f"The content type must be {JSON}.")
    try:
        fields = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise Unreadable("The body must be JSON in UTF-8.") from error
    if not isinstance(fields, dict):
        raise Unreadable("The body must be a JSON object.")
    return body.decode()


# --- Responses ---------------------------------------------------------------------------------------


def response_schema(model: type[BaseModel], status: int = 200) -> dict[int, Any]:
    """Return the OpenAPI description of a response with this model, for a route's `responses`."""
    return {status: {"description": model.__doc__ or model.__name__, "content": {JSON: {"model": model}}}}


def accepted_response(accepted: "Accepted") -> Response[str]:
    """Return 202 with the message. The header Idempotency-Replayed says that it was accepted before."""
    headers: dict[str, str | list[str]] = {"Location": f"/api/messages/{accepted.message.id}"}
    if accepted.replayed:
        headers["Idempotency-Replayed"] = "true"
    return Response(202, JSON, accepted.message.model_dump_json(), headers)


def json_or_404(document: str | None, noun: str) -> Response[str]:
    """Return 200 with a JSON text. Raises NotFound if it is None."""
    if document is None:
        raise NotFound(f"This {noun} does not exist.")
    return Response(200, JSON, document)


def redirect(url: str) -> Response[str]:
    """Return 302 to a URL."""
    return Response(302, "text/plain", "", {"Location": url})


def download(content: bytes, file_name: str) -> Response[str]:
    """Return 200 with a file that a browser only stores, whatever it contains."""
    headers = {"Content-Disposition": f'attachment; filename="{file_name}"'}
    response = Response(200, "application/octet-stream", base64.b64encode(content).decode(), headers)
    response.base64_encoded = True  # Powertools would do this, but its validation takes bytes for UTF-8
    return response


def page_response(name: str, page: "Page") -> Response[str]:
    """Return 200 with {<name>: [<items>], "next_cursor": <text or null>}."""
    items = ",".join(page.items)
    return Response(200, JSON, f'{{"{name}":[{items}],"next_cursor":{json.dumps(page.next_cursor)}}}')


def _problem_response(problem: Problem) -> Response[str]:
    response = http.problem_response(problem)
    return Response(response["statusCode"], CONTENT_TYPE, response["body"], dict(problem.headers))


def _validation_response(error: RequestValidationError) -> Response[str]:
    errors = error.errors()
    for details in errors:
        kind, *names = details["loc"]
        if kind == "header":  # Powertools has header names in lower case
            details["loc"] = (kind, *(_capitalized(name) for name in names))
    return _problem_response(Invalid.of_errors(errors, skip=1))


def _capitalized(header: str) -> str:
    """`Idempotency-Key` for `idempotency-key`."""
    return "-".join(word.capitalize() for word in header.split("-"))


def _internal_error_response(error: Exception) -> Response[str]:
    return _problem_response(http.internal_error(error))


def _not_found_response(_: NotFoundError) -> Response[str]:
    return _problem_response(NotFound("This path does not exist."))
