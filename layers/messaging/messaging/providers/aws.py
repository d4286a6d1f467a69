"""Calls to Amazon: one attempt each through boto3, whose end becomes a failure in our words.

A provider's secret says who calls, and where:

    {"region": "us-east-1", "access_key_id": "AKIA...", "secret_access_key": "..."}

Without the keys it is the function's own role; `endpoint_url` is another address than the region's own.

    400 {"__type": "ConflictException", "Reason": "DESTINATION_PHONE_NUMBER_OPTED_OUT", "Message": "..."}

https://docs.aws.amazon.com/general/latest/gr/CommonErrors.html
"""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from contextvars import ContextVar
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from messaging.failures import (
    Failure,
    Misconfigured,
    OutcomeUnknown,
    PermanentFailure,
    TemporaryFailure,
    Throttled,
)
from messaging.providers.credentials import single
from messaging.transport.client import failure_for_status, make_failure
from messaging.transport.redact import redact

if TYPE_CHECKING:
    from boto3.session import Session

Kinds = Mapping[str, type[Failure]]
"""What a service's own codes and reasons mean."""

FIELDS = ("region", "endpoint_url", "access_key_id", "secret_access_key")
CONNECT_TIMEOUT = 3.0  # seconds
READ_TIMEOUT = 7.0
OBJECT_TIMEOUT = 3.0  # for each part of an object: a webhook waits for it, and its vendor for that

_ANYWHERE: Kinds = {
    **dict.fromkeys(
        (
            "AccessDenied",
            "AccessDeniedException",
            "ExpiredToken",
            "ExpiredTokenException",
            "IncompleteSignature",
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "InvalidSignatureException",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
            "NotAuthorized",
            "OptInRequired",
            "SignatureDoesNotMatch",
            "SubscriptionRequiredException",
            "UnrecognizedClientException",
        ),
        Misconfigured,
    ),
    **dict.fromkeys(
        (
            "RequestLimitExceeded",
            "SlowDown",
            "Throttling",
            "ThrottlingException",
            "ThrottledException",
            "TooManyRequestsException",
        ),
        Throttled,
    ),
    "RequestExpired": TemporaryFailure,  # signed too long ago, and never looked at
    "RequestTimeTooSkewed": TemporaryFailure,
}
"""Codes of every service; the status alone (400) would not say it."""

_leaving: ContextVar[bool] = ContextVar("leaving", default=False)
"""Whether this call's request was handed to a connection: what fails before has not been written."""
_making = Lock()  # delivery calls in several threads


def call(
    secret: Mapping[str, Any],
    service: str,
    operation: str,
    request: Mapping[str, Any],
    kinds: Kinds,
    read_timeout: float = READ_TIMEOUT,
) -> Mapping[str, Any]:
    """The answer of one request that was accepted. Raises one of the Failures, and nothing else."""
    with _in_our_words(kinds), _client(secret, service, read_timeout) as client:
        answer: Mapping[str, Any] = getattr(client, operation)(**request)
        return answer


def read_object(secret: Mapping[str, Any], bucket: str, key: str, max_bytes: int) -> bytes:
    """What lies in a bucket. Raises one of the Failures; PermanentFailure where it is too large."""
    with _in_our_words({}), _client(secret, "s3", OBJECT_TIMEOUT) as client:
        found = client.get_object(Bucket=bucket, Key=key)
        with found["Body"] as body:
            if found["ContentLength"] <= max_bytes:
                content: bytes = body.read()
                return content
    raise PermanentFailure("too_large", f"The object is larger than {max_bytes} bytes.")


@contextmanager
def _in_our_words(kinds: Kinds) -> Iterator[None]:
    from botocore.exceptions import (
        ClientError,
        ConnectTimeoutError,
        EndpointConnectionError,
        ParamValidationError,
        ProxyConnectionError,
    )

    _leaving.set(False)
    try:
        yield
    except Failure:
        raise
    except ClientError as error:
        raise _told(error.response, kinds) from error
    except (ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError) as error:
        raise TemporaryFailure(
            "not_connected", f"No connection to Amazon: {type(error).__name__}."
        ) from error
    except ParamValidationError as error:
        raise PermanentFailure("not_valid", "Amazon takes no message of this form.") from error
    except Exception as error:
        name = type(error).__name__
        if not _leaving.get():
            reason = f"Amazon could not be called: {name}. It is asked by the secret's {', '.join(FIELDS)}."
            raise Misconfigured("not_configured", reason) from error
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise TemporaryFailure("not_connected", f"No connection to Amazon: {name}.") from error
        raise OutcomeUnknown("no_answer", f"Amazon gave no answer that can be read: {name}.") from error


def _told(answer: Mapping[str, Any], kinds: Kinds) -> Failure:
    """The failure that an answer names; where it names none that is known, by its status."""
    meta = answer.get("ResponseMetadata", {})
    status = int(meta.get("HTTPStatusCode", 500))
    error = answer.get("Error", {})
    name, why = error.get("Code") or status, answer.get("Reason")
    code = redact(f"{name}.{why}" if why else str(name)) or str(status)
    reason = redact(error.get("Message")) or f"Amazon answered {status}."
    kind = kinds.get(str(why)) or kinds.get(str(name)) or _ANYWHERE.get(str(name))
    wait = meta.get("HTTPHeaders", {}).get("retry-after")
    return make_failure(kind, code, reason, wait) if kind else failure_for_status(status, code, reason, wait)


@contextmanager
def _client(secret: Mapping[str, Any], service: str, read_timeout: float) -> Iterator[Any]:
    """For one call: a connection that was kept open over a frozen environment looks alive, takes the request
    and never answers. It costs some 10 ms."""
    from botocore.config import Config

    if not single(secret, "region"):
        raise Misconfigured("not_configured", "The secret holds no region.")
    with _making:
        client: Any = _session().client(
            cast("Any", service),
            region_name=single(secret, "region"),
            endpoint_url=single(secret, "endpoint_url") or None,
            aws_access_key_id=single(secret, "access_key_id") or None,
            aws_secret_access_key=single(secret, "secret_access_key") or None,
            config=Config(
                connect_timeout=CONNECT_TIMEOUT,
                read_timeout=read_timeout,
                retries={"total_max_attempts": 1},  # the queue's part
            ),
        )
    client.meta.events.register("before-send", _leave)
    with closing(client):
        yield client


@cache
def _session() -> "Session":
    # boto3 doubles a cold start: only those who call Amazon pay for it.
    from boto3.session import Session

    return Session()


def _leave(**_: object) -> None:
    _leaving.set(True)
