"""Whether a request of the HTTP API may go on, by the key that it bears; answers in the simple form.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
"""

from typing import Any

from messaging.accounts.keys import authorize
from messaging.telemetry import count, flush, logger


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # Lambda's signature
    """Fails where the database is away: a no would be kept for a minute, and a yes would be wrong."""
    try:
        # The header is the identity source: API Gateway has answered 401 where it was missing.
        header = ",".join(event.get("identitySource") or [])
        found = authorize(header, event["requestContext"]["http"]["sourceIp"])
        if found.refused:
            logger.warning("Refused", extra={"key_id": found.id, "reason": found.refused})
            count("RefusedKeys")
            return {"isAuthorized": False}
        told = {"account": str(found.account), "scopes": " ".join(found.scopes), "key": str(found.id)}
        return {"isAuthorized": True, "context": told}
    finally:
        flush()
