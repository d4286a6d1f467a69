"""Writes the address headers of an outbound mail: From, To, Cc and Reply-To (RFC 5322)."""

import re
from base64 import b64encode
from collections.abc import Iterator, Sequence

from messaging.address import Mailbox

MAX_ENCODED = 45
"""Bytes of an encoded word's content: the word then has 72 characters, of at most 75."""

_LINE_END = re.compile(r"[\r\n\0]")
_WORD = re.compile(r"\S*+\s++|\S++")  # with the blanks after it
_SPECIAL = re.compile(r'(["\\])')


def format_mailbox(mailbox: Mailbox, separator: str = " ") -> str:
    """Return the mailbox as the value of a header.

    The name is quoted. If it is not ASCII, it is written as encoded words (RFC 2047), with `separator`
    between them. Raises ValueError if a part would end the header's line.
    """
    if any(_LINE_END.search(part or "") for part in mailbox):
        raise ValueError("A mailbox must be on one line.")
    if not mailbox.name:
        return mailbox.address
    if mailbox.name.isascii() and "=?" not in mailbox.name:  # else it would be read as an encoded word
        name = '"' + _SPECIAL.sub(r"\\\1", mailbox.name) + '"'
    else:
        name = separator.join(_encoded_words(mailbox.name))
    return f"{name} <{mailbox.address}>"


def _encoded_words(text: str) -> Iterator[str]:
    """Not email.header.Header, which joins blanks.

    An encoded word ends after a blank of the text if possible: some readers wrongly add a blank there. It
    never ends within a character.
    """
    chunk = b""
    for word in _WORD.findall(text):
        if len(chunk) + len(word.encode()) > MAX_ENCODED and chunk:
            yield _encoded_word(chunk)
            chunk = b""
        for character in word:
            encoded = character.encode()
            if len(chunk) + len(encoded) > MAX_ENCODED:
                yield _encoded_word(chunk)
                chunk = b""
            chunk += encoded
    yield _encoded_word(chunk)


def _encoded_word(content: bytes) -> str:
    return f"=?utf-8?b?{b64encode(content).decode()}?="


def format_header(name: str, mailboxes: Sequence[Mailbox]) -> bytes:
    """Return the header with its line end, folded so that no line is too long for a mail server.

    Raises ValueError if a mailbox cannot be written in ASCII.
    """
    value = ",\r\n ".join(format_mailbox(mailbox, separator="\r\n ") for mailbox in mailboxes)
    return f"{name}: {value}\r\n".encode("ascii")
