"""Turns an inbound mail into messages: one for each of our addresses that it reached."""

import hashlib
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import to_json

from messaging.fields import MAX_BODY
from messaging.mail.addresses import normalize_mailboxes, split_mailboxes
from messaging.mail.defects import Defect
from messaging.mail.files import make_file
from messaging.mail.header_text import decode_header
from messaging.mail.message import Mail
from messaging.models import MAX_ESCAPED_BYTES, MAX_RESPONSE_BYTES, Channel, File, InboundMessage
from messaging.problems import Invalid

MAX_RECIPIENTS = 100
"""Recipients of one mail in one request. The mail is stored once for each of them."""
MAX_TEXTS = 8 * 2**20
"""Bytes of the text, and of the HTML, in the messages of all recipients together."""
MAX_EXTRA = 32_000  # bytes of JSON
MAX_EXTRA_VALUE = 1000
"""Bytes of JSON of a field of `extra` that is kept if all fields together exceed MAX_EXTRA."""
MAX_COPIES = 50
MAX_FILES = 100
MAX_SUBJECT = 1000  # characters
MAX_MESSAGE_ID = 180
"""Characters of a Message-ID that becomes part of the provider's id, which has at most 512 with a hash and an
address."""

_SAFE_MESSAGE_ID = re.compile(r"[!-;=?A-~]+@[!-;=?A-~]+")


def inbound_messages(
    mail: Mail,
    recipients: Iterable[str],
    received_at: datetime,
    extra: Mapping[str, Any] | None = None,
    id: str | None = None,
) -> list[InboundMessage | Invalid]:
    """Return one message for each recipient, or Invalid in its place if it is not an email address.

    `recipients` are our addresses in the mail's envelope. The id of each message is `id`, or a hash of the
    mail if `id` is None, with the recipient's address. No content is lost:

    - `extra` has what does not fit into a field of the same name: invalid addresses, copies over MAX_COPIES,
      and the addresses in To if they are not only the recipient.
    - A text that is too long for a message becomes a file, `body.txt` or `body.html`. The body is its
      beginning, and `extra.cut` names the file.
    - A subject that is too long is complete in `extra.subject`.
    - Fields of `extra` that exceed MAX_EXTRA are in the file `extra.json`.
    - Files over MAX_FILES are in one file, `more.zip`.
    - `extra.defects` has the codes of what the reader guessed, replaced or lost.
    - `extra.content_ids` has the number, counted from 1, of each file that the HTML names by `cid:`.

    Raises Invalid, which names the field, if the sender is not an email address, or if there are no
    recipients or more than MAX_RECIPIENTS.
    """
    recipients = dict.fromkeys(recipients)
    if not recipients:
        raise Invalid.field("to", "must name at least one recipient")
    if len(recipients) > MAX_RECIPIENTS:
        raise Invalid.field("to", f"must have at most {MAX_RECIPIENTS} recipients")
    message = _message(mail, received_at, MAX_TEXTS // len(recipients), dict(extra or {}))
    mail_to = message.extra.pop("to", None)
    to_addresses, unreadable_to = normalize_mailboxes(mail.to, len(mail.to))
    id = id or _identity(mail)
    results: list[InboundMessage | Invalid] = []
    for recipient in recipients:
        try:
            address = _address("to", [recipient])
        except Invalid as invalid:
            results.append(invalid)
            continue
        own_extra = dict(message.extra)
        if mail_to and (unreadable_to or to_addresses != [address]):
            own_extra["to"] = mail_to
        fields = {"recipient": address, "provider_message_id": f"{id}/{address}", "extra": own_extra}
        results.append(message.model_copy(update=fields))
    return results


def _message(mail: Mail, received_at: datetime, max_text: int, extra: dict[str, Any]) -> InboundMessage:
    """Return the message without its recipient and id, which differ per recipient.

    `max_text` is the number of bytes that its text, and its HTML, can have.
    """
    cc, other_cc = normalize_mailboxes(mail.cc, MAX_COPIES)
    reply_to, other_reply_to = normalize_mailboxes(mail.reply_to, 1)
    body, html, text_files = _bodies(mail, min(max_text, MAX_BODY))
    subject = mail.subject or ""
    extra = _extra(mail, other_cc, other_reply_to) | extra
    extra = {name: value for name, value in extra.items() if value}
    extra_json = to_json(extra)
    if len(extra_json) > MAX_EXTRA:
        text_files.append(make_file("extra.json", "application/json", extra_json))
        extra = {name: value for name, value in extra.items() if len(to_json(value)) <= MAX_EXTRA_VALUE}
    if text_files:
        extra["cut"] = [file.name for file in text_files]
    try:
        return InboundMessage.model_validate(
            {
                "type": Channel.EMAIL,
                "from": _address("from", [mail.sender, *split_mailboxes(mail.sender)]),
                "to": "",
                "cc": cc,
                "reply_to": reply_to[0] if reply_to else None,
                "subject": mail.subject and subject[:MAX_SUBJECT],
                "body": body,
                "html": html,
                "timestamp": mail.date or received_at,
                "files": _bundle([*mail.files, *text_files]),
                "provider_message_id": "-",
                "extra": extra,
            }
        )
    except ValidationError as error:
        raise Invalid.of(error) from None


def _extra(mail: Mail, other_cc: Sequence[str], other_reply_to: Sequence[str]) -> dict[str, Any]:
    """Return the fields of a mail that a message does not have. A field without content is empty or None."""
    content_ids = {}
    for content_id, index in mail.content_ids.items():
        if index < MAX_FILES - 1:  # the others are inside more.zip
            content_ids[content_id] = index + 1
    is_cut = len(mail.subject or "") > MAX_SUBJECT
    return {
        "message_id": mail.message_id,
        "in_reply_to": mail.in_reply_to,
        "references": list(mail.references),
        "content_ids": content_ids,
        "to": [decode_header(mailbox) for mailbox in mail.to],
        "cc": other_cc,
        "reply_to": other_reply_to,
        "subject": mail.subject if is_cut else None,
        "defects": [defect for defect in Defect if defect in mail.defects],
    }


def _address(field: str, mailboxes: Sequence[str]) -> str:
    """Return the first valid address. Raises Invalid if there is none."""
    addresses, _ = normalize_mailboxes(mailboxes, 1)
    if not addresses:
        raise Invalid.field(field, "is not an email address")
    return addresses[0]


class _Bodies(NamedTuple):
    body: str
    html: str | None
    files: list[File]
    """The texts that are too long, complete."""


def _bodies(mail: Mail, max_bytes: int) -> _Bodies:
    """Return the body and the HTML, each of at most `max_bytes`. Without text, the HTML is the body."""
    text, html = mail.text, mail.html
    if html and not (text or "").strip():
        text = None
    files: list[File] = []
    if text and not _fits(text, max_bytes):
        files.append(make_file("body.txt", "text/plain", text.encode()))
    html_fits = not html or _fits(html, max_bytes)
    if html and not html_fits:
        files.append(make_file("body.html", "text/html", html.encode()))
    if text is None:
        return _Bodies(_shorten(html or "", max_bytes), None, files)
    return _Bodies(_shorten(text, max_bytes), html if html_fits else None, files)


def _shorten(text: str, max_bytes: int) -> str:
    return text if _fits(text, max_bytes) else text[: max_bytes // 4]  # a character has up to four bytes


def _fits(text: str, max_bytes: int) -> bool:
    """Whether the text fits into a message beside another text of the same size (see models.Content)."""
    if len(text.encode()) > max_bytes:
        return False
    max_escaped = MAX_RESPONSE_BYTES // 2
    if len(text) * MAX_ESCAPED_BYTES < max_escaped:
        return True
    return len(to_json(to_json(text).decode())) < max_escaped - 100


def _bundle(files: Sequence[File]) -> list[File]:
    """Put the last files into `more.zip` if there are more than MAX_FILES."""
    if len(files) <= MAX_FILES:
        return list(files)
    from zipfile import ZipFile, ZipInfo  # here: a cold start without such a mail does not pay for it

    first, others = files[: MAX_FILES - 1], files[MAX_FILES - 1 :]
    bundle = io.BytesIO()
    with ZipFile(bundle, "w") as archive:
        for number, file in enumerate(others, MAX_FILES):
            # ZipInfo has a constant date: a redelivered mail must have the same bytes.
            archive.writestr(ZipInfo(f"{number}-{file.name}"), file.content)
    return [*first, make_file("more.zip", "application/zip", bundle.getvalue())]


def _identity(mail: Mail) -> str:
    """Return an id that is the same each time that the mail is delivered.

    It is a hash of the content, because different mails can have the same Message-ID: their senders choose
    it.
    """
    fields = [mail.message_id, mail.sender, *mail.to, mail.subject, mail.text, mail.html, str(mail.date)]
    file_keys = [file.key for file in mail.files]
    content_hash = hashlib.sha256(to_json([*fields, *file_keys])).hexdigest()[:40]
    message_id = mail.message_id or ""
    if len(message_id) < MAX_MESSAGE_ID and _SAFE_MESSAGE_ID.fullmatch(message_id):
        return f"{message_id}/{content_hash}"
    return content_hash
