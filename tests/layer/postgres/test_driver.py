"""The driver: all types, refused statements, and connections that end at any byte."""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pg8000
import pytest

from messaging.models import Status
from messaging.postgres import database as product
from messaging.postgres import driver
from tests.support.configuration import Configure
from tests.support.database import Database
from tests.support.postgres_proxy import End, Loss, Proxy

NOON = datetime(2024, 11, 1, 12, tzinfo=UTC)
TEXT = "\u00e4 \U0001f600 ' \" \\\\ {} %s :name \t\r\n\x01"
DOCUMENTS: list[object] = [{}, [], {TEXT: [1, None, {"a": True}]}, "text", 5]
VALUES: list[tuple[str, object]] = [
    *(("text", value) for value in ("", TEXT, "x" * 2**20, Status.SENT, None)),
    *(("integer", value) for value in (0, -(2**31), 2**31 - 1, None)),
    *(("bigint", value) for value in (-(2**63), 2**63 - 1)),
    *(("boolean", value) for value in (True, False, None)),
    *(("double precision", value) for value in (0.1, -1e300)),
    *(("uuid", value) for value in (UUID(int=0), UUID(int=2**128 - 1), None)),
    *(("bytea", value) for value in (b"", bytes(range(256)), b"\0" * 2**20)),
    *(("timestamptz", value) for value in (NOON, datetime.min.replace(tzinfo=UTC), None)),
    *(
        ("interval", value)
        for value in (timedelta(), timedelta(days=-1, microseconds=1), timedelta(days=999))
    ),
    *(("text[]", value) for value in ([], ["", TEXT, "NULL", "{}", ","], None)),
    *(("bigint[]", value) for value in ([], [1, -(2**63)])),
    *(("uuid[]", value) for value in ([], [UUID(int=1)])),
]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(("kind", "value"), VALUES, ids=lambda value: str(value)[:30])
def test_values_of_every_type_survive_a_round_trip(kind: str, value: object) -> None:
    assert product.run(f"SELECT $1::{kind}", value) == [[value]]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("document", DOCUMENTS)
def test_json_is_sent_as_text_and_returned_parsed(document: object) -> None:
    assert product.run("SELECT $1::jsonb", json.dumps(document)) == [[document]]


@pytest.fixture
def connection(database: Database) -> Iterator[driver.Connection]:
    """A connection for one test, in autocommit."""
    connection = product.connect()
    connection.autocommit = True
    yield connection
    connection.close()


def rows(connection: pg8000.Connection, statement: str, *values: object) -> tuple[object, object]:
    cursor = connection.cursor()
    cursor.execute(statement, values)
    return (cursor.fetchall() if cursor.description else None), cursor.description


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        ("SELECT %s::text AS a, %s::int AS b", (TEXT, 5)),
        ("SELECT n FROM generate_series(1, %s) n", (5000,)),
        ("SELECT 1 WHERE %s = 2", (1,)),
        ("CREATE TEMPORARY TABLE items AS SELECT %s::text AS a", ("x",)),
        ("SELECT", ()),
        ("", ("unused",)),
        ("SELECT " + ", ".join(["%s::text"] * 1600), tuple(map(str, range(1600)))),
        ("SELECT length(%s)", ("x" * 20_000_000,)),
    ],
    ids=range(8),
)
def test_results_are_those_of_the_stock_driver(
    connection: driver.Connection, configure: Configure, statement: str, values: tuple[object, ...]
) -> None:
    configure(ONE_ROUND_TRIP="false")
    stock = product.connect()
    stock.autocommit = True
    assert type(stock) is pg8000.Connection
    try:
        expected = rows(stock, statement, *values) if statement else None
    finally:
        stock.close()
    if expected is not None:
        assert rows(connection, statement, *values) == expected
    assert rows(connection, "SELECT %s::int", 7)[0] == ([7],)


REFUSED = [
    ("SELEC %s", ("x",), "42601"),
    ("SELECT %s::int", ("x",), "22P02"),
    ("SELECT 1 / %s::int", (0,), "22012"),
    ("SELECT * FROM nothing WHERE a = %s", (1,), "42P01"),
    ("SELECT %s::text", ("a\0b",), "22021"),
    ("INSERT INTO contacts (id) OVERRIDING SYSTEM VALUE VALUES (%s), (1)", (1,), "23505"),
    ("SELECT %s + $2", (1,), "42725"),
    ("SELECT pg_sleep(5), %s", (1,), "57014"),
    ("SELECT 1 / (n - 3000), %s FROM generate_series(1, 5000) n", (1,), "22012"),
]


@pytest.mark.parametrize(("statement", "values", "code"), REFUSED, ids=[code for *_, code in REFUSED])
def test_a_refused_statement_has_its_code_and_the_connection_stays_usable(
    connection: driver.Connection, statement: str, values: tuple[object, ...], code: str
) -> None:
    rows(connection, "SET statement_timeout = 100")
    for _ in range(2):
        with pytest.raises(pg8000.DatabaseError) as raised:
            rows(connection, statement, *values)
        assert raised.value.args[0]["C"] == code
        assert rows(connection, "SELECT %s::int", 7)[0] == ([7],)


def test_a_value_that_cannot_be_encoded_is_not_sent(connection: driver.Connection) -> None:
    with pytest.raises(UnicodeEncodeError):
        rows(connection, "SELECT %s::text", "\ud800")
    assert rows(connection, "SELECT %s::int", 7)[0] == ([7],)


def test_transactions_commit_and_roll_back(connection: driver.Connection) -> None:
    connection.autocommit = False
    rows(connection, "CREATE TEMPORARY TABLE items (a int)")
    connection.commit()
    for end in (connection.rollback, connection.commit):
        rows(connection, "INSERT INTO items VALUES (%s)", 1)
        end()
    assert rows(connection, "SELECT a FROM items WHERE a = %s", 1)[0] == ([1],)


def test_a_closed_connection_raises_interface_error(connection: driver.Connection) -> None:
    other = product.connect()
    other.close()
    with pytest.raises(pg8000.InterfaceError, match="closed"):
        rows(other, "SELECT %s", 1)


LONG = "x" * 100_000
ANSWER = 100_000 + 60  # bytes: the text and a few bytes of the protocol


@pytest.mark.parametrize("end", [End.CLOSED, End.RESET])
@pytest.mark.parametrize("arrives", [False, True])
@pytest.mark.parametrize("answered", [0, 1, 4, 5, 6, 9, 10, 14, 15, 40, 1000, ANSWER])
def test_a_connection_that_ends_at_any_byte_raises_an_error(
    database: Database, configure: Configure, end: End, arrives: bool, answered: int
) -> None:
    proxy = Proxy(database.url)
    configure(DATABASE_URL=proxy.url)
    connection = product.connect()
    connection.autocommit = True
    try:
        proxy.lose(Loss(end, arrives=arrives, answered=answered))
        with pytest.raises((pg8000.InterfaceError, OSError)):
            rows(connection, "SELECT %s::text", LONG)
        with pytest.raises((pg8000.InterfaceError, OSError)):
            rows(connection, "SELECT %s::text", LONG)
    finally:
        proxy.close()
        with suppress(pg8000.Error, OSError):  # the connection has ended already
            connection.close()
