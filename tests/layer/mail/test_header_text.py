"""Header text is decoded as its sender meant it, also if it is encoded in a malformed way or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.mail import message
from messaging.mail.header_text import MAX_HEADER, decode_header, decode_raw_header, find_charset
from tests.layer.mail.test_charset import CHINESE, JAPANESE, NEC_JIS, RUSSIAN, read


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
        ("=?utf-8?Q?Gr=C3=B6=C3=9Fe?_Danke?=", "Gr\u00f6\u00dfe? Danke"),
        ("=?utf-8?Q?Gr=C3=B6=C3=9Fe??=", "Gr\u00f6\u00dfe?"),
        ("=?utf-8?Q?Gr=C3=B6=C3=9Fe?=20Danke?=", "Gr\u00f6\u00dfe? Danke"),
        ("=?utf-8?Q?=C3=B6=3F?= =?utf-8?Q?x?", "\u00f6?x"),
        ("=?utf-8?Q?h=C3=A9?=20", "h\u00e920"),
        ("=?utf-8?Q?h=C3=A9 llo  x?=", "h\u00e9 llo  x"),
        ("=?utf-8?Q?a=b?=", "a=b"),
        ("=?utf-8?B?aMOp bGxv?=", "h\u00e9llo"),
        ("=?utf-8?q?h=C3=A9?==?utf-8?q?llo?=", "h\u00e9llo"),
        ("=?utf-8?b?aMOp?==?utf-8?b?bGxv?=", "h\u00e9llo"),
        ("a=?utf-8?q?=C3=A9?=b", "a\u00e9b"),
        ('"=?utf-8?q?h=C3=A9?= =?utf-8?q?llo?="', '"h\u00e9llo"'),
        ("(=?utf-8?q?h=C3=A9?=)", "(h\u00e9)"),
        ("=?UTF-8?b?aMOpbGxv?=", "h\u00e9llo"),
        ("=?utf-8?Q?h=c3=a9?=", "h\u00e9"),
        ("=?utf-8?q?h=C3=A9", "h\u00e9"),
        ("=?utf-8?q?h=C3=A9?", "h\u00e9"),
        ("=?utf-8?b?aMOp", "h\u00e9"),
        ("=?utf-8?q?h=C3=A9 =?utf-8?q?llo?=", "h\u00e9llo"),
        ("=?utf-8?q?h=C3=A9 <a@example.com>", "h\u00e9 <a@example.com>"),
        ("=?utf-8?b?aMOpbGxv4oI=?=", "h\u00e9llo\ufffd"),
        ("=?utf-8?b?aMO?= =?utf-8?b?pbGxv?=", "h\u00e9llo"),
        ("=?utf-8?b?aMOpbGw?=", "h\u00e9ll"),
        ("=?utf-8?b?aMOpbGw==?=", "h\u00e9ll"),
        ("=?utf-8?b?aMOpbG8====?=", "h\u00e9lo"),
        ("=?iso-2022-jp?B?GyRCRnw=?= =?iso-2022-jp?B?S1wbKEI=?=", "\u65e5\u672c"),
        ("=?iso-2022-jp?B?GyRCRnwbKEI=?= =?ISO-2022-JP?B?GyRCS1wbKEI=?=", "\u65e5\u672c"),
        ("=?iso-2022-jp?B?GyRCLSEbKEI=?=", "\u2460"),
        ("=?windows-874?B?4cHH?=", "\u0e41\u0e21\u0e27"),
        ("=?iso-8859-1?Q?Gr=C3=BC=C3=9Fe?=", "Gr\u00fc\u00dfe"),
        ("=?utf-8?Q?Gr=FC=DFe?=", "Gr\u00fc\u00dfe"),
        ("=?x-unknown?B?aMOp?=", "h\u00e9"),
        ("=??Q?h=C3=A9?=", "h\u00e9"),
        ("=? utf-8 ?Q?h=C3=A9?=", "h\u00e9"),
        ("=?utf-8*de-AT?Q?h=C3=A9?=", "h\u00e9"),
        ("=?utf-8?q?a=0D=0Ab?=", "a b"),
        ("=?nobody?q?a b", "=?nobody?q?a b"),
        ("1+1=?b?", "1+1=?b?"),
        ("=?utf-8?q?=F0=9F=98?= =?utf-8?q?=80?=", "\U0001f600"),
    ],
)
def test_a_subject_is_decoded_and_unfolded(header: str, text: str) -> None:
    assert (read(f"Subject: {header}").subject or "") == text


WORD = b"=?iso-8859-1?Q?Die_Fr%bsche?="


@pytest.mark.parametrize(
    ("value", "charset", "text"),
    [
        (WORD % b"\xf6", "utf-8", "Die Fr\u00f6sche"),
        (WORD % b"\xf6" + b" h\xc3\xa9", "utf-8", "Die Fr\u00f6sche h\u00e9"),
        (WORD % b"\xc3\xb6", "utf-8", "Die Fr\u00f6sche"),
        (b"=?koi8-r?Q?" + RUSSIAN.encode("koi8-r") + b"?=", "utf-8", RUSSIAN),
        (b"=?utf-8?Q?\xd0\x9f=D1=80?=", "koi8-r", RUSSIAN[:2]),
        (RUSSIAN.encode("koi8-r"), "koi8-r", RUSSIAN),
        (RUSSIAN.encode("cp1251"), '"windows-1251"', RUSSIAN),
        (RUSSIAN.encode(), "koi8-r", RUSSIAN),
        (RUSSIAN.encode()[:-1], "koi8-r", RUSSIAN[:-1] + "\ufffd"),
        (CHINESE.encode("gbk"), "gb2312", CHINESE),
        (JAPANESE.encode("cp932"), "shift_jis", JAPANESE),
        (JAPANESE.encode("euc-jp"), "euc-jp", JAPANESE),
        (NEC_JIS[:7] + b"\x1b(B", "utf-8", "\u2460\u682a"),
        (b"h\xe9llo", "us-ascii", "h\u00e9llo"),
        (b"h\xe9llo \x93x\x94", "utf-8", "h\u00e9llo \u201cx\u201d"),
    ],
)
def test_bytes_that_are_not_encoded_are_in_the_charset_of_their_word_or_of_the_text(
    value: bytes, charset: str, text: str
) -> None:
    raw = b"Subject: %b\r\nContent-Type: text/plain; charset=%b\r\n\r\nhi" % (value, charset.encode())
    assert read_raw(raw) == text
    part = b"--b\r\nContent-Type: text/plain; charset=%b\r\n\r\nhi\r\n--b--" % charset.encode()
    raw = b"Subject: %b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n%b" % (value, part)
    assert read_raw(raw) == text


def read_raw(raw: bytes) -> str | None:
    return message.parse_mail(b"From: ann@example.com\r\n" + raw).subject


def test_the_charset_of_a_mail_is_the_first_that_is_not_utf_8() -> None:
    assert find_charset(b"Content-Type: text/plain; charset=utf-8\n\ncharset=nobody-knows") is None
    assert find_charset(b"charset=us-ascii; charset = 'koi8-r'") == "koi8-r"
    assert find_charset(b"From: =?gb2312?B?1tA=?= <a@example.com>\ncharset=koi8-r") == "gb2312"


def test_words_after_the_limit_are_not_decoded() -> None:
    word = "=?utf-8?q?=C3=A9?="
    header = "x" * (MAX_HEADER - len(word)) + word + word
    assert decode_header(header) == "x" * (MAX_HEADER - len(word)) + "\u00e9" + word


@given(st.text(st.sampled_from("=?utf-8qb*_ \u00e9ACF3\r\n"), max_size=80))
def test_any_header_becomes_text_that_can_be_stored(header: str) -> None:
    for text in (
        decode_header(header),
        decode_raw_header(header.encode()),
        decode_raw_header(header.encode("latin-1")),
    ):
        decode_header(text).encode()
