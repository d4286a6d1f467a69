"""Circuit breakers: providers that are skipped after failures, as GET /healthz and the relay show them.

The attempts open and close the circuits: see functions/migrate/sql/outbound_circuits.sql.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime

from messaging.models import Model
from messaging.postgres.database import run


class Circuit(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    """The provider keeps failing and is skipped."""
    HALF_OPEN = "half_open"
    """The provider was skipped for long enough. The next message tries it."""


class ProviderHealth(Model):
    name: str
    circuit: Circuit
    open_until: AwareDatetime | None


class Health(Model):
    """The service can work. With `detail`, the state of each provider."""

    status: Literal["ok"] = "ok"
    providers: list[ProviderHealth] | None = None


_NOT_CLOSED = """
    SELECT provider, open_until, open_until <= clock_timestamp() AS is_half_open
      FROM circuits WHERE open_until IS NOT NULL
"""
_OPEN = "SELECT provider FROM circuits WHERE open_until > clock_timestamp()"


def list_health(names: Iterable[str]) -> list[ProviderHealth]:
    """Return the state of each provider's circuit, in the order of the names.

    Raises Unavailable if the database does not answer.
    """
    not_closed = {}
    for name, open_until, is_half_open in run(_NOT_CLOSED):
        circuit = Circuit.HALF_OPEN if is_half_open else Circuit.OPEN
        not_closed[name] = ProviderHealth(name=name, circuit=circuit, open_until=open_until)
    return [
        not_closed.get(name) or ProviderHealth(name=name, circuit=Circuit.CLOSED, open_until=None)
        for name in names
    ]


def list_open() -> Sequence[str]:
    """Return the names of the providers whose circuits are open. Half-open circuits are not among them."""
    return [provider for (provider,) in run(_OPEN)]
