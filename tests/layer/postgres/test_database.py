"""Lost connections, unavailable servers, deadlocks and refused statements."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from traceback import format_exception
from urllib.parse import urlsplit

import pytest

from local.commands.openapi import load
from local.services import ports
from local.services.postgres import Postgres
from messaging.conversations import reads
from messaging.models import Status
from messaging.outbound import attempts
from messaging.postgres import database as product
from messaging.problems import Unavailable
from tests.support import messages
from tests.support.configuration import Configure
from tests.support.database import Database
from tests.support.lambda_context import Context
from tests.support.postgres_proxy import End, Proxy
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("how", [End.CLOSED, End.RESET])
def test_a_connection_that_ended_while_idle_is_replaced(
    database: Database, proxy: Proxy, how: End, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.end_all(how)
    messages.accept()
    assert database.value("SELECT count(*) FROM messages") == 1
    assert not caplog.records


@pytest.mark.slow
def test_a_connection_that_went_silent_is_replaced(database: Database, proxy: Proxy) -> None:
    proxy.end_all(End.SILENT)
    started = time.monotonic()
    messages.accept()
    assert time.monotonic() - started < product.ANSWER_TIMEOUT + product.CONNECT_TIMEOUT
    messages.accept()
    assert database.value("SELECT count(*) FROM messages") == 2


def test_refused_connections_are_unavailable_until_the_server_accepts_again(
    database: Database, proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.shut_out()
    proxy.end_all(End.CLOSED)
    for _ in range(3):
        with pytest.raises(Unavailable) as raised:
            messages.accept()
        assert raised.value.headers == {"Retry-After": "5"}
    proxy.let_in()
    messages.accept()
    assert database.value("SELECT count(*) FROM messages") == 1
    assert {record.message for record in caplog.records} == {"Database unavailable"}


@pytest.mark.slow
def test_a_connection_that_the_server_terminated_is_replaced(database: Database) -> None:
    for _ in range(3):
        reads.check_schema()
        others = "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"
        terminated = database.rows(f"SELECT pg_terminate_backend(pid, 1000) {others} AND state = 'idle'")
        assert [True] in terminated
        messages.accept()
    assert database.value("SELECT count(*) FROM messages") == 3


@pytest.fixture
def server(tmp_path: Path, configure: Configure) -> Iterator[Postgres]:
    """A server for one test, which can stop it."""
    server = Postgres(tmp_path, ports.choose("127.0.0.1", 0, ""), durable=False)
    server.start()
    configure(DATABASE_URL=server.url)
    yield server
    product.disconnect()
    server.stop()
    server.clear()


@pytest.mark.slow
def test_statements_work_after_a_restart_of_the_server(server: Postgres, context: Context) -> None:
    load("migrate").handler({}, context)
    messages.own_all()
    assert messages.accept()[1].id == 1
    server.stop()
    with pytest.raises(Unavailable):
        messages.accept()
    server.start()
    assert messages.accept()[1].id == 2
    server.stop()
    server.start()
    assert messages.accept()[1].id == 3


def test_a_database_that_is_not_migrated_is_unavailable(server: Postgres) -> None:
    for use in (reads.check_schema, messages.accept, lambda: reads.get_message(messages.ACCOUNT, 1)):
        with pytest.raises(Unavailable):
            use()


def test_a_rejected_login_is_unavailable(database: Database, configure: Configure) -> None:
    parts = urlsplit(database.url)
    stranger = parts._replace(netloc=f"stranger:wrong@{parts.hostname}:{parts.port}").geturl()
    configure(DATABASE_URL=stranger)
    product.disconnect()
    with pytest.raises(Unavailable):
        reads.check_schema()


def test_missing_database_settings_are_named(configure: Configure) -> None:
    configure(DATABASE_URL="", DATABASE_SECRET_ARN="")
    with pytest.raises(RuntimeError, match="neither DATABASE_URL nor DATABASE_SECRET_ARN"):
        product.connect()


@pytest.mark.slow
def test_a_statement_runs_again_after_a_deadlock_and_takes_effect_once(
    database: Database, other: Database
) -> None:
    """Recording locks the attempt and then the message; another session locks them in reverse order."""
    message = messages.claim_new()
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    before = database.value(deadlocks)
    other.rows("BEGIN")
    other.rows("SET LOCAL deadlock_timeout = '1 min'")  # so that the statement under test is the victim
    other.rows("SELECT 1 FROM messages FOR UPDATE")
    with ThreadPoolExecutor(1) as pool:
        recording = pool.submit(attempts.record, message.token, Status.SENT, provider_message_id="p-1")
        eventually(lambda: database.value("SELECT count(*) FROM pg_locks WHERE NOT granted"))
        # This returns when Postgres cancels the statement under test.
        other.rows("SELECT 1 FROM attempts FOR UPDATE")
        other.rows("COMMIT")
        assert recording.result().status is Status.SENT
    assert database.value("SELECT count(*) FROM message_events") == 1
    eventually(lambda: database.value(deadlocks) != before)


@pytest.fixture
def contested(database: Database) -> Iterator[Callable[[int, str], int]]:
    """A function that fails its first calls. It counts with a sequence, which a rollback does not reset."""
    database.rows("CREATE SEQUENCE tries")
    database.rows(
        "CREATE FUNCTION contested(in_losses integer, in_code text, OUT tried integer) LANGUAGE plpgsql AS"
        " $$ BEGIN tried := nextval('tries');"
        " IF tried <= in_losses THEN RAISE EXCEPTION USING ERRCODE = in_code; END IF; END $$"
    )

    def contest(losses: int, code: str) -> int:
        [(tried,)] = product.call("contested", losses=losses, code=code)
        return int(tried)

    yield contest
    database.rows("DROP FUNCTION contested; DROP SEQUENCE tries")


@pytest.mark.parametrize("code", ["40001", "40P01"])
def test_a_statement_runs_again_after_a_serialization_failure(
    contested: Callable[[int, str], int], code: str
) -> None:
    assert contested(10, code) == 11


def test_endless_serialization_failures_are_unavailable(contested: Callable[[int, str], int]) -> None:
    with pytest.raises(Unavailable):
        contested(1000, "40001")


@pytest.mark.parametrize("code", ["25006", "3D000", "53300", "55000", "57P03"])
def test_a_server_that_cannot_serve_is_tried_once_more_with_a_new_connection(
    contested: Callable[[int, str], int], code: str
) -> None:
    process = "SELECT pg_backend_pid()"
    before = product.run(process)
    assert contested(1, code) == 2
    assert product.run(process) != before
    with pytest.raises(Unavailable):
        contested(1000, code)


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("INSERT INTO contact_addresses (address, contact_id) VALUES ($1, 9)", "23503"),
        ("SELECT CAST($1 AS integer)", "22003"),
        ("SELECT CAST($1 AS jsonb)", "22P02"),
    ],
)
def test_the_error_of_a_refused_statement_does_not_contain_its_values(
    database: Database, statement: str, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    secret = messages.CONTACT
    with pytest.raises(product.StatementRejected, match=code) as raised:
        product.run(statement, secret)
    assert secret not in "".join(format_exception(raised.value))
    assert not caplog.records
