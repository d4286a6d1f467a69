"""Turns an inbound mail into messages: one for each of our addresses that it reached."""

import hashlib
import io
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import to_json

from messaging.address import storable_address
from messaging.email_address import canonical_email
from messaging.fields import MAX_BODY
from messaging.mail.addresses import ReceivedMailbox, find_addresses, parse_mailboxes
from messaging.mail.defects import Defect
from messaging.mail.files import make_file
from messaging.mail.header_text import decode_header
from messaging.mail.message import Mail
from messaging.mail.sender import Sender, find_sender
from messaging.models import MAX_ESCAPED_BYTES, MAX_RESPONSE_BYTES, Channel, File, InboundMessage, Substitute
from messaging.names import storable_names
from messaging.problems import Invalid, OverLimit

MAX_RECIPIENTS = 100
"""Recipients of one mail in one request. The mail is stored once for each of them, and not for the others."""
MAX_TEXTS = 8 * 2**20
"""Bytes of the text, and of the HTML, in the messages of all recipients together."""
MAX_EXTRA = 32_000  # bytes of JSON
MAX_EXTRA_VALUE = 1000
"""Bytes of JSON of a field of `extra` that is kept if all fields together exceed MAX_EXTRA."""
MAX_COPIES = 50
MAX_FILES = 100
MAX_SUBJECT = 1000  # characters
MAX_MESSAGE_ID = 150
"""Characters of a Message-ID that becomes part of the provider's id, which has at most 512 with a hash and an
address."""
REPORTER = "mailer-daemon"
"""The local part of the contact for mails without any sender."""

_SAFE_MESSAGE_ID = re.compile(r"[!-;=?A-~]+@[!-;=?A-~]+")


def inbound_messages(
    mail: Mail,
    recipients: Iterable[str],
    received_at: datetime,
    extra: Mapping[str, Any] | None = None,
    id: str | None = None,
    envelope_sender: str | None = None,
) -> list[InboundMessage | Invalid]:
    """Return one message for each recipient, and an OverLimit if there are more than MAX_RECIPIENTS.

    `recipients` are our addresses in the mail's envelope. The id of each message is `id`, or a hash of the
    mail if `id` is None, with the recipient's address. No content is lost:

    - `extra` has what does not fit into a field of the same name: the text of From if it tells more than the
      sender, copies without an address or over MAX_COPIES, and To if it is not only the recipient.
    - A text that is too long for a message becomes a file, `body.txt` or `body.html`. The body is its
      beginning, and `extra.cut` names the file.
    - A subject that is too long is complete in `extra.subject`.
    - Fields of `extra` that exceed MAX_EXTRA are in the file `extra.json`.
    - Files over MAX_FILES are in one file, `more.zip`.
    - `extra.content_ids` has the number, counted from 1, of each file that the HTML names by `cid:`.
    - `extra.defects` has the codes of what the reader guessed, replaced or lost.

    Raises Invalid if there are no recipients.
    """
    all_addresses = _recipient_addresses(recipients)
    addresses = all_addresses[:MAX_RECIPIENTS]
    sender = find_sender(mail.sender, mail.sender_headers, envelope_sender, addresses)
    message = _message(mail, sender, received_at, MAX_TEXTS // len(addresses), dict(extra or {}))
    mail_to = message.extra.pop("to", None)
    to_addresses, unreadable_to = find_addresses(mail.to, len(mail.to))
    to_names, _ = storable_names({"cc_names": _names_by_address([*mail.to, *mail.cc], addresses)})
    id = id or _identity(mail)
    results: list[InboundMessage | Invalid] = []
    for address in addresses:
        own_extra = dict(message.extra)
        if mail_to and (unreadable_to or to_addresses != [address]):
            own_extra["to"] = mail_to
        fields = {
            "recipient": address,
            "to_name": (to_names["cc_names"] or {}).get(address),
            "provider_message_id": f"{id}/{address}",
            "extra": own_extra,
        }
        if sender.substitute:
            fields["substitute"] = _substitute(sender.substitute, mail)
        if sender.address is None:
            fields["sender"] = _reporting_address(address)
        results.append(message.model_copy(update=fields))
    if len(all_addresses) > len(addresses):
        results.append(OverLimit.field("to", f"must have at most {MAX_RECIPIENTS} recipients"))
    return results


def _substitute(sender: Sender, mail: Mail) -> Substitute:
    name, _ = storable_names({"from_name": sender.name})
    defects = [defect for defect in Defect if defect in (*mail.defects, *sender.defects)]
    extra = {"from": (sender.text or "")[:MAX_EXTRA_VALUE], "defects": defects}
    return Substitute(sender=sender.address or "", from_name=name["from_name"], extra=extra)


def received_addresses(
    sender: str, recipient: str, cc: Sequence[str], reply_to: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the addresses and names of a mail that a gateway has parsed, and the fields of `extra`.

    The arguments are as the gateway wrote them. The result has the API's names of the fields. Without
    recipients, `to` is empty.
    """
    recipients = parse_mailboxes(recipient)
    to = next(iter(_stored_addresses(recipients)), "")
    copies, replies = parse_mailboxes(*cc), parse_mailboxes(reply_to)
    cc_addresses, other_cc = find_addresses(copies, MAX_COPIES)
    reply_addresses, other_reply_to = find_addresses(replies, 1)
    author = find_sender(sender, {"reply-to": [reply_to]}, None, [to])
    if author.address is None and sender.strip(" <>"):  # without an envelope, the text is all there is
        author = Sender(author.name, storable_address(sender), [], None)
    fields: dict[str, Any] = {
        "from": author.address or _reporting_address(to),
        "to": to,
        "cc": cc_addresses,
        "reply_to": reply_addresses[0] if reply_addresses else None,
    }
    names = {
        "from_name": author.name,
        "to_name": _names_by_address(recipients, [to]).get(to),
        "cc_names": _names_by_address(copies, cc_addresses),
        "reply_to_name": next(iter(_names_by_address(replies, reply_addresses).values()), None),
    }
    fields |= {name: value for name, value in names.items() if value}
    extra = {
        "from": author.text,
        "to": recipient if len(recipients) > 1 else None,
        "cc": other_cc,
        "reply_to": other_reply_to,
        "defects": list(author.defects),
    }
    return fields, {name: value for name, value in extra.items() if value}


def _names_by_address(mailboxes: Sequence[ReceivedMailbox], addresses: Collection[str]) -> dict[str, str]:
    """Return the names of these addresses. If an address is there twice, its first name counts."""
    return {
        mailbox.address: mailbox.name
        for mailbox in reversed(mailboxes)
        if mailbox.address and mailbox.name and mailbox.address in addresses
    }


def _recipient_addresses(recipients: Iterable[str]) -> Sequence[str]:
    """Return the recipients without duplicates. Raises Invalid if there are none."""
    addresses = _stored_addresses(parse_mailboxes(*dict.fromkeys(recipients)))
    if not addresses:
        raise Invalid.field("to", "must name at least one recipient")
    return list(addresses)


def _stored_addresses(mailboxes: Sequence[ReceivedMailbox]) -> Collection[str]:
    """Return the addresses without duplicates. Text that contains none stays as it was written."""
    addresses = (mailbox.address or storable_address(mailbox.text) for mailbox in mailboxes)
    return dict.fromkeys(addresses).keys()


def _reporting_address(recipient: str) -> str:
    """Return the contact for mails that name no sender: reports of a mail server, which may be ours."""
    return canonical_email(f"{REPORTER}@{recipient.rpartition('@')[2]}") or f"{REPORTER}@localhost"


def _message(
    mail: Mail, sender: Sender, received_at: datetime, max_text: int, extra: dict[str, Any]
) -> InboundMessage:
    """Return the message without its recipient and id, which differ per recipient.

    `max_text` is the number of bytes that its text, and its HTML, can have.
    """
    cc, other_cc = find_addresses(mail.cc, MAX_COPIES)
    reply_to, other_reply_to = find_addresses(mail.reply_to, 1)
    names, changed_names = storable_names(
        {
            "from_name": sender.name or None,
            "cc_names": _names_by_address(mail.cc, cc) or None,
            "reply_to_name": next(iter(_names_by_address(mail.reply_to, reply_to).values()), None),
        }
    )
    body, html, text_files = _bodies(mail, min(max_text, MAX_BODY))
    subject = mail.subject or ""
    extra = _extra(mail, sender, other_cc, other_reply_to) | changed_names | extra
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
                "from": sender.address or "",
                **names,
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


def _extra(
    mail: Mail, sender: Sender, other_cc: Sequence[str], other_reply_to: Sequence[str]
) -> dict[str, Any]:
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
        "from": sender.text,
        "to": [decode_header(mailbox.text) for mailbox in mail.to],
        "cc": other_cc,
        "reply_to": other_reply_to,
        "subject": mail.subject if is_cut else None,
        "defects": [defect for defect in Defect if defect in (*mail.defects, *sender.defects)],
    }


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
    to = [mailbox.text for mailbox in mail.to]
    fields = [mail.message_id, mail.sender, *to, mail.subject, mail.text, mail.html, str(mail.date)]
    file_keys = [file.key for file in mail.files]
    content_hash = hashlib.sha256(to_json([*fields, *file_keys])).hexdigest()[:40]
    message_id = mail.message_id or ""
    if len(message_id) < MAX_MESSAGE_ID and _SAFE_MESSAGE_ID.fullmatch(message_id):
        return f"{message_id}/{content_hash}"
    return content_hash
