"""The content of parts is decoded from its transfer encoding, and a guess or a loss of bytes is a defect."""

import quopri
from base64 import encodebytes, urlsafe_b64encode

import pytest

from messaging.mail import message
from messaging.mail.defects import Defect
from messaging.mail.transfer_encoding import Encoding, decode_transfer
from tests.support.mails import US, inbound

INVALID = {Defect.BASE64_INVALID}
WRONG = {Defect.TRANSFER_ENCODING_WRONG}
UNKNOWN = {Defect.TRANSFER_ENCODING_UNKNOWN}
REPEATED = {Defect.HEADER_REPEATED}
NOT_PRINTABLE = {Defect.QUOTED_PRINTABLE_INVALID}
BYTES = bytes(range(256)) * 2
LONG = encodebytes(BYTES)
GREETING = "Grüße an alle!"  # codespell:ignore alle
SHORT = encodebytes(b"%PDF-1.4 invoice\n")  # its last line is padded


@pytest.mark.parametrize(
    ("encoding", "defects"),
    [
        ("base64", set()),
        ("BASE64", set()),
        ("base64;", set()),
        ('base64"', set()),
        ('"base64"', set()),
        ("'base64'", set()),
        ("base64 (comment)", set()),
        ("(comment) base64", set()),
        ("base 64", set()),
        ("base-64", set()),
        ("x-base64", set()),
        ("base64; charset=utf-8", set()),
        ("=?utf-8?Q?base64?=", set()),
        ("=?us-ascii?B?YmFzZTY0?=", set()),
        ("7bit\r\nContent-Transfer-Encoding: base64", REPEATED),
        ("base64\r\nContent-Transfer-Encoding: 8bit", REPEATED),
        ("base64\r\nContent-Transfer-Encoding: base64", set()),
    ],
)
def test_base64_is_recognized(encoding: str, defects: set[Defect]) -> None:
    head = f"From: a@example.com\r\nContent-Type: a/b\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    mail = message.parse_mail(head.encode() + SHORT)
    assert ([file.content for file in mail.files], mail.defects) == ([b"%PDF-1.4 invoice\n"], defects)


@pytest.mark.parametrize(
    ("encoding", "text", "defects"),
    [
        ("quoted-printable", "hü", set()),
        ("Quoted-Printable;", "hü", set()),
        ("quoted printable", "hü", set()),
        ("quoted_printable (text)", "hü", set()),
        ("QP", "hü", set()),
        ("8bit", "h=C3=BC", set()),
        ("8-bit", "h=C3=BC", set()),
        ("7 bits", "h=C3=BC", set()),
        ("binary", "h=C3=BC", set()),
        ("8", "h=C3=BC", set()),
        ("", "h=C3=BC", set()),
        ("utf-8", "h=C3=BC", UNKNOWN),
        ("x-none", "h=C3=BC", UNKNOWN),
        ("(base64)", "h=C3=BC", set()),
    ],
)
def test_other_encodings_are_recognized(encoding: str, text: str, defects: set[Defect]) -> None:
    head = f"From: a@example.com\r\nContent-Transfer-Encoding: {encoding}\r\n\r\nh=C3=BC"
    mail = message.parse_mail(head.encode())
    assert (mail.text, mail.defects) == (text, defects)


def test_a_defect_is_in_the_extra_fields_of_the_message() -> None:
    raw = b"From: a@example.com\r\nContent-Transfer-Encoding: x-none\r\n\r\nhi"
    assert inbound(message.parse_mail(raw), US).extra["defects"] == ["transfer_encoding_unknown"]


def decode_file(content: bytes, encoding: Encoding) -> tuple[bytes, set[Defect]]:
    defects: set[Defect] = set()
    return decode_transfer(content, encoding, defects), defects


def decode_text(content: bytes, encoding: Encoding) -> tuple[bytes, set[Defect]]:
    """Decode what is declared as text in UTF-8."""
    defects: set[Defect] = set()
    return decode_transfer(content, encoding, defects, is_text_in_utf8=True), defects


@pytest.mark.parametrize(
    ("content", "decoded", "defects"),
    [
        pytest.param(LONG, BYTES, set(), id="lines"),
        pytest.param(LONG.replace(b"\n", b"\r\n"), BYTES, set(), id="CRLF"),
        pytest.param(LONG.replace(b"\n", b"\r\r\n \t"), BYTES, set(), id="white space anywhere"),
        pytest.param(LONG.replace(b"A", b"A\r"), BYTES, set(), id="CRs"),
        pytest.param(b"JVBERi0", b"%PDF-", set(), id="no padding"),
        pytest.param(b"JVBERi0====", b"%PDF-", set(), id="too much padding"),
        pytest.param(b"", b"", set(), id="nothing"),
        pytest.param(b"Zmlyc3Q=\nIHNlY29uZA==\nIHRoaXJk", b"first second third", set(), id="chunks in lines"),
        pytest.param(b"Zmlyc3Q=IHNlY29uZA==IHRoaXJk", b"first second third", set(), id="chunks in a line"),
        pytest.param(LONG + LONG, BYTES + BYTES, set(), id="two files"),
        pytest.param(b"JVBE*Ri0x", b"%PDF-1", INVALID, id="another character"),
        pytest.param(LONG.replace(b"\n", b"!\n"), BYTES, INVALID, id="marks of cut lines"),
        pytest.param(b"JVBERi0xA", b"%PDF-1", INVALID, id="an incomplete byte"),
        pytest.param(urlsafe_b64encode(BYTES), BYTES, INVALID, id="the alphabet for URLs"),
        pytest.param(LONG + b"-- \nA list\nlist\n", BYTES, INVALID, id="a signature"),
        pytest.param(LONG + b"____\nSent by a list http://example.org/\n", BYTES, INVALID, id="a footer"),
        pytest.param(LONG + b"\n\n***** scanned *****\nOK\n", BYTES, INVALID, id="a scanner's note"),
        pytest.param(b"[EXTERNAL] Be careful\n\n" + LONG, BYTES, INVALID, id="a warning before it"),
        pytest.param(b"____\nA list\n" + LONG + b"-- \nA list\n", BYTES, INVALID, id="notes on both sides"),
        pytest.param(SHORT + b"http://example.org/\n", b"%PDF-1.4 invoice\n", INVALID, id="a link"),
        pytest.param(SHORT + b"Sent by a list\n", b"%PDF-1.4 invoice\n", INVALID, id="words"),
        pytest.param(b"a;b\n1;2\n", b"a;b\n1;2\n", WRONG, id="a table"),
        pytest.param(b"name;price\nfoo;12\n", b"name;price\nfoo;12\n", WRONG, id="a longer table"),
        pytest.param(BYTES, BYTES, WRONG, id="bytes"),
        pytest.param(b"<p>call me back</p>", b"<p>call me back</p>", WRONG, id="HTML"),
    ],
)
def test_a_file_in_base64_is_decoded(content: bytes, decoded: bytes, defects: set[Defect]) -> None:
    assert decode_file(content, Encoding.BASE64) == (decoded, defects)


@pytest.mark.parametrize(
    "text",
    [
        "Please call me back.",
        "Please call me back",  # letters that are base64 if the blanks are ignored
        "Test",
        "Hello",
        "OK",
        "well-known",
        "Yes please",
        "Hello\r\nthanks\r\n",
        GREETING,
        "こんにちは",
        "12345",
        "http://example.org/",
    ],
)
def test_a_text_that_is_declared_as_base64_and_is_not_is_not_changed(text: str) -> None:
    assert decode_text(text.encode(), Encoding.BASE64) == (text.encode(), WRONG)


@pytest.mark.parametrize(
    ("content", "defects"),
    [
        pytest.param(encodebytes(GREETING.encode()), set(), id="correct"),
        pytest.param(encodebytes(GREETING.encode()).strip(), set(), id="no line end"),
        pytest.param(b"R3LDvMOf ZSBhbiBh bGxlIQ==", set(), id="blanks"),
        pytest.param(encodebytes(GREETING.encode()) + b"____\nA list\n", INVALID, id="a footer"),
        pytest.param(quopri.encodestring(GREETING.encode()), WRONG, id="quoted-printable"),
    ],
)
def test_a_text_in_base64_is_decoded(content: bytes, defects: set[Defect]) -> None:
    assert decode_text(content, Encoding.BASE64) == (GREETING.encode(), defects)


def test_a_text_in_base64_whose_charset_is_not_declared_is_decoded() -> None:
    """Words of base64 do not look like words of a language."""
    for text in ("Grüße", "Привет", "你好吗"):
        for charset in ("cp1252", "cp1251", "gbk"):
            content = text.encode(charset, errors="ignore")
            assert decode_text(encodebytes(content), Encoding.BASE64) == (content, set())


@pytest.mark.parametrize(
    ("content", "decoded", "defects"),
    [
        pytest.param(b"h=C3=BC", "hü", set(), id="digits in upper case"),
        pytest.param(b"h=c3=bc", "hü", set(), id="digits in lower case"),
        pytest.param(b"a=\nb=\r\nc", "abc", set(), id="soft line breaks"),
        pytest.param(b"a=  \r\nb=\t\nc=\r\r\nd", "abcd", set(), id="blanks after soft line breaks"),
        pytest.param(b"a=", "a", set(), id="a soft line break at the end"),
        pytest.param(b"a=  ", "a", set(), id="a soft line break and blanks at the end"),
        pytest.param(b"=3=\nD=C3=\r\n=BC", "=ü", set(), id="a soft line break inside an escape"),
        pytest.param(b"a=3Db", "a=b", set(), id="an equals sign"),
        pytest.param(b"a=b", "a=b", NOT_PRINTABLE, id="a lone equals sign"),
        pytest.param(b"1 == 2 === 3 ==== 4", "1 == 2 === 3 ==== 4", NOT_PRINTABLE, id="equals signs"),
        pytest.param(b"=4 =zz =\rb", "=4 =zz =\rb", NOT_PRINTABLE, id="incomplete escapes"),
        pytest.param("hü".encode(), "hü", set(), id="8 bits"),
        pytest.param(b"a_b", "a_b", set(), id="an underscore"),
        pytest.param(b"a  \r\nb", "a  \r\nb", set(), id="blanks at the end of a line"),
        pytest.param(b"", "", set(), id="nothing"),
        pytest.param(encodebytes(GREETING.encode()), GREETING, WRONG, id="padded base64"),
        pytest.param(encodebytes(GREETING.encode() * 9), GREETING * 9, WRONG, id="lines of base64"),
        pytest.param(b"d" * 64, "d" * 64, set(), id="a hash"),
        pytest.param(b"d" * 63 + b"=", "d" * 63, set(), id="a hash and a soft line break"),
        pytest.param(b"Hello", "Hello", set(), id="a word"),
    ],
)
def test_quoted_printable_is_decoded(content: bytes, decoded: str, defects: set[Defect]) -> None:
    assert decode_text(content, Encoding.QUOTED_PRINTABLE) == (decoded.encode(), defects)


def test_a_file_in_base64_that_is_declared_as_quoted_printable_is_decoded() -> None:
    assert decode_file(LONG, Encoding.QUOTED_PRINTABLE) == (BYTES, WRONG)
    assert decode_file(quopri.encodestring(BYTES), Encoding.QUOTED_PRINTABLE) == (BYTES, set())


@pytest.mark.parametrize(
    ("media_type", "content", "file", "defects"),
    [
        pytest.param("application/pdf", SHORT, b"%PDF-1.4 invoice\n", WRONG, id="a PDF"),
        pytest.param("image/png", LONG, BYTES, WRONG, id="an image"),
        pytest.param("application/octet-stream", LONG, LONG, set(), id="a type of anything"),
        pytest.param("image/svg+xml", LONG, LONG, set(), id="an image that is text"),
        pytest.param("application/pdf", b"%PDF-1.4 a", b"%PDF-1.4 a", set(), id="no base64"),
        pytest.param("application/pdf", b"PDF", b"PDF", set(), id="a word"),
    ],
)
def test_base64_that_is_not_declared_is_decoded_if_its_type_cannot_be_text(
    media_type: str, content: bytes, file: bytes, defects: set[Defect]
) -> None:
    head = f"From: a@example.com\r\nContent-Type: {media_type}\r\n\r\n"
    mail = message.parse_mail(head.encode() + content)
    assert ([file.content for file in mail.files], mail.defects) == ([file], defects)
