"""The parts of a multipart are separated by its boundary, also if senders declare or write it wrong."""

import base64
import quopri

import pytest

from messaging.mail import message
from messaging.mail.defects import Defect

HEAD = b"From: ann@example.org\r\n"
MIXED = b"Content-Type: multipart/mixed; boundary="
TEXT = b"Content-Type: text/plain\r\n\r\nhi\r\n"
PDF = b"Content-Type: application/pdf; name=a.pdf\r\n\r\nPDF\r\n"
PARTS = b"--b\r\n" + TEXT + b"--b\r\n" + PDF + b"--b--\r\n"
WRONG = {Defect.BOUNDARY_WRONG}
REPEATED = {Defect.HEADER_REPEATED}
NOT_FOLDED = {Defect.HEADER_NOT_FOLDED}
UNCLOSED = {Defect.CLOSING_BOUNDARY_MISSING}
TEXT_BEFORE = {Defect.TEXT_BEFORE_PARTS}
TEXT_AFTER = {Defect.TEXT_AFTER_PARTS}
NOTES = (
    b"This is a multi-part message in MIME format.",
    b"Multipart message, please use another mail program",
    b"This is an S/MIME signed message",
    b"Eine mehrteilige Nachricht im MIME-Format",
    "\u6b64\u90ae\u4ef6\u662fMIME\u683c\u5f0f".encode(),
)
TEXTS_BEFORE = (
    b"Please call me.",
    b"See below.\r\n\r\nAnn",
    "\u304f\u3060\u3055\u3044".encode(),
    b"-- b",
    b"Pantomimes are on Friday.",
)
ENCODED = {Defect.MULTIPART_ENCODED}


def read(head: bytes, content: bytes = PARTS) -> tuple[str | None, list[tuple[str, bytes]], set[Defect]]:
    """Return the text, the names and contents of the files, and the defects."""
    mail = message.parse_mail(HEAD + head + b"\r\n\r\n" + content)
    return mail.text, [(file.name, file.content) for file in mail.files], set(mail.defects)


@pytest.mark.parametrize(
    ("head", "defects"),
    [
        pytest.param(MIXED + b"b", set(), id="correct"),
        pytest.param(MIXED + b'"b"', set(), id="quotes"),
        pytest.param(MIXED + b"'b'", set(), id="single quotes"),
        pytest.param(MIXED + b'"b', set(), id="a missing quote"),
        pytest.param(MIXED + b'" b "', set(), id="blanks inside the quotes"),
        pytest.param(MIXED + b"<b>", set(), id="angle brackets"),
        pytest.param(MIXED + b"b (comment)", set(), id="a comment"),
        pytest.param(MIXED.replace(b";", b"") + b"b", set(), id="no semicolon"),
        pytest.param(MIXED.replace(b";", b",") + b"b", set(), id="a comma"),
        pytest.param(MIXED.replace(b"; ", b";\r\n\t") + b"b", set(), id="folded"),
        pytest.param(MIXED.replace(b"; ", b";\r\n") + b"b", NOT_FOLDED, id="folded without indentation"),
        pytest.param(MIXED.replace(b"; ", b"\n") + b"b", NOT_FOLDED, id="neither semicolon nor indentation"),
        pytest.param(MIXED + b"b\r\nContent-Type: text/plain", REPEATED, id="a second Content-Type"),
        pytest.param(b"Content-Type: text/plain\r\n" + MIXED + b"b", REPEATED, id="an earlier Content-Type"),
        pytest.param(MIXED + b"b\r\n" + MIXED + b"b", set(), id="the same Content-Type twice"),
        pytest.param(MIXED + b"other", WRONG, id="another boundary"),
        pytest.param(MIXED + b"bc", WRONG, id="a longer boundary"),
        pytest.param(MIXED + b"B", WRONG, id="upper case"),
        pytest.param(MIXED + b"--b", WRONG, id="the dashes"),
        pytest.param(MIXED, WRONG, id="an empty boundary"),
        pytest.param(b"Content-Type: multipart/mixed", WRONG, id="no boundary"),
        pytest.param(b"Content-Type: multipart", WRONG, id="no subtype"),
        pytest.param(MIXED + b"b\r\nContent-Transfer-Encoding: base64", set(), id="base64 that it is not"),
        pytest.param(
            MIXED + b"b\r\nContent-Transfer-Encoding: quoted-printable",
            set(),
            id="quoted-printable that it is not",
        ),
    ],
)
def test_a_boundary_is_recognized(head: bytes, defects: set[Defect]) -> None:
    assert read(head) == ("hi", [("a.pdf", b"PDF")], defects)


@pytest.mark.parametrize(
    ("content", "defects"),
    [
        pytest.param(PARTS.replace(b"\r", b""), set(), id="LF"),
        pytest.param(PARTS.replace(b"\n", b"\r\n"), set(), id="CR CR LF"),
        pytest.param(PARTS.replace(b"\n", b""), set(), id="CR"),
        pytest.param(PARTS.replace(b"--b\r\n", b"--b \t\r\n"), set(), id="blanks after the boundary"),
        pytest.param(b"\r\n\0 \r\n" + PARTS, set(), id="blanks before the parts"),
        *(pytest.param(note + b"\r\n" + PARTS, set(), id=note.decode()) for note in NOTES),
        *(pytest.param(text + b"\r\n" + PARTS, TEXT_BEFORE, id=text.decode()) for text in TEXTS_BEFORE),
        pytest.param(PARTS[:-2], set(), id="no line end"),
        pytest.param(PARTS[:-4], UNCLOSED, id="an opening line at the end"),
        pytest.param(PARTS[:-7], UNCLOSED, id="no closing line"),
        pytest.param(PARTS + b"-- \r\nA list", TEXT_AFTER, id="text after the parts"),
        pytest.param(PARTS[:-2] + b">\r\nA list", TEXT_AFTER, id="more in the last line"),
        pytest.param(PARTS[:-2] + b"____\r\nA list", TEXT_AFTER, id="text in the last line"),
        pytest.param(
            b"--b\r\n" + TEXT + b"--b--\r\n--b\r\n" + PDF + b"--b--",
            {Defect.CLOSING_BOUNDARY_MISPLACED},
            id="a part after the closing line",
        ),
    ],
)
def test_the_parts_are_separated_by_the_lines_of_the_boundary(content: bytes, defects: set[Defect]) -> None:
    text, files, seen_defects = read(MIXED + b"b", content)
    # Without a closing line, the line end of the file's last line cannot be the boundary's.
    assert (text, [(name, file.strip()) for name, file in files]) == ("hi", [("a.pdf", b"PDF")])
    assert seen_defects == defects


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"Call me.\r\n--b\r\n" + PDF + b"--b--\r\n", id="before a file"),
        pytest.param(b"--b\r\n" + PDF + b"--b--\r\nCall me.", id="after a file"),
        pytest.param(b"--b\r\n--b--\r\nCall me.", id="after an empty part"),
        pytest.param(b"--b--\r\nCall me.", id="after a closing line"),
        pytest.param(
            b"Call me.\r\n--b\r\nContent-Type: text/html\r\n\r\n\r\n--b--", id="before a blank text"
        ),
    ],
)
def test_a_mail_whose_only_text_is_outside_its_parts_is_a_file_too(content: bytes) -> None:
    _, files, defects = read(MIXED + b"b", content)
    name, raw = files[-1]
    assert (name, raw.endswith(content)) == ("message.eml", True)
    assert defects & (TEXT_BEFORE | TEXT_AFTER)


@pytest.mark.parametrize(
    ("encoding", "content", "defects"),
    [
        pytest.param(b"base64", base64.encodebytes(PARTS), ENCODED, id="base64"),
        pytest.param(b"BASE64;", base64.encodebytes(PARTS), ENCODED, id="a misspelled base64"),
        pytest.param(b"quoted-printable", quopri.encodestring(PARTS), ENCODED, id="quoted-printable"),
        pytest.param(
            b"base64",
            base64.encodebytes(PARTS.replace(b"--b", b"--c")),
            ENCODED | WRONG,
            id="a wrong boundary, too",
        ),
    ],
)
def test_a_multipart_that_is_encoded_is_decoded(
    encoding: bytes, content: bytes, defects: set[Defect]
) -> None:
    head = MIXED + b"b\r\nContent-Transfer-Encoding: " + encoding
    assert read(head, content) == ("hi", [("a.pdf", b"PDF")], defects)


def test_the_boundary_of_an_encoded_multipart_can_be_encoded_too() -> None:
    content = quopri.encodestring(PARTS.replace(b"--b", b"--=_b"))
    head = MIXED + b'"=_b"\r\nContent-Transfer-Encoding: quoted-printable'
    assert read(head, content) == ("hi", [("a.pdf", b"PDF")], ENCODED)


def test_a_closing_line_shows_the_boundary_of_parts_without_headers() -> None:
    assert read(MIXED, b"--b\r\n\r\nhi\r\n--b\r\n\r\nho\r\n--b--") == ("hi\nho", [], WRONG)


def test_an_encoded_multipart_inside_others_is_decoded() -> None:
    inner = MIXED + b"b\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(PARTS)
    assert read(MIXED + b"c", b"--c\r\n" + inner + b"--c--") == ("hi", [("a.pdf", b"PDF")], ENCODED)


@pytest.mark.parametrize(("outer", "inner"), [(b"b", b"bc"), (b"bc", b"b"), (b"b", b"b--c"), (b"b", b"b-")])
def test_a_boundary_can_be_the_beginning_of_another(outer: bytes, inner: bytes) -> None:
    parts = PARTS.replace(b"--b", b"--" + inner)
    content = b"--%s\r\n%s%s\r\n\r\n%s\r\n--%s--" % (outer, MIXED, inner, parts, outer)
    assert read(MIXED + outer, content) == ("hi", [("a.pdf", b"PDF")], set())


def test_an_outer_and_an_inner_multipart_can_have_the_same_boundary() -> None:
    html = b"Content-Type: text/html\r\n\r\n<p>hi</p>\r\n"
    alternative = b"Content-Type: multipart/alternative; boundary=b\r\n\r\n"
    content = b"--b\r\n".join([b"", alternative, TEXT, html + b"--b--\r\n", PDF + b"--b--\r\n"])
    mail = message.parse_mail(HEAD + MIXED + b"b\r\n\r\n" + content)
    assert (mail.text, mail.html, [file.name for file in mail.files]) == ("hi", "<p>hi</p>", ["a.pdf"])


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"hi\r\n-- \r\nAnn", id="a signature"),
        pytest.param(b"hi\r\n--ann\r\nhi", id="dashes"),
        pytest.param(b"hi\r\n--b: no\r\nContent is missing", id="dashes before a sentence"),
    ],
)
def test_a_multipart_without_parts_is_text(content: bytes) -> None:
    text, files, defects = read(MIXED + b"b", content)
    assert (text, files, defects) == (content.decode().replace("\r", ""), [], WRONG)


@pytest.mark.parametrize(
    ("head", "content", "names"),
    [
        pytest.param(b"X-A: b", b"Content-Type: text/plain\r\n\r\nhi", [], id="an empty line before them"),
        pytest.param(b"X-A: b", b"MIME-Version: 1.0\r\n" + TEXT, [], id="an empty line before MIME-Version"),
        pytest.param(
            b"X-A: b",
            b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\naGk=",
            [],
            id="text in base64",
        ),
        pytest.param(b"X-A: b", MIXED + b"b\r\n\r\n" + PARTS, ["a.pdf"], id="a multipart"),
        pytest.param(
            b"Content-Type: text/plain", MIXED + b"b\r\n\r\n" + PARTS, ["a.pdf"], id="a multipart in a text"
        ),
        pytest.param(
            b"Content-Type: text/plain",
            HEAD + b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\naGk=",
            ["attachment.eml"],
            id="a whole mail in base64",
        ),
        pytest.param(
            b"Content-Type: text/plain",
            HEAD + MIXED + b"b\r\n\r\n" + PARTS,
            ["attachment.eml", "a.pdf"],
            id="a whole mail in a text",
        ),
    ],
)
def test_headers_in_the_text_are_read(head: bytes, content: bytes, names: list[str]) -> None:
    text, files, defects = read(head, content)
    assert (text or "").strip() == "hi"
    assert ([name for name, _ in files], defects) == (names, {Defect.HEADERS_IN_TEXT})


@pytest.mark.parametrize("before", [b"", b"\r\n", NOTES[0] + b"\r\n\r\n"])
@pytest.mark.parametrize(
    "head",
    [
        b"Content-Type: text/plain; boundary=b",
        b"Content-Type: text/plain; charset=utf-8",
        b"Content-Transfer-Encoding: 7bit",
        b"Content-Type: text",
    ],
)
def test_a_multipart_that_is_declared_as_text_is_read(head: bytes, before: bytes) -> None:
    text, files, defects = read(head, before + PARTS)
    assert (text, files) == ("hi", [("a.pdf", b"PDF")])
    assert Defect.HEADERS_IN_TEXT in defects


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"See:\n--b\nContent-Type: text/plain\n\nhi\n--b--\n", id="text before it"),
        pytest.param(b"--b\nContent-Type: text/plain\n\nhi\n", id="no end"),
        pytest.param(b"--b\nhi\n--b--\n", id="no headers"),
        pytest.param(b"-- \nAnn\n", id="a signature"),
    ],
)
def test_a_text_that_resembles_a_multipart_is_text(content: bytes) -> None:
    assert read(b"Content-Type: text/plain", content)[:2] == (content.decode(), [])


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("Content-Type: text/plain", id="a header only"),
        pytest.param("Content-Type: text/plain\nis what I see", id="a sentence after a header"),
        pytest.param("From: Bob\nSubject: a\n\nhi", id="a quoted mail"),
        pytest.param("From: Bob\nContent-Type: text/plain\n\nhi", id="a quoted mail with a type"),
        pytest.param("Content-Type: multipart/mixed; boundary=b\n\nhi", id="a multipart without parts"),
        pytest.param("X-A: b\n" * 10_001 + "\nhi", id="many headers"),
        pytest.param("From: b\n" * 10_001 + "\nhi", id="many senders"),
    ],
)
def test_a_text_that_begins_like_headers_is_text(content: str) -> None:
    text, files, _ = read(b"Content-Type: text/plain", content.encode())
    assert (text, files) == (content, [])
