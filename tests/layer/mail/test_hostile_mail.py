"""Hostile mails stay within the limits on parts, depth and time, and never cause an unexpected error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.mail import message as mail_message
from tests.layer.mail.test_parts import FORWARDED, HTML, IMAGE, PDF, TEXT, parse
from tests.support.mails import NOW, inbound

pytestmark = pytest.mark.slow


def test_parts_that_are_too_deep_become_one_file() -> None:
    deep = "".join(f"Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n" for n in range(5000))
    [file] = parse(deep).files
    assert file.content.startswith(b"--b20\r\n")


@pytest.mark.parametrize("boundary", ["*=utf-7''+2AA-", "*0*=utf-7''+2AA-", "*=unicode_escape''%5Cud800"])
def test_a_boundary_that_cannot_be_encoded_separates_nothing(boundary: str) -> None:
    mail = parse(f"Content-Type: multipart/mixed; boundary{boundary}\r\n\r\n--x\r\n\r\nhi")
    assert (mail.text, mail.files) == ("--x\r\n\r\nhi".replace("\r", ""), [])


PIECES = st.sampled_from(
    [
        *(
            TEXT,
            HTML,
            IMAGE,
            PDF,
            FORWARDED,
            "--b1",
            "--b1--",
            "--",
            "\r\n",
            "\n",
            "\r\n\r\n",
            "\0",
            "\ud800",
            " ",
        ),
        *(
            "From:",
            "To:",
            "Cc:",
            "Date:",
            "Subject:",
            "Message-ID:",
            "References:",
            "Content-ID:",
            "<",
            ">",
            "@",
        ),
        *(
            "Content-Type:",
            "multipart/mixed;",
            "boundary=b1",
            "charset=",
            "utf-7",
            "idna",
            "name*0*=",
            "utf-8''%",
        ),
        *('"', "\\", "(", ")", ",", ";", ":", "=?utf-8?b?", "=?=", "?=", "a@example.com", "-0000", "9999"),
        "Content-Transfer-Encoding: base64",
    ]
)


@given(st.lists(PIECES | st.text(max_size=5), max_size=40), st.sampled_from(["a@example.com", "", "<>"]))
def test_any_mail_becomes_a_message_with_a_sender(pieces: list[str], sender: str) -> None:
    raw = f"From: {sender}\r\n{''.join(pieces)}".encode(errors="surrogatepass")
    message = inbound(mail_message.parse_mail(raw), "us@example.com", NOW)
    assert message.sender
    assert inbound(mail_message.parse_mail(raw), "us@example.com", NOW) == message


@pytest.mark.parametrize(
    "piece", ["(", "<", '"\\', "a@b.com,", "=?a?b?YQ==?= ", "<a", " ", "(\\", "1 ", "\r\n "]
)
@pytest.mark.parametrize(
    "name", ["From", "To", "Cc", "Subject", "References", "Date", "Content-Type", "Content-ID"]
)
def test_a_long_header_is_parsed_in_linear_time(name: str, piece: str) -> None:
    """Quadratic time would be minutes."""
    raw = f"{name}: a {piece * (300_000 // len(piece))}\r\nFrom: a@example.com\r\n\r\nx".encode()
    inbound(mail_message.parse_mail(raw), "us@example.com", NOW)
