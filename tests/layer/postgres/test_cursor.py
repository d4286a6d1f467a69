"""Cursors: taken back by the list that gave them, and by no other; whatever else comes is refused."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.models import MAX_ID
from messaging.postgres import cursor
from messaging.problems import Unreadable

WALK = ["conversations", "+18045551234", None, None]
NOW = datetime(2024, 11, 1, 14, 0, 0, 123456, tzinfo=UTC)


def written(parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def read(text: str, *readers: Callable[[str], Any]) -> list[Any]:
    return cursor.decode(text, WALK, *(readers or (cursor.parse_time, cursor.parse_id)))


@given(st.datetimes(timezones=st.just(UTC)), st.integers(0, MAX_ID))
def test_gives_back_the_place_that_was_put_in(moment: datetime, id: int) -> None:
    made = cursor.encode(WALK, moment, id)
    assert read(made) == [moment, id]
    assert made.isascii()
    assert not set(made) & set("+/=&?# ")


def test_a_time_of_another_offset_is_the_same_moment() -> None:
    made = cursor.encode(WALK, NOW.astimezone(timezone(timedelta(hours=-5))), 1)
    assert read(made) == [NOW, 1]


@pytest.mark.parametrize(
    "walk",
    [
        ["messages", 1, "asc"],
        ["conversations", None, None, None],
        ["conversations", "+18045551235", None, None],
        ["conversations", "+18045551234", "sms", None],
        ["conversations", "+18045551234", None, NOW.isoformat()],
        ["conversations"],
        [],
    ],
)
def test_refuses_the_cursor_of_another_walk(walk: list[object]) -> None:
    with pytest.raises(Unreadable) as refused:
        read(cursor.encode(walk, NOW, 1))
    assert refused.value.errors == [{"field": "cursor", "message": "is not of this list"}]


@pytest.mark.parametrize(
    "place",
    [
        [],
        ["1"],
        [str(NOW)],
        [str(NOW), "1", "2"],
        [str(NOW), "-1"],
        [str(NOW), str(MAX_ID + 1)],
        [str(NOW), "1.5"],
        [str(NOW), "x"],
        [str(NOW), ""],
        [str(NOW), None],
        [str(NOW), [1]],
        [str(NOW), {}],
        [str(NOW), float("inf")],
        [str(NOW), float("nan")],
        [str(NOW), "9" * 5000],
        ["", "1"],
        ["now", "1"],
        [7, "1"],
        [None, "1"],
        ["2024-11-01T14:00:00", "1"],
        ["0001-01-01T00:00:00+23:59", "1"],
        ["9999-12-31T23:59:59-23:59", "1"],
    ],
)
def test_refuses_a_place_that_no_list_gives(place: list[object]) -> None:
    with pytest.raises(Unreadable):
        read(written([WALK, *place]))


NO_JSON = [base64.urlsafe_b64encode(some).decode() for some in (b"[" * 100_000, b"\xff", b"x")]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "x",
        "====",
        "\xe9",
        "\ud800",
        "\0",
        "AAAA",
        "[]",
        *NO_JSON,
        *map(written, ({}, [], "x", 7, None)),
    ],
)
def test_refuses_what_is_no_cursor(text: str) -> None:
    with pytest.raises(Unreadable):
        read(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(WALK),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.text() | st.binary().map(lambda some: base64.urlsafe_b64encode(some).decode()) | JSON.map(written))
def test_refuses_any_text_in_the_same_way(text: str) -> None:
    with pytest.raises(Unreadable):
        read(text)


@given(st.lists(st.text() | JSON, min_size=2, max_size=2).map(lambda place: written([WALK, *place])))
def test_reads_or_refuses_any_place(text: str) -> None:
    try:
        moment, id = read(text)
    except Unreadable:
        return
    assert 0 <= id <= MAX_ID
    assert moment.tzinfo is UTC
