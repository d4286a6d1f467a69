"""The problem documents of RFC 9457: one exception class per kind of failed request.

https://www.rfc-editor.org/rfc/rfc9457
"""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypedDict

if TYPE_CHECKING:
    from pydantic import ValidationError

CONTENT_TYPE = "application/problem+json"

ProblemCode = Literal[
    "unreadable",
    "unauthorized",
    "permission_denied",
    "not_owned",
    "signature_rejected",
    "not_found",
    "method_not_allowed",
    "conflict",
    "too_large",
    "unsupported_media_type",
    "invalid_field",
    "rate_limited",
    "internal_error",
    "unavailable",
]
"""What clients branch on. A code never changes its meaning."""

_OBJECT = "must be an object"
_WHOLE_NUMBER = "must be a whole number"
_BOOLEAN = "must be true or false"
_ONE_OF = "must be {expected}"
_NOT_EMPTY = "must not be empty"
_MAX_LENGTH = "must have at most {max_length} {unit}"
_URL = "must be a URL that begins with http:// or https://"
_TIME = "must be an RFC 3339 time, such as 2024-11-01T14:00:00Z"

_MESSAGES: Mapping[str, str] = {
    "missing": "is required",
    "extra_forbidden": "is not a field of this request",
    "none_required": "must be left out",
    "literal_error": _ONE_OF,
    "enum": _ONE_OF,
    "string_type": "must be a string",
    "list_type": "must be a list",
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "bool_type": _BOOLEAN,
    "bool_parsing": _BOOLEAN,
    "int_type": _WHOLE_NUMBER,
    "int_parsing": _WHOLE_NUMBER,
    "int_parsing_size": _WHOLE_NUMBER,
    "int_from_float": _WHOLE_NUMBER,
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "too_short": _NOT_EMPTY,
    "string_too_short": _NOT_EMPTY,
    "too_long": _MAX_LENGTH,
    "string_too_long": _MAX_LENGTH,
    "url_parsing": _URL,
    "url_scheme": _URL,
    "datetime_parsing": _TIME,
    "datetime_from_date_parsing": _TIME,
}
"""By the type of pydantic's error. The errors that our own validators raise have their own message.

https://docs.pydantic.dev/latest/errors/validation_errors/
"""
MAX_ERRORS = 100
"""The most errors of a problem document: a request may have a million wrong fields."""
MAX_FIELD_LENGTH = 200
"""Characters of a field's path that are shown: the caller chooses the names of unknown fields."""
_UNITS = {"List": "items", "Dictionary": "entries"}
_ENUM_MEMBER = re.compile(r"<[\w.]+: ('[^']*')>")  # as pydantic shows it: <Channel.SMS: 'sms'>


class FieldError(TypedDict):
    field: str
    """The path of the field, such as `attachments.0`. It is empty if the whole body is wrong."""
    message: str
    """Completes a sentence that begins with the field, such as `must be a string`."""


class Problem(Exception):
    """Ends a request with an HTTP status and a problem document.

    `detail` and `errors` are sent to the caller, so they must not contain a secret or a body.
    """

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    code: ClassVar[ProblemCode] = "internal_error"

    def __init__(
        self,
        detail: str,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`headers` are sent with the response."""
        super().__init__(detail)
        self.detail = detail
        self.errors = errors
        self.headers = dict(headers or {})

    def document(self) -> dict[str, Any]:
        """Return the response body: type, title, status, detail, code and, if fields are wrong, errors."""
        document: dict[str, Any] = {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": int(self.status),
            "detail": self.detail,
            "code": self.code,
        }
        if self.errors:
            document["errors"] = list(self.errors)
        return document


class Unreadable(Problem):
    """The body or the cursor cannot be parsed at all."""

    status = HTTPStatus.BAD_REQUEST
    code = "unreadable"


class SignatureRejected(Problem):
    """A signature is missing, wrong or too old."""

    status = HTTPStatus.FORBIDDEN
    code = "signature_rejected"

    def __init__(self, detail: str, reason: str = "") -> None:
        """`detail` is sent to the caller; `reason` goes only to the log and may say more."""
        super().__init__(detail)
        self._reason = reason

    @property
    def reason(self) -> str:
        """The reason for the log; without one of its own, the cause or the detail."""
        return self._reason or str(self.__cause__ or self)


class Unauthorized(Problem):
    """The request has no credentials."""

    status = HTTPStatus.UNAUTHORIZED
    code = "unauthorized"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"})


class PermissionDenied(Problem):
    """The caller is known and may not do this."""

    status = HTTPStatus.FORBIDDEN
    code = "permission_denied"


class NotOwned(Problem):
    """A field names something that belongs to another account."""

    status = HTTPStatus.FORBIDDEN
    code = "not_owned"

    @classmethod
    def field(cls, field: str, message: str) -> "NotOwned":
        return cls("The request is not allowed.", [{"field": field, "message": message}])


class TooManyRequests(Problem):
    """The account has reached its limit. The same request is accepted after `retry_after` seconds."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "rate_limited"

    def __init__(self, detail: str, retry_after: int = 1) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


class NotFound(Problem):
    """The route or the record does not exist, or belongs to another account."""

    status = HTTPStatus.NOT_FOUND
    code = "not_found"


class MethodNotAllowed(Problem):
    """The route exists for other methods."""

    status = HTTPStatus.METHOD_NOT_ALLOWED
    code = "method_not_allowed"


class Conflict(Problem):
    """The record exists already, with other values."""

    status = HTTPStatus.CONFLICT
    code = "conflict"

    @classmethod
    def field(cls, field: str, message: str) -> "Conflict":
        return cls("It exists already.", [{"field": field, "message": message}])


class TooLarge(Problem):
    """The body exceeds the service's limit."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "too_large"


class UnsupportedMediaType(Problem):
    """The body's content type is not accepted."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "unsupported_media_type"


class Invalid(Problem):
    """The request was parsed and cannot be accepted; each error names its field."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "invalid_field"

    @classmethod
    def field(cls, field: str, message: str) -> "Invalid":
        return cls.fields([(field, message)])

    @classmethod
    def fields(cls, errors: Sequence[tuple[str, str]]) -> "Invalid":
        """Take pairs of a field and its message."""
        field_errors = [FieldError(field=field, message=message) for field, message in errors]
        return cls("The request cannot be accepted.", field_errors)

    @classmethod
    def of(cls, error: "ValidationError") -> "Invalid":
        """Translate pydantic's error. The result does not contain the refused values."""
        return cls.of_errors(error.errors(include_input=False, include_url=False))

    @classmethod
    def of_errors(cls, errors: Sequence[Mapping[str, Any]], skip: int = 0) -> "Invalid":
        """Translate a list of pydantic's errors, the first MAX_ERRORS of it.

        `skip` drops that many leading parts of each location, such as "body" or "query".
        """
        first_errors = errors[:MAX_ERRORS]
        return cls.fields([(_field_path(error["loc"][skip:]), _message(error)) for error in first_errors])

    def summary(self) -> str:
        """Return all errors on one line, for a log or an exception."""
        return "; ".join(f"{error['field']}: {error['message']}" for error in self.errors)


def _field_path(location: Sequence[str | int]) -> str:
    # pydantic adds "[key]" after the key itself, if a dictionary's key is wrong.
    path = ".".join(str(part) for part in location if part != "[key]")
    return path if len(path) <= MAX_FIELD_LENGTH else f"{path[:MAX_FIELD_LENGTH]}..."


def _message(error: Mapping[str, Any]) -> str:
    """Describe pydantic's error for the author of the request, who does not know our Python types."""
    template = _MESSAGES.get(error["type"])
    if template is None:
        return str(error["msg"])
    context = dict(error.get("ctx") or {})
    unit = _UNITS.get(context.get("field_type", ""), "characters")
    return _ENUM_MEMBER.sub(r"\1", template.format(**context, unit=unit))


class OverLimit(Invalid):
    """A sender wrote more than the service stores. Nobody can fix that, and anybody can cause it."""


class Unavailable(Problem):
    """The database or a secret is unavailable. Nothing was stored; the same request may succeed later."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "unavailable"
    RETRY_AFTER = 5  # seconds

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"Retry-After": str(self.RETRY_AFTER)})
