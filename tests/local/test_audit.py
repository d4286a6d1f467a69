"""What is known against a dependency fails the gate; that nobody can be asked does not."""

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
FLAW = {
    "id": "PYSEC-2030-1",
    "summary": "It can be made to do what it should not.",
    "affected": [{"package": {"name": "mako", "ecosystem": "PyPI"}, "ranges": []}],
}


@contextmanager
def serving(*, flawed: str = "") -> Iterator[tuple[str, list[str]]]:
    """A service that knows something against one package, and whom it was asked about."""
    asked: list[str] = []

    def answer(request: Request) -> Response:
        name = json.loads(request.body)["package"]["name"]
        asked.append(name)
        return json_response(200, {"vulns": [FLAW]} if name == flawed else {})

    server = Server("127.0.0.1", 0, answer)
    server.start()
    yield f"{server.url}/v1/query", asked
    server.stop()


def audited(service: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *audit.command(service=service)]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)


def test_every_pin_is_asked_about() -> None:
    with serving() as (service, asked):
        done = audited(service)
    assert done.returncode == 0, done.stderr
    assert set(asked) == {pin.name for pin in PINNED if pin.marker is None or pin.marker.evaluate()}
    assert len(asked) == len(set(asked))
    assert {"pydantic", "alembic", "pytest"} <= set(asked)


def test_what_is_known_against_one_is_a_failure_that_names_it() -> None:
    with serving(flawed="mako") as (service, _):
        done = audited(service)
    assert done.returncode == 1
    assert "mako" in done.stdout
    assert "PYSEC-2030-1" in done.stdout


def test_a_service_that_answers_is_reachable() -> None:
    with serving() as (service, asked):
        assert audit.reachable(service)
    assert asked == ["pip"]


@pytest.mark.parametrize(
    "response", [Response(200, b"<html>"), Response(403), Response(503), json_response(200, [])]
)
def test_what_answers_with_something_else_is_not(response: Response) -> None:
    server = Server("127.0.0.1", 0, lambda _: response)
    server.start()
    assert not audit.reachable(server.url)
    server.stop()


def test_what_does_not_answer_is_not() -> None:
    assert not audit.reachable("http://127.0.0.1:9/v1/query")
