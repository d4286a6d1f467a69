"""Cursors are accepted by the list that issued them, and everything else is refused."""

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


def encode(parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def decode(text: str, *parsers: Callable[[str], Any]) -> list[Any]:
    return cursor.decode(text, WALK, *(parsers or (cursor.parse_time, cursor.parse_id)))


@given(st.datetimes(timezones=st.just(UTC)), st.integers(0, MAX_ID))
def test_decoding_a_cursor_returns_the_encoded_position(time: datetime, id: int) -> None:
    text = cursor.encode(WALK, time, id)
    assert decode(text) == [time, id]
    assert text.isascii()
    assert not set(text) & set("+/=&?# ")


def test_a_time_with_another_offset_is_decoded_in_utc() -> None:
    text = cursor.encode(WALK, NOW.astimezone(timezone(timedelta(hours=-5))), 1)
    assert decode(text) == [NOW, 1]


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
def test_the_cursor_of_another_walk_is_refused(walk: list[object]) -> None:
    with pytest.raises(Unreadable) as raised:
        decode(cursor.encode(walk, NOW, 1))
    assert raised.value.errors == [
        {"field": "cursor", "message": "must be a cursor from this list, with the same filters"}
    ]


@pytest.mark.parametrize(
    "position",
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
def test_an_invalid_position_is_refused(position: list[object]) -> None:
    with pytest.raises(Unreadable):
        decode(encode([WALK, *position]))


NOT_JSON = [base64.urlsafe_b64encode(data).decode() for data in (b"[" * 100_000, b"\xff", b"x")]


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
        *NOT_JSON,
        *map(encode, ({}, [], "x", 7, None)),
    ],
)
def test_text_that_is_not_a_cursor_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        decode(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(WALK),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.text() | st.binary().map(lambda data: base64.urlsafe_b64encode(data).decode()) | JSON.map(encode))
def test_any_other_text_is_refused_as_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        decode(text)


@given(st.lists(st.text() | JSON, min_size=2, max_size=2).map(lambda position: encode([WALK, *position])))
def test_any_position_is_decoded_or_refused(text: str) -> None:
    try:
        time, id = decode(text)
    except Unreadable:
        return
    assert 0 <= id <= MAX_ID
    assert time.tzinfo is UTC
