"""Prints each record; fails those whose body says so."""

import json
from typing import Any


def handler(event: Any, context: Any) -> Any:
    bodies = [record["body"] for record in event["Records"]]
    print(json.dumps(event["Records"]))
    if "raise" in bodies:
        raise ValueError("as asked")
    failed = [record["messageId"] for record in event["Records"] if record["body"] == "fail"]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}
