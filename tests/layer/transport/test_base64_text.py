"""Text in base64 is recognised, and no other text is changed."""

import base64
import secrets
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.transport.base64_text import decode_base64_text

LONG = "Please vote no on any bill that does not contain protections. Thank you, Ann"


def encoded(text: str, charset: str = "utf-8") -> str:
    return base64.b64encode(text.encode(charset)).decode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (encoded(LONG), LONG),
        (encoded(LONG) + "\r", LONG),
        (f" {encoded(LONG)}\n", LONG),
        (base64.encodebytes(LONG.encode() * 3).decode(), LONG * 3),
        (base64.encodebytes(LONG.encode() * 3).decode().replace("\n", "\r\n"), LONG * 3),
        (encoded(LONG).rstrip("="), LONG),
        (encoded("“The Camp of the Saints” is a book that was printed…"),) * 1
        + ("“The Camp of the Saints” is a book that was printed…",),
        (encoded("“The Camp of the Saints is a book that was printed…")[:-4], None),
        (
            encoded("こんにちは、明日の会議は午後三時です。よろしく"),
            "こんにちは、明日の会議は午後三時です。よろしく",
        ),
        (
            encoded("👨‍👩‍👧 and 👍🏽 say hello to all of you, dear friends"),
            "👨‍👩‍👧 and 👍🏽 say hello to all of you, dear friends",
        ),
        (
            encoded("Line one\r\nLine two\r\n\tLine three, and then four"),
            "Line one\r\nLine two\r\n\tLine three, and then four",
        ),
    ],
    ids=[
        "plain",
        "with CR",
        "with blanks",
        "lines",
        "CRLF lines",
        "without padding",
        "quotes",
        "cut",
        "Japanese",
        "emoji",
        "line ends",
    ],
)
def test_text_in_base64_is_decoded(text: str, expected: str | None) -> None:
    decoded = decode_base64_text(text)
    if expected is None:  # cut within a character
        assert decoded == "“The Camp of the Saints is a book that was printed"
    else:
        assert decoded == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        LONG,
        "x" * 100,
        "A" * 60,
        "Supercalifragilisticexpialidocious" * 4,
        "HaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaappyBirthday",
        "0123456789" * 10,
        "AbCd\nEfGh\n" * 12,
        encoded("Hello, short"),
        encoded("x" * 60),  # no words
        encoded(LONG) + " ok?",
        "Code: " + encoded(LONG),
        encoded(LONG).replace("+", "-").replace("/", "_") + "_",
        encoded("é " + LONG, "latin-1"),
        encoded("\0" * 60 + " x"),
        base64.b64encode(bytes(range(60))).decode(),
        "https://example.com/" + "a" * 60,
        "=" * 60,
    ],
)
def test_other_text_is_not_changed(text: str) -> None:
    assert decode_base64_text(text) is None


def test_keys_and_tokens_are_not_changed() -> None:
    for size in (45, 48, 64, 128, 1000):
        for _ in range(500):
            assert decode_base64_text(base64.b64encode(secrets.token_bytes(size)).decode()) is None


@given(st.text(st.sampled_from("abcXYZ019+/=\n"), min_size=60, max_size=300))
def test_text_of_the_same_letters_is_not_changed(text: str) -> None:
    decoded = decode_base64_text(text)
    assert decoded is None or base64.b64encode(decoded.encode()).decode() in "".join(text.split())


@pytest.mark.parametrize("unit", ["A", "A\n", "A=\n", "QUJD\r\n", "=", "\n"])
def test_a_long_text_is_checked_quickly(unit: str) -> None:
    began = time.process_time()
    decode_base64_text(unit * 300_000)
    decode_base64_text(unit * 300_000 + "!")
    assert time.process_time() - began < 1
