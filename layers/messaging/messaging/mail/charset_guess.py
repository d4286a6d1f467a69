"""Guesses the encoding of a text that has no label, or a wrong one, and is not UTF-8.

A guess can be wrong. It looks only for the most common letters of languages whose text is unreadable in
windows-1252.
"""

import re

from messaging.mail import decoders

MAX_SAMPLE = 4096  # bytes

_NOT_ASCII = re.compile(rb"[\x80-\xff]+")
_MIN_RUN = 3
"""Bytes. In languages with Latin letters, fewer accented letters follow each other."""
_LOWER_CASE = {"koi8-r": range(0xC0, 0xE0), "windows-1251": range(0xE0, 0x100)}
_CYRILLIC = range(0xC0, 0x100)
_COMMON = (
    ("shift_jis", re.compile("[\u3041-\u3096\u30a1-\u30fc]"), 0.1),
    ("euc-jp", re.compile("[\u3041-\u3096\u30a1-\u30fc]"), 0.1),
    ("euc-kr", re.compile("[\uac00-\ud7a3]"), 0.95),
)
"""Encodings, the letters that are common in their language, and the minimal share of them."""
_COMMON_PAIRS = (
    ("gbk", re.compile(rb"[\xb0-\xd7][\xa1-\xfe]"), 0.6),
    ("big5", re.compile(rb"[\xa4-\xc6][\x40-\x7e\xa1-\xfe]"), 0.6),
)
"""Encodings in which the common characters are together, and their minimal share."""


def guess_encoding(content: bytes) -> str:
    """Return the name of an encoding as charset_labels does: windows-1252 if no other is more likely."""
    runs = _NOT_ASCII.findall(content[:MAX_SAMPLE])
    long_runs = b"".join(run for run in runs if len(run) >= _MIN_RUN)
    if len(long_runs) * 2 < sum(map(len, runs)):
        return "windows-1252"
    return _guess_cyrillic(long_runs) or _guess_asian(content[:MAX_SAMPLE]) or "windows-1252"


def _guess_cyrillic(letters: bytes) -> str | None:
    if sum(byte in _CYRILLIC for byte in letters) < 0.9 * len(letters):
        return None
    counts = {name: sum(byte in codes for byte in letters) for name, codes in _LOWER_CASE.items()}
    return max(counts, key=counts.__getitem__)


def _guess_asian(sample: bytes) -> str | None:
    for encoding, letters, minimum in _COMMON:
        text = decoders.decode(sample, encoding)
        count = len(text) - sum(map(str.isascii, text))
        if not _is_damaged(text) and len(letters.findall(text)) >= minimum * count:
            return encoding
    for encoding, pairs, minimum in _COMMON_PAIRS:
        text = decoders.decode(sample, encoding)
        count = len(text) - sum(map(str.isascii, text))
        if not _is_damaged(text) and len(pairs.findall(sample)) >= minimum * count:
            return encoding
    return None


def _is_damaged(text: str) -> bool:
    return decoders.REPLACEMENT in text[:-1]  # the sample may end within the last character
