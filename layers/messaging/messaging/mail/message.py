"""Mails: the text and HTML of an outbound one, and the fields of an inbound one."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from messaging.fields import clean_text
from messaging.mail.addresses import ReceivedMailbox, parse_mailboxes
from messaging.mail.defects import Defect
from messaging.mail.files import make_file
from messaging.mail.header_text import decode_header
from messaging.mail.mime import Headers, first_header, split_mail
from messaging.mail.parts import parse_parts
from messaging.mail.sender import SENDER_HEADERS
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
"""A tag of HTML. In a plain text, `<name>` is a placeholder and `<user@example.com>` is an address."""

_OMITTED = {Defect.HEADERS_OMITTED, Defect.PARTS_OMITTED}
_OUTSIDE_PARTS = {Defect.TEXT_BEFORE_PARTS, Defect.TEXT_AFTER_PARTS}
_MESSAGE_ID = re.compile(r"<([^<>\s]+)>")


def text_and_html(message: Content) -> tuple[str | None, str | None]:
    """Return the plain text and the HTML of an outbound mail, of which one can be None.

    If `html` is blank, the body is HTML if it contains a tag, else plain text.
    """
    if message.html and message.html.strip():
        return message.body, message.html
    if _TAG.search(message.body):
        return None, message.body
    return message.body, None


@dataclass(frozen=True)
class Mail:
    """An inbound mail. Fields that are missing or malformed are empty."""

    sender: str
    """The text of From. mail.sender finds the sender in it and in `sender_headers`."""
    sender_headers: Headers = field(default_factory=dict)
    to: Sequence[ReceivedMailbox] = ()
    cc: Sequence[ReceivedMailbox] = ()
    reply_to: Sequence[ReceivedMailbox] = ()
    subject: str | None = None
    text: str | None = None
    html: str | None = None
    files: Sequence[File] = ()
    content_ids: Mapping[str, int] = field(default_factory=dict)
    """The index in `files` of each image that the HTML names by `cid:`."""
    message_id: str | None = None
    in_reply_to: str | None = None
    references: Sequence[str] = ()
    date: datetime | None = None
    defects: Collection[Defect] = ()
    """What the reader guessed, replaced or lost."""


def parse_mail(raw: bytes) -> Mail:
    """Parse a raw mail (RFC 5322).

    If it has more headers or parts than are read, or its only text is outside its parts, the mail itself is
    among its files. Raises Unreadable if it is empty.
    """
    if not raw.strip():
        raise Unreadable("The mail is empty.")
    defects: set[Defect] = set()
    headers, content = split_mail(raw, defects)
    parts = parse_parts(headers, content, defects)
    has_text = bool((parts.text or parts.html or "").strip())
    if defects & _OMITTED or (defects & _OUTSIDE_PARTS and not has_text):
        parts.files.append(make_file("message.eml", "message/rfc822", raw))
    return build_mail(headers, parts.text, parts.html, parts.files, parts.content_ids, defects)


def build_mail(
    headers: Headers,
    text: str | None,
    html: str | None,
    files: Sequence[File] = (),
    content_ids: Mapping[str, int] | None = None,
    defects: Collection[Defect] = (),
) -> Mail:
    """Return the mail with these headers, texts and files.

    Also for providers that parse the content themselves.
    """
    headers = {name: [clean_text(value) for value in values] for name, values in headers.items()}
    found = set(defects)
    return Mail(
        sender=", ".join(filter(None, headers.get("from", ()))),
        sender_headers={name: headers[name] for name in SENDER_HEADERS if name in headers},
        to=parse_mailboxes(*headers.get("to", ())),
        cc=parse_mailboxes(*headers.get("cc", ())),
        reply_to=parse_mailboxes(*headers.get("reply-to", ())),
        subject=decode_header(first_header(headers, "subject"), found) or None,
        text=text and clean_text(text),
        html=html and clean_text(html),
        files=files,
        content_ids=content_ids or {},
        message_id=_message_id(first_header(headers, "message-id")),
        in_reply_to=_message_id(first_header(headers, "in-reply-to")),
        references=_MESSAGE_ID.findall(first_header(headers, "references")),
        date=_date(first_header(headers, "date")),
        defects=found,
    )


def _message_id(text: str) -> str | None:
    match = _MESSAGE_ID.search(text)
    id = match[1] if match else text.strip("<> \t\r\n")
    return id or None


def _date(text: str) -> datetime | None:
    """Return the time in UTC, or None if the text is not a date. A date without an offset is UTC."""
    try:
        time = parsedate_to_datetime(text[:200])
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
