"""A part of a mail is shown as text if its sender wrote it as text, else it is a file. Nothing is lost.

Readers differ about texts with a file's name. Here the rule of JMAP (RFC 8621) applies: the first part of a
multipart is text, and later ones are files. A part that asks for `inline` is text in any case, because its
sender says so, but it is also a file: nobody can know which of the two the sender meant.
"""

import base64

import pytest

from messaging.mail import message
from messaging.mail.defects import Defect
from tests.layer.mail.test_parts import HTML, IMAGE, TEXT, multipart, parse

NOT_A_TYPE = {Defect.CONTENT_TYPE_INVALID}
PLAIN = "Content-Type: text/plain; charset=utf-8"
NAMED = f"{PLAIN}; name=text_0.txt"
INLINE = "Content-Disposition: inline"
ATTACHMENT = "Content-Disposition: attachment"
PATCH = "Content-Type: text/x-patch; name=a.patch"
TABLE = "Content-Type: text/csv; name=a.csv"
SMIL = "Content-Type: application/smil; name=smil.xml\r\n\r\n<smil/>"
AMP = "Content-Type: text/x-amp-html\r\n\r\n<html amp>"
WATCH = "Content-Type: text/watch-html\r\n\r\n<b>hi"
ENRICHED = "Content-Type: text/enriched\r\n\r\n<bold>hi"
NAMED_HTML = "Content-Type: text/html; name=a.html\r\n\r\n<p>hi"


@pytest.mark.parametrize(
    ("head", "text", "names"),
    [
        pytest.param(PLAIN, "hi", [], id="plain text"),
        pytest.param("X-A: b", "hi", [], id="no type"),
        pytest.param("Content-Type:", "hi", [], id="an empty type"),
        pytest.param("Content-Type: text/plain charset=utf-8", "hi", [], id="no semicolon"),
        pytest.param("Content-Type: text/plain (as typed); charset=utf-8", "hi", [], id="a comment"),
        pytest.param('Content-Type: "text/plain"; charset="utf-8"', "hi", [], id="quotes"),
        pytest.param("Content-Type: TEXT/PLAIN;", "hi", [], id="upper case"),
        pytest.param("Content-Type: text / plain", "hi", [], id="blanks"),
        pytest.param("Content-Type: text", "hi", [], id="no subtype"),
        pytest.param("Content-Type: plain/text", "hi", [], id="type and subtype exchanged"),
        pytest.param("Content-Type: text/plain/utf-8", "hi", [], id="three parts"),
        pytest.param("Content-Type: =?utf-8?Q?text/plain?=", "hi", [], id="an encoded word"),
        pytest.param("Content-Type: text/enriched", "hi", [], id="text/enriched"),
        pytest.param("Content-Type: text/richtext", "hi", [], id="text/richtext"),
        pytest.param("Content-Type: text/markdown; charset=utf-8", "hi", [], id="text/markdown"),
        pytest.param("Content-Type: text/x-unknown", "hi", [], id="an unknown subtype"),
        pytest.param(f"{PLAIN}\r\n{INLINE}", "hi", [], id="inline"),
        pytest.param(f"{PLAIN}\r\nContent-Disposition: ", "hi", [], id="an empty disposition"),
        pytest.param(f"{PLAIN}\r\nContent-Disposition: body", "hi", [], id="an unknown disposition"),
        pytest.param(NAMED, "hi", [], id="a name"),
        pytest.param(f'{PLAIN}\r\n{INLINE}; filename="text_0.txt"', "hi", [], id="an inline name"),
        pytest.param(f"{PLAIN}; name=mms", "hi", [], id="a name without an extension"),
        pytest.param(f"{PLAIN}; name=a.log", "hi", ["a.log"], id="the name of a log"),
        pytest.param(f"{PLAIN}; name=a.csv", "hi", ["a.csv"], id="the name of a table"),
        pytest.param(f"{PLAIN}; name=a.pdf", None, ["a.pdf"], id="the name of a PDF"),
        pytest.param(f"{PLAIN}; name=a.jpg\r\n{INLINE}", None, ["a.jpg"], id="the name of an image"),
        pytest.param(f"{PATCH}\r\n{INLINE}", "hi", ["a.patch"], id="a patch"),
        pytest.param(PATCH, None, ["a.patch"], id="a patch that is not inline"),
        pytest.param(f"{PLAIN}\r\n{ATTACHMENT}", None, ["attachment.txt"], id="an attachment"),
        pytest.param(f"{NAMED}\r\n{ATTACHMENT}", None, ["text_0.txt"], id="an attachment with a name"),
        pytest.param(f"{PLAIN}\r\n{INLINE}\r\n{ATTACHMENT}", None, ["attachment.txt"], id="two dispositions"),
        pytest.param("Content-Type: text/calendar", None, ["attachment.ics"], id="text/calendar"),
        pytest.param(f"Content-Type: text/csv\r\n{INLINE}", None, ["attachment.csv"], id="text/csv"),
        pytest.param("Content-Type: text/vcard", None, ["attachment.vcf"], id="text/vcard"),
        pytest.param("Content-Type: text/rtf", None, ["attachment.rtf"], id="text/rtf"),
        pytest.param("Content-Type: application/ms-tnef; name=winmail.dat", None, ["winmail.dat"], id="TNEF"),
        pytest.param(f"{ATTACHMENT}; filename=a.pdf", None, ["a.pdf"], id="a name and no type"),
        pytest.param("Content-Type: text/x-amp-html", None, [], id="only AMP"),
    ],
)
def test_the_first_part_is_text_or_a_file(head: str, text: str | None, names: list[str]) -> None:
    for mail in (
        parse(f"{head}\r\n\r\nhi"),
        parse(multipart("mixed", f"{head}\r\n\r\nhi")),
        parse(multipart("mixed", multipart("related", f"{head}\r\n\r\nhi", boundary="b2"))),
    ):
        assert (mail.text, [file.name for file in mail.files]) == (text, names)
        assert all(file.content == b"hi" for file in mail.files)
        assert Defect.CONTENT_TYPE_INVALID not in mail.defects


@pytest.mark.parametrize(
    ("head", "text", "names"),
    [
        pytest.param("Content-Type: pdf", "hi", [], id="no media type"),
        pytest.param("Content-Type: text.plain", "hi", [], id="a dot"),
        pytest.param("Content-Type: pdf; name=a.pdf", None, ["a.pdf"], id="no media type and a name"),
        pytest.param("Content-Type: pdf; name=a.unknown", None, ["a.unknown"], id="an unknown extension"),
    ],
)
def test_a_type_that_is_not_a_media_type_is_a_defect(head: str, text: str | None, names: list[str]) -> None:
    mail = parse(f"{head}\r\n\r\nhi")
    assert (mail.text, [file.name for file in mail.files], mail.defects) == (text, names, NOT_A_TYPE)


@pytest.mark.parametrize(
    ("head", "text", "names"),
    [
        pytest.param(PLAIN, "héllo\nhi", [], id="a text"),
        pytest.param("Content-Type: text/x-unknown", "héllo\nhi", [], id="an unknown subtype"),
        pytest.param(f"{PLAIN}; name=a.txt", "héllo", ["a.txt"], id="a name"),
        pytest.param(f"{PLAIN}; name=a.log", "héllo", ["a.log"], id="the name of a log"),
        pytest.param(f"{TABLE}\r\n{INLINE}", "héllo", ["a.csv"], id="an inline table"),
        pytest.param(f"{PLAIN}; name=a.txt\r\n{INLINE}", "héllo\nhi", ["a.txt"], id="an inline name"),
        pytest.param(f"{PLAIN}; name=a.log\r\n{INLINE}", "héllo\nhi", ["a.log"], id="an inline log"),
        pytest.param(f"{PLAIN}; name=a.txt\r\n{ATTACHMENT}", "héllo", ["a.txt"], id="an attachment"),
        pytest.param("Content-Type: text/x-amp-html", "héllo", [], id="AMP"),
        pytest.param("Content-Type: text/rfc822-headers", "héllo", ["attachment"], id="headers"),
    ],
)
def test_a_later_part_is_text_or_a_file(head: str, text: str, names: list[str]) -> None:
    mail = parse(multipart("mixed", TEXT, f"{head}\r\n\r\nhi"))
    assert (mail.text, [file.name for file in mail.files]) == (text, names)
    assert all(file.content == b"hi" for file in mail.files)


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([IMAGE, f"{NAMED}\r\n\r\nhi"], id="after an image"),
        pytest.param([IMAGE, f"{NAMED}\r\n{INLINE}\r\n\r\nhi", IMAGE], id="between images"),
        pytest.param([f"{NAMED}\r\n\r\nhi", IMAGE], id="before an image"),
        pytest.param([IMAGE, multipart("mixed", f"{NAMED}\r\n\r\nhi", boundary="b2")], id="in a multipart"),
        pytest.param(
            [SMIL, f"{NAMED}\r\n\r\nhi"],
            id="after SMIL",
        ),
        pytest.param([f"{NAMED}\r\nContent-Location: text_0.txt\r\nContent-ID: <0>\r\n\r\nhi"], id="alone"),
    ],
)
def test_the_text_of_an_mms_that_a_carrier_sends_as_a_mail_is_text(parts: list[str]) -> None:
    mail = parse(multipart("mixed", *parts))
    assert mail.text == "hi"
    assert "text_0.txt" not in [file.name for file in mail.files]


@pytest.mark.parametrize(
    ("parts", "text", "html", "names"),
    [
        pytest.param([TEXT, HTML], "héllo", "<p>héllo</p>", [], id="text and HTML"),
        pytest.param([f"{NAMED}\r\n\r\nhi", HTML], "hi", "<p>héllo</p>", [], id="a text with a name"),
        pytest.param([TEXT, NAMED_HTML], "héllo", "<p>hi", [], id="HTML with a name"),
        pytest.param([TEXT, ENRICHED, HTML], "héllo", "<p>héllo</p>", [], id="enriched"),
        pytest.param([ENRICHED, HTML], "<bold>hi", "<p>héllo</p>", [], id="only enriched"),
        pytest.param([TEXT, AMP, HTML], "héllo", "<p>héllo</p>", [], id="AMP"),
        pytest.param([TEXT, WATCH, HTML], "héllo", "<p>héllo</p>", [], id="for a watch"),
        pytest.param([TEXT, AMP], "héllo", None, [], id="AMP and no HTML"),
        pytest.param([AMP], None, "<html amp>", [], id="only AMP"),
        pytest.param(
            [TEXT, HTML, "Content-Type: text/calendar; name=a.ics\r\n\r\nBEGIN"],
            "héllo",
            "<p>héllo</p>",
            ["a.ics"],
            id="an invitation",
        ),
    ],
)
def test_alternatives_are_the_text_and_the_html(
    parts: list[str], text: str | None, html: str | None, names: list[str]
) -> None:
    mail = parse(multipart("alternative", *parts))
    assert (mail.text, mail.html, [file.name for file in mail.files]) == (text, html, names)


def test_a_delivery_report_shows_its_text_and_has_files() -> None:
    status = "Content-Type: message/delivery-status\r\n\r\nStatus: 5.1.1"
    original = f"Content-Type: message/rfc822\r\n\r\nFrom: us@example.com\r\n{TEXT}"
    mail = parse(multipart("report; report-type=delivery-status", TEXT, status, original))
    assert mail.text == "héllo"
    assert [file.content_type for file in mail.files] == ["message/delivery-status", "message/rfc822"]


def test_an_attached_mail_in_base64_is_a_readable_file() -> None:
    attached = b"From: bob@example.org\r\nSubject: old\r\n\r\nhi"
    head = "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    [file] = parse(multipart("mixed", TEXT, head + base64.encodebytes(attached).decode())).files
    assert message.parse_mail(file.content).subject == "old"


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("a\r\nb", "a\nb"),
        ("a\rb", "a\nb"),
        ("a\r\r\nb", "a\nb"),
        ("a\n\rb", "a\n\nb"),
        ("a\r\rb\r", "a\n\nb\n"),
    ],
)
def test_a_text_has_line_feeds_only(written: str, text: str) -> None:
    encoded = base64.encodebytes(written.encode()).decode()
    mail = parse(f"{PLAIN}\r\nContent-Transfer-Encoding: base64\r\n\r\n{encoded}")
    assert mail.text == text
