"""Reads the labels that mails give to their charsets.

A label means what the Encoding Standard of the browsers says: `iso-8859-1` is windows-1252, and `gb2312` is
GBK, because senders confuse them. The package `webencodings` has its table. Mails also use charsets that
browsers refuse, and labels of operating systems, vendors and programming languages.
https://encoding.spec.whatwg.org/#names-and-labels
"""

import re
from collections.abc import Mapping
from functools import cache, lru_cache

ASCII = "us-ascii"
"""The standard reads it as windows-1252. In a mail, it often means that the sender did not set a charset."""
MAX_LABEL = 60  # characters

_LABELS = {
    ASCII: "646 ansix341968 ansix341986 ascii cp367 csascii ibm367 iso646irv1991 iso646us isoir6 us usascii",
    "big5": "big5eten big5hkscs2004 macchinesetrad",
    "euc-jis-2004": "eucjis2004 eucjisx0213",
    "euc-jp": "eucjpms eucjpopen eucjpwin ujis",
    "euc-kr": "mackorean uhc",
    "gbk": "cngb euccn eucgb2312cn macchinesesimp",
    "hp-roman8": "hproman8 roman8",
    "hz": "hz hzgb2312",
    "iso-2022-jp": "iso2022jp1 iso2022jp2 iso2022jp2004 iso2022jp3 iso2022jpesc iso2022jpext iso2022jpms"
    " iso2022jpsio jis jis7",
    "iso-2022-kr": "iso2022kr",
    "iso-8859-13": "latin7",
    "iso-8859-14": "latin8",
    "iso-8859-15": "latin9",
    "iso-8859-16": "latin10",
    "johab": "johab",
    "koi8-t": "koi8t",
    "kz1048": "kz1048 rk1048 strk10482002",
    "mac-arabic": "macarabic",
    "mac-croatian": "maccroatian",
    "mac-farsi": "macfarsi",
    "mac-greek": "macgreek",
    "mac-iceland": "maciceland macicelandic",
    "mac-latin2": "macce maccentraleurope maccentraleurroman maccenteuro maclatin2",
    "mac-romanian": "macromanian",
    "mac-turkish": "macturkish",
    "macintosh": "macroman",
    "ptcp154": "cp154 cyrillicasian pt154 ptcp154",
    "shift_jis": "macjapanese pck sjisms sjisopen sjiswin",
    "shift_jis-2004": "shiftjis2004 shiftjisx0213 sjis2004",
    "utf-16be": "unicodebig unicodebigunmarked",
    "utf-16le": "unicodelittle unicodelittleunmarked",
    "utf-32": "iso10646ucs4 ucs4 utf32",
    "utf-32be": "ucs4be utf32be",
    "utf-32le": "ucs4le utf32le",
    "utf-7": "unicode11utf7 unicode20utf7 utf7",
    "utf-8": "utf8mb3 utf8mb4 utf8n utf8sig",
    "windows-874": "macthai tis6200",
    "x-mac-cyrillic": "maccyrillic macukrainian",
}
"""Labels that the standard does not have, by encoding. Each is reduced to its letters and digits."""

_USUAL = {"utf-8", ASCII}
"""Labels that are their own encoding, and do not need the table."""
_REFUSED = {"replacement", "x-user-defined"}
"""Encodings of the standard by which a browser shows nothing, or nothing readable."""

_CODE_PAGES = {
    154: "ptcp154",
    813: "iso-8859-7",
    819: "windows-1252",
    874: "windows-874",
    878: "koi8-r",
    912: "iso-8859-2",
    913: "iso-8859-3",
    914: "iso-8859-4",
    915: "iso-8859-5",
    916: "iso-8859-8",
    920: "windows-1254",
    923: "iso-8859-15",
    932: "shift_jis",
    936: "gbk",
    942: "shift_jis",
    943: "shift_jis",
    949: "euc-kr",
    950: "big5",
    951: "big5",
    954: "euc-jp",
    970: "euc-kr",
    1200: "utf-16le",
    1201: "utf-16be",
    1361: "johab",
    1363: "euc-kr",
    1381: "gbk",
    1386: "gbk",
    10_000: "macintosh",
    10_006: "mac-greek",
    10_007: "x-mac-cyrillic",
    10_029: "mac-latin2",
    10_079: "mac-iceland",
    10_081: "mac-turkish",
    12_000: "utf-32le",
    12_001: "utf-32be",
    20_127: ASCII,
    20_866: "koi8-r",
    20_932: "euc-jp",
    20_936: "gbk",
    20_949: "euc-kr",
    21_866: "koi8-u",
    33_722: "euc-jp",
    38_598: "iso-8859-8",
    50_220: "iso-2022-jp",
    50_221: "iso-2022-jp",
    50_222: "iso-2022-jp",
    50_225: "iso-2022-kr",
    51_932: "euc-jp",
    51_936: "gbk",
    51_949: "euc-kr",
    52_936: "hz",
    54_936: "gb18030",
    65_000: "utf-7",
    65_001: "utf-8",
}
"""Code pages of IBM and Microsoft that have another name in the standard or in Python."""
_PYTHON_CODE_PAGES = frozenset(
    {437, 720, 737, 775, 850, 852, 855, 857, 858, 860, 861, 862, 863, 864, 865, 866, 869, 1125}
)

_CODE_PAGE = re.compile(
    r"(?:codepage|cp|dos|ibm|ms|mscodepage|msdos|oem|pc|pc8codepage|pcp|win|windows)?0*([1-9][0-9]{2,4})[a-z]*"
)
_END = re.compile(r"[;,(*]")
"""What follows a label: other parameters, a second label, a comment, or a language (RFC 2231)."""
_PREFIX = re.compile(r"(?:charset)?(?:cs|x)?(?=.{3})")
_PUNCTUATION = re.compile(r"[^a-z0-9]+")


def find_encoding(label: str | None) -> str | None:
    """Return the encoding's name in the Encoding Standard, or else in Python. None for an unknown label.

    Quotes, prefixes, punctuation and what follows the label are ignored.
    """
    if not label or len(label) > MAX_LABEL:
        return None
    label = label.lower()
    return label if label in _USUAL else _find_encoding(label)


@lru_cache(maxsize=100)
def _find_encoding(label: str) -> str | None:
    label = _END.split(label, 1)[0]
    for text in (label, *label.split()[:1]):  # some labels contain blanks, others are followed by some
        name = _PUNCTUATION.sub("", text)
        for candidate in (name, _PREFIX.sub("", name, 1), f"iso{name}"):
            encoding = _encodings().get(candidate) or _code_page(candidate)
            if encoding:
                return encoding
    return None


@cache
def _encodings() -> Mapping[str, str]:
    """Return the encoding of each label, which consists only of its letters and digits."""
    from webencodings.labels import LABELS  # here: a cold start without mail does not pay for it

    encodings = {_PUNCTUATION.sub("", label): name for label, name in LABELS.items() if name not in _REFUSED}
    for name, labels in _LABELS.items():
        encodings |= dict.fromkeys(labels.split(), name)
    return encodings


def _code_page(label: str) -> str | None:
    match = _CODE_PAGE.fullmatch(label)
    if match is None:
        return None
    number = int(match[1])
    if number in _PYTHON_CODE_PAGES:
        return f"cp{number}"
    return _CODE_PAGES.get(number) or _encodings().get(f"windows{number}")
