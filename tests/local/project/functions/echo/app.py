"""Returns the event that it received, or does what the path or the event's `do` names."""

import json
import os
import sys
import time
from typing import Any

from words import FAREWELL

RESPONSES = {
    "nonsense": {"statusCode": "none"},
    "picture": {
        "statusCode": 200,
        "headers": {"content-type": "image/png"},
        "isBase64Encoded": True,
        "body": "AAEC",
    },
    "cookies": {"statusCode": 204, "cookies": ["a=1", "b=2; Secure"]},
}


def handler(event: Any, context: Any) -> Any:
    action = event.get("do") or event.get("rawPath", "").partition("/act/")[2]
    if action in RESPONSES:
        return RESPONSES[action]
    match action:
        case "raise":
            raise ValueError("as asked")
        case "exit":
            os._exit(3)
        case "sleep":
            time.sleep(event.get("seconds", 60))
        case "print":
            print(event["line"])
        case "environment":
            return {"variables": dict(os.environ), "path": sys.path, "pid": os.getpid(), "farewell": FAREWELL}
        case "context":
            names = [name for name in dir(context) if not name.startswith("_")]
            values = {name: getattr(context, name) for name in names}
            return {**values, "get_remaining_time_in_millis": context.get_remaining_time_in_millis()}
        case "big":
            return "x" * 7_000_000
    body = json.dumps(event)
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": body}
