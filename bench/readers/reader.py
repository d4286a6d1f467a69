"""What a reader shows of a raw mail: this service, the standard library, and two libraries from PyPI."""

import email.header
import email.utils
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email import policy
from email.message import Message
from importlib.metadata import version
from platform import python_version
from typing import NamedTuple, cast

import fast_mail_parser
import mailparser

from messaging.mail.inbound import inbound_messages
from messaging.mail.message import parse_mail
from messaging.problems import Invalid

RECIPIENT = "support@example.com"


class Seen(NamedTuple):
    """A mail as a reader shows it. Fields that it does not show are empty."""

    sender: str = ""
    subject: str = ""
    text: str = ""
    html: str = ""
    files: tuple[tuple[str, bytes], ...] = ()
    """Names and contents."""


Reader = Callable[[bytes], Seen]
"""Reads a raw mail. Raises anything."""


def read_by_service(raw: bytes) -> Seen:
    """Read the mail without its envelope, which the other readers do not have either. Raises Problem.

    A sender that stands for an unknown one does not count.
    """
    [message] = inbound_messages(parse_mail(raw), [RECIPIENT], datetime.now(UTC))
    if isinstance(message, Invalid):
        raise message
    files = tuple((file.name, file.content) for file in message.files)
    sender = "" if "sender_unknown" in message.extra.get("defects", ()) else message.sender
    return Seen(sender, message.subject or "", message.body, message.html or "", files)


def read_by_email(raw: bytes) -> Seen:
    """Read the mail by the standard library, with the policy that its documentation recommends."""
    mail = email.message_from_bytes(raw, policy=policy.default)
    addresses = mail["from"].addresses if mail["from"] else ()
    text, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
    files: list[tuple[str, bytes]] = []
    for part in mail.iter_attachments():
        content = part.get_content()
        files.append((part.get_filename() or "", content if isinstance(content, bytes) else _bytes(content)))
    return Seen(
        addresses[0].addr_spec if addresses else "",
        str(mail["subject"] or ""),
        text.get_content() if text else "",
        html.get_content() if html else "",
        tuple(files),
    )


def _bytes(content: object) -> bytes:
    return content.as_bytes() if isinstance(content, Message) else str(content).encode()


def read_by_compat32(raw: bytes) -> Seen:
    """Read the mail by the standard library as programs did before Python 3.6, and as many still do."""
    mail = email.message_from_bytes(raw)
    texts: dict[str, list[str]] = {"text/plain": [], "text/html": []}
    files: list[tuple[str, bytes]] = []
    for part in mail.walk():
        if part.is_multipart():
            continue
        content = cast("bytes", part.get_payload(decode=True) or b"")
        name = part.get_filename()
        if name or part.get_content_type() not in texts:
            files.append((_decoded(name or ""), content))
        else:
            charset = part.get_content_charset("utf-8")
            texts[part.get_content_type()].append(content.decode(charset, "replace"))
    return Seen(
        email.utils.parseaddr(str(mail["from"] or ""))[1],
        _decoded(str(mail["subject"] or "")),
        "\n".join(texts["text/plain"]),
        "\n".join(texts["text/html"]),
        tuple(files),
    )


def _decoded(header: str) -> str:
    return str(email.header.make_header(email.header.decode_header(header)))


def read_by_mail_parser(raw: bytes) -> Seen:
    mail = mailparser.parse_from_bytes(raw)
    files = []
    for file in mail.attachments:
        content = b64decode(file["payload"]) if file["binary"] else file["payload"].encode()
        files.append((file["filename"], content))
    return Seen(
        mail.from_[0][1] if mail.from_ else "",
        mail.subject or "",
        "\n".join(mail.text_plain),
        "\n".join(mail.text_html),
        tuple(files),
    )


def read_by_fast_mail_parser(raw: bytes) -> Seen:
    mail = fast_mail_parser.parse_email(raw)
    return Seen(
        mail.from_.address if mail.from_ else "",
        mail.subject,
        "\n".join(mail.text_plain),
        "\n".join(mail.text_html),
        tuple((file.filename, file.content) for file in mail.attachments),
    )


READERS: Mapping[str, Reader] = {
    "this service": read_by_service,
    f"email, Python {python_version()}": read_by_email,
    f"mail-parser {version('mail-parser')}": read_by_mail_parser,
    f"fast-mail-parser {version('fast-mail-parser')}": read_by_fast_mail_parser,
}
"""By the names that the comparison shows."""
