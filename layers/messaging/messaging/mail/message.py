"""What providers of email share: a mail's two texts on their way out, and a mail that came in."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from messaging.fields import clean_text
from messaging.mail.addresses import split_mailboxes
from messaging.mail.charset import decode_header
from messaging.mail.mime import Headers, check_header_count, first_header, parse_parts, split_head
from messaging.models import Content, File
from messaging.problems import Unreadable

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


def text_and_html(message: Content) -> tuple[str | None, str | None]:
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


def parse_mail(raw: bytes) -> Mail:
    """A mail as it travels. Raises Unreadable where it is none, or has too many headers or parts."""
    headers, content = split_head(raw)
    if "from" not in headers:
        raise Unreadable("This is not a mail: it has no From.")
    found = parse_parts(headers, content)
    return build_mail(headers, found.text, found.html, found.files, found.content_ids)


def build_mail(
    headers: Headers,
    text: str | None,
    html: str | None,
    files: Sequence[File] = (),
    content_ids: Mapping[str, int] | None = None,
) -> Mail:
    """A mail by its headers (`mime.headers` reads a block of them) and what its provider made of the rest.
    Raises Unreadable where those are too many."""
    headers = {
        name: [clean_text(value) for value in values] for name, values in check_header_count(headers).items()
    }
    return Mail(
        sender=first_header(headers, "from"),
        to=split_mailboxes(*headers.get("to", ())),
        cc=split_mailboxes(*headers.get("cc", ())),
        reply_to=split_mailboxes(*headers.get("reply-to", ())),
        subject=decode_header(first_header(headers, "subject")) or None,
        text=text and clean_text(text),
        html=html and clean_text(html),
        files=files,
        content_ids=content_ids or {},
        message_id=_id(first_header(headers, "message-id")),
        in_reply_to=_id(first_header(headers, "in-reply-to")),
        references=_MESSAGE_ID.findall(first_header(headers, "references")),
        date=_date(first_header(headers, "date")),
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
