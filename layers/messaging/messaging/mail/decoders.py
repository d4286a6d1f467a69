"""Decodes the encodings that mails use. Bytes that are not characters become U+FFFD.

Python has a codec for most encodings. But its Japanese codecs do not have the characters of NEC and IBM, such
as circled digits, and some other codecs differ from what browsers and mail readers show.
https://encoding.spec.whatwg.org/
"""

import codecs
import re
from collections.abc import Callable, Mapping
from functools import cache, partial
from io import StringIO

REPLACEMENT = "\ufffd"

_Decoder = Callable[[bytes], str]

_EUC_JP = re.compile(
    rb"(?s)(?P<jis0208>(?:[\xa1-\xfe]{2})++)|(?P<kana>(?:\x8e[\xa1-\xdf])++)"
    rb"|(?P<jis0212>(?:\x8f[\xa1-\xfe]{2})++)|(?P<ascii>[\x00-\x7f]++)|[\x80-\x8d\x90-\xa0\xff]++|."
)
_ESCAPE = re.compile(rb"\x1b(\([BHIJ]|\$[@AB]|\$\([BCDOPQ])|([\x0e\x0f])")
"""Changes the character set within ISO-2022-JP: an escape sequence (RFC 1468, 1554, 2237), or a shift."""
_PAIRS = re.compile(rb"(?s)(?P<pairs>(?:[\x21-\x7e\xa1-\xfe]{2})++)|(?P<control>[\x00-\x20\x7f]++)|.")

_SEVEN_BITS = bytes(byte & 0x7F for byte in range(256))
_EIGHT_BITS = bytes(byte | 0x80 for byte in range(256))
_KANA = bytes(byte | 0x80 if 0x21 <= byte <= 0x5F else byte for byte in range(256))
_ROMAN = {ord("\\"): "\xa5", ord("~"): "\u203e"}
_NOT_SHIFT_JIS = dict.fromkeys(range(0xF8F0, 0xF8F4), REPLACEMENT)
"""The private characters that Python's cp932 has for A0, FD, FE and FF, which are not characters."""

_BIG5_PUNCTUATION = {
    0x2022: "\u2027",
    0xFF64: "\ufe51",
    0x203E: "\xaf",
    0x223C: "\uff5e",
    0x2641: "\u2295",
    0x2609: "\u2299",
    0xA5: "\uffe5",
    0xA2: "\uffe0",
    0xA3: "\uffe1",
}
"""Python's punctuation in Big5, and that of Microsoft, which the standard has."""
_GB18030_PRIVATE = {
    0xE5E5: "\u3000",
    0xE78D: "\ufe10",
    0xE78E: "\ufe12",
    0xE78F: "\ufe11",
    0xE790: "\ufe13",
    0xE791: "\ufe14",
    0xE792: "\ufe15",
    0xE793: "\ufe16",
    0xE794: "\ufe17",
    0xE795: "\ufe18",
    0xE796: "\ufe19",
    0xE7C7: "\u1e3f",
    0xE81E: "\u9fb4",
    0xE826: "\u9fb5",
    0xE82B: "\u9fb6",
    0xE82C: "\u9fb7",
    0xE832: "\u9fb8",
    0xE843: "\u9fb9",
    0xE854: "\u9fba",
    0xE864: "\u9fbb",
}
"""Private characters that Python uses for GB 18030, and the characters of Unicode in its later editions."""
_CODECS = {
    "iso-8859-8-i": "iso8859-8",
    "macintosh": "mac-roman",
    "windows-874": "cp874",
    "x-mac-cyrillic": "mac-cyrillic",
}
"""Python's codecs of single-byte encodings that it has under another name."""
_SINGLE_BYTE_CHARACTERS = {
    "koi8-u": {0xAE: "\u045e", 0xBE: "\u040e"},
    "windows-1255": {0xCA: "\u05ba"},
}
"""Characters of the standard that Python's codecs do not have."""


def decode(content: bytes, encoding: str) -> str:
    """Return the text. `encoding` is a name that charset_labels.find_encoding returned."""
    decoder = _DECODERS.get(encoding)
    if decoder:
        return decoder(content)
    return codecs.charmap_decode(content, "replace", _characters(encoding))[0]


@cache
def _characters(encoding: str) -> str:
    """Return the 256 characters of a single-byte encoding. As in browsers, an unused byte is a C1 control."""
    codec = _CODECS.get(encoding, encoding)
    characters = [bytes([byte]).decode(codec, "replace") for byte in range(256)]
    for byte in range(0x80, 0xA0):
        if characters[byte] == REPLACEMENT:
            characters[byte] = chr(byte)
    for byte, character in _SINGLE_BYTE_CHARACTERS.get(encoding, {}).items():
        characters[byte] = character
    return "".join(characters)


def _codec(name: str, content: bytes) -> str:
    return content.decode(name, "replace")


def _double_byte(codec: str, euro: bytes, corrections: Mapping[int, str], content: bytes) -> str:
    """Decode with a codec that does not have the euro sign and has other characters than the standard."""
    if euro not in content:
        return content.decode(codec, "replace").translate(corrections)
    run = re.compile(rb"(?s)%b|(?:(?!%b)(?:[\x81-\xfe].|.))++" % (euro, euro))
    text = StringIO()
    for match in run.finditer(content):
        text.write("\u20ac" if match[0] == euro else match[0].decode(codec, "replace").translate(corrections))
    return text.getvalue()


def _utf_16(order: str, content: bytes) -> str:
    """Decode UTF-16. Its ASCII characters show the order of bytes, which labels often contradict."""
    beginning = content[:4096]
    zeros_be, zeros_le = beginning[0::2].count(0), beginning[1::2].count(0)
    if zeros_be != zeros_le:
        order = "be" if zeros_be > zeros_le else "le"
    return content.decode(f"utf-16-{order}", "replace")


def _utf_32(content: bytes) -> str:
    return content.decode("utf-32-be" if content.startswith(b"\0") else "utf-32-le", "replace")


def _iso_2022_kr(content: bytes) -> str:
    header = b"\x1b$)C"  # senders omit it, especially in encoded words
    return (content if header in content else header + content).decode("iso2022_kr", "replace")


def _iso_2022_jp(content: bytes) -> str:
    text = StringIO()
    decode_set: _Decoder = _ascii
    start = 0
    for match in _ESCAPE.finditer(content):
        text.write(decode_set(content[start : match.start()]))
        decode_set = _SETS[match[1] or match[2]]
        start = match.end()
    text.write(decode_set(content[start:]))
    return text.getvalue()


def _shift_jis(content: bytes) -> str:
    return content.decode("cp932", "replace").translate(_NOT_SHIFT_JIS)


def _ascii(content: bytes) -> str:
    # Senders mix ISO-2022-JP with half-width katakana of eight bits, and with Shift_JIS.
    return _shift_jis(content)


def _roman(content: bytes) -> str:
    return _shift_jis(content).translate(_ROMAN)


def _kana(content: bytes) -> str:
    """Decode half-width katakana (JIS X 0201), of seven bits or of eight."""
    return _shift_jis(content.translate(_KANA))


def _pairs(decode_pairs: _Decoder, content: bytes) -> str:
    """Decode a set with two bytes for each character, except for control characters."""
    text = StringIO()
    for match in _PAIRS.finditer(content):
        match match.lastgroup:
            case "pairs":
                text.write(decode_pairs(match[0]))
            case "control":
                text.write(match[0].decode("ascii"))
            case _:
                text.write(REPLACEMENT)
    return text.getvalue()


def _jis0208(pairs: bytes) -> str:
    # Two bytes are the row and the cell. Read as UTF-16, they are the number of an entry of the table.
    return pairs.translate(_SEVEN_BITS).decode("utf-16-be").translate(_jis0208_table())


@cache
def _jis0208_table() -> Mapping[int, str]:
    """Return the characters of JIS X 0208, NEC and IBM by row and cell. cp932 has them in another order."""
    table = {}
    for row in range(94):
        lead = row // 2 + (0x81 if row < 62 else 0xC1)
        for cell in range(94):
            trail = cell + (0x9F if row % 2 else 0x41 if cell >= 63 else 0x40)
            character = bytes([lead, trail]).decode("cp932", "replace")
            table[(row + 0x21) << 8 | (cell + 0x21)] = character if len(character) == 1 else REPLACEMENT
    return table


def _euc(codec: str, prefix: bytes, pairs: bytes) -> str:
    """Decode pairs that are characters of an EUC codec after a prefix."""
    pairs = pairs.translate(_EIGHT_BITS)
    return re.sub(rb"(?s)(..)", prefix + rb"\1", pairs).decode(codec, "replace")


_SETS: Mapping[bytes, _Decoder] = {
    b"(B": _ascii,
    b"(H": _roman,
    b"(I": _kana,
    b"(J": _roman,
    b"\x0e": _kana,
    b"\x0f": _ascii,
    b"$@": partial(_pairs, _jis0208),
    b"$B": partial(_pairs, _jis0208),
    b"$(B": partial(_pairs, _jis0208),
    b"$(C": partial(_pairs, partial(_euc, "euc_kr", b"")),
    b"$(D": partial(_pairs, partial(_euc, "euc_jp", b"\x8f")),
    b"$(O": partial(_pairs, partial(_euc, "euc_jis_2004", b"")),
    b"$(P": partial(_pairs, partial(_euc, "euc_jis_2004", b"\x8f")),
    b"$(Q": partial(_pairs, partial(_euc, "euc_jis_2004", b"")),
    b"$A": partial(_pairs, partial(_euc, "gb2312", b"")),
}
"""The character sets of ISO-2022-JP by their escape sequences, without the first byte, or by the shift."""


def _euc_jp(content: bytes) -> str:
    text = StringIO()
    for match in _EUC_JP.finditer(content):
        match match.lastgroup:
            case "ascii":
                text.write(match[0].decode("ascii"))
            case "jis0208":
                text.write(_jis0208(match[0]))
            case "jis0212":
                text.write(match[0].decode("euc_jp", "replace"))
            case "kana":
                text.write(_kana(match[0][1::2]))
            case _:
                text.write(REPLACEMENT * len(match[0]))
    return text.getvalue()


_DECODERS: Mapping[str, _Decoder] = {
    "big5": partial(_double_byte, "big5hkscs", b"\xa3\xe1", _BIG5_PUNCTUATION),
    "euc-jis-2004": partial(_codec, "euc_jis_2004"),
    "euc-jp": _euc_jp,
    "euc-kr": partial(_codec, "cp949"),
    "gb18030": partial(_double_byte, "gb18030", b"\x80", _GB18030_PRIVATE),
    "gbk": partial(_double_byte, "gb18030", b"\x80", _GB18030_PRIVATE),
    "hz": partial(_codec, "hz"),
    "iso-2022-jp": _iso_2022_jp,
    "iso-2022-kr": _iso_2022_kr,
    "johab": partial(_codec, "johab"),
    "shift_jis": _shift_jis,
    "shift_jis-2004": partial(_codec, "shift_jis_2004"),
    "utf-16be": partial(_utf_16, "be"),
    "utf-16le": partial(_utf_16, "le"),
    "utf-32": _utf_32,
    "utf-32be": partial(_codec, "utf-32-be"),
    "utf-32le": partial(_codec, "utf-32-le"),
    "utf-7": partial(_codec, "utf-7"),
    "utf-8": partial(_codec, "utf-8"),
}
"""The decoders of all encodings that do not have exactly one byte for each character."""
