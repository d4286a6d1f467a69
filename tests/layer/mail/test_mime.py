"""Mails as they travel, in the charsets and the shapes that mail programs give them; and in none."""

import base64
from datetime import UTC, datetime

import pytest

from messaging.mail import message
from messaging.mail.message import Mail
from messaging.mail.mime import MAX_BEGINNING, MAX_TEXTS
from messaging.problems import Unreadable

NOW = datetime(2024, 11, 1, 14, tzinfo=UTC)


def read(*lines: str, content: bytes = b"", sender: str = "ann@example.com") -> Mail:
    return message.parse_mail("\r\n".join([f"From: {sender}", *lines, "", ""]).encode() + content)


def multipart(kind: str, *parts: str, boundary: str = "b1") -> str:
    """With its own Content-Type before it, so that it can stand within another."""
    between = "".join(f"--{boundary}\r\n{part}\r\n" for part in parts)
    head = f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\nFor old readers.'
    return f"{head}\r\n{between}--{boundary}--\r\nAfter.\r\n"


def composed(whole: str) -> Mail:
    return message.parse_mail(b"From: ann@example.com\r\n" + whole.encode())


TEXT = "Content-Type: text/plain; charset=utf-8\r\n\r\nh\u00e9llo"
HTML = "Content-Type: text/html; charset=utf-8\r\n\r\n<p>h\u00e9llo</p>"
IMAGE = (
    'Content-Type: image/png; name="logo.png"\r\nContent-Transfer-Encoding: base64\r\n'
    "Content-Disposition: inline\r\nContent-ID: <logo@example.com>\r\n\r\niVBO\r\nRw0K\r\n"
)
PDF = (
    "Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n"
    "Content-Disposition: attachment;\r\n filename*0*=utf-8''%E2%82%AC;\r\n filename*1=\" 1.pdf\"\r\n"
    "\r\nJVBERg"
)
ATTACHED_TEXT = (
    'Content-Type: text/plain\r\nContent-Disposition: attachment; filename="notes.txt"\r\n\r\nnotes'
)
FORWARDED = "Content-Type: message/rfc822\r\n\r\n" + multipart("mixed", TEXT, IMAGE, boundary="inner")


# --- Parts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("whole", "text", "html", "names"),
    [
        (TEXT, "h\u00e9llo", None, []),
        (HTML, None, "<p>h\u00e9llo</p>", []),
        (multipart("alternative", TEXT, HTML), "h\u00e9llo", "<p>h\u00e9llo</p>", []),
        (
            multipart(
                "mixed",
                multipart(
                    "alternative", TEXT, multipart("related", HTML, IMAGE, boundary="b3"), boundary="b2"
                ),
                PDF,
            ),
            "h\u00e9llo",
            "<p>h\u00e9llo</p>",
            ["logo.png", "\u20ac 1.pdf"],
        ),
        (multipart("mixed", TEXT, IMAGE, TEXT), "h\u00e9llo\nh\u00e9llo", None, ["logo.png"]),
        (multipart("mixed", HTML, TEXT), None, "<p>h\u00e9llo</p>\n<pre>h\u00e9llo</pre>", []),
        (
            multipart("mixed", multipart("alternative", TEXT, HTML, boundary="b2"), TEXT),
            "h\u00e9llo\nh\u00e9llo",
            "<p>h\u00e9llo</p>\n<pre>h\u00e9llo</pre>",
            [],
        ),
        (multipart("mixed", ATTACHED_TEXT, TEXT), "h\u00e9llo", None, ["notes.txt"]),
        (multipart("mixed", TEXT, FORWARDED), "h\u00e9llo", None, ["attachment.eml"]),
        (multipart("mixed", PDF), None, None, ["\u20ac 1.pdf"]),
        (PDF, None, None, ["\u20ac 1.pdf"]),
        ("Content-Type: multipart/mixed; boundary=b\r\n\r\nnone of it", "none of it", None, []),
        ("Content-Type: multipart/mixed\r\n\r\nno boundary", "no boundary", None, []),
        (
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nnever closed",
            "never closed",
            None,
            [],
        ),
        ("Content-Type: text/calendar\r\n\r\nBEGIN", None, None, ["attachment.ics"]),
        ("Content-Type: ;;=\r\n\r\nodd", "odd", None, []),
    ],
)
def test_texts_and_files_are_told_apart(
    whole: str, text: str | None, html: str | None, names: list[str]
) -> None:
    found = composed(whole)
    assert (found.text, found.html, [one.name for one in found.files]) == (text, html, names)


def test_an_inline_image_is_a_file_by_the_name_that_the_html_has_for_it() -> None:
    found = composed(multipart("related", HTML, PDF, IMAGE))
    assert found.content_ids == {"logo@example.com": 1}
    assert found.files[1].content == base64.b64decode("iVBORw0K")
    assert found.files[0].content == b"%PDF"


def test_a_text_past_the_fourth_mebibyte_is_a_file_and_its_beginning_the_text() -> None:
    whole = b"x" * (MAX_TEXTS + 1)
    found = read(content=whole)
    assert [one.content for one in found.files] == [whole]
    assert found.text == "x" * MAX_BEGINNING


def test_a_mail_within_a_mail_is_one_file_and_whole() -> None:
    [inner] = composed(multipart("mixed", TEXT, FORWARDED)).files
    assert (
        inner.content_type,
        [one.name for one in message.parse_mail(b"From: x\r\n" + inner.content).files],
    ) == (
        "message/rfc822",
        ["logo.png"],
    )


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\\\Temp\\\\a.doc", "a.doc"),
        ("=?utf-8?b?4oKsLnBkZg==?=", "\u20ac.pdf"),
        ("a" * 300 + ".pdf", "a" * 251 + ".pdf"),
        ("a\tb.txt", "a b.txt"),
    ],
)
def test_a_file_s_name_is_a_name_alone(name: str, kept: str) -> None:
    [found] = composed(f'Content-Type: a/b; name="{name}"\r\n\r\nx').files
    assert found.name == kept


# --- Headers -----------------------------------------------------------------------------------------


def test_what_a_mail_says_of_itself() -> None:
    found = read(
        "To: Us <us@example.com>,\r\n other@example.com",
        "Cc: =?utf-8?q?B=2C?= <b@example.com>",
        "Reply-To: r@example.com",
        "Message-ID:\r\n <1@example.com>",
        "In-Reply-To: <0@example.com> (his)",
        "References: <a@example.com>\r\n <0@example.com>",
        "Date: Fri, 1 Nov 2024 09:00:00 -0500 (EST)",
    )
    assert (found.to, found.cc) == (
        ["Us <us@example.com>", "other@example.com"],
        ["=?utf-8?q?B=2C?= <b@example.com>"],
    )
    assert (found.reply_to, found.message_id, found.in_reply_to) == (
        ["r@example.com"],
        "1@example.com",
        "0@example.com",
    )
    assert (found.references, found.date) == (["a@example.com", "0@example.com"], NOW)


@pytest.mark.parametrize(
    "date", ["", "yesterday", "Fri, 99 Nov 2024 09:00:00", "Fri, 31 Dec 9999 23:59:59 -2359", "1" * 5000]
)
def test_a_time_that_is_none_is_left_out(date: str) -> None:
    assert read(f"Date: {date}").date is None


@pytest.mark.parametrize("raw", [b"", b"\r\n\r\nhello", b"hello", b"\xff\xfe", b"Subject: no sender\r\n\r\n"])
def test_what_is_no_mail_cannot_be_read(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        message.parse_mail(raw)
