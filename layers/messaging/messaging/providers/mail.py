"""What providers of email share: a mail's two texts on their way out, and a mail that came in."""

import hashlib
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from pydantic import ValidationError
from pydantic_core import to_json

from messaging.fields import MAX_BODY, cleaned
from messaging.models import MAX_SHOWN, Channel, Content, File, InboundMessage
from messaging.problems import Invalid, Unreadable
from messaging.providers.charset import words
from messaging.providers.mailbox import mailboxes, readable
from messaging.providers.mime import Headers, file, first, parts, split

MAX_COPIES = 50
MAX_FILES = 100
MAX_SUBJECT = 1000  # characters
MAX_MESSAGE_ID = 180
"""Characters of one that stands in the provider's id, which has 512: beside it, a mark and an address."""

_ELEMENTS = (
    "a|abbr|address|article|aside|b|bdi|bdo|big|blockquote|body|br|button|caption|center|cite|code|col|colgroup"
    "|dd|del|details|dfn|div|dl|dt|em|fieldset|figcaption|figure|font|footer|form|h[1-6]|head|header|hr|html|i"
    "|iframe|img|input|ins|kbd|label|legend|li|link|main|map|mark|meta|nav|ol|option|p|picture|pre|q|s|samp"
    "|script|section|select|small|source|span|strike|strong|style|sub|summary|sup|svg|table|tbody|td|template"
    "|textarea|tfoot|th|thead|time|title|tr|tt|u|ul|var|video|wbr"
)
_TAG = re.compile(rf"(?i)<(?:!doctype\s[^<>]*>|!--|/?(?:{_ELEMENTS})(?=[\s/>])[^<>]*>)")
"""Of HTML alone: <name> in a text is a placeholder, <user@example.com> an address."""

_MESSAGE_ID = re.compile(r"<([^<>\s]+)>")
_SANE = re.compile(r"[!-;=?A-~]+@[!-;=?A-~]+")


def texts(message: Content) -> tuple[str | None, str | None]:
    """Text and HTML of a mail to be sent. Its body is HTML where it holds a tag and `html` is not given."""
    if message.html and message.html.strip():
        return message.body, message.html
    return (None, message.body) if _TAG.search(message.body) else (message.body, None)


# --- In ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mail:
    """A mail that came in, as far as it could be read. Addresses are as they were written, each a mailbox."""

    sender: str
    to: Sequence[str] = ()
    cc: Sequence[str] = ()
    reply_to: Sequence[str] = ()
    subject: str | None = None
    text: str | None = None
    html: str | None = None
    files: Sequence[File] = ()
    content_ids: Mapping[str, int] = field(default_factory=dict)
    """By which the HTML names an image (`cid:`): its place among the files."""
    message_id: str | None = None
    in_reply_to: str | None = None
    references: Sequence[str] = ()
    date: datetime | None = None


def read(raw: bytes) -> Mail:
    """A mail as it travels. Raises Unreadable where it is none, or has too many parts."""
    headers, content = split(raw)
    if "from" not in headers:
        raise Unreadable("This is not a mail: it has no From.")
    found = parts(headers, content)
    return headed(headers, found.text, found.html, found.files, found.content_ids)


def headed(
    headers: Headers,
    text: str | None,
    html: str | None,
    files: Sequence[File] = (),
    content_ids: Mapping[str, int] | None = None,
) -> Mail:
    """A mail by its headers (`mime.headers` reads a block of them) and what its provider made of the rest."""
    headers = {name: [cleaned(value) for value in values] for name, values in headers.items()}
    return Mail(
        sender=first(headers, "from"),
        to=mailboxes(*headers.get("to", ())),
        cc=mailboxes(*headers.get("cc", ())),
        reply_to=mailboxes(*headers.get("reply-to", ())),
        subject=words(first(headers, "subject")) or None,
        text=text and cleaned(text),
        html=html and cleaned(html),
        files=files,
        content_ids=content_ids or {},
        message_id=_id(first(headers, "message-id")),
        in_reply_to=_id(first(headers, "in-reply-to")),
        references=_MESSAGE_ID.findall(first(headers, "references")),
        date=_date(first(headers, "date")),
    )


def _id(text: str) -> str | None:
    found = _MESSAGE_ID.search(text)
    return (found[1] if found else text.strip("<> \t\r\n")) or None


def _date(text: str) -> datetime | None:
    try:
        time = parsedate_to_datetime(text[:200])
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def inbound(
    mail: Mail, recipient: str, received_at: datetime, extra: Mapping[str, Any] | None = None
) -> InboundMessage:
    """A mail as it reached one of our addresses, `recipient` by its envelope. Nothing of it is lost:

    - What is no address, and copies and reply addresses past those that a message has, stand in `extra` under
      the same name; so do the addresses that it was written to, where they are not the recipient alone.
    - A text that is longer than a message may be is a file, `body.txt` or `body.html`, and the body its
      beginning; `extra.cut` says so. So it is with the subject, whole in `extra.subject`.
    - Files past the 99th are one, `more.zip`.

    Raises Invalid, which names the field, where sender or recipient is no address.
    """
    to = _address("to", [recipient])
    cc, other_cc = readable(mail.cc, MAX_COPIES)
    reply_to, other_reply_to = readable(mail.reply_to, 1)
    written_to, other_to = readable(mail.to, len(mail.to))
    body, html, long = _bodies(mail)
    subject = mail.subject or ""
    said = {
        "message_id": mail.message_id,
        "in_reply_to": mail.in_reply_to,
        "references": list(mail.references),
        "content_ids": dict(mail.content_ids),
        "to": [words(one) for one in mail.to] if other_to or written_to not in ([], [to]) else None,
        "cc": other_cc,
        "reply_to": other_reply_to,
        "subject": subject if len(subject) > MAX_SUBJECT else None,
        "cut": [one.name for one in long],
    }
    try:
        return InboundMessage.model_validate(
            {
                "type": Channel.EMAIL,
                "from": _address("from", [mail.sender, *mailboxes(mail.sender)]),
                "to": to,
                "cc": cc,
                "reply_to": next(iter(reply_to), None),
                "subject": mail.subject and subject[:MAX_SUBJECT],
                "body": body,
                "html": html,
                "timestamp": mail.date or received_at,
                "files": _bundled([*mail.files, *long]),
                "provider_message_id": f"{_identity(mail)}/{to}",
                "extra": {name: value for name, value in said.items() if value} | dict(extra or {}),
            }
        )
    except ValidationError as error:
        raise Invalid.found(error.errors(include_input=False, include_url=False)) from None


def _address(field: str, written: Iterable[str]) -> str:
    for one in readable(list(written), 1)[0]:
        return one
    raise Invalid.field(field, "is not an email address")


def _bodies(mail: Mail) -> tuple[str, str | None, list[File]]:
    """Body and HTML, and as files those of them that are too long."""
    text = mail.text if (mail.text or "").strip() or not mail.html else None
    both = {"body.txt": text, "body.html": mail.html}
    long = {name: one for name, one in both.items() if one and not _fits(one)}
    files = [
        file(name, "text/plain" if name.endswith("txt") else "text/html", one.encode())
        for name, one in long.items()
    ]
    body = text if text is not None else mail.html or ""
    html = mail.html if text is not None and "body.html" not in long else None
    return body if _fits(body) else body[: MAX_BODY // 4], html, files


def _fits(text: str) -> bool:
    """Whether it may stand in a message beside another like it (Content)."""
    if len(text.encode()) > MAX_BODY:
        return False
    return len(text) * 7 < MAX_SHOWN // 2 or len(to_json(to_json(text).decode())) < MAX_SHOWN // 2 - 100


def _bundled(files: Sequence[File]) -> list[File]:
    if len(files) <= MAX_FILES:
        return list(files)
    from zipfile import ZipFile, ZipInfo

    bundle = io.BytesIO()
    with ZipFile(bundle, "w") as archive:
        for place, one in enumerate(files[MAX_FILES - 1 :], MAX_FILES):
            archive.writestr(ZipInfo(f"{place}-{one.name}"), one.content)  # the same bytes each time
    return [*files[: MAX_FILES - 1], file("more.zip", "application/zip", bundle.getvalue())]


def _identity(mail: Mail) -> str:
    """The Message-ID, which anyone may give to any mail, and what is the same each time that this comes."""
    told = [mail.message_id, mail.sender, *mail.to, mail.subject, mail.text, mail.html, str(mail.date)]
    hashed = hashlib.sha256(
        to_json([*told, *(hashlib.sha256(one.content).hexdigest() for one in mail.files)])
    )
    id, mark = mail.message_id or "", hashed.hexdigest()[:40]
    return f"{id}/{mark}" if len(id) < MAX_MESSAGE_ID and _SANE.fullmatch(id) else mark
