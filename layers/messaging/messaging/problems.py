"""What can be wrong with a request, each with its HTTP status: the problem documents of RFC 9457.

https://www.rfc-editor.org/rfc/rfc9457
"""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from pydantic import ValidationError

CONTENT_TYPE = "application/problem+json"

_WORDS: Mapping[str, str] = {
    "missing": "is required",
    "extra_forbidden": "is not a field of this request",
    "none_required": "must be left out",
    **dict.fromkeys(("literal_error", "enum"), "must be {expected}"),
    "string_type": "must be a string",
    "list_type": "must be a list",
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "must be an object"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "must be true or false"),
    **dict.fromkeys(
        ("int_type", "int_parsing", "int_parsing_size", "int_from_float"), "must be a whole number"
    ),
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    **dict.fromkeys(("too_short", "string_too_short"), "must not be empty"),
    **dict.fromkeys(("too_long", "string_too_long"), "must have at most {max_length} {parts}"),
    **dict.fromkeys(("url_parsing", "url_scheme"), "must be a URL that begins with http:// or https://"),
    **dict.fromkeys(
        ("datetime_parsing", "datetime_from_date_parsing"),
        "must be a time in RFC 3339, such as 2024-11-01T14:00:00Z",
    ),
}
"""By the types of pydantic's errors; those that are our own bear their words themselves."""
_PARTS = {"List": "items", "Dictionary": "entries"}
_MEMBER = re.compile(r"<[\w.]+: ('[^']*')>")  # of an enum, as Python shows it


class Problem(Exception):
    """Ends a request with its status; `detail` and `errors` go to the caller and hold no secret, no body."""

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR

    def __init__(
        self,
        detail: str,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors
        self.headers = dict(headers or {})

    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": int(self.status),
            "detail": self.detail,
        }
        return document | ({"errors": [dict(error) for error in self.errors]} if self.errors else {})


class Unreadable(Problem):
    """The body or the cursor cannot be read at all."""

    status = HTTPStatus.BAD_REQUEST


class SignatureRejected(Problem):
    """A signature is missing, wrong or stale."""

    status = HTTPStatus.FORBIDDEN

    def __init__(self, detail: str, reason: str = "") -> None:
        super().__init__(detail)
        self._reason = reason

    @property
    def reason(self) -> str:
        """For the log: more than whoever asks is told."""
        return self._reason or str(self.__cause__ or self)


class Unauthorized(Problem):
    """Nobody has said who calls."""

    status = HTTPStatus.UNAUTHORIZED

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"})


class PermissionDenied(Problem):
    """Whoever calls may not do this."""

    status = HTTPStatus.FORBIDDEN

    @classmethod
    def field(cls, field: str, message: str) -> "PermissionDenied":
        return cls("The request is not allowed.", [{"field": field, "message": message}])


class TooManyRequests(Problem):
    """More than an account may send; the same request is right again in so many seconds."""

    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, detail: str, retry_after: int = 1) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


class NotFound(Problem):
    status = HTTPStatus.NOT_FOUND


class MethodNotAllowed(Problem):
    status = HTTPStatus.METHOD_NOT_ALLOWED


class Conflict(Problem):
    """It is there, and otherwise than it was to be."""

    status = HTTPStatus.CONFLICT

    @classmethod
    def field(cls, field: str, message: str) -> "Conflict":
        return cls("It is there already.", [{"field": field, "message": message}])


class TooLarge(Problem):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class UnsupportedMediaType(Problem):
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class Invalid(Problem):
    """What was read cannot be accepted; each error names its field."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY

    @classmethod
    def field(cls, field: str, message: str) -> "Invalid":
        return cls.fields([(field, message)])

    @classmethod
    def fields(cls, wrong: Sequence[tuple[str, str]]) -> "Invalid":
        errors = [{"field": field, "message": message} for field, message in wrong]
        return cls("The request cannot be accepted.", errors)

    @classmethod
    def of(cls, error: "ValidationError") -> "Invalid":
        """Describes what pydantic refused, without the refused values."""
        return cls.found(error.errors(include_input=False, include_url=False))

    def summary(self) -> str:
        """All errors on one line, for a log or an exception."""
        return "; ".join(f"{error['field']}: {error['message']}" for error in self.errors)

    @classmethod
    def found(cls, errors: Sequence[Mapping[str, Any]], skip: int = 0) -> "Invalid":
        """What pydantic found; `skip` leaves out the first parts of each location ("body", "query")."""
        return cls(
            "The request cannot be accepted.",
            [{"field": _place(error["loc"][skip:]), "message": _said(error)} for error in errors],
        )


def _place(path: Sequence[str | int]) -> str:
    return ".".join(str(part) for part in path if part != "[key]")  # beside the key itself


def _said(error: Mapping[str, Any]) -> str:
    """In the words of whoever wrote the request, and not of the types that read it."""
    words = _WORDS.get(error["type"])
    if words is None:
        return str(error["msg"])
    told = dict(error.get("ctx") or {})
    parts = _PARTS.get(told.get("field_type", ""), "characters")
    return _MEMBER.sub(r"\1", words.format(**told, parts=parts))


class Unavailable(Problem):
    """The database, or a secret, is away: nothing was kept, and the same request is right again later."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    RETRY_AFTER = 5  # seconds

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"Retry-After": str(self.RETRY_AFTER)})
