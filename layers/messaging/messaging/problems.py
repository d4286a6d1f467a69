"""What can be wrong with a request, each with its HTTP status: the problem documents of RFC 9457.

https://www.rfc-editor.org/rfc/rfc9457
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar

CONTENT_TYPE = "application/problem+json"


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


class Forbidden(Problem):
    """A signature is missing, wrong or stale; the reason is for the log."""

    status = HTTPStatus.FORBIDDEN


class NotFound(Problem):
    status = HTTPStatus.NOT_FOUND


class MethodNotAllowed(Problem):
    status = HTTPStatus.METHOD_NOT_ALLOWED


class TooLarge(Problem):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class UnsupportedMediaType(Problem):
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class Invalid(Problem):
    """What was read cannot be accepted; each error names its field."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY

    @classmethod
    def field(cls, field: str, message: str) -> "Invalid":
        return cls("The request cannot be accepted.", [{"field": field, "message": message}])

    @classmethod
    def found(cls, errors: Sequence[Mapping[str, Any]], skip: int = 0) -> "Invalid":
        """What pydantic found; `skip` leaves out the first parts of each location ("body", "query")."""
        return cls(
            "The request cannot be accepted.",
            [
                {"field": ".".join(str(part) for part in error["loc"][skip:]), "message": error["msg"]}
                for error in errors
            ],
        )


class Unavailable(Problem):
    """The database, or a secret, is away: nothing was kept, and the same request is right again later."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    RETRY_AFTER = 5  # seconds

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"Retry-After": str(self.RETRY_AFTER)})
