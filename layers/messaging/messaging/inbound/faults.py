"""Faults: why a verified request, or a part of it, could not be read or stored. They hold no content."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from traceback import extract_tb
from typing import NamedTuple

from messaging.postgres.database import StatementRejected
from messaging.problems import OverLimit, Problem
from messaging.telemetry import log_fault, logger

MAX_ERRORS = 10
"""Errors of one request that are logged and described: a batch may hold thousands of parts."""


class FaultKind(StrEnum):
    """What kind of fault an unread request has. An operator can act on each kind except OVER_LIMIT."""

    BUG = "bug"
    """Our parser raised an exception that it should not raise."""
    UNREADABLE = "unreadable"
    """The request does not have the form that the provider documents."""
    OVER_LIMIT = "over_limit"
    """A sender wrote more than the service stores, such as a mail to a thousand recipients."""
    REFUSED = "refused"
    """The database refused a part."""
    ID_CONFLICT = "id_conflict"
    """A message with the same provider's id and other content is stored."""


class Fault(NamedTuple):
    kind: FaultKind
    text: str


def describe(errors: Sequence[Exception]) -> Fault | None:
    """Return the fault of a request. `errors` has one error for each unread part. None without errors."""
    if not errors:
        return None
    causes = [_describe(error) for error in errors[:MAX_ERRORS]]
    if len(errors) > MAX_ERRORS:
        causes.append(f"and {len(errors) - MAX_ERRORS} more")
    kinds = {_kind(error) for error in errors}
    return Fault(next(kind for kind in _BY_URGENCY if kind in kinds), "; ".join(causes))


_BY_URGENCY = (FaultKind.BUG, FaultKind.REFUSED, FaultKind.UNREADABLE, FaultKind.OVER_LIMIT)


def _kind(error: Exception) -> FaultKind:
    if isinstance(error, OverLimit):
        return FaultKind.OVER_LIMIT
    if isinstance(error, Problem):
        return FaultKind.UNREADABLE
    return FaultKind.REFUSED if isinstance(error, StatementRejected) else FaultKind.BUG


def _describe(error: Exception) -> str:
    name = type(error).__name__
    if isinstance(error, Problem):
        fields = ", ".join(field_error["field"] for field_error in error.errors)
        return f"{name}: {fields}" if fields else name
    if isinstance(error, StatementRejected):
        return " ".join(("Rejected by the database:", *filter(None, error.args)))
    frame = extract_tb(error.__traceback__)[-1]
    return f"{name} in {Path(frame.filename).name}, line {frame.lineno}"


def log_errors(errors: Sequence[Exception], provider: str) -> None:
    """Log why parts could not be read. What a sender can cause at will is not an error."""
    for error in errors[:MAX_ERRORS]:
        if isinstance(error, OverLimit):
            logger.warning("Webhook over a limit", extra={"provider": provider, "reason": error.summary()})
        else:
            log_fault("Webhook unreadable", error, provider=provider, errors=len(errors))
