"""The routes of the HTTP API: which route serves a request, and which authorizer protects the route."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import unquote

from local.errors import CannotStart

NONE = "NONE"
"""The authorizer of a public route."""


@dataclass(frozen=True)
class Authorizer:
    """A Lambda authorizer with payload 2.0 and simple responses."""

    function: str
    headers: tuple[str, ...]
    """The identity sources."""
    cache_seconds: float
    """How long its responses are cached."""


@dataclass(frozen=True)
class Route:
    """`method` and `path` are empty for the `$default` route. A route without an authorizer is public."""

    method: str
    path: str
    function: str
    authorizer: Authorizer | None = None

    @property
    def key(self) -> str:
        return f"{self.method} {self.path}" if self.path else "$default"


def authorizer(api: Mapping[str, Any], route: Mapping[str, Any]) -> Authorizer | None:
    """Return the authorizer that `Auth` declares for a route or for its API. Raises CannotStart."""
    name = route.get("Authorizer", api.get("DefaultAuthorizer", NONE))
    if name == NONE:
        return None
    declared = api["Authorizers"][name]
    if declared.get("AuthorizerPayloadFormatVersion") != "2.0" or not declared.get("EnableSimpleResponses"):
        raise CannotStart(
            f"the authorizer {name} must have payload format 2.0 and simple responses (template/routes.py)"
        )
    identity, function = declared["Identity"], declared["FunctionArn"].rsplit(":", 1)[-1]
    return Authorizer(function, tuple(identity["Headers"]), float(identity.get("ReauthorizeEvery", 300)))


class Match(NamedTuple):
    route: Route
    variables: Mapping[str, str]


class Routes:
    def __init__(self, routes: Sequence[Route]) -> None:
        self._default: Route | None = None
        self._routes: list[Route] = []
        for route in sorted(routes, key=_specificity):
            if route.path:
                self._routes.append(route)
            else:
                self._default = route

    def match(self, method: str, path: str) -> Match | None:
        parts = [unquote(part) for part in path.split("/")]
        for route in self._routes:
            if route.method in (method, "ANY"):
                variables = _variables(route.path.split("/"), parts)
                if variables is not None:
                    return Match(route, variables)
        return Match(self._default, {}) if self._default else None


def _specificity(route: Route) -> tuple[bool, list[bool]]:
    """Sort key: a literal part comes before a variable `{id}`, and a greedy path `{rest+}` comes last."""
    return route.path.endswith("+}"), [part.startswith("{") for part in route.path.split("/")]


def _variables(pattern: list[str], parts: list[str]) -> dict[str, str] | None:
    """Return the variables of a path that matches a pattern, or None if it does not match."""
    if pattern[-1].endswith("+}"):  # the greedy variable takes all remaining parts
        greedy = len(pattern) - 1
        pattern = [*pattern[:greedy], pattern[greedy].replace("+", "")]
        parts = [*parts[:greedy], "/".join(parts[greedy:])]
    if len(pattern) != len(parts):
        return None
    variables = {}
    for expected, part in zip(pattern, parts, strict=True):
        if expected.startswith("{") and part:
            variables[expected.strip("{}")] = part
        elif expected != part:
            return None
    return variables
