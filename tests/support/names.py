"""Names that are hard to write in a header, and a reader that is not ours."""

from email.header import decode_header, make_header
from email.utils import getaddresses
from typing import Any

NAMES = [
    "Ann",
    "Lee, Ann",
    'Ann "Al" Lee',
    "back\\slash",
    "ann@example.org",
    '<a@b>, "c" <d@e>; (f) : ,',
    "O'Neill",
    "(Sales)",
    "J\u00fcrgen M\u00fcller",
    "M\u00fcller, J\u00fcrgen",
    'M\u00fcller "J\u00fc", <x>',
    "\u5c71\u7530\u592a\u90ce",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467",
    "\u00e9" * 300,
    "a, " * 100 + "b",
    "\u00fc, " * 99 + "end",
    "\U0001f600" * 320,
    "x" * 320,
    '"' * 320,
    "\u00e9 " * 159 + "e",
    "two  blanks  \u00e9",
    "=?utf-8?q?literal?=",
    "a =? b",
    "no\u00a0break",
]


def read_mailboxes(value: str) -> list[tuple[str, str]]:
    """The names and addresses in the value of a header, read by Python's email package.

    Not by its policies: before Python 3.13.2, they put a blank between two encoded words.
    """
    return [(str(make_header(decode_header(name))), address) for name, address in getaddresses([value])]


def named_everywhere(name: str) -> dict[str, Any]:
    """The fields of a mail to contact@example.org with a name beside each of its addresses but two copies."""
    return {
        "from_name": name,
        "to_name": name,
        "cc": ["copy@example.org", "contact@example.org", "other@example.org"],
        "cc_names": {"copy@example.org": name, "contact@example.org": "unused"},
        "reply_to": "office@example.com",
        "reply_to_name": name,
    }
