"""Decodes the text of headers: encoded words (RFC 2047), and characters that are not encoded.

https://www.rfc-editor.org/rfc/rfc2047
"""

import quopri
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from messaging.mail.charset import decode
from messaging.mail.charset_labels import ASCII, find_encoding
from messaging.mail.defects import Defect
from messaging.mail.transfer_encoding import decode_base64

MAX_HEADER = 20_000  # characters
MAX_SEARCHED = 2**16  # bytes of a mail that are searched for its charset

_NEXT_WORD = r"=(?=\?[^?\s]{1,60}\?[bBqQ]\?)"
_Q_TEXT = rf"(?:[^?=]++|\?(?!=)|(?!{_NEXT_WORD})=)*+"
_Q_TEXT_WITH_END = rf"(?:[^?=]++|\?(?!=)|\?=(?=[0-9A-F]{{2}})|(?!{_NEXT_WORD})=)*+"
_WORD = (
    r"=\?\s{0,5}+(?P<charset>[^?*\s]{0,60})(?:\*[^?\s]{0,40})?\s{0,5}\?(?:"
    r"[bB]\?(?P<base64>[^?]*+)\?="
    rf"|[qQ]\?(?:(?P<q>{_Q_TEXT_WITH_END})\?=|(?P<short_q>{_Q_TEXT})\?=)"
    rf'|(?P<encoding>[bBqQ])\?(?P<cut>(?:[^?=\s"<>]++|(?!{_NEXT_WORD})=)*+)(?:\?(?!\S))?'
    r")"
)
"""An encoded word. Senders do not escape `?` and blanks in Q: `?=20` is a question mark and a blank, and not
the end. Programs that shorten a header cut the end off."""
_ENCODED_WORD = re.compile(_WORD)
_RAW_WORD = re.compile(_WORD.encode())
_NOT_ASCII = re.compile(r"([^\x00-\x7f]+)")
_RAW_BYTE = re.compile(rb"[\x80-\xff]")
_LINE_ENDS = re.compile(r"[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+")
_CHARSET = re.compile(rb"(?i)(?:\bcharset\s*=\s*[\"']?|=\?)([a-z0-9_:.$-]{1,60})")


def decode_raw_header(value: bytes, hint: str | None = None, defects: set[Defect] | None = None) -> str:
    """Return the value of a header in which encoded words are not decoded yet.

    `hint` is a charset that the mail uses elsewhere: senders who do not encode a header write it in the
    charset of the text.
    """
    if not value.isascii():  # within a word, a byte that is not encoded is in the charset of the word
        value = _RAW_WORD.sub(_encode_bytes, value)
    return decode(value, None, defects, hint)


def _encode_bytes(word: re.Match[bytes]) -> bytes:
    if word["base64"] is not None:
        return word[0]
    return _RAW_BYTE.sub(lambda byte: b"=%02X" % byte[0][0], word[0])


def find_charset(raw: bytes | memoryview) -> str | None:
    """Return the first charset, except UTF-8, that a part of the mail or an encoded word declares."""
    for match in _CHARSET.finditer(raw, 0, MAX_SEARCHED):
        label = match[1].decode("ascii")
        if find_encoding(label) not in (None, ASCII, "utf-8"):
            return label
    return None


def decode_header(header: str, defects: set[Defect] | None = None) -> str:
    """Return the header's value with its encoded words decoded.

    What is not an encoded word, and everything after MAX_HEADER characters, is not changed.
    """
    texts: list[str] = []
    words: list[_Word] = []  # adjacent ones, which have not been decoded
    end = 0
    for match in _ENCODED_WORD.finditer(header[:MAX_HEADER]):
        word = _parse_word(match)
        if word is None:
            continue
        between = header[end : match.start()]
        if between.strip() or not words:  # a blank between words is not part of the text
            texts += [_decode_words(words, defects), between]
            words = []
        words.append(word)
        end = match.end()
    return "".join([*texts, _decode_words(words, defects), header[end:]])


class _Word(NamedTuple):
    charset: str
    encoding: str
    """`b` for base64, or `q` for quoted-printable."""
    text: str


def _parse_word(match: re.Match[str]) -> _Word | None:
    """Return the word, or None for the beginning of one in an unknown charset, which can be any text."""
    charset = match["charset"].lower()
    if match["base64"] is not None:
        return _Word(charset, "b", match["base64"])
    if match["encoding"] is None:
        return _Word(charset, "q", match["q"] if match["q"] is not None else match["short_q"])
    if find_encoding(charset) is None:
        return None
    return _Word(charset, match["encoding"].lower(), match["cut"])


def _decode_words(words: Sequence[_Word], defects: set[Defect] | None) -> str:
    """Decode adjacent encoded words.

    A sender may split a character, or a group of base64, between two words. So words of the same charset are
    joined before they are decoded.
    """
    runs: list[tuple[str, bytes]] = []  # charset and content
    for word in _join_base64(words):
        for charset, content in _contents(word):
            if runs and runs[-1][0] == charset:
                runs[-1] = (charset, runs[-1][1] + content)
            else:
                runs.append((charset, content))
    text = "".join(decode(content, charset, defects) for charset, content in runs)
    return _LINE_ENDS.sub(" ", text)


def _join_base64(words: Sequence[_Word]) -> Sequence[_Word]:
    """Join words in base64 of which the first does not end with a whole group."""
    joined: list[_Word] = []
    for word in words:
        previous = joined[-1] if joined else None
        if previous and previous[:2] == word[:2] and _is_incomplete(previous):
            joined[-1] = previous._replace(text=previous.text + word.text)
        else:
            joined.append(word)
    return joined


def _is_incomplete(word: _Word) -> bool:
    return word.encoding == "b" and "=" not in word.text and len(word.text) % 4 != 0


def _contents(word: _Word) -> Iterator[tuple[str, bytes]]:
    """Yield each charset with its content. Characters that are not encoded are not in the word's charset."""
    if word.encoding == "b":
        yield word.charset, decode_base64(word.text.encode("ascii", "ignore"))
        return
    for text in _NOT_ASCII.split(word.text):
        if text.isascii():
            yield word.charset, quopri.decodestring(text.encode(), header=True)
        else:
            yield "utf-8", text.encode(errors="replace")
