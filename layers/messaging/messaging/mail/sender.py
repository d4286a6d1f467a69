"""Finds the person who sent a mail, whatever its From header says.

Usually this is the mailbox in From. If From contains no address, other places are searched, in this order:

1. The envelope's sender. The sending server gave it to our provider, and SPF checks it. It can be an address
   for bounces.
2. Sender, which names the mailbox that transmitted the mail (RFC 5322, 3.6.2).
3. Reply-To. A person who writes it wants the answer, but need not be the sender.
4. Return-Path. It repeats the envelope's sender, but any server on the way can have written it.

An address of ours is taken only if all of them are ours, because we did not send the mail to ourselves.

A group or a contact form writes its own address into From, and that of the person elsewhere: Google Groups
and Mailman rewrite From for DMARC. If From is one of the mail's recipients, another address of the account
(which the database knows) or the address of a mailing list, the sender is the person in X-Original-Sender,
X-Original-From or Reply-To. The first two are written by Google Groups and name the author; Reply-To can be
set by the owner of the group. For any other From they mean nothing: each sender can write them.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from messaging.email_address import is_shortened
from messaging.mail.addresses import ReceivedMailbox, parse_mailboxes
from messaging.mail.defects import Defect
from messaging.mail.header_text import decode_header

_FALLBACKS = {
    "sender": Defect.SENDER_FROM_SENDER,
    "reply-to": Defect.SENDER_FROM_REPLY_TO,
    "return-path": Defect.SENDER_FROM_RETURN_PATH,
}
_ORIGINALS = {
    "x-original-sender": Defect.SENDER_FROM_X_ORIGINAL_SENDER,
    "x-original-from": Defect.SENDER_FROM_X_ORIGINAL_FROM,
}
_LIST_MARKERS = ("list-id", "list-post", "mailing-list", "x-beenthere", "x-google-group-id")
_LIST_ADDRESSES = ("list-post", "mailing-list", "x-beenthere")

SENDER_HEADERS = (*_FALLBACKS, *_ORIGINALS, *_LIST_MARKERS)
"""The headers besides From that tell who sent a mail."""

Headers = Mapping[str, Sequence[str]]


class Sender(NamedTuple):
    """Who sent a mail."""

    name: str
    address: str | None
    """None if nothing names a sender, as in a report that a mail could not be delivered."""
    defects: Sequence[Defect]
    text: str | None
    """The text of From, decoded, if the name and the address do not tell all of it."""
    substitute: "Sender | None" = None
    """The person in the other headers. It is the sender if the account owns the address in From."""


def find_sender(
    sender: str, headers: Headers, envelope_sender: str | None, recipients: Collection[str]
) -> Sender:
    """Return who sent a mail.

    `sender` is the text of From; `headers` has the values of SENDER_HEADERS, and `recipients` has the
    canonical addresses in the envelope.
    """
    mailboxes = parse_mailboxes(sender)
    authors = [mailbox for mailbox in mailboxes if mailbox.address]
    text = decode_header(sender).strip() or None
    if not authors:
        found = _fallback(headers, envelope_sender, recipients)
        name = mailboxes[0].name if mailboxes else ""
        return found._replace(name=name or found.name, text=text)
    author = authors[0]
    if original := _find_original(author, headers, recipients):
        return original._replace(text=text)
    defects = _defects(author)
    is_complete = len(mailboxes) == 1 and not defects
    other = _find_other(author, headers, {*recipients}, (*_ORIGINALS, "reply-to"))
    substitute = other and other._replace(text=text)
    return Sender(author.name, author.address, defects, None if is_complete else text, substitute)


def _defects(mailbox: ReceivedMailbox) -> list[Defect]:
    defects = []
    if not mailbox.is_well_formed():
        defects.append(Defect.SENDER_MALFORMED)
    if mailbox.address and is_shortened(mailbox.address):
        defects.append(Defect.SENDER_SHORTENED)
    return defects


def _fallback(headers: Headers, envelope_sender: str | None, recipients: Collection[str]) -> Sender:
    found = [(Defect.SENDER_FROM_ENVELOPE, mailbox) for mailbox in _addressed(envelope_sender or "")]
    for name, defect in _FALLBACKS.items():
        found += [(defect, mailbox) for mailbox in _addressed(*headers.get(name, ()))]
    found = [source for source in found if source[1].address not in recipients] or found
    if not found:
        return Sender("", None, [Defect.SENDER_UNKNOWN], None)
    defect, mailbox = found[0]
    return Sender(mailbox.name, mailbox.address, [defect], None)


def _addressed(*values: str) -> list[ReceivedMailbox]:
    return [mailbox for mailbox in parse_mailboxes(*values) if mailbox.address]


# --- Groups and contact forms ------------------------------------------------------------------------


def _find_original(author: ReceivedMailbox, headers: Headers, recipients: Collection[str]) -> Sender | None:
    """Return the person for whom a group or a contact form wrote the mail. None if From is that person."""
    lists = {mailbox.address for name in _LIST_ADDRESSES for mailbox in _addressed(*headers.get(name, ()))}
    via = author.name.rpartition(" via ")[0]
    is_rewritten = (
        author.address in recipients
        or author.address in lists
        or (via != "" and any(name in headers for name in (*_ORIGINALS, *_LIST_MARKERS)))
    )
    sources = (*_ORIGINALS, "reply-to") if is_rewritten else tuple(_ORIGINALS)
    if not is_rewritten and not _is_in_list_id(author, headers):  # newsletters have one, too: no Reply-To
        return None
    return _find_other(author, headers, {*recipients, *lists}, sources)


def _find_other(
    author: ReceivedMailbox, headers: Headers, others: Collection[str | None], sources: Sequence[str]
) -> Sender | None:
    """Return the first mailbox in the headers `sources` that is neither the author nor one of `others`."""
    via = author.name.rpartition(" via ")[0]
    for name in sources:
        defect = _ORIGINALS.get(name, Defect.SENDER_FROM_REPLY_TO)
        for mailbox in _addressed(*headers.get(name, ())):
            if mailbox.address != author.address and mailbox.address not in others:
                return Sender(
                    _name_of(mailbox, headers) or via.strip("'\" "), mailbox.address, [defect], None
                )
    return None


def _is_in_list_id(author: ReceivedMailbox, headers: Headers) -> bool:
    """Whether List-Id is the address of From, with a dot instead of the @."""
    list_ids = " ".join(headers.get("list-id", ())).lower()
    return f"<{(author.address or '').replace('@', '.')}>" in list_ids


def _name_of(mailbox: ReceivedMailbox, headers: Headers) -> str:
    """Return the person's name: X-Original-Sender has only the address."""
    named = (mailbox, *_addressed(*headers.get("x-original-from", ()), *headers.get("reply-to", ())))
    return next((other.name for other in named if other.address == mailbox.address and other.name), "")
