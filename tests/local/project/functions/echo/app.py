"""Answers with what it was given, or does what its path says."""

import json
import os
import sys
import time
from typing import Any

from words import FAREWELL


def handler(event: Any, context: Any) -> Any:
    what = event.get("do") or event.get("rawPath", "").partition("/act/")[2]
    match what:
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
        case "nonsense":
            return {"statusCode": "none"}
        case "picture":
            return {
                "statusCode": 200,
                "headers": {"content-type": "image/png"},
                "isBase64Encoded": True,
                "body": "AAEC",
            }
        case "cookies":
            return {"statusCode": 204, "cookies": ["a=1", "b=2; Secure"]}
    body = json.dumps(event)
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": body}
