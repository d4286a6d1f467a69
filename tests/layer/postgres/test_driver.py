"""Our part of the driver: every type, every refusal, and every way in which a link ends."""

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
@pytest.mark.parametrize(("kind", "value"), VALUES, ids=lambda one: str(one)[:30])
def test_every_type_that_we_use_comes_back_as_it_was_given(kind: str, value: object) -> None:
    assert product.run(f"SELECT $1::{kind}", value) == [[value]]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("document", DOCUMENTS)
def test_json_goes_as_text_and_comes_back_read(document: object) -> None:
    assert product.run("SELECT $1::jsonb", json.dumps(document)) == [[document]]


@pytest.fixture
def link(database: Database) -> Iterator[driver.Connection]:
    """A connection of its own, in autocommit."""
    link = product.connect()
    link.autocommit = True
    yield link
    link.close()


def rows(link: pg8000.Connection, statement: str, *values: object) -> tuple[object, object]:
    cursor = link.cursor()
    cursor.execute(statement, values)
    return (cursor.fetchall() if cursor.description else None), cursor.description


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        ("SELECT %s::text AS a, %s::int AS b", (TEXT, 5)),
        ("SELECT n FROM generate_series(1, %s) n", (5000,)),
        ("SELECT 1 WHERE %s = 2", (1,)),
        ("CREATE TEMPORARY TABLE kept AS SELECT %s::text AS a", ("x",)),
        ("SELECT", ()),
        ("", ("nobody asks for it",)),
        ("SELECT " + ", ".join(["%s::text"] * 1600), tuple(map(str, range(1600)))),
        ("SELECT length(%s)", ("x" * 20_000_000,)),
    ],
    ids=range(8),
)
def test_says_what_the_stock_driver_says(
    link: driver.Connection, configure: Configure, statement: str, values: tuple[object, ...]
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
        assert rows(link, statement, *values) == expected
    assert rows(link, "SELECT %s::int", 7)[0] == ([7],)


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
def test_a_refusal_says_why_and_leaves_the_connection_as_it_was(
    link: driver.Connection, statement: str, values: tuple[object, ...], code: str
) -> None:
    rows(link, "SET statement_timeout = 100")
    for _ in range(2):
        with pytest.raises(pg8000.DatabaseError) as refused:
            rows(link, statement, *values)
        assert refused.value.args[0]["C"] == code
        assert rows(link, "SELECT %s::int", 7)[0] == ([7],)


def test_a_value_that_cannot_be_written_never_leaves(link: driver.Connection) -> None:
    with pytest.raises(UnicodeEncodeError):
        rows(link, "SELECT %s::text", "\ud800")
    assert rows(link, "SELECT %s::int", 7)[0] == ([7],)


def test_a_transaction_is_committed_or_rolled_back(link: driver.Connection) -> None:
    link.autocommit = False
    rows(link, "CREATE TEMPORARY TABLE kept (a int)")
    link.commit()
    for end in (link.rollback, link.commit):
        rows(link, "INSERT INTO kept VALUES (%s)", 1)
        end()
    assert rows(link, "SELECT a FROM kept WHERE a = %s", 1)[0] == ([1],)


def test_a_closed_connection_says_so(link: driver.Connection) -> None:
    other = product.connect()
    other.close()
    with pytest.raises(pg8000.InterfaceError, match="closed"):
        rows(other, "SELECT %s", 1)


LONG = "x" * 100_000
ANSWER = 100_000 + 60  # bytes, hardly more


@pytest.mark.parametrize("end", [End.CLOSED, End.RESET])
@pytest.mark.parametrize("arrives", [False, True])
@pytest.mark.parametrize("answered", [0, 1, 4, 5, 6, 9, 10, 14, 15, 40, 1000, ANSWER])
def test_a_link_that_is_cut_anywhere_is_an_error_or_an_answer(
    database: Database, configure: Configure, end: End, arrives: bool, answered: int
) -> None:
    proxy = Proxy(database.url)
    configure(DATABASE_URL=proxy.url)
    link = product.connect()
    link.autocommit = True
    try:
        proxy.lose(Loss(end, arrives=arrives, answered=answered))
        with pytest.raises((pg8000.InterfaceError, OSError)):
            rows(link, "SELECT %s::text", LONG)
        with pytest.raises((pg8000.InterfaceError, OSError)):
            rows(link, "SELECT %s::text", LONG)
    finally:
        proxy.close()
        with suppress(pg8000.Error, OSError):  # it says goodbye to nobody
            link.close()
