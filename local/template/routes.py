"""The HTTP API's routes: which one a request takes, and which authorizer is asked before."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import unquote

from local.errors import CannotStart

NONE = "NONE"
"""The authorizer of a route that stands open."""


@dataclass(frozen=True)
class Authorizer:
    """Is asked with payload 2.0, and answers simply."""

    function: str
    headers: tuple[str, ...]
    """Its identity sources."""
    seconds: float
    """For which its answer is kept."""


@dataclass(frozen=True)
class Route:
    """`method` and `path` are empty for the `$default` route; without an authorizer it stands open."""

    method: str
    path: str
    function: str
    authorizer: Authorizer | None = None

    @property
    def key(self) -> str:
        return f"{self.method} {self.path}" if self.path else "$default"


def authorizer(api: Mapping[str, Any], route: Mapping[str, Any]) -> Authorizer | None:
    """What `Auth` says of a route, or else of its API."""
    name = route.get("Authorizer", api.get("DefaultAuthorizer", NONE))
    if name == NONE:
        return None
    declared = api["Authorizers"][name]
    if declared.get("AuthorizerPayloadFormatVersion") != "2.0" or not declared.get("EnableSimpleResponses"):
        raise CannotStart(
            f"{name} is an authorizer of a kind that is not known here (local/template/routes.py)"
        )
    identity, function = declared["Identity"], declared["FunctionArn"].rsplit(":", 1)[-1]
    return Authorizer(function, tuple(identity["Headers"]), float(identity.get("ReauthorizeEvery", 300)))


class Match(NamedTuple):
    route: Route
    variables: Mapping[str, str]


class Routes:
    def __init__(self, routes: list[Route]) -> None:
        self._default = next((route for route in routes if not route.path), None)
        # Where several match, the one with a literal part earlier on is meant: {id} gives way to a name, and
        # {rest+}, which stands for all that is left, to either.
        self._routes = sorted(
            ((route, route.path.split("/")) for route in routes if route.path),
            key=lambda pair: (pair[0].path.endswith("+}"), [part.startswith("{") for part in pair[1]]),
        )

    def match(self, method: str, path: str) -> Match | None:
        parts = [unquote(part) for part in path.split("/")]
        for route, pattern in self._routes:
            if route.method in (method, "ANY"):
                variables = _variables(pattern, parts)
                if variables is not None:
                    return Match(route, variables)
        return Match(self._default, {}) if self._default else None


def _variables(pattern: list[str], parts: list[str]) -> dict[str, str] | None:
    if pattern[-1].endswith("+}"):
        ahead = len(pattern) - 1
        pattern, parts = (
            [*pattern[:-1], pattern[-1].replace("+", "")],
            [*parts[:ahead], "/".join(parts[ahead:])],
        )
    if len(pattern) != len(parts):
        return None
    variables = {}
    for expected, part in zip(pattern, parts, strict=True):
        if expected.startswith("{") and part:
            variables[expected.strip("{}")] = part
        elif expected != part:
            return None
    return variables
