"""Texts and subjects are decoded from every charset and encoding."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.mail import message
from messaging.mail.charset import decode
from messaging.mail.header_text import decode_header
from messaging.mail.message import Mail

JAPANESE = "\u65e5\u672c\u8a9e\u306e\u672c\u6587"


def read(*lines: str, content: bytes = b"") -> Mail:
    return message.parse_mail("\r\n".join(["From: ann@example.com", *lines, "", ""]).encode() + content)


@pytest.mark.parametrize(
    ("charset", "text", "content"),
    [
        ("utf-8", "h\u00e9 \U0001f600", None),
        ("UTF-8", JAPANESE, None),
        ("iso-2022-jp", JAPANESE, None),
        ("iso-2022-jp", "\u65e5\u672c", b"\x1b$BF|K\\\x1b(B"),
        ("shift_jis", JAPANESE + "\u2460", JAPANESE.encode("cp932") + b"\x87\x40"),
        ("windows-1252", "\u201cquoted\u201d \u20ac", None),
        ("iso-8859-1", "\u201cquoted\u201d", b"\x93quoted\x94"),
        ("iso-8859-15", "\u20ac", b"\xa4"),
        ("iso-8859-8-i", "\u05e9", b"\xf9"),
        ("gb2312", "\u9555", "\u9555".encode("gb18030")),
        ("koi8-r", "\u041f\u0440\u0438\u0432\u0435\u0442", None),
        ("us-ascii", "h\u00e9", b"h\xc3\xa9"),
        ("us-ascii", "h\u00e9", b"h\xe9"),
        ("nobody-knows", "h\u00e9", b"h\xe9"),
        ("unicode_escape", "\\x41", b"\\x41"),
        ("hex", "41", b"41"),
        ("utf-8", "h\u00e9", b"h\xe9"),
        ("utf-8", "ab", b"a\0b"),
        ("utf-16-le", "a\ufffdb", b"a\0\0\xd8b\0"),
    ],
)
@pytest.mark.parametrize("encoding", ["8bit", "base64", "quoted-printable"])
def test_a_text_is_decoded_from_its_charset(
    charset: str, text: str, content: bytes | None, encoding: str
) -> None:
    encoded = text.encode(charset) if content is None else content
    if encoding == "base64":
        encoded = base64.encodebytes(encoded)
    elif encoding == "quoted-printable":
        encoded = b"".join(b"=%02X" % byte for byte in encoded)
    kind = f'Content-Type: text/plain; charset="{charset}"; format=flowed'
    mail = read(kind, f"Content-Transfer-Encoding: {encoding}", content=encoded)
    assert mail.text == text


def test_soft_line_breaks_are_removed_and_flowed_text_is_not_joined() -> None:
    head = ("Content-Type: text/plain; format=flowed", "Content-Transfer-Encoding: Quoted-Printable")
    assert read(*head, content=b"one =\r\ntwo \r\nthree=3D\r\n").text == "one two \nthree=\n"


def test_a_mail_without_a_content_type_is_plain_text() -> None:
    mail = read(content=b"hi")
    assert (mail.text, mail.html, mail.files) == ("hi", None, [])


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("=?UTF-8?B?aMOpbGxv?=", "h\u00e9llo"),
        ("=?utf-8?q?h=C3=A9_llo?= plain", "h\u00e9 llo plain"),
        ("=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "\u65e5\u672c"),
        ("=?windows-1252?Q?=93a=94?=", "\u201ca\u201d"),
        ("=?utf-8*en?q?a?=", "a"),
        ("=?utf-8?b?4oI=?= =?utf-8?b?rA==?=", "\u20ac"),  # a character split between two words
        ("=?utf-8?q?a?=\r\n =?iso-8859-1?q?=E9?=", "a\u00e9"),
        ("a\r\n b\r\n\tc", "a b c"),
        ("=?nobody?q?=E9?=", "\u00e9"),
        ("=?utf-8?b?!!!?=", ""),
        ("=?utf-8?x?a?=", "=?utf-8?x?a?="),
        ("=?utf-8?q?=00a?=", "a"),
        ("raw h\u00e9llo", "raw h\u00e9llo"),
    ],
)
def test_a_subject_is_decoded_and_unfolded(header: str, text: str) -> None:
    assert (read(f"Subject: {header}").subject or "") == text


CHARSETS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)  # headers have no NUL


@given(st.binary(max_size=60), CHARSETS | st.none())
def test_any_bytes_become_text_that_can_be_stored(content: bytes, charset: str | None) -> None:
    for text in (decode(content, charset), decode_header(f"=?{charset}?b?{content.hex()}?=")):
        assert "\0" not in text
        text.encode()
