"""Payload format 2.0: an HTTP request as a function's event, and a function's result as an HTTP response.

Follows AWS in what surprises: an HTTP API hands on its path decoded, a function URL as it came; cookies
leave the headers; a form is binary.
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
    """The function's result is not what a response can be made of."""


@dataclass(frozen=True)
class Entrance:
    """Where a request came in."""

    api_id: str
    domain: str
    account: str
    decodes_path: bool


HTTP_API = Entrance("local", f"local.execute-api.{REGION}.amazonaws.com", ACCOUNT, decodes_path=True)
ARN = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{HTTP_API.api_id}"
"""Of that API; a route's goes on after it."""


def function_url(function: str) -> Entrance:
    label = function.lower()
    return Entrance(label, f"{label}.lambda-url.{REGION}.on.aws", "anonymous", decodes_path=False)


def event(
    request: Request,
    entrance: Entrance,
    path: str,
    route: str = "$default",
    variables: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """`path` is the request's as the function is to see it, encoded; `variables` are the route's, decoded."""
    raw_path = unquote(path) if entrance.decodes_path else path
    headers, cookies = _headers(request)
    now = time.time()
    made: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route,
        "rawPath": raw_path,
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": {
            "accountId": entrance.account,
            "apiId": entrance.api_id,
            "domainName": entrance.domain,
            "domainPrefix": entrance.domain.partition(".")[0],
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
        made["cookies"] = cookies
    if query := _joined(parse_qsl(request.query, keep_blank_values=True, errors="replace")):
        made["queryStringParameters"] = query
    if variables:
        made["pathParameters"] = dict(variables)
    if request.body:
        made["body"], made["isBase64Encoded"] = _body(request.body, headers.get("content-type", ""))
    return made


def authorized(event: dict[str, Any], caller: Mapping[str, Any]) -> dict[str, Any]:
    """The event with what its authorizer said of it."""
    return event | {"requestContext": event["requestContext"] | {"authorizer": {"lambda": caller}}}


def response(result: Any) -> Response:
    if not isinstance(result, dict) or "statusCode" not in result:
        text = result if isinstance(result, str) else json.dumps(result)
        return Response(200, text.encode("utf-8", "replace"), [("content-type", "application/json")])
    headers = [
        (str(name).lower(), _header(name, value)) for name, value in (result.get("headers") or {}).items()
    ]
    headers = [(name, value) for name, value in headers if name not in _HOP_BY_HOP]
    if not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", "text/plain;charset=UTF-8"))
    headers += [("set-cookie", _header("set-cookie", cookie)) for cookie in result.get("cookies") or []]
    return Response(_status(result["statusCode"]), _response_body(result), headers)


def _headers(request: Request) -> tuple[dict[str, str], list[str]]:
    pairs = [(name.lower(), value) for name, value in request.headers]
    cookies = [part.strip() for name, value in pairs if name == "cookie" for part in value.split(";")]
    added = {
        "x-amzn-trace-id": f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]}",
        "x-forwarded-for": request.client,
        "x-forwarded-proto": "https",
        "x-forwarded-port": "443",
    }
    headers = _joined(
        [(name, value) for name, value in pairs if name != "cookie" and name not in _HOP_BY_HOP]
    )
    if request.body:
        headers["content-length"] = str(len(request.body))
    return {**headers, **added}, [cookie for cookie in cookies if cookie]


def _joined(pairs: list[tuple[str, str]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _body(body: bytes, content_type: str) -> tuple[str, bool]:
    if _TEXT.match(content_type):
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode(), True


def _status(value: object) -> int:
    try:
        status = int(value)  # type: ignore[call-overload]  # anything may stand there
    except (TypeError, ValueError):
        raise BadResponseError(f"statusCode is {value!r}") from None
    if not HTTPStatus.CONTINUE <= status < 600:  # any number of three digits up to 5xx
        raise BadResponseError(f"statusCode is {status}")
    return int(status)


def _header(name: object, value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if not _HEADER_NAME.fullmatch(str(name)) or _CONTROL.search(text):
        raise BadResponseError(f"header {name!r} is not one")
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
