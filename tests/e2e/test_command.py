"""The one command that a newcomer types: what it says, what it serves, and what is left of it."""

import json
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from local import running
from local.options import PROJECT
from local.services import ports
from tests.support.http_client import Answer, call, get
from tests.support.local.command import Run, gone, started
from tests.support.waiting import eventually

TEMPLATE = PROJECT / "template.yaml"
WORKED = [202, 202, 202, 200, 200, 200, 200, 200]


@dataclass(frozen=True)
class FirstRun:
    """What there is to know of it, once Ctrl-C has ended it."""

    folder: Path
    ports: dict[str, int]
    answers: list[Answer]
    messages: Answer
    family: list[psutil.Process]
    exit_code: int
    output: str


@pytest.fixture(scope="module")
def first() -> Iterator[FirstRun]:
    """On a new folder, which is not pytest's: that is closed to the user whom Postgres may run as."""
    with tempfile.TemporaryDirectory(prefix="messaging-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with started(folder, template=TEMPLATE) as run:
            answers = [shell(line) for line in shown(run)]
            eventually(lambda: delivered(run.url) == [1, 2, 3])
            messages = get(f"{run.url}/api/conversations/1/messages")
            family = run.family()
            code = run.end(signal.SIGINT)
        yield FirstRun(folder, run.ports, answers, messages, family, code, run.output)


def shown(run: Run) -> list[str]:
    return [line for line in run.output.splitlines() if line.startswith("  curl ")]


def shell(line: str) -> Answer:
    """What it shows to try, as a shell and curl take it."""
    _, url, *options = shlex.split(line)
    given = list(zip(options[::2], options[1::2], strict=True))
    headers = dict(value.split(": ", 1) for option, value in given if option == "-H")
    body = dict(given).get("-d")
    return call("POST" if body else "GET", url, body, headers)


def make_key(run: Run) -> str:
    """By the command that it shows for that."""
    [command] = [line for line in run.output.splitlines() if " keys create " in line]
    made = subprocess.run(shlex.split(command), cwd=PROJECT, capture_output=True, check=True)
    key: str = json.loads(made.stdout)["key"]
    return key


def delivered(url: str) -> list[int]:
    return [id for id in (1, 2, 3) if get(f"{url}/api/messages/{id}").body["status"] == "delivered"]


def test_it_says_each_step_and_then_what_to_try(first: FirstRun) -> None:
    begun = ["Postgres: ", "Provider simulator: ", "SQS"]  # in whatever order
    then = ["Functions: ", "Migrating", "Ready: ", "Try", "Stopping"]
    lines = [line for line in first.output.splitlines() if line.startswith((*begun, *then))]
    assert sorted(next(step for step in begun if line.startswith(step)) for line in lines[:3]) == sorted(
        begun
    )
    assert [next(step for step in then if line.startswith(step)) for line in lines[3:]] == then
    assert f"Ready: http://127.0.0.1:{first.ports['--port']}" in first.output


def test_what_it_shows_to_try_works_in_its_order(first: FirstRun) -> None:
    assert [answer.status for answer in first.answers] == WORKED
    *_, conversations, messages = first.answers
    assert len(conversations.body["conversations"]) == 2
    assert len(messages.body["messages"]) == 4


def test_ctrl_c_leaves_no_process_behind_and_every_port_free(first: FirstRun) -> None:
    assert first.exit_code == 0
    assert gone(first.family)
    for option, port in first.ports.items():
        assert ports.choose("127.0.0.1", port, option) == port


def test_nothing_that_happened_is_told_as_an_error(first: FirstRun) -> None:
    assert "Traceback" not in first.output
    assert "ERROR" not in first.output


def test_what_was_kept_is_there_at_the_next_start(first: FirstRun) -> None:
    with started(first.folder, template=TEMPLATE) as run:
        assert get(f"{run.url}/api/conversations/1/messages") == first.messages
        answers = [shell(line) for line in shown(run) if "/api/messages/sms" in line]
        assert [(answer.status, answer.body["id"]) for answer in answers] == [(202, 7), (202, 8)]
        assert {answer.body["conversation_id"] for answer in answers} == {1}


def test_where_a_key_is_asked_for_it_shows_how_to_make_and_send_one() -> None:
    with tempfile.TemporaryDirectory(prefix="messaging-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with started(folder, "--auth", template=TEMPLATE) as run:
            lines = shown(run)
            assert [shell(line).status for line in lines] == [403, 403, 403, 200, 200, 200, 403, 403]
            key = make_key(run)
            assert [shell(line.replace("mk_...", key)).status for line in lines] == WORKED


def test_what_an_operator_takes_away_is_not_given_back_by_the_next_start() -> None:
    with tempfile.TemporaryDirectory(prefix="messaging-") as name:
        for status in (204, 404):
            with running(folder=Path(name), relay_every=0, polling=False) as stack:
                answer = stack.invoke("Admin", {"operator": "DELETE /api/admin/addresses/*"})
            assert answer["statusCode"] == status
