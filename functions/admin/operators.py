"""What an operator asks for by invoking the function."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote


def request(order: Mapping[str, Any]) -> dict[str, Any]:
    """The event of a request that an operator makes by invoking a function, which AWS lets nobody else do:
    {"operator": "POST /api/admin/keys", "body": {...}}."""
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
