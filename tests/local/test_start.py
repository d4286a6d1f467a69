import json
import os
import re
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from local import Options
from local.http.client import opener
from local.services import ports
from tests.support.local.command import PORT_OPTIONS, Run, all_gone, started


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the user of Postgres can reach if we are root. It cannot reach pytest's."""
    # After a signal during initdb, the process that it has just started can still write for a moment.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.parametrize("option", PORT_OPTIONS)
def test_a_taken_port_is_named_with_its_option(folder: Path, template: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        run = Run(folder, option, str(port), template=template)
        assert run.process.wait(30) == 1
    first, second = run.output.splitlines()
    assert first == f"error: 127.0.0.1:{port} cannot be used (Address already in use)"
    assert second.startswith(f"Choose other ports, for example: {option} ")


def test_every_taken_port_is_listed_with_a_free_one(folder: Path, template: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as api, socket.create_server(("127.0.0.1", 0)) as aws:
        taken_ports = api.getsockname()[1], aws.getsockname()[1]
        run = Run(folder, "--port", str(taken_ports[0]), "--aws-port", str(taken_ports[1]), template=template)
        assert run.process.wait(30) == 1
    for port in taken_ports:
        assert f"127.0.0.1:{port} cannot be used (Address already in use)\n" in run.output
    [arguments] = re.findall(r'\(make start ARGS="(.*)"\)\n', run.output)
    suggested = dict(zip(arguments.split()[::2], arguments.split()[1::2], strict=True))
    assert suggested.keys() == {"--port", "--aws-port"}
    for option, port in suggested.items():
        assert ports.choose("127.0.0.1", int(port), option)


def test_two_options_cannot_name_the_same_port(folder: Path, template: Path) -> None:
    port = str(ports.choose("127.0.0.1", 0, "--port"))
    run = Run(folder, "--port", port, "--provider-port", port, template=template)
    assert run.process.wait(30) == 1
    assert f"127.0.0.1:{port} cannot be used (two options name it)\n" in run.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--parameter", "Colour=red"], "error: the template has no parameter Colour"),
        (["--parameter", "Colour"], "error: --parameter Colour: must have the form NAME=VALUE"),
        (["--template", "nowhere.yaml"], "error: there is no template nowhere.yaml"),
        (
            ["services", "--host", "0.0.0.0"],
            "error: --host 0.0.0.0: must be 127.0.0.1 or the address of Docker's bridge",
        ),
        (["--host", "127.0.0.2"], "error: --host is for services"),
    ],
)
def test_a_wrong_argument_is_reported_before_anything_starts(
    folder: Path, template: Path, arguments: list[str], message: str
) -> None:
    run = Run(folder, *arguments, template=template)
    assert run.process.wait(30) == 1
    assert run.output.startswith(message)
    assert run.output.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything(folder: Path, template: Path, number: int) -> None:
    with started(folder, template=template) as run:
        processes = run.processes()
        assert len(processes) > 10
        assert run.stop(number) == 0
        assert all_gone(processes)


def test_a_failed_migration_stops_what_was_started(folder: Path) -> None:
    function = {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": ".", "Handler": "app.handler"}}
    (folder / "template.yaml").write_text(json.dumps({"Resources": {"Migrate": function}}))
    (folder / "app.py").write_text("def handler(event, context): raise ValueError('as asked')")
    run = Run(folder, template=folder / "template.yaml")
    assert run.process.wait(60) == 1
    assert "error: Migrate failed: ValueError: as asked; see " in run.output
    for option, port in run.ports.items():
        assert ports.choose("127.0.0.1", port, option) == port


def test_an_unknown_provider_stops_what_was_started(folder: Path) -> None:
    run = Run(folder, "--parameter", "Providers=twillio,email", template=Options.template)
    assert run.process.wait(60) == 1
    assert run.output.splitlines()[-1].startswith(
        "error: SendMessage does not start: PROVIDERS: 'twillio' is of the type 'twillio'; the types are "
    )
    assert "Not simulated; these providers need a secret of yours: twillio\n" in run.output


def test_a_signal_during_the_start_stops_everything(folder: Path, template: Path) -> None:
    run = Run(folder, template=template)
    run.wait_for("SQS")
    processes = run.processes()
    assert run.stop() == 0
    assert all_gone(processes)


def test_a_kill_leaves_no_process_and_the_next_start_has_the_data(folder: Path, template: Path) -> None:
    with started(folder, template=template) as run:
        run.sql("CREATE TABLE kept (n int)")
        with socket.create_connection(("127.0.0.1", run.ports["--port"])) as busy:
            busy.sendall(b"GET /act/sleep HTTP/1.1\r\n\r\n")
            processes = run.processes()
            run.stop(signal.SIGKILL)
            assert all_gone(processes)
    with started(folder, "services", template=template) as run:
        assert run.sql("SELECT count(*) FROM kept") == [[0]]


def lock_of(cluster: object) -> Path:
    """Return the lock file. Its first line is the id of the process that serves the cluster."""
    return Path(str(cluster)) / "postmaster.pid"


def test_an_orphaned_postgres_is_stopped_at_the_next_start(folder: Path, template: Path) -> None:
    with started(folder, "services", template=template) as run:
        processes = run.processes()
        [[cluster]] = run.sql("SHOW data_directory")
        postmaster = psutil.Process(int(lock_of(cluster).read_text().splitlines()[0]))
        run.process.send_signal(signal.SIGSTOP)  # so that it does not notice
        postmaster.parent().kill()
        run.stop(signal.SIGKILL)
        assert postmaster.is_running()
    with started(folder, "services", template=template) as run:
        assert all_gone(processes)
        assert run.sql("SELECT 1") == [[1]]


def test_a_lock_file_with_another_program_s_process_id_is_ignored(folder: Path, template: Path) -> None:
    with started(folder, "services", template=template) as run:
        [[cluster]] = run.sql("SHOW data_directory")
    lock_of(cluster).write_text(f"{os.getpid()}\n{cluster}\n1\n1\n\n127.0.0.1\n0 0\nready\n")
    with started(folder, "services", template=template) as run:
        assert run.sql("SELECT 1") == [[1]]


def test_only_one_run_can_use_a_folder(folder: Path, template: Path) -> None:
    with started(folder, "services", template=template):
        (folder / "second").mkdir()
        second = Run(folder / "second", "--data", str(folder / "data"), template=template)
        assert second.process.wait(30) == 1
        assert "is in use by another run" in second.output


def test_fresh_deletes_the_data(folder: Path, template: Path) -> None:
    with started(folder, "services", template=template) as run:
        run.sql("CREATE TABLE kept (n int)")
        secret = (folder / "data" / "signing-secret").read_text()
    assert (folder / "data" / "signing-secret").stat().st_mode & 0o777 == 0o600
    with started(folder, "services", "--fresh", template=template) as run:
        assert run.sql("SELECT to_regclass('kept')") == [[None]]
        assert (folder / "data" / "signing-secret").read_text() != secret


def test_start_shows_every_url_and_logs_requests(folder: Path, template: Path) -> None:
    with started(folder, "--parameter", "Greeting=hi there", template=template) as run:
        with opener.open(f"{run.url}/act/environment") as answer:
            variables = json.load(answer)["variables"]
        assert variables["GREETING"] == "hi there"
        run.wait_for("GET /act/environment 200 in ")
        for port in run.ports.values():
            assert f"127.0.0.1:{port}" in run.output
        assert run.output.count("  curl ") == 8
        assert "Importer does not start: ModuleNotFoundError: No module named 'functions'" in run.output


def test_start_warns_that_sends_are_real_if_it_is_given_a_secret(folder: Path, template: Path) -> None:
    with started(folder, "--parameter", "ProviderSecretArn=mine", template=template) as run:
        run.wait_for("Ctrl-C")
        assert "Warning: messages are sent to real people." in run.output
        assert "the secret mine is used" in run.output
        commands = [line for line in run.output.splitlines() if line.startswith("  curl ")]
        assert len(commands) == 2
        assert all("/api/conversations" in command for command in commands)
        assert "requests to the providers" not in run.output


def test_nothing_listens_for_other_machines(folder: Path, template: Path) -> None:
    with started(folder, template=template) as run:
        listening = {
            connection.laddr
            for process in run.processes()
            for connection in process.net_connections()
            if connection.status == "LISTEN"
        }
    assert {address.port for address in listening} == set(run.ports.values())
    assert {address.ip for address in listening} == {"127.0.0.1"}


def test_services_runs_without_the_api(folder: Path, template: Path) -> None:
    with started(folder, "services", template=template) as run:
        assert run.sql("SELECT 1") == [[1]]
        assert f"Queue: http://127.0.0.1:{run.ports['--aws-port']}/000000000000/Queue\n" in run.output
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", run.ports["--port"])) != 0
