"""A mail that came in, as the messages that are kept of it: one for each of our addresses that it reached."""

import hashlib
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from pydantic_core import to_json

from messaging.fields import MAX_BODY
from messaging.mail.addresses import normalize_mailboxes, split_mailboxes
from messaging.mail.charset import decode_header
from messaging.mail.message import Mail
from messaging.mail.mime import make_file
from messaging.models import MAX_RESPONSE_BYTES, Channel, File, InboundMessage
from messaging.problems import Invalid

MAX_RECIPIENTS = 100
"""Of one mail in one request: it is kept as often."""
MAX_TEXTS = 8 * 2**20
"""Bytes of its text, and of its HTML, in all the messages together."""
MAX_EXTRA = 32_000  # bytes
MAX_SAID = 1000
"""Bytes of a value that stays where all of them would be more than `extra` holds."""
MAX_COPIES = 50
MAX_FILES = 100
MAX_SUBJECT = 1000  # characters
MAX_MESSAGE_ID = 180
"""Characters of one that stands in the provider's id, which has 512: beside it, a mark and an address."""

_SANE = re.compile(r"[!-;=?A-~]+@[!-;=?A-~]+")


def inbound_messages(
    mail: Mail,
    recipients: Iterable[str],
    received_at: datetime,
    extra: Mapping[str, Any] | None = None,
    id: str | None = None,
) -> list[InboundMessage | Invalid]:
    """The mail as it reached these addresses of ours, by its envelope; Invalid stands for one that is none.
    Each is named by `id`, the provider's where one mail has one, and by its recipient. Nothing is lost:

    - What is no address, and copies and reply addresses past those that a message has, stand in `extra` under
      the same name; so do the addresses that it was written to, where they are not the recipient alone.
    - A text that is longer than a message may be is a file, `body.txt` or `body.html`, and the body its
      beginning; `extra.cut` says so. So it is with the subject, whole in `extra.subject`, and with what is
      too much for `extra`, in `extra.json`.
    - Files past the 99th are one, `more.zip`.
    - Which of them the HTML names (`cid:`) stands in `extra.content_ids`, counted from 1.

    Raises Invalid, which names the field, where the sender is no address, or recipients are none or too many.
    """
    recipients = dict.fromkeys(recipients)
    if not 0 < len(recipients) <= MAX_RECIPIENTS:
        raise Invalid.field("to", "names nobody whom it reached, or too many")
    whole = _message(mail, received_at, MAX_TEXTS // len(recipients), dict(extra or {}))
    written = whole.extra.pop("to", None)
    to, unread = normalize_mailboxes(mail.to, len(mail.to))
    id = id or _identity(mail)
    return [
        one
        if isinstance(one, Invalid)
        else whole.model_copy(
            update={
                "recipient": one,
                "provider_message_id": f"{id}/{one}",
                "extra": whole.extra | ({"to": written} if written and (unread or to != [one]) else {}),
            }
        )
        for one in map(_read, recipients)
    ]


def _message(mail: Mail, received_at: datetime, most: int, extra: dict[str, Any]) -> InboundMessage:
    """What all of them have alike. `most` bytes of its text are in it, and of its HTML."""
    cc, other_cc = normalize_mailboxes(mail.cc, MAX_COPIES)
    reply_to, other_reply_to = normalize_mailboxes(mail.reply_to, 1)
    body, html, cut = _bodies(mail, min(most, MAX_BODY))
    subject = mail.subject or ""
    said = {
        "message_id": mail.message_id,
        "in_reply_to": mail.in_reply_to,
        "references": list(mail.references),
        "content_ids": {id: place + 1 for id, place in mail.content_ids.items() if place < MAX_FILES - 1},
        "to": [decode_header(one) for one in mail.to],
        "cc": other_cc,
        "reply_to": other_reply_to,
        "subject": subject if len(subject) > MAX_SUBJECT else None,
        **extra,
    }
    said = {name: value for name, value in said.items() if value}
    told = to_json(said)
    if len(told) > MAX_EXTRA:
        cut.append(make_file("extra.json", "application/json", told))
        said = {name: value for name, value in said.items() if len(to_json(value)) <= MAX_SAID}
    try:
        return InboundMessage.model_validate(
            {
                "type": Channel.EMAIL,
                "from": _address("from", [mail.sender, *split_mailboxes(mail.sender)]),
                "to": "",
                "cc": cc,
                "reply_to": next(iter(reply_to), None),
                "subject": mail.subject and subject[:MAX_SUBJECT],
                "body": body,
                "html": html,
                "timestamp": mail.date or received_at,
                "files": _bundled([*mail.files, *cut]),
                "provider_message_id": "-",
                "extra": said | ({"cut": [one.name for one in cut]} if cut else {}),
            }
        )
    except ValidationError as error:
        raise Invalid.found(error.errors(include_input=False, include_url=False)) from None


def _read(recipient: str) -> str | Invalid:
    try:
        return _address("to", [recipient])
    except Invalid as invalid:
        return invalid


def _address(field: str, written: Iterable[str]) -> str:
    for one in normalize_mailboxes(list(written), 1)[0]:
        return one
    raise Invalid.field(field, "is not an email address")


def _bodies(mail: Mail, most: int) -> tuple[str, str | None, list[File]]:
    """Body and HTML, and as files those of them that are too long."""
    text = mail.text if (mail.text or "").strip() or not mail.html else None
    both = {"body.txt": text, "body.html": mail.html}
    long = {name: one for name, one in both.items() if one and not _fits(one, most)}
    files = [
        make_file(name, "text/plain" if name.endswith("txt") else "text/html", one.encode())
        for name, one in long.items()
    ]
    body = text if text is not None else mail.html or ""
    html = mail.html if text is not None and "body.html" not in long else None
    return body if _fits(body, most) else body[: most // 4], html, files


def _fits(text: str, most: int) -> bool:
    """Whether it may stand in a message beside another like it (Content)."""
    if len(text.encode()) > most:
        return False
    return (
        len(text) * 7 < MAX_RESPONSE_BYTES // 2
        or len(to_json(to_json(text).decode())) < MAX_RESPONSE_BYTES // 2 - 100
    )


def _bundled(files: Sequence[File]) -> list[File]:
    if len(files) <= MAX_FILES:
        return list(files)
    from zipfile import ZipFile, ZipInfo

    bundle = io.BytesIO()
    with ZipFile(bundle, "w") as archive:
        for place, one in enumerate(files[MAX_FILES - 1 :], MAX_FILES):
            archive.writestr(ZipInfo(f"{place}-{one.name}"), one.content)  # the same bytes each time
    return [*files[: MAX_FILES - 1], make_file("more.zip", "application/zip", bundle.getvalue())]


def _identity(mail: Mail) -> str:
    """The Message-ID, which anyone may give to any mail, and what is the same each time that this comes."""
    told = [mail.message_id, mail.sender, *mail.to, mail.subject, mail.text, mail.html, str(mail.date)]
    hashed = hashlib.sha256(to_json([*told, *(one.key for one in mail.files)]))
    id, mark = mail.message_id or "", hashed.hexdigest()[:40]
    return f"{id}/{mark}" if len(id) < MAX_MESSAGE_ID and _SANE.fullmatch(id) else mark
