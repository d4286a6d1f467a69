"""A known vulnerability of a dependency fails the gate. An unreachable service does not."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from packaging.requirements import Requirement

from local.commands import audit
from local.http.server import Request, Response, Server, json_response
from local.options import PROJECT

PINNED = [
    Requirement(line.removesuffix("\\"))
    for file in audit.PINS
    for line in (PROJECT / file).read_text().splitlines()
    if line[:1].isalnum()
]
VULNERABILITY = {
    "id": "PYSEC-2030-1",
    "summary": "It does what an attacker wants.",
    "affected": [{"package": {"name": "mako", "ecosystem": "PyPI"}, "ranges": []}],
}


@contextmanager
def serving(*, vulnerable: str = "") -> Iterator[tuple[str, list[str]]]:
    """A service like OSV with a vulnerability of one package, and the names it was asked for."""
    queried: list[str] = []

    def respond(request: Request) -> Response:
        name = json.loads(request.body)["package"]["name"]
        queried.append(name)
        return json_response(200, {"vulns": [VULNERABILITY]} if name == vulnerable else {})

    server = Server("127.0.0.1", 0, respond)
    server.start()
    yield f"{server.url}/v1/query", queried
    server.stop()


def audit_pins(service: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *audit.command(service=service)]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)


def test_every_pin_is_checked() -> None:
    with serving() as (service, queried):
        completed = audit_pins(service)
    assert completed.returncode == 0, completed.stderr
    assert set(queried) == {pin.name for pin in PINNED if pin.marker is None or pin.marker.evaluate()}
    assert len(queried) == len(set(queried))
    assert {"pydantic", "alembic", "pytest"} <= set(queried)


def test_a_known_vulnerability_fails_and_is_named() -> None:
    with serving(vulnerable="mako") as (service, _):
        completed = audit_pins(service)
    assert completed.returncode == 1
    assert "mako" in completed.stdout
    assert "PYSEC-2030-1" in completed.stdout


def test_a_service_that_answers_is_reachable() -> None:
    with serving() as (service, queried):
        assert audit.reachable(service)
    assert queried == ["pip"]


@pytest.mark.parametrize(
    "response", [Response(200, b"<html>"), Response(403), Response(503), json_response(200, [])]
)
def test_a_service_that_answers_something_else_is_not_reachable(response: Response) -> None:
    server = Server("127.0.0.1", 0, lambda _: response)
    server.start()
    assert not audit.reachable(server.url)
    server.stop()


def test_a_service_that_does_not_answer_is_not_reachable() -> None:
    assert not audit.reachable("http://127.0.0.1:9/v1/query")
