"""Mails by whoever wrote them: within bounds of parts, depth and time, and never a fault."""

from contextlib import nullcontext, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.mail import message as mail_message
from messaging.problems import Invalid, Unreadable
from tests.layer.mail.test_mime import FORWARDED, HTML, IMAGE, PDF, TEXT, composed, multipart
from tests.support.mails import NOW, inbound


def test_parts_that_lie_too_deep_are_one_file_and_too_many_are_refused() -> None:
    deep = "".join(f"Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n" for n in range(5000))
    [rest] = composed(deep).files
    assert rest.content.startswith(b"--b20\r\n")
    with pytest.raises(Unreadable):
        composed(multipart("mixed", *["\r\nx"] * 1001))


@pytest.mark.parametrize("boundary", ["*=utf-7''+2AA-", "*0*=utf-7''+2AA-", "*=unicode_escape''%5Cud800"])
def test_a_boundary_of_no_characters_separates_nothing(boundary: str) -> None:
    found = composed(f"Content-Type: multipart/mixed; boundary{boundary}\r\n\r\n--x\r\n\r\nhi")
    assert (found.text, found.files) == ("--x\r\n\r\nhi".replace("\r", ""), [])


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
def test_whatever_comes_becomes_a_message_or_is_refused(pieces: list[str], sender: str) -> None:
    raw = f"From: {sender}\r\n{''.join(pieces)}".encode(errors="surrogatepass")
    try:
        found = mail_message.parse_mail(raw)
        message = inbound(found, "us@example.com", NOW)
    except (Unreadable, Invalid):
        return
    assert inbound(mail_message.parse_mail(raw), "us@example.com", NOW) == message


@pytest.mark.parametrize(
    "piece", ["(", "<", '"\\', "a@b.com,", "=?a?b?YQ==?= ", "<a", " ", "(\\", "1 ", "\r\n "]
)
@pytest.mark.parametrize(
    "name", ["From", "To", "Cc", "Subject", "References", "Date", "Content-Type", "Content-ID"]
)
def test_a_header_without_an_end_takes_no_time(name: str, piece: str) -> None:
    """What is quadratic would take minutes."""
    raw = f"{name}: a {piece * (300_000 // len(piece))}\r\nFrom: a@example.com\r\n\r\nx".encode()
    with nullcontext() if name != "From" else suppress(Invalid):
        inbound(mail_message.parse_mail(raw), "us@example.com", NOW)
