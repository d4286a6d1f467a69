"""Parses the address headers of a mail into mailboxes, in whatever form they reached us.

A mailbox is an address with its name and comments, such as `Ann <ann@example.com> (Sales)` (RFC 5322). The
parser accepts what mail programs write instead: missing, additional and nested brackets, semicolons or blanks
between mailboxes, `mailto:`, addresses in encoded words or in quotes, routes. It takes linear time.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from messaging.address import storable_address
from messaging.email_address import canonical_email, remove_invisible
from messaging.mail.header_text import decode_header

MAX_MAILBOXES = 1000  # of a header
MAX_VALUE = 20_000
"""Characters of a header that are parsed. Tokens take 300 bytes for a character in the worst case."""

_QUOTED = r'"(?:[^"\\]++|\\.)*+"'
_TOKEN = re.compile(
    rf"""(?P<encoded>=\?[^?\s]{{1,80}}\?[bBqQ]\?[^?]*+\?=)
    | (?P<quoted>{_QUOTED})
    | (?P<literal>\[[^\s\[\]<>@,;"()]++\])
    | (?P<blank>\s++)
    | (?P<special>[<>,;:])
    | (?P<text>[^\s"(<>,;:\[=]++|.)""",
    re.DOTALL | re.VERBOSE,
)
_PARENTHESIS = re.compile(r"\\.|[()]", re.DOTALL)
_WORD = re.compile(rf"(?:{_QUOTED}|[^\s\"]++|\")++", re.DOTALL)
_QUOTED_STRING = re.compile(_QUOTED, re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_AROUND_SEPARATOR = re.compile(r"(?<!\s)\s*+([@.])\s*+")
_MARKDOWN_LINK = re.compile(r"\s*\[([^\[\]]*+)\]\(mailto:([^()]*+)\)\s*", re.IGNORECASE)
_AROUND_AT = re.compile(r"(?<!\s)\s*+@\s*+")
_URL_SCHEME = re.compile(r"\s*+(?:mailto|smtp):", re.IGNORECASE)
_FULL_WIDTH = str.maketrans({"\uff20": "@", "\ufe6b": "@", "\uff1c": "<", "\uff1e": ">"})
_CLOSING_MARKS = {
    "'": "'",
    "{": "}",
    "\u2018": "\u2019",
    "\u201a": "\u2018",
    "\u201c": "\u201d",
    "\u201d": "\u201d",
    "\u201e": "\u201c\u201d",
    "\u00ab": "\u00bb",
    "\u00bb": "\u00ab",
}
"""The marks that close each mark around an address."""
_ADDR_SPEC = rf'(?:{_QUOTED}|[^\s"(),:;<>\[\]@\\]++)@(?:\[[^\s\[\]<>@]++\]|[^\s"(),:;<>\[\]@\\]++)'
_COMMENTS = r"(?:\s*+\([^()\\]*+\))*+\s*+"
_WELL_FORMED = re.compile(
    rf'{_COMMENTS}(?:(?:{_QUOTED}|[^"(),:;<>\\]++)*+\s*+<{_ADDR_SPEC}>|{_ADDR_SPEC}){_COMMENTS}', re.DOTALL
)


class ReceivedMailbox(NamedTuple):
    """A mailbox of a mail that reached us."""

    name: str
    """Decoded. Empty if the mailbox has no name, or if the name only repeats the address."""
    address: str | None
    """In its canonical form. None if the text contains no address."""
    text: str
    """As the sender wrote it."""

    def is_well_formed(self) -> bool:
        """Whether the text is written as a mailbox should be, so that nothing was guessed."""
        match = _WELL_FORMED.fullmatch(self.text) or _MARKDOWN_LINK.fullmatch(self.text)
        return match is not None and remove_invisible(self.text) == self.text


class _Token(NamedTuple):
    kind: str
    text: str
    start: int
    """Where it begins in the header's value."""


_Tokens = Sequence[_Token]
_BLANK = _Token("blank", " ", 0)


def parse_mailboxes(*values: str) -> list[ReceivedMailbox]:
    """Return the mailboxes in the values of an address header, also the members of groups.

    Text without an address becomes a mailbox without one. After MAX_MAILBOXES or MAX_VALUE characters, the
    rest of a value is one mailbox without an address.
    """
    return [mailbox for value in values for mailbox in _parse(value)]


def find_addresses(mailboxes: Sequence[ReceivedMailbox], limit: int) -> tuple[list[str], list[str]]:
    """Return at most `limit` addresses without duplicates, and the text of all other mailboxes, decoded.

    The others have no address, or exceed the limit.
    """
    addresses: dict[str, None] = {}  # a dictionary keeps the order
    others: list[str] = []
    for mailbox in mailboxes:
        exceeds_limit = mailbox.address not in addresses and len(addresses) >= limit
        if mailbox.address is None or exceeds_limit:
            others.append(decode_header(mailbox.text))
        else:
            addresses[mailbox.address] = None
    return list(addresses), others


def comparable_address(text: str) -> str:
    """Return the canonical form of the first address in a text, or else the text in lower case."""
    addresses = (mailbox.address for mailbox in parse_mailboxes(text) if mailbox.address)
    return next(addresses, storable_address(text).lower())


# --- Lists -------------------------------------------------------------------------------------------


def _parse(value: str, *, is_decoded: bool = False) -> list[ReceivedMailbox]:
    if link := _MARKDOWN_LINK.fullmatch(value):
        address = canonical_email(link[2])
        return [ReceivedMailbox(_clean_name(link[1], address), address, value.strip())]
    if "&lt;" in value and "<" not in value:
        unescaped = value.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"')
        return [mailbox._replace(text=value.strip()) for mailbox in _parse(unescaped, is_decoded=is_decoded)]
    mailboxes: list[ReceivedMailbox] = []
    end = MAX_VALUE
    for tokens in _split(_tokenize(value[:MAX_VALUE])):
        parsed = _mailboxes(tokens, is_decoded=is_decoded)
        is_cut = tokens[-1].start + len(tokens[-1].text) == MAX_VALUE < len(value)
        if is_cut or len(mailboxes) + len(parsed) > MAX_MAILBOXES:
            end = tokens[0].start
            break
        if mailboxes and parsed and _is_first_half_of_name(mailboxes[-1], tokens):
            parsed[0] = _join(mailboxes.pop(), parsed[0])
        mailboxes += parsed
    rest = value[end:].strip()
    return [*mailboxes, ReceivedMailbox("", None, rest)] if rest else mailboxes


def _tokenize(value: str) -> Iterator[_Token]:
    """Split a value. A quotation mark or parenthesis that is not closed is a blank.

    After the first one that does not end, no more are searched for, so that the time stays linear.
    """
    position, has_comments, has_quotes = 0, True, True
    while position < len(value):
        letter = value[position]
        end = _comment_end(value, position) if letter == "(" and has_comments else None
        if end is not None:
            yield _Token("comment", value[position:end], position)
            position = end
            continue
        match = _TOKEN.match(value, position) if letter != '"' or has_quotes else None
        if match is None or match[0] in ('"', "("):  # it does not end
            has_quotes &= letter != '"'
            has_comments &= letter != "("
            yield _Token("blank", " ", position)
            position += 1
            continue
        yield _Token(match.lastgroup or "text", match[0], position)
        position = match.end()


def _comment_end(value: str, start: int) -> int | None:
    depth = 0
    for match in _PARENTHESIS.finditer(value, start):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if depth == 0:
            return match.end()
    return None


class _Group:
    """The tokens of a mailbox, as far as they are read."""

    def __init__(self, tokens: _Tokens = ()) -> None:
        self.tokens = list(tokens)
        self.is_open = False
        """Whether the last bracket opens."""
        self.has_at = any("@" in token.text for token in tokens)
        self.has_angle_at = False
        """Whether there is an @ in brackets."""
        self.is_route = False
        """Whether the brackets begin with @, as in <@a.example,@b.example:c@d.example>."""
        self.angle_end = 0
        """The number of tokens up to the last bracket."""

    def append(self, token: _Token) -> None:
        has_at = "@" in token.text
        if self.is_open and has_at and not self.has_angle_at:
            self.is_route = token.text.startswith("@") and len(self.tokens) == self.angle_end
        self.has_at |= has_at
        self.has_angle_at |= has_at and self.is_open
        self.tokens.append(token)
        if token.kind == "special" and token.text in "<>":
            self.is_open = token.text == "<"
            self.angle_end = len(self.tokens)

    def is_ended_by(self, special: str) -> bool:
        return special == ";" or (special == "," and not (self.is_open and self.is_route))

    def split(self) -> tuple[_Tokens, _Tokens]:
        """Return the tokens of this mailbox, and those that belong to the next one."""
        end = len(self.tokens) if self.is_open else self.angle_end
        return self.tokens[:end], self.tokens[end:]


def _split(tokens: Iterable[_Token]) -> Iterator[_Tokens]:
    """Yield the tokens of each mailbox."""
    group = _Group()
    for token in tokens:
        special = token.text if token.kind == "special" else ""
        if group.is_ended_by(special):
            if group.tokens:
                yield group.tokens
            group = _Group()
        elif special == ":" and not group.is_open and not group.has_at:
            group = _Group()  # the name of a group, or mailto
        elif special == "<" and group.has_angle_at:  # a comma is missing
            mailbox, beginning = group.split()
            yield mailbox
            group = _Group(beginning)
            group.append(token)
        else:
            group.append(token)
    if group.tokens:
        yield group.tokens


# --- Mailboxes ---------------------------------------------------------------------------------------


def _mailboxes(tokens: _Tokens, *, is_decoded: bool) -> list[ReceivedMailbox]:
    """Return the mailbox in these tokens. There can be several, if they are without commas or encoded."""
    text = "".join(token.text for token in tokens).strip()
    if not text.strip("<> \t\r\n"):
        return []
    inside, outside = _inside_and_outside(tokens)
    if address := _address_in_brackets(inside):
        return [ReceivedMailbox(_name(outside, address), address, text)]
    mailboxes = _bare_mailboxes([*outside, _BLANK, *(inside or ())], text)
    if not mailboxes and not is_decoded:
        unescaped = " ".join(_unescape(token).strip("()") for token in tokens)
        decoded = decode_header(unescaped).translate(_FULL_WIDTH)
        mailboxes = [mailbox for mailbox in _parse(decoded, is_decoded=True) if mailbox.address]
        mailboxes = [mailbox._replace(text=text) for mailbox in mailboxes]
    return mailboxes or [ReceivedMailbox(_name(outside, None) or _clean_name(text, None), None, text)]


def _inside_and_outside(tokens: _Tokens) -> tuple[_Tokens | None, _Tokens]:
    """Return the tokens in the innermost brackets, or None without brackets, and all other tokens."""
    brackets = [n for n, token in enumerate(tokens) if token.kind == "special" and token.text in "<>"]
    start = max((n for n in brackets if tokens[n].text == "<"), default=len(tokens))
    end = next((n for n in brackets if n > start), len(tokens))
    outside = [token for token in (*tokens[:start], _BLANK, *tokens[end:]) if token.text not in "<>"]
    return (tokens[start + 1 : end] if start < len(tokens) else None), outside


def _address_in_brackets(inside: _Tokens | None) -> str | None:
    if inside is None:
        return None
    text = "".join(token.text for token in inside if token.kind != "comment").strip()
    if scheme := _URL_SCHEME.match(text):
        text = text[scheme.end() :].partition("?")[0]
    if text.startswith("@"):
        text = text.partition(":")[2]
    if '"' not in text:
        text = _AROUND_SEPARATOR.sub(r"\1", text)
    words = _WORD.findall(text)
    addresses = [word for word in words if "@" in word]
    if len(words) > 1 and addresses not in ([], words[-1:]):
        text = addresses[0]  # what follows it is the beginning of the next mailbox
    return _address(text)


def _bare_mailboxes(tokens: _Tokens, text: str) -> list[ReceivedMailbox]:
    """Return the mailboxes in text without brackets, such as `Ann a@b.example`."""
    written = "".join(token.text for token in tokens if token.kind != "comment")
    for variant in (written, _AROUND_AT.sub("@", written)):
        mailboxes: list[ReceivedMailbox] = []
        name: list[str] = []
        for word in _WORD.findall(variant):
            address = _address(word) if "@" in word else None
            if address is None:
                name.append(word)
            else:
                mailboxes.append(ReceivedMailbox(_clean_name(" ".join(name), address), address, text))
                name = []
        if mailboxes and not mailboxes[-1].name:
            comments = [token for token in tokens if token.kind == "comment"]
            following = _clean_name(" ".join(name), mailboxes[-1].address)
            name_after = following or _name(comments, mailboxes[-1].address)
            mailboxes[-1] = mailboxes[-1]._replace(name=name_after)
        if mailboxes or "@" not in written:
            return mailboxes
    return []


def _address(text: str) -> str | None:
    if "=?" in text and (decoded := decode_header(text)) != text:
        if len(decoded.split()) > 1:
            return None  # not an address but a mailbox
        text = decoded
    text = text.strip().lstrip("([")
    if address := canonical_email(text) or canonical_email(text.rstrip(")]")):
        return address
    return canonical_email(text[1:-1]) if text[-1:] in _CLOSING_MARKS.get(text[:1], ()) else None


def _name(tokens: _Tokens, address: str | None) -> str:
    words = "".join(_unescape(token) for token in tokens if token.kind != "comment")
    comments = " ".join(_unescape(token) for token in tokens if token.kind == "comment")
    return _clean_name(words, address) or _clean_name(comments, address)


def _unescape(token: _Token) -> str:
    if token.kind == "quoted":
        return _ESCAPE.sub(r"\1", token.text[1:-1])
    return token.text[1:-1] if token.kind == "comment" else token.text


def _clean_name(text: str, address: str | None) -> str:
    """Return a name decoded, on one line, without quotes around it. It is empty if it repeats the address."""
    name = " ".join(decode_header(text).split())
    name = name.strip('\u2018\u2019\u201c\u201d"' if name[:1] != "'" or name[-1:] != "'" else "'").strip()
    return "" if address is not None and canonical_email(name) == address else name


def _is_first_half_of_name(mailbox: ReceivedMailbox, tokens: _Tokens) -> bool:
    """Whether a comma without quotes has split a name, as in `Lee, Ann <ann@example.com>`."""
    return (
        mailbox.address is None
        and not any(letter in mailbox.text for letter in "@<>")
        and any(token.kind == "special" and token.text == "<" for token in tokens)
    )


def _join(first: ReceivedMailbox, second: ReceivedMailbox) -> ReceivedMailbox:
    if second.address is None:
        return second
    name = ", ".join(filter(None, (first.name, second.name)))
    return ReceivedMailbox(name, second.address, f"{first.text}, {second.text}")
