"""Prints the schedule's event."""

import json
from typing import Any


def handler(event: Any, context: Any) -> None:
    print(json.dumps(event))
