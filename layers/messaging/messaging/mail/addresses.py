"""The addresses in a mail's headers, each with whatever its writer put around it."""

import re
from collections.abc import Iterator, Sequence

from pydantic_core import PydanticCustomError

from messaging import address
from messaging.mail.charset import decode_header

MAX_READ = 1000  # addresses of a header
MAX_WRITTEN = 1000  # characters of one, with its name

_COMMENT = re.compile(r"\((?:[^()\\]++|\\.)*+\)")
_MAILBOX = re.compile(
    r'(?:"(?:[^"\\]++|\\.)*+"?|<[^<>]*+>?|\((?:[^()\\]++|\\.)*+\)?|[^",;<(]++)++', re.DOTALL
)
_GROUP = re.compile(r'(?:[^"<@:]*+:)?')


def split_mailboxes(*lists: str) -> list[str]:
    """Each address with its name, out of a header's value, also those of a group; what stands past the
    1,000th of a list is one."""
    written = (one for text in lists for one in _each(text))
    found = (one.removeprefix(named[0]).strip() for one in written if (named := _GROUP.match(one)))
    return [one for one in found if one]


def _each(text: str) -> Iterator[str]:
    for place, one in enumerate(_MAILBOX.finditer(text)):
        if place == MAX_READ:
            yield text[one.start() :]
            return
        yield one[0]


def normalize_mailboxes(written: Sequence[str], most: int) -> tuple[list[str], list[str]]:
    """Those that can be read, each once, and the others as they were written."""
    found: dict[str, None] = {}
    others: list[str] = []
    for place, one in enumerate(written):
        read = _normal(one) if place < MAX_READ else None
        if read is None or (read not in found and len(found) >= most):
            others.append(decode_header(one))
        else:
            found[read] = None
    return list(found), others


def _normal(written: str) -> str | None:
    if len(written) > MAX_WRITTEN:
        return None
    for one in (written, _COMMENT.sub(" ", written)):
        try:
            return address.normalize_email(one)
        except PydanticCustomError:
            continue
    return None
