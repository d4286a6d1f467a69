"""Payload format 2.0: an HTTP request as a function's event, and a function's result as an HTTP response.

As in AWS, an HTTP API decodes the path and a function URL does not; cookies are not among the headers; and a
form is binary.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import base64
import binascii
import json
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote

from local.http.server import Request, Response
from local.template.template import ACCOUNT, REGION

_TEXT = re.compile(r"text/|application/(json|xml|javascript|[\w.-]+\+(json|xml))\b", re.IGNORECASE)
_HOP_BY_HOP = {"connection", "content-length", "keep-alive", "transfer-encoding", "upgrade"}
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class BadResponseError(Exception):
    """The function's result is not an HTTP response."""


@dataclass(frozen=True)
class Endpoint:
    """The HTTP API, or a function's own URL."""

    api_id: str
    domain: str
    account: str
    decodes_path: bool


HTTP_API = Endpoint("local", f"local.execute-api.{REGION}.amazonaws.com", ACCOUNT, decodes_path=True)
ARN = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{HTTP_API.api_id}"
"""The ARN of the HTTP API. The ARN of a route begins with it."""


def function_url(function: str) -> Endpoint:
    label = function.lower()
    return Endpoint(label, f"{label}.lambda-url.{REGION}.on.aws", "anonymous", decodes_path=False)


def http_event(
    request: Request,
    endpoint: Endpoint,
    path: str,
    route: str = "$default",
    variables: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the event of a request.

    `path` is the encoded path that the function sees, and `variables` are the route's decoded variables.
    """
    raw_path = unquote(path) if endpoint.decodes_path else path
    headers, cookies = _headers(request)
    now = time.time()
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route,
        "rawPath": raw_path,
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": {
            "accountId": endpoint.account,
            "apiId": endpoint.api_id,
            "domainName": endpoint.domain,
            "domainPrefix": endpoint.domain.partition(".")[0],
            "http": {
                "method": request.method,
                "path": raw_path,
                "protocol": request.protocol,
                "sourceIp": request.client,
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": str(uuid.uuid4()),
            "routeKey": route,
            "stage": "$default",
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies
    if query := _join_values(parse_qsl(request.query, keep_blank_values=True, errors="replace")):
        event["queryStringParameters"] = query
    if variables:
        event["pathParameters"] = dict(variables)
    if request.body:
        event["body"], event["isBase64Encoded"] = _body(request.body, headers.get("content-type", ""))
    return event


def with_caller(event: dict[str, Any], caller: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event with the context from its authorizer."""
    context = event["requestContext"] | {"authorizer": {"lambda": caller}}
    return event | {"requestContext": context}


def http_response(result: Any) -> Response:
    if not isinstance(result, dict) or "statusCode" not in result:
        text = result if isinstance(result, str) else json.dumps(result)
        return Response(200, text.encode("utf-8", "replace"), [("content-type", "application/json")])
    return Response(_status(result["statusCode"]), _response_body(result), _response_headers(result))


def _response_headers(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    headers: list[tuple[str, str]] = []
    for name, value in (result.get("headers") or {}).items():
        header_value = _header(name, value)
        if str(name).lower() not in _HOP_BY_HOP:
            headers.append((str(name).lower(), header_value))
    if not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", "text/plain;charset=UTF-8"))
    cookies = result.get("cookies") or []
    return headers + [("set-cookie", _header("set-cookie", cookie)) for cookie in cookies]


def _headers(request: Request) -> tuple[dict[str, str], list[str]]:
    """Return the headers as a dictionary, and the cookies."""
    pairs: list[tuple[str, str]] = []
    cookies: list[str] = []
    for header, value in request.headers:
        name = header.lower()
        if name == "cookie":
            cookies += [cookie.strip() for cookie in value.split(";") if cookie.strip()]
        elif name not in _HOP_BY_HOP:
            pairs.append((name, value))
    headers = _join_values(pairs)
    if request.body:
        headers["content-length"] = str(len(request.body))
    headers |= {
        "x-amzn-trace-id": f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]}",
        "x-forwarded-for": request.client,
        "x-forwarded-proto": "https",
        "x-forwarded-port": "443",
    }
    return headers, cookies


def _join_values(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Join the values of each name with commas."""
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _body(body: bytes, content_type: str) -> tuple[str, bool]:
    """Return the body as text, and whether it is base64."""
    if _TEXT.match(content_type):
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode(), True


def _status(value: object) -> int:
    try:
        status = int(value)  # type: ignore[call-overload]  # it may be any value
    except (TypeError, ValueError):
        raise BadResponseError(f"statusCode is {value!r}") from None
    if not HTTPStatus.CONTINUE <= status < 600:  # also statuses that HTTPStatus does not name
        raise BadResponseError(f"statusCode is {status}")
    return int(status)


def _header(name: object, value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if not _HEADER_NAME.fullmatch(str(name)) or _CONTROL.search(text):
        raise BadResponseError(f"header {name!r} is not valid")
    return text.encode("utf-8", "replace").decode("latin-1")


def _response_body(result: Mapping[str, Any]) -> bytes:
    body = result.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise BadResponseError("body is not a string")
    if not result.get("isBase64Encoded"):
        return body.encode("utf-8", "replace")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise BadResponseError("body is not base64") from None
