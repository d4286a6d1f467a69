"""The plain text and the HTML of an outbound mail."""

import pytest

from messaging.mail import message
from messaging.models import Content
from tests.support.mails import US


@pytest.mark.parametrize(
    ("body", "html"),
    [
        ("plain", False),
        ("a < b > c", False),
        ("if x<y and z>w", False),
        ("write to <user@example.com>", False),
        ("see <https://example.com/a>", False),
        ("Dear <name>,", False),
        ("List<String>", False),
        ("<3 and >_<", False),
        ("a <- b -> c", False),
        ("<b", False),
        ("<>", False),
        ("<b>bold</b>", True),
        ("ends with </p>", True),
        ("a<br>b", True),
        ("a<br/>b", True),
        ("a<BR />b", True),
        ('<a href="https://example.com">here</a>', True),
        ("<h1\nclass='x'>", True),
        ("<!DOCTYPE html>", True),
        ("<!-- a comment -->", True),
        ("<table border=1><tr><td>1</td></tr></table>", True),
    ],
)
def test_a_body_is_html_if_it_contains_a_tag(body: str, html: bool) -> None:
    content = {"type": "email", "from": US, "to": US, "body": body}
    assert message.text_and_html(Content.model_validate(content)) == ((None, body) if html else (body, None))


def test_a_mail_with_html_has_both() -> None:
    content = {"type": "email", "from": US, "to": US, "body": "a <b>", "html": "<p>a"}
    assert message.text_and_html(Content.model_validate(content)) == ("a <b>", "<p>a")


@pytest.mark.parametrize("blank", ["", " ", "\r\n"])
def test_blank_html_is_ignored(blank: str) -> None:
    content = {"type": "email", "from": US, "to": US, "html": blank}
    assert message.text_and_html(Content.model_validate({**content, "body": "text"})) == ("text", None)
    assert message.text_and_html(Content.model_validate({**content, "body": "<p>text"})) == (None, "<p>text")
