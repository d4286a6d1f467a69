"""The types of fields refuse values that Postgres cannot store or that a provider could misread."""

import re
import time
from datetime import UTC, datetime, timedelta, timezone
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from messaging import fields

NOON = datetime(2024, 11, 1, 12, tzinfo=UTC)
URL = "https://example.com/image.jpg"
NOT_STORABLE = ["\0", "a\0b", "\ud800", "a\udfffb", None, 5, True, ["a"], {"a": "b"}]


def validate(type_: object, value: object) -> Any:
    return TypeAdapter(type_).validate_python(value)


def error_message(type_: object, value: object) -> str:
    with pytest.raises(ValidationError) as raised:
        validate(type_, value)
    [error] = raised.value.errors()
    return error["msg"]


@pytest.mark.parametrize("type_", [fields.Text, fields.Body, fields.Subject, fields.WebAddress])
@pytest.mark.parametrize("value", NOT_STORABLE)
def test_text_that_cannot_be_stored_is_refused(type_: object, value: object) -> None:
    assert error_message(type_, value)


@pytest.mark.parametrize(
    "text", ["", " a \r\n\t", "\\u0000", "\U0001f600", "\x01\x7f\ufeff\uffff", "e\u0301"]
)
def test_other_text_is_not_changed(text: str) -> None:
    assert validate(fields.Text, text) == validate(fields.Body, text) == text


@pytest.mark.parametrize("character", ["a", "\u00e9", "\u20ac", "\U0001f600"])
def test_a_body_has_at_most_one_mebibyte(character: str) -> None:
    size = len(character.encode())
    fitting = character * (2**20 // size) + "a" * (2**20 % size)
    assert validate(fields.Body, fitting) == fitting
    assert error_message(fields.Body, fitting + "a") == "must be at most 1 MiB of UTF-8"
    assert error_message(fields.Body, fitting[1:] + character + "a")


@pytest.mark.parametrize("subject", ["", "Hello", "H\u00e9llo \U0001f600", "x" * 998])
def test_a_subject_is_one_line(subject: str) -> None:
    assert validate(fields.Subject, subject) == subject


@pytest.mark.parametrize(
    "subject",
    ["a\nb", "a\rb", "a\r\nBcc: b@example.org", "a\n", "a\r", "\n", "a\u2028b", "a\x85b", "x" * 999],
)
def test_a_subject_of_several_lines_is_refused(subject: str) -> None:
    assert error_message(fields.Subject, subject)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2024-11-01T12:00:00Z", NOON),
        ("2024-11-01T12:00:00z", NOON),
        ("2024-11-01T12:00:00", NOON),
        ("2024-11-01 12:00:00+00:00", NOON),
        ("2024-11-01T14:00:00+02:00", NOON),
        ("2024-11-01T00:30:00-11:30", NOON),
        ("2024-11-01T12:00:00.5Z", NOON + timedelta(seconds=0.5)),
        ("2024-11-01T12:00:00.123456789Z", NOON + timedelta(microseconds=123456)),
        ("0001-01-01T00:00:00Z", datetime.min.replace(tzinfo=UTC)),
        ("9999-12-31T23:59:59.999999Z", datetime.max.replace(tzinfo=UTC)),
        (datetime(2024, 11, 1, 12), NOON),  # noqa: DTZ001  # the point of it
        (NOON.astimezone(timezone(timedelta(hours=5))), NOON),
    ],
)
def test_times_are_converted_to_utc(written: object, expected: datetime) -> None:
    result = validate(fields.Time, written)
    assert (result, result.tzinfo) == (expected, UTC)


def test_a_time_without_an_offset_is_utc_in_every_local_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as tokyo:
        tokyo.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        result = validate(fields.Time, "2024-11-01T12:00:00")
    time.tzset()
    assert result == NOON


@pytest.mark.parametrize(
    "value",
    [
        1730462400,
        1730462400.5,
        True,
        None,
        "",
        "1730462400",
        "1730462400000",
        "-1730462400",
        "1.7e9",
        "    -1730462400",
        "1234-5",
        "12:00:00Z",
        "20241101T120000Z",
        "tomorrow",
        "2024-13-01T00:00:00Z",
        "2024-02-30T00:00:00Z",
        "2024-11-01T24:00:00Z",
        "2024-11-01T12:00:00+25:00",
        "2024-11-01T12:00:00 Europe/Paris",
        "0000-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-00:01",
        "9999-12-31T23:59:59-23:59",
        "2024-11-01T12:00:00Z\0",
        ["2024-11-01T12:00:00Z"],
        b"2024-11-01T12:00:00Z",
    ],
)
def test_a_value_that_is_not_an_rfc_3339_time_is_refused(value: object) -> None:
    assert error_message(fields.Time, value)


@given(st.one_of(st.text("0123456789-+:.TZez "), st.datetimes(timezones=st.timezones()).map(str), st.text()))
def test_every_text_is_refused_or_begins_with_a_date(text: str) -> None:
    try:
        result = validate(fields.Time, text)
    except ValidationError:
        return
    assert result.tzinfo is UTC
    assert re.match(r"\d{4}-\d\d-\d\d", text)


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "http://example.com",
        "HTTPS://Example.COM:443/%7Ea/../b.jpg?Signature=a%2Fb+c==&X=#part",
        "https://b\u00fccher.example/\u00e9.jpg",
        "https://example.com/two words.pdf",
        "https://user:password@example.com:8443/",
        "https://[::1]/a",
        "https://example.com/" + "x" * 2028,
    ],
)
def test_urls_are_not_changed(url: str) -> None:
    assert validate(fields.WebAddress, url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "image.jpg",
        "//example.com/image.jpg",
        "https://",
        "https://exa mple.com",
        "https://example.com:99999",
        "ftp://example.com/image.jpg",
        "file:///etc/passwd",
        "data:text/plain,a",
        "javascript:alert(1)",
        "s3://bucket/image.jpg",
        f" {URL}",
        f"{URL}\n",
        f"{URL}\r\nHost: example.org",
        "https://exam\tple.com",
        f"{URL}\x7f",
        "https://example.com/" + "x" * 2029,
    ],
)
def test_a_text_that_is_not_a_web_address_is_refused(url: str) -> None:
    assert error_message(fields.WebAddress, url)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, []), ([], []), ([URL], [URL]), ([URL, URL], [URL, URL]), ([URL] * 100, [URL] * 100)],
)
def test_attachments_are_a_list_of_urls_or_null(value: object, expected: list[str]) -> None:
    assert validate(fields.Attachments, value) == expected


@pytest.mark.parametrize(
    "value", [[URL] * 101, URL, {"url": URL}, "", 0, False, [None], [[URL]], [{"url": URL}], ["a"]]
)
def test_attachments_that_are_not_a_list_of_urls_are_refused(value: object) -> None:
    assert error_message(fields.Attachments, value)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"a": None, "b": [1, -2.5, True, {"c": {}}], "": ""},
        {"a": r"\u0000", r"\u0000": r"\\u0000", "b": r"\\\u0000"},
        {"a": "\\", "b": "u0000", "c": "\\\u0001"},
        {"a": "\U0001f600\u00e9", "\u00e9": 10**40},
    ],
)
def test_extra_fields_are_not_changed(value: dict[str, object]) -> None:
    assert validate(fields.Extra, value) == value


@pytest.mark.parametrize(
    ("value", "cleaned"),
    [
        ("a\0b", "ab"),
        ("\0\0", ""),
        ({"a\0": 1}, {"a": 1}),
        ([{"b": ["\0"]}], [{"b": [""]}]),
        ("\\\0", "\\"),
        ("\\\\\0", "\\\\"),
        (r"\u0000" + "\0", r"\u0000"),
        (r"\\u0000" + "\0", r"\\u0000"),
        (nan, None),
        (-inf, None),
        ([{"b": inf}], [{"b": None}]),
        ("NaN or Infinity", "NaN or Infinity"),
        ("é\ud800", "é?"),
        ({"a\udfff": 1}, {"a?": 1}),
    ],
)
def test_what_postgres_cannot_store_is_removed_from_extra_fields(value: object, cleaned: object) -> None:
    assert validate(fields.Extra, {"a": value, "b": "é"}) == {"a": cleaned, "b": "é"}


@pytest.mark.parametrize("value", [None, [], "{}", 5, {1: "a"}])
def test_extra_fields_that_are_not_an_object_are_refused(value: object) -> None:
    assert error_message(fields.Extra, value)
