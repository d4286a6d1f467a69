"""The files of a mail have names that can be shown, and content ids by which the HTML names them."""

import pytest

from messaging.mail import message
from messaging.mail.files import make_file

HEAD = b"From: ann@example.org\r\nContent-Type: multipart/related; boundary=b\r\n\r\n"


FILE_NAMES = {
    "a path": ("../../etc/passwd", "passwd"),
    "a path of Windows": ("C:\\Temp\\a.doc", "a.doc"),
    "an encoded word": ("=?utf-8?b?4oKsLnBkZg==?=", "\u20ac.pdf"),
    "a long name": ("a" * 300 + ".pdf", "a" * 251 + ".pdf"),
    "control characters": ("a\tb\x85c\u2028.txt", "a b c .txt"),
    "a change of direction": ("\u202egpj.exe", "gpj.exe"),
    "two dots": ("..", "attachment.pdf"),
    "dots and blanks": (" . . ", "attachment.pdf"),
    "dots after a folder": ("a/...", "attachment.pdf"),
    "a folder": ("path/", "attachment.pdf"),
    "nothing": ("", "attachment.pdf"),
    "a dot at the beginning": (".htaccess", ".htaccess"),
    "a device of Windows, whose browsers rename it": ("CON", "CON"),
}


@pytest.mark.parametrize(
    ("name", "expected"),
    FILE_NAMES.values(),
    ids=FILE_NAMES,
)
def test_a_file_has_a_name_that_can_be_shown(name: str, expected: str) -> None:
    assert make_file(name, "application/pdf", b"").name == expected


@pytest.mark.parametrize(
    ("header", "content_ids"),
    [
        (b"<logo@example.org>", {"logo@example.org": 0}),
        (b"logo@example.org", {"logo@example.org": 0}),
        (b" < logo@example.org > ", {"logo@example.org": 0}),
        (b"=?utf-8?Q?=3Clogo=40example.org=3E?=", {"logo@example.org": 0}),
        (b"=?us-ascii?Q?=3Clogo=40?=\r\n =?us-ascii?Q?example.org=3E?=", {"logo@example.org": 0}),
        (b"<>", {}),
        (b"", {}),
        (b" < > ", {}),
    ],
)
def test_a_content_id_names_a_file(header: bytes, content_ids: dict[str, int]) -> None:
    image = b"--b\r\nContent-Type: image/png\r\nContent-ID: " + header + b"\r\n\r\n1\r\n"
    mail = message.parse_mail(HEAD + image + b"--b--")
    assert mail.content_ids == content_ids


def test_of_two_files_with_one_content_id_the_first_has_it() -> None:
    image = b"--b\r\nContent-Type: image/png\r\nContent-ID: <a@b>\r\n\r\n1\r\n"
    assert message.parse_mail(HEAD + image + image + b"--b--").content_ids == {"a@b": 0}
