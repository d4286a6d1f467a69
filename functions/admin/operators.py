"""Operators' orders, given by invoking the function: {"operator": "POST /api/admin/keys", "body": {...}}."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote


def request_event(order: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event of the HTTP request that an order describes.

    It has the scope `admin` without a key, because AWS lets only operators invoke the function.
    """
    method, _, target = str(order["operator"]).partition(" ")
    path, _, query = target.partition("?")
    context = {
        "stage": "$default",
        "http": {"method": method, "path": path, "sourceIp": ""},
        "authorizer": {"lambda": {"account": "0", "scopes": "admin", "key": ""}},
    }
    return {
        "version": "2.0",
        "rawPath": unquote(path),
        "rawQueryString": query,
        "queryStringParameters": dict(parse_qsl(query)),
        "headers": {"content-type": "application/json"},
        "requestContext": context,
        "body": json.dumps(order.get("body")) if "body" in order else None,
        "isBase64Encoded": False,
    }
