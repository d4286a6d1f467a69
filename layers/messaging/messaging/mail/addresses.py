"""Splits the address headers of a mail into mailboxes, and mailboxes into addresses.

A mailbox is an address with its name and comments, such as `Ann <ann@example.com> (Sales)` (RFC 5322).
"""

import re
from collections.abc import Iterator, Sequence

from pydantic_core import PydanticCustomError

from messaging import address
from messaging.mail.header_text import decode_header

MAX_MAILBOXES = 1000  # of a header
MAX_MAILBOX = 1000  # characters

_COMMENT = re.compile(r"\((?:[^()\\]++|\\.)*+\)")
_MAILBOX = re.compile(
    r'(?:"(?:[^"\\]++|\\.)*+"?|<[^<>]*+>?|\((?:[^()\\]++|\\.)*+\)?|[^",;<(]++)++', re.DOTALL
)
_GROUP = re.compile(r'(?:[^"<@:]*+:)?')


def split_mailboxes(*lists: str) -> list[str]:
    """Return the mailboxes in the values of address headers, also the members of groups.

    After MAX_MAILBOXES, the rest of a value is returned as one mailbox.
    """
    mailboxes = []
    for value in lists:
        for text in _split(value):
            group_name = _GROUP.match(text)  # matches every text, maybe with nothing
            mailbox = text[group_name.end() :].strip() if group_name else text.strip()
            if mailbox:
                mailboxes.append(mailbox)
    return mailboxes


def _split(value: str) -> Iterator[str]:
    for number, match in enumerate(_MAILBOX.finditer(value)):
        if number == MAX_MAILBOXES:
            yield value[match.start() :]
            return
        yield match[0]


def normalize_mailboxes(mailboxes: Sequence[str], limit: int) -> tuple[list[str], list[str]]:
    """Return at most `limit` normalized addresses without duplicates, and all other mailboxes as text.

    The others are not valid, or exceed the limit or MAX_MAILBOXES.
    """
    addresses: dict[str, None] = {}  # a dictionary keeps the order
    others: list[str] = []
    for number, mailbox in enumerate(mailboxes):
        normalized = _normalize(mailbox) if number < MAX_MAILBOXES else None
        exceeds_limit = normalized not in addresses and len(addresses) >= limit
        if normalized is None or exceeds_limit:
            others.append(decode_header(mailbox))
        else:
            addresses[normalized] = None
    return list(addresses), others


def _normalize(mailbox: str) -> str | None:
    if len(mailbox) > MAX_MAILBOX:
        return None
    for text in (mailbox, _COMMENT.sub(" ", mailbox)):
        try:
            return address.normalize_email(text)
        except PydanticCustomError:
            continue
    return None


def comparable_address(text: str) -> str:
    """The address in its normal form; text that is not an address, in lower case."""
    try:
        return address.normalize_email(text[:MAX_MAILBOX])
    except PydanticCustomError:
        return text.lower()
