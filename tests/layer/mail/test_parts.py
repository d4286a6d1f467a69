"""The parts of a mail become its text, its HTML and its files."""

import base64

import pytest

from messaging.mail import message
from messaging.mail.defects import Defect
from messaging.mail.message import Mail
from messaging.mail.parts import MAX_BEGINNING, MAX_PARTS, MAX_TEXTS


def multipart(kind: str, *parts: str, boundary: str = "b1") -> str:
    """Return a multipart with its Content-Type header, so that it can be a part of another."""
    content = "".join(f"--{boundary}\r\n{part}\r\n" for part in parts)
    head = f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\nA multi-part message.'
    return f"{head}\r\n{content}--{boundary}--\r\n"


def parse(mail: str) -> Mail:
    return message.parse_mail(b"From: ann@example.com\r\n" + mail.encode())


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
BLANK_TEXT = "Content-Type: text/plain\r\n\r\n\r\n"
ATTACHED_TEXT = (
    'Content-Type: text/plain\r\nContent-Disposition: attachment; filename="notes.txt"\r\n\r\nnotes'
)
FORWARDED = "Content-Type: message/rfc822\r\n\r\n" + multipart("mixed", TEXT, IMAGE, boundary="inner")


@pytest.mark.parametrize(
    ("mail", "text", "html", "names"),
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
        (multipart("mixed", HTML, PDF, BLANK_TEXT), None, "<p>h\u00e9llo</p>", ["\u20ac 1.pdf"]),
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
        ("Content-Type: multipart/mixed; boundary=b\r\n\r\nno boundary line", "no boundary line", None, []),
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
def test_a_mail_has_text_html_and_files(
    mail: str, text: str | None, html: str | None, names: list[str]
) -> None:
    parsed = parse(mail)
    assert (parsed.text, parsed.html, [file.name for file in parsed.files]) == (text, html, names)


def test_the_content_id_of_an_inline_image_names_its_file() -> None:
    mail = parse(multipart("related", HTML, PDF, IMAGE))
    assert mail.content_ids == {"logo@example.com": 1}
    assert mail.files[1].content == base64.b64decode("iVBORw0K")
    assert mail.files[0].content == b"%PDF"


def test_a_text_over_the_maximum_becomes_a_file_and_is_shortened() -> None:
    text = b"x" * (MAX_TEXTS + 1)
    mail = message.parse_mail(b"From: ann@example.com\r\n\r\n" + text)
    assert [file.content for file in mail.files] == [text]
    assert mail.text == "x" * MAX_BEGINNING


def test_a_mail_inside_a_mail_is_one_complete_file() -> None:
    [inner] = parse(multipart("mixed", TEXT, FORWARDED)).files
    assert inner.content_type == "message/rfc822"
    inner_mail = message.parse_mail(b"From: x\r\n" + inner.content)
    assert [file.name for file in inner_mail.files] == ["logo.png"]


@pytest.mark.parametrize(
    ("mail", "text", "html"),
    [
        (FORWARDED, "h\u00e9llo", None),  # GroupWise forwards a mail this way
        (multipart("mixed", FORWARDED), "h\u00e9llo", None),
        (multipart("mixed", "Content-Type: text/plain\r\n\r\n \r\n", FORWARDED), "h\u00e9llo", None),
        (multipart("mixed", PDF, f"Content-Type: message/rfc822\r\n\r\n{HTML}"), None, "<p>h\u00e9llo</p>"),
        (multipart("digest", f"\r\n{TEXT}", f"\r\n{TEXT}"), "h\u00e9llo\nh\u00e9llo", None),
    ],
    ids=["whole mail", "only part", "after a blank text", "beside a file", "digest"],
)
def test_a_mail_that_only_forwards_mails_shows_their_texts(
    mail: str, text: str | None, html: str | None
) -> None:
    parsed = parse(mail)
    assert ((parsed.text or "").strip() or None, parsed.html) == (text, html)
    assert "message/rfc822" in {file.content_type for file in parsed.files}
    assert Defect.TEXT_FORWARDED in parsed.defects


def test_a_forwarded_mail_with_too_many_parts_shows_the_text_of_the_first() -> None:
    parsed = parse(f"Content-Type: message/rfc822\r\n\r\n{multipart('mixed', *[TEXT] * MAX_PARTS)}")
    assert [file.content_type for file in parsed.files] == ["message/rfc822"]
    assert (parsed.text or "").startswith("h\u00e9llo")
