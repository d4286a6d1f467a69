"""How the service is: whether its database answers, and which providers are let alone for failing."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime

from messaging.models import Model
from messaging.postgres.database import run


class Circuit(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    """The provider keeps failing and is let alone."""
    HALF_OPEN = "half_open"
    """It has been let alone for long enough: the next message tries it."""


class ProviderHealth(Model):
    name: str
    circuit: Circuit
    open_until: AwareDatetime | None


class Health(Model):
    """That the service can work; with `detail`, how its providers are."""

    status: Literal["ok"] = "ok"
    providers: list[ProviderHealth] | None = None


_OPENED = (
    "SELECT provider, open_until, open_until <= clock_timestamp() FROM circuits WHERE open_until IS NOT NULL"
)


def of_providers(names: Iterable[str]) -> list[ProviderHealth]:
    """How each of these is, as those who deliver have found it. Raises Unavailable."""
    opened = {
        name: ProviderHealth(
            name=name, circuit=Circuit.HALF_OPEN if is_over else Circuit.OPEN, open_until=until
        )
        for name, until, is_over in run(_OPENED)
    }
    closed = (ProviderHealth(name=name, circuit=Circuit.CLOSED, open_until=None) for name in names)
    return [opened.get(one.name, one) for one in closed]
