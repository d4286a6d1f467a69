"""`python -m local start`: what it shows, what it serves, and what it leaves behind."""

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
from tests.support.local.command import Run, all_gone, started
from tests.support.waiting import eventually

TEMPLATE = PROJECT / "template.yaml"
SUCCESS = [202, 202, 202, 200, 200, 200, 200, 200]


@dataclass(frozen=True)
class FirstRun:
    """A run that Ctrl-C has stopped."""

    folder: Path
    ports: dict[str, int]
    answers: list[Answer]
    messages: Answer
    processes: list[psutil.Process]
    exit_code: int
    output: str


@pytest.fixture(scope="module")
def first() -> Iterator[FirstRun]:
    """A run in a new folder. The user of Postgres cannot reach pytest's folders if we are root."""
    with tempfile.TemporaryDirectory(prefix="messaging-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with started(folder, template=TEMPLATE) as run:
            answers = [run_curl(line) for line in shown_commands(run)]
            eventually(lambda: delivered(run.url) == [1, 2, 3], 60)
            messages = get(f"{run.url}/api/conversations/1/messages")
            processes = run.processes()
            code = run.stop(signal.SIGINT)
        yield FirstRun(folder, run.ports, answers, messages, processes, code, run.output)


def shown_commands(run: Run) -> list[str]:
    return [line for line in run.output.splitlines() if line.startswith("  curl ")]


def run_curl(line: str) -> Answer:
    """Send the request of a curl command."""
    _, url, *options = shlex.split(line)
    pairs = list(zip(options[::2], options[1::2], strict=True))
    headers = dict(value.split(": ", 1) for option, value in pairs if option == "-H")
    body = dict(pairs).get("-d")
    return call("POST" if body else "GET", url, body, headers)


def make_key(run: Run) -> str:
    """Create a key with the command that the output shows."""
    [command] = [line for line in run.output.splitlines() if " keys create " in line]
    completed = subprocess.run(shlex.split(command), cwd=PROJECT, capture_output=True, check=True)
    key: str = json.loads(completed.stdout)["key"]
    return key


def delivered(url: str) -> list[int]:
    return [id for id in (1, 2, 3) if get(f"{url}/api/messages/{id}").body["status"] == "delivered"]


def test_each_step_is_shown_and_then_what_to_try(first: FirstRun) -> None:
    services = ["Postgres: ", "Provider simulator: ", "SQS"]  # in any order
    steps = ["Functions: ", "Migrating", "Ready: ", "Try", "Stopping"]
    shown: list[str] = []
    for line in first.output.splitlines():
        shown += [step for step in services + steps if line.startswith(step)]
    assert sorted(shown[:3]) == services
    assert shown[3:] == steps
    assert f"Ready: http://127.0.0.1:{first.ports['--port']}" in first.output


def test_the_commands_it_shows_work_in_their_order(first: FirstRun) -> None:
    assert [answer.status for answer in first.answers] == SUCCESS
    *_, conversations, messages = first.answers
    assert len(conversations.body["conversations"]) == 2
    assert len(messages.body["messages"]) == 4


def test_ctrl_c_leaves_no_process_and_every_port_free(first: FirstRun) -> None:
    assert first.exit_code == 0
    assert all_gone(first.processes)
    for option, port in first.ports.items():
        assert ports.choose("127.0.0.1", port, option) == port


def test_the_output_has_no_errors(first: FirstRun) -> None:
    assert "Traceback" not in first.output
    assert "ERROR" not in first.output


def test_the_next_start_has_the_data(first: FirstRun) -> None:
    with started(first.folder, template=TEMPLATE) as run:
        assert get(f"{run.url}/api/conversations/1/messages") == first.messages
        answers = [run_curl(line) for line in shown_commands(run) if "/api/messages/sms" in line]
        assert [(answer.status, answer.body["id"]) for answer in answers] == [(202, 7), (202, 8)]
        assert {answer.body["conversation_id"] for answer in answers} == {1}


def test_with_auth_it_shows_how_to_create_and_send_a_key() -> None:
    with tempfile.TemporaryDirectory(prefix="messaging-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with started(folder, "--auth", template=TEMPLATE) as run:
            lines = shown_commands(run)
            assert [run_curl(line).status for line in lines] == [403, 403, 403, 200, 200, 200, 403, 403]
            key = make_key(run)
            assert [run_curl(line.replace("mk_...", key)).status for line in lines] == SUCCESS


def test_an_address_that_an_operator_removes_stays_removed_at_the_next_start() -> None:
    with tempfile.TemporaryDirectory(prefix="messaging-") as name:
        for status in (204, 404):
            with running(folder=Path(name), relay_every=0, polling=False) as stack:
                answer = stack.invoke("Admin", {"operator": "DELETE /api/admin/addresses/*"})
            assert answer["statusCode"] == status
