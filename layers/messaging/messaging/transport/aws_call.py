"""Calls to AWS through boto3: one attempt each, whose errors become our failure types.

A provider's secret says who calls, and where:

    {"region": "us-east-1", "access_key_id": "AKIA...", "secret_access_key": "..."}

Without the keys the function's own role calls. `endpoint_url` replaces the region's endpoint.

    400 {"__type": "ConflictException", "Reason": "DESTINATION_PHONE_NUMBER_OPTED_OUT", "Message": "..."}

https://docs.aws.amazon.com/general/latest/gr/CommonErrors.html
"""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from contextvars import ContextVar
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from messaging import failures
from messaging.transport.client import failure_for_status, make_failure
from messaging.transport.redact import redact

if TYPE_CHECKING:
    from boto3.session import Session


class AwsAccess(NamedTuple):
    """Who calls AWS, and where. Its fields are those of the provider's secret."""

    region: str
    endpoint_url: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = None


FailureTypes = Mapping[str, type[failures.Failure]]
"""The failure type for each error code, or each `Reason`, of a service."""

CONNECT_TIMEOUT = 3.0  # seconds
READ_TIMEOUT = 7.0
OBJECT_TIMEOUT = 3.0  # for each part of an object: the vendor waits for the answer to its webhook

_COMMON_ERRORS: FailureTypes = {
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
        failures.Misconfigured,
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
        failures.Throttled,
    ),
    "RequestExpired": failures.TemporaryFailure,  # signed too long ago
    "RequestTimeTooSkewed": failures.TemporaryFailure,
}
"""Error codes that all services share. Their HTTP status (400) does not say it."""

_request_sent: ContextVar[bool] = ContextVar("request_sent", default=False)
"""Whether this call's request was handed to a connection. Before that, nothing has been written."""
_client_lock = Lock()  # boto3 sessions are not thread-safe, and delivery sends in several threads


def call(
    access: AwsAccess,
    service: str,
    operation: str,
    request: Mapping[str, Any],
    failure_types: FailureTypes,
    read_timeout: float = READ_TIMEOUT,
) -> Mapping[str, Any]:
    """Make one request and return the answer. Raises one of the Failures, and nothing else."""
    with _raise_failures(failure_types), _client(access, service, read_timeout) as client:
        answer: Mapping[str, Any] = getattr(client, operation)(**request)
        return answer


def read_object(access: AwsAccess, bucket: str, key: str, max_bytes: int) -> bytes:
    """Read an object from S3. Raises one of the Failures; PermanentFailure if the object is too large."""
    with _raise_failures({}), _client(access, "s3", OBJECT_TIMEOUT) as client:
        answer = client.get_object(Bucket=bucket, Key=key)
        with answer["Body"] as body:
            if answer["ContentLength"] <= max_bytes:
                content: bytes = body.read()
                return content
    raise failures.PermanentFailure("too_large", f"The object is larger than {max_bytes} bytes.")


@contextmanager
def _raise_failures(failure_types: FailureTypes) -> Iterator[None]:
    """Turn every error of boto3 into one of the Failures."""
    from botocore.exceptions import (
        ClientError,
        ConnectTimeoutError,
        EndpointConnectionError,
        ParamValidationError,
        ProxyConnectionError,
    )

    _request_sent.set(False)
    try:
        yield
    except failures.Failure:
        raise
    except ClientError as error:
        raise _failure_from_answer(error.response, failure_types) from error
    except (ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError) as error:
        raise failures.TemporaryFailure(
            "not_connected", f"No connection to AWS: {type(error).__name__}."
        ) from error
    except ParamValidationError as error:
        raise failures.PermanentFailure("not_valid", "AWS does not accept a message of this form.") from error
    except Exception as error:
        name = type(error).__name__
        if not _request_sent.get():
            fields = ", ".join(AwsAccess._fields)
            reason = f"AWS could not be called: {name}. Check the secret's fields {fields}."
            raise failures.Misconfigured("not_configured", reason) from error
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise failures.TemporaryFailure("not_connected", f"No connection to AWS: {name}.") from error
        raise failures.OutcomeUnknown("no_answer", f"AWS gave no readable answer: {name}.") from error


def _failure_from_answer(answer: Mapping[str, Any], failure_types: FailureTypes) -> failures.Failure:
    """The failure that the answer's code or reason stands for; if neither is listed, its HTTP status."""
    meta = answer.get("ResponseMetadata", {})
    status = int(meta.get("HTTPStatusCode", 500))
    error = answer.get("Error", {})
    name = str(error.get("Code") or status)
    cause = answer.get("Reason")
    code = redact(f"{name}.{cause}" if cause else name) or str(status)
    reason = redact(error.get("Message")) or f"AWS answered {status}."
    wait = meta.get("HTTPHeaders", {}).get("retry-after")
    failure_type = failure_types.get(str(cause)) or failure_types.get(name) or _COMMON_ERRORS.get(name)
    if failure_type is None:
        return failure_for_status(status, code, reason, wait)
    return make_failure(failure_type, code, reason, wait)


@contextmanager
def _client(access: AwsAccess, service: str, read_timeout: float) -> Iterator[Any]:
    """A client for one call, which costs about 10 ms.

    A connection that was kept open while the environment was frozen looks alive, takes the request and never
    answers.
    """
    from botocore.config import Config

    with _client_lock:
        client: Any = _session().client(
            cast("Any", service),
            region_name=access.region,
            endpoint_url=access.endpoint_url,
            aws_access_key_id=access.access_key_id,
            aws_secret_access_key=access.secret_access_key,
            config=Config(
                connect_timeout=CONNECT_TIMEOUT,
                read_timeout=read_timeout,
                retries={"total_max_attempts": 1},  # the queue retries
            ),
        )
    client.meta.events.register("before-send", _note_request_sent)
    with closing(client):
        yield client


@cache
def _session() -> "Session":
    # Importing boto3 doubles a cold start, so only calls to AWS import it.
    from boto3.session import Session

    return Session()


def _note_request_sent(**_: object) -> None:
    _request_sent.set(True)
