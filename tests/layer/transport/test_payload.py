"""Bodies of webhooks are parsed correctly, and within limits whatever they contain."""

from collections.abc import Callable
from urllib.parse import parse_qsl, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.problems import Unreadable
from messaging.transport.payload import MAX_FIELDS, json_object, json_value, urlencoded
from tests.support.parsing_cost import SIZE, assert_parsing_is_cheap


def json_list(values: int) -> bytes:
    return b"[" + b",".join([b"1"] * values) + b"]"


# --- JSON --------------------------------------------------------------------------------------------


def test_an_unpaired_surrogate_becomes_a_replacement_character() -> None:
    body = rb'["\ud83d", "a\udE00\ud83dz", "\uD83D\uDE00", "\\ud83d", "\\\ud83d", "\u00e4"]'
    assert json_value(body) == ["\ufffd", "a\ufffd\ufffdz", "\U0001f600", "\\ud83d", "\\\ufffd", "\xe4"]


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"{}", {}),
        (b'[{"a": [1, 2.5, null, true, "\\u00e9"]}]', [{"a": [1, 2.5, None, True, "é"]}]),
        (b'"' + b",[{" * 300_000 + b'"', ",[{" * 300_000),  # punctuation inside a string does not count
        (b'"\\"' + b"," * 300_000 + b'\\\\"', '"' + "," * 300_000 + "\\"),
        (b"[" * 199 + b"]" * 199, None),
        (json_list(199_999), [1] * 199_999),
    ],
)
def test_json_is_parsed(body: bytes, value: object) -> None:
    assert value in (json_value(body), None)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"nul", b"\xff", b'"\xff"', b"{}x", b"NaN", b"[Infinity]", b"9" * 5000),
        *(b"[" * 300 + b"]" * 300, b"[" * SIZE, b'{"a":' * 300 + b"1" + b"}" * 300),
        *(
            json_list(200_001),
            b"[" + b"{}," * 100_000 + b"1]",
            b'{"":' * 70_000,
            b'["' + b'","' * 100_000 + b'"]',
        ),
    ],
)
def test_malformed_or_too_large_json_is_refused(body: bytes) -> None:
    with pytest.raises(Unreadable):
        json_value(body)


@pytest.mark.parametrize("body", [b"[]", b"null", b"1", b'"{}"'])
def test_json_that_is_not_an_object_is_refused(body: bytes) -> None:
    with pytest.raises(Unreadable):
        json_object(body)


# --- Forms -------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)


@given(st.lists(st.tuples(TEXT, TEXT), max_size=20))
def test_the_fields_of_a_form_keep_their_order(fields: list[tuple[str, str]]) -> None:
    """Blank and repeated fields count, because a signature may cover all of them."""
    for text in (urlencode(fields), "&".join(f"{quote_plus(a)}={quote_plus(b)}" for a, b in fields)):
        assert list(urlencoded(text)) == list(urlencoded(text.encode())) == fields


@given(st.text(st.sampled_from("%%%aA4f1&&==+ é;zC39;"), max_size=15))
def test_a_form_is_parsed_as_by_the_standard_library(text: str) -> None:
    for errors in ("replace", "surrogateescape"):
        assert urlencoded(text, errors=errors) == parse_qsl(text, keep_blank_values=True, errors=errors)


def test_a_form_with_too_many_fields_is_refused() -> None:
    body = b"&" * MAX_FIELDS
    with pytest.raises(Unreadable):
        urlencoded(body)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"a=caf\xe9", [("a", "café")]),
        (b"a=caf%E9&b=%C3%A9", [("a", "café"), ("b", "é")]),
        (b"caf\xe9=1", [("café", "1")]),
        (b"a=%80%81", [("a", "€\ufffd")]),
        (b"%ED%A0%80=1", [("í\xa0€", "1")]),
        (b"a=50%", [("a", "50%")]),
        (b"a=100%zz%4&b=%", [("a", "100%zz%4"), ("b", "%")]),
    ],
)
def test_text_that_is_not_utf_8_is_in_windows_1252(body: bytes, fields: list[tuple[str, str]]) -> None:
    assert urlencoded(body) == fields


def test_an_unpaired_surrogate_in_a_query_becomes_a_question_mark() -> None:
    assert urlencoded("a=\ud800") == [("a", "?")]


def test_a_form_has_at_most_the_maximum_of_fields() -> None:
    assert len(urlencoded(b"&".join([b"a=1"] * MAX_FIELDS))) == MAX_FIELDS


# --- Memory and time ---------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parse", "unit", "end"),
    [
        *((json_value, unit, b"") for unit in (b'"', b'{"":', b'\\"', b"[", b",", b"9", b"\n", b"\\u1234")),
        *(
            (urlencoded, unit, b"")
            for unit in (b"%", b"%41", b"%41a", b"%41aa", b"%C3%A9a", b"+", b"=", b"&a")
        ),
    ],
)
def test_parsing_takes_little_time_and_memory(
    parse: Callable[[bytes], object], unit: bytes, end: bytes
) -> None:
    assert_parsing_is_cheap(parse, unit, end)
