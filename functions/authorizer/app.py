"""The Lambda authorizer of the HTTP API: allows or denies a request by its API key. Returns simple responses.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
"""

from typing import Any

from messaging.accounts.keys import authorize
from messaging.telemetry import count, flush, logger


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], _: object) -> dict[str, Any]:  # Lambda's signature
    """Raises Unavailable if the database does not answer. To deny would be wrong: API Gateway caches it for a
    minute."""
    try:
        # The header is the identity source: API Gateway has answered 401 if it is missing.
        header = ",".join(event.get("identitySource") or [])
        key = authorize(header, event["requestContext"]["http"]["sourceIp"])
        if key.rejected:
            logger.warning("Key rejected", extra={"key_id": key.id, "reason": key.rejected})
            count("KeysRejected")
            return {"isAuthorized": False}
        context = {"account": str(key.account), "scopes": " ".join(key.scopes), "key": str(key.id)}
        return {"isAuthorized": True, "context": context}
    finally:
        flush()
