"""An authorizer that does what the header says, and tells the function what it was asked."""

import time
from typing import Any

asked = 0


def handler(event: Any, context: Any) -> Any:
    global asked  # noqa: PLW0603  # how often this process was
    asked += 1
    match event["identitySource"][0].partition(" ")[0]:
        case "raise":
            raise ValueError("as asked")
        case "sleep":
            time.sleep(1)
        case "nonsense":
            return {"isAuthorized": "false"}
        case "no":
            return {"isAuthorized": False, "context": {"asked": str(asked)}}
        case "bare":
            return {"isAuthorized": True}
    return {"isAuthorized": True, "context": {"asked": str(asked), "question": event}}
