"""The headers of a mail or of a part end where its text begins, also without an empty line between them."""

import pytest

from messaging.mail import message
from messaging.mail.defects import Defect

SEPARATOR_MISSING = {Defect.HEADER_SEPARATOR_MISSING}
NOT_FOLDED = {Defect.HEADER_NOT_FOLDED}
HEAD = b"From: ann@example.org\r\nSubject: Order 7\r\n"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
MBOX_LINE = b"From ann@example.org Fri Nov  1 14:00:00 2024\n"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        pytest.param(HEAD + b"\r\nhi", "hi", id="an empty line"),
        pytest.param(HEAD + b" \t\r\nhi", "hi", id="a line of blanks"),
        pytest.param(
            HEAD + b" \r\nNote: hi\r\n\r\nbye", "Note: hi\n\nbye", id="a line of blanks before a colon"
        ),
        pytest.param(HEAD.replace(b"\r", b"") + b"\nhi", "hi", id="LF"),
        pytest.param(HEAD.replace(b"\n", b"\r\n") + b"\r\r\nhi\r\r\nho", "hi\nho", id="CR CR LF"),
        pytest.param(HEAD.replace(b"\n", b"") + b"\rhi\rho", "hi\nho", id="CR"),
        pytest.param(b"Received: x\r\n" + HEAD.replace(b"\n", b"") + b"\rhi", "hi", id="CR below CR LF"),
        pytest.param(HEAD + b"\nhi\r\nho\n", "hi\nho\n", id="LF after CR LF"),
        pytest.param(HEAD, "", id="no content"),
        pytest.param(HEAD[:-2], "", id="no line end"),
        pytest.param(b"\r\n\r\n" + HEAD + b"\r\nhi", "hi", id="empty lines before the headers"),
        pytest.param(b"\0\0 \r\n" + HEAD + b"\r\nhi", "hi", id="NULs before the headers"),
        pytest.param(BYTE_ORDER_MARK + HEAD + b"\r\nhi", "hi", id="a byte order mark"),
        pytest.param(MBOX_LINE + HEAD + b"\r\nhi", "hi", id="a line of an mbox file"),
        pytest.param(b">" + MBOX_LINE + HEAD + b"\r\nhi", "hi", id="an escaped line of an mbox file"),
        pytest.param(HEAD.replace(b":", b" \t:") + b"\r\nhi", "hi", id="blanks before the colon"),
        pytest.param(b"Subject:\r\n Order\r\n\t7\r\n" + HEAD[:23] + b"\r\nhi", "hi", id="folded"),
        pytest.param(
            b"Subject:\r\n \r\n Order 7\r\n" + HEAD[:23] + b"\r\nhi", "hi", id="folded with a blank line"
        ),
        pytest.param(
            b"Subject: Order 7\r\n \r\n" + HEAD[:23] + b"\r\nhi",
            "hi",
            id="a line of blanks before a new header",
        ),
    ],
)
def test_the_text_begins_after_the_headers(raw: bytes, text: str) -> None:
    mail = message.parse_mail(raw)
    assert (mail.sender, mail.subject, mail.text or "") == ("ann@example.org", "Order 7", text)
    assert not mail.defects


CONTENTS_WITHOUT_EMPTY_LINE = {
    "a sentence": (b"Dear all,\r\nhi\r\n", "Dear all,\nhi\n"),
    "a sentence and an empty line": (b"Dear all,\r\n\r\nhi\r\n", "Dear all,\n\nhi\n"),
    "a sentence that looks like a header": (b"Note: hi\r\nbye", "Note: hi\nbye"),
    "only a sentence that looks like a header": (b"Note: hi\r\n", "Note: hi\n"),
    "a link": (b"https://example.org/\r\nhi", "https://example.org/\nhi"),
    "a time": (b"at 14:00 hi", "at 14:00 hi"),
    "a bounce": (b"<ann@example.org>:\r\nfull", "<ann@example.org>:\nfull"),
    "a quoted header that the mail has": (b"hi\r\nFrom: Bob\r\nho", "hi\nFrom: Bob\nho"),
    "a list": (b"hi\r\nTerms: none\r\nho", "hi\nTerms: none\nho"),
    "a day": (b"hi\r\nDate: Friday\r\nho", "hi\nDate: Friday\nho"),
    "no address": (b"hi\r\nTo: the desk\r\nho", "hi\nTo: the desk\nho"),
    "a form": (b"Name: Bob\r\nUser-Name: b\r\n", "Name: Bob\nUser-Name: b\n"),
    "other characters than ASCII": ("Grüße\r\nhi".encode(), "Grüße\nhi"),
    "CR": (b"Dear all,\rhi\r", "Dear all,\nhi\n"),
    "a tag": (b"<p>hi</p>\r\n", "<p>hi</p>\n"),
}


@pytest.mark.parametrize(
    ("content", "text"),
    CONTENTS_WITHOUT_EMPTY_LINE.values(),
    ids=CONTENTS_WITHOUT_EMPTY_LINE,
)
def test_without_an_empty_line_the_text_begins_at_the_first_line_that_is_not_a_header(
    content: bytes, text: str
) -> None:
    mail = message.parse_mail(HEAD + content)
    assert (mail.subject, mail.text, mail.defects) == ("Order 7", text, SEPARATOR_MISSING)


@pytest.mark.parametrize(
    ("part", "text", "defects"),
    [
        pytest.param(b"Content-Type: text/plain\r\nhi", "hi", SEPARATOR_MISSING, id="headers and text"),
        pytest.param(b"hi", "hi", SEPARATOR_MISSING, id="only text"),
        pytest.param(b"Note: hi", "Note: hi", SEPARATOR_MISSING, id="only text that looks like a header"),
        pytest.param(b" hi", " hi", SEPARATOR_MISSING, id="only indented text"),
        pytest.param(b"Content-Type: text/plain\n\nhi", "hi", set(), id="an empty line"),
        pytest.param(b"\r\nhi", "hi", set(), id="no headers"),
        pytest.param(b"\r\nNote: hi", "Note: hi", set(), id="no headers, and a text that looks like one"),
    ],
)
def test_the_headers_of_a_part_end_like_those_of_a_mail(part: bytes, text: str, defects: set[Defect]) -> None:
    head = HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
    mail = message.parse_mail(head + part + b"\r\n--b--\r\n")
    assert (mail.text, mail.files, mail.defects) == (text, [], defects)


def test_a_multipart_can_follow_the_headers_without_an_empty_line() -> None:
    """Mailchimp and others send such mails."""
    part = b"--b\r\nContent-Transfer-Encoding: 7bit\r\nContent-Type: text/plain\r\n\r\nhi\r\n--b--\r\n"
    mail = message.parse_mail(HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n" + part)
    assert (mail.text, mail.defects) == ("hi", SEPARATOR_MISSING)


@pytest.mark.parametrize(
    ("lines", "subject", "defects"),
    [
        pytest.param(
            b"Subject: Order\r\n7\r\nTo: us@x", "Order 7", NOT_FOLDED, id="the second line of a subject"
        ),
        pytest.param(b"Received: by x\r\nat 14:00\r\nSubject: 7", "7", NOT_FOLDED, id="a time"),
        pytest.param(b"X-A: a;\r\nb;\r\nc\r\nSubject: 7", "7", NOT_FOLDED, id="several lines"),
        pytest.param("Größe: 5\r\nSubject: 7".encode(), "7", NOT_FOLDED, id="a name with other characters"),
        pytest.param(b"X A: 5\r\nSubject: 7", "7", NOT_FOLDED, id="a name with a blank"),
        pytest.param(
            b"Subject: 7\r\nContent-Type: text/plain;\r\ncharset=utf-8",
            "7",
            NOT_FOLDED,
            id="a parameter at the end",
        ),
        pytest.param(
            b"Subject: 7\r\nContent-Type: text/plain\r\nformat=flowed",
            "7",
            NOT_FOLDED,
            id="no semicolon before it",
        ),
        pytest.param(
            b"Subject: 7\r\nContent-Type: text/plain\r\na=b", "7", SEPARATOR_MISSING, id="a formula"
        ),
        pytest.param(b"X-A: a\r\nb\r\nTo:\r\n us@x\r\nSubject: 7", "7", NOT_FOLDED, id="a folded header"),
        pytest.param(b"X-A: a\r\nb\r\nDate: 1 Nov 24 14:00\r\nSubject: 7", "7", NOT_FOLDED, id="a date"),
        pytest.param(b"Subject: a\rb", "a b", set(), id="a CR inside"),
        pytest.param(b"Subject: 7\r\nWhatever: 8", "7", set(), id="a name of its own"),
    ],
)
def test_a_line_before_other_headers_continues_a_header(
    lines: bytes, subject: str, defects: set[Defect]
) -> None:
    mail = message.parse_mail(b"From: ann@example.org\r\n" + lines + b"\r\n\r\nhi")
    assert (mail.subject, mail.defects) == (subject, defects)
    assert mail.text == ("a=b\n\nhi" if defects == SEPARATOR_MISSING else "hi")
