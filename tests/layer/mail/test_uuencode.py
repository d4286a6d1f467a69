"""Files in uuencode, as parts of a mail and inside its text, become files."""

import binascii

import pytest

from messaging.mail import message
from messaging.mail.defects import Defect

HEAD = b"From: ann@example.org\r\n"
TABLE = b"a;1\nb;2\n"
BYTES = bytes(range(256))
INVALID = {Defect.UUENCODE_INVALID}


def uuencode(content: bytes, name: str = "price.csv") -> bytes:
    lines = [binascii.b2a_uu(content[start : start + 45]) for start in range(0, len(content), 45)]
    return f"begin 644 {name}\n".encode() + b"".join(lines) + b"`\nend\n"


@pytest.mark.parametrize(
    ("encoding", "content", "file", "defects"),
    [
        pytest.param(b"x-uuencode", uuencode(TABLE), TABLE, set(), id="x-uuencode"),
        pytest.param(b"uuencode", uuencode(TABLE), TABLE, set(), id="uuencode"),
        pytest.param(b"x-uue", uuencode(BYTES), BYTES, set(), id="x-uue"),
        pytest.param(b"UUE", uuencode(BYTES).replace(b"\n", b"\r\n"), BYTES, set(), id="CRLF"),
        pytest.param(b"uu", b"It is:\n" + uuencode(BYTES), BYTES, INVALID, id="text before it"),
        pytest.param(b"uu", uuencode(BYTES) + b"Bye", BYTES, INVALID, id="text after it"),
        pytest.param(
            b"uu", uuencode(BYTES).replace(b"`\nend", b" \nend"), BYTES, set(), id="blanks for zeros"
        ),
        pytest.param(
            b"uu", b'begin 644 a\n$83LQ"@_/\n`\nend\n', b"a;1\n", set(), id="bits after the last byte"
        ),
        pytest.param(b"uu", uuencode(b"\0" * 60).replace(b"`", b" "), b"\0" * 60, set(), id="zeros"),
        pytest.param(b"uu", uuencode(BYTES)[:-4], BYTES, INVALID, id="no end"),
        pytest.param(b"uu", b"begin 644 a\n(83LQ\nend\n", b"a;1\0\0\0\0\0", INVALID, id="a cut line"),
        pytest.param(b"uu", b"begin 644 a\nxyz\n#83LQ\nend\n", b"a;1", INVALID, id="a line of words"),
        pytest.param(b"uu", b"no file", b"no file", INVALID, id="no beginning"),
        pytest.param(b"uu", b"", b"", INVALID, id="nothing"),
    ],
)
def test_a_part_in_uuencode_is_decoded(
    encoding: bytes, content: bytes, file: bytes, defects: set[Defect]
) -> None:
    head = b"Content-Type: text/csv; name=a.csv\r\nContent-Transfer-Encoding: " + encoding
    mail = message.parse_mail(HEAD + head + b"\r\n\r\n" + content)
    assert ([(file.name, file.content) for file in mail.files], mail.defects) == ([("a.csv", file)], defects)


def test_the_name_of_a_part_can_be_that_of_its_content() -> None:
    head = b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: uuencode\r\n\r\n"
    [file] = message.parse_mail(HEAD + head + uuencode(TABLE, "pr\u00e4is.csv")).files
    assert (file.name, file.content) == ("präis.csv", TABLE)


@pytest.mark.parametrize(
    ("content", "text", "files"),
    [
        pytest.param(b"hi\n" + uuencode(TABLE), "hi\n", [TABLE], id="at the end"),
        pytest.param(uuencode(TABLE) + b"hi", "hi", [TABLE], id="at the beginning"),
        pytest.param(
            b"a\n" + uuencode(TABLE) + b"b\n" + uuencode(BYTES), "a\nb\n", [TABLE, BYTES], id="two files"
        ),
        pytest.param(b"hi\r\n" + uuencode(BYTES).replace(b"\n", b"\r\n"), "hi\n", [BYTES], id="CRLF"),
        pytest.param(b"hi\n" + uuencode(BYTES)[:-1], "hi\n", [BYTES], id="no line end"),
        pytest.param(b"begin 644 the day\n", "begin 644 the day\n", [], id="a sentence"),
        pytest.param(b"begin 644 a\nhello\nend\n", "begin 644 a\nhello\nend\n", [], id="words"),
        pytest.param(b"begin 644 a\nHELLO\nend\n", "begin 644 a\nHELLO\nend\n", [], id="words in upper case"),
        pytest.param(b"begin 644 a\nend\n", "begin 644 a\nend\n", [], id="no lines"),
        pytest.param(uuencode(TABLE)[:-4], uuencode(TABLE)[:-4].decode(), [], id="no end"),
    ],
)
def test_a_file_inside_a_text_becomes_a_file(content: bytes, text: str, files: list[bytes]) -> None:
    mail = message.parse_mail(HEAD + b"\r\n" + content)
    assert (mail.text, [file.content for file in mail.files], mail.defects) == (text, files, set())


def test_a_text_with_a_file_in_yenc_is_a_file_too() -> None:
    """Its bytes are not text, so that they would be lost."""
    content = b"hi\r\n=ybegin line=128 size=3 name=a.bin\r\n\x8b\x8c\xff\r\n=yend size=3\r\n"
    mail = message.parse_mail(HEAD + b"\r\n" + content)
    assert mail.text is not None
    assert mail.text.startswith("hi\n=ybegin")
    assert [(file.name, file.content) for file in mail.files] == [("a.bin.yenc", content)]
