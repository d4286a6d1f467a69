"""Texts and subjects are decoded from every charset and encoding."""

import base64
import contextlib

import pytest
import webencodings
from hypothesis import given
from hypothesis import strategies as st
from webencodings.labels import LABELS as BROWSER_LABELS

from messaging.mail import message
from messaging.mail.charset import decode
from messaging.mail.charset_labels import find_encoding
from messaging.mail.defects import Defect
from messaging.mail.header_text import decode_header
from messaging.mail.message import Mail

JAPANESE = "\u65e5\u672c\u8a9e\u306e\u672c\u6587"


def read(*lines: str, content: bytes = b"") -> Mail:
    return message.parse_mail("\r\n".join(["From: ann@example.com", *lines, "", ""]).encode() + content)


@pytest.mark.parametrize(
    ("charset", "text", "content"),
    [
        ("utf-8", "h\u00e9 \U0001f600", None),
        ("UTF-8", JAPANESE, None),
        ("iso-2022-jp", JAPANESE, None),
        ("iso-2022-jp", "\u65e5\u672c", b"\x1b$BF|K\\\x1b(B"),
        ("shift_jis", JAPANESE + "\u2460", JAPANESE.encode("cp932") + b"\x87\x40"),
        ("windows-1252", "\u201cquoted\u201d \u20ac", None),
        ("iso-8859-1", "\u201cquoted\u201d", b"\x93quoted\x94"),
        ("iso-8859-15", "\u20ac", b"\xa4"),
        ("iso-8859-8-i", "\u05e9", b"\xf9"),
        ("gb2312", "\u9555", "\u9555".encode("gb18030")),
        ("koi8-r", "\u041f\u0440\u0438\u0432\u0435\u0442", None),
        ("us-ascii", "h\u00e9", b"h\xc3\xa9"),
        ("us-ascii", "h\u00e9", b"h\xe9"),
        ("nobody-knows", "h\u00e9", b"h\xe9"),
        ("unicode_escape", "\\x41", b"\\x41"),
        ("hex", "41", b"41"),
        ("utf-8", "h\u00e9", b"h\xe9"),
        ("utf-8", "ab", b"a\0b"),
        ("utf-16-le", "a\ufffdb", b"a\0\0\xd8b\0"),
    ],
)
@pytest.mark.parametrize("encoding", ["8bit", "base64", "quoted-printable"])
def test_a_text_is_decoded_from_its_charset(
    charset: str, text: str, content: bytes | None, encoding: str
) -> None:
    encoded = text.encode(charset) if content is None else content
    if encoding == "base64":
        encoded = base64.encodebytes(encoded)
    elif encoding == "quoted-printable":
        encoded = b"".join(b"=%02X" % byte for byte in encoded)
    kind = f'Content-Type: text/plain; charset="{charset}"; format=flowed'
    mail = read(kind, f"Content-Transfer-Encoding: {encoding}", content=encoded)
    assert mail.text == text


def test_soft_line_breaks_are_removed_and_flowed_text_is_not_joined() -> None:
    head = ("Content-Type: text/plain; format=flowed", "Content-Transfer-Encoding: Quoted-Printable")
    assert read(*head, content=b"one =\r\ntwo \r\nthree=3D\r\n").text == "one two \nthree=\n"


def test_a_mail_without_a_content_type_is_plain_text() -> None:
    mail = read(content=b"hi")
    assert (mail.text, mail.html, mail.files) == ("hi", None, [])


THAI = "\u0e41\u0e21\u0e27\u0e2a\u0e35\u0e14\u0e33"
RUSSIAN = "\u041f\u0440\u0438\u0432\u0435\u0442"
CHINESE = "\u4e2d\u6587\u90ae\u4ef6"
TAIWANESE = "\u4e2d\u6587\u90f5\u4ef6"
KOREAN = "\ud55c\uad6d\uc5b4 \ub620"
HEBREW = "\u05e9\u05dc\u05d5\u05dd"
NEC = "\u2460\u682a\u5f0f\u4f1a\u793e\u3231 \u2162"
NEC_JIS = b"\x1b$B-!3t<02q<R-j\x1b(B \x1b$B-7\x1b(B"
NEC_EUC = b"\xad\xa1\xb3\xf4\xbc\xb0\xb2\xf1\xbc\xd2\xad\xea \xad\xb7"
NEC_SJIS = b"\x87\x40\x8a\x94\x8e\xae\x89\xef\x8e\xd0\x87\x8a \x87\x56"

JIS_LABELS = "iso-2022-jp ISO-2022-JP-1 iso-2022-jp-2 iso-2022-jp-ms cp50220 CP50221 x-windows-50222"
LABELS = {
    THAI: (THAI.encode("cp874"), "windows-874 tis-620 TIS620 iso-8859-11 cp874 874 x-windows-874 csTIS620"),
    NEC: (NEC_JIS, f"{JIS_LABELS} jis csISO2022JP _iso-2022-jp$ESC _iso-2022-jp$SIO"),
    NEC + "1": (NEC_EUC + b"1", "euc-jp eucJP-ms x-euc-jp CP51932 eucJP-win ujis csEUCPkdFmtJapanese"),
    NEC + "2": (
        NEC_SJIS + b"2",
        "shift_jis Shift-JIS sjis x-sjis windows-31j csWindows31J cp932 ms932 932 ibm-943 SJIS-win MS_Kanji",
    ),
    CHINESE: (
        CHINESE.encode("gbk"),
        "gb2312 gbk GB18030 cp936 936 ms936 windows-936 csGB2312 x-gbk EUC-CN 54936",
    ),
    CHINESE + "1": (CHINESE.encode("hz") + b"1", "hz-gb-2312 HZ x-cp52936"),
    TAIWANESE: (TAIWANESE.encode("big5"), "big5 Big5-HKSCS cp950 950 ms950 csBig5 big5-eten x-x-big5"),
    KOREAN: (KOREAN.encode("cp949"), "ks_c_5601-1987 euc-kr cp949 949 ms949 windows-949 uhc korean KSC5601"),
    KOREAN[:3]: (KOREAN[:3].encode("johab"), "johab ms1361 csJOHAB cp1361"),
    KOREAN[:2]: (KOREAN[:2].encode("iso2022_kr"), "iso-2022-kr csISO2022KR cp50225"),
    HEBREW: (
        HEBREW.encode("iso-8859-8"),
        "iso-8859-8 iso-8859-8-i ISO-8859-8-E visual logical hebrew x-cp38598",
    ),
    RUSSIAN: (RUSSIAN.encode("koi8-r"), "koi8-r koi8-u KOI8-RU koi csKOI8R cp20866 koi8_r"),
    RUSSIAN + "1": (
        RUSSIAN.encode("cp1251") + b"1",
        "windows-1251 cp1251 1251 win-1251 x-cp1251 Windows1251",
    ),
    RUSSIAN + "2": (
        RUSSIAN.encode("mac-cyrillic") + b"2",
        "x-mac-cyrillic x-mac-ukrainian mac-cyrillic cp10007",
    ),
    RUSSIAN + "3": (RUSSIAN.encode("cp866") + b"3", "ibm866 866 cp866 csIBM866 dos-866"),
    "h\u00e9": (b"h\x8e", "macintosh mac x-mac-roman csMacintosh cp10000"),
    "h\u00e91": (b"h\x821", "cp850 IBM850 850 csPC850Multilingual cp437 x-cp-850"),
    "h\u00e92 \u20ac": (
        b"h\xe92 \x80",
        "iso-8859-1 ISO8859_1 8859_1 latin1 l1 Cp1252 windows1252 ISO_8859-1:1987",
    ),
    "h\u00e9\u20ac": (b"h\xe9\xa4", "iso-8859-15 ISO8859_15 latin-9 latin9 csISO885915 x-iso-8859-15"),
    "h\u00e93": (b"h\xc3\xa93", "utf-8 utf8 UTF_8 csUTF8 utf8mb4 cp65001 unicode-1-1-utf-8 utf-8-sig"),
    "h\u00e94": (b"h+AOk-4", "utf-7 unicode-1-1-utf-7 csUnicode11UTF7 cp65000"),
    "h\u00e95": (
        "h\u00e95".encode("utf-16-le"),
        "utf-16 utf-16le ucs-2 unicode csUnicode iso-10646-ucs-2 cp1200",
    ),
    "h\u00e96": ("h\u00e96".encode("utf-16-be"), "utf-16be unicodeFFFE utf-16 cp1201 UnicodeBig"),
    "h\u00e97": ("h\u00e97".encode("utf-32"), "utf-32 csUTF32 ucs-4"),
    "h\u00e98": ("h\u00e98".encode("utf-32-be"), "utf-32be utf-32 cp12001"),
}


@pytest.mark.parametrize(
    ("text", "content", "label"),
    [(text, content, label) for text, (content, labels) in LABELS.items() for label in labels.split()],
)
def test_a_charset_is_known_by_the_labels_of_every_system(text: str, content: bytes, label: str) -> None:
    defects: set[Defect] = set()
    assert (decode(content, label, defects), defects) == (text, set())


@pytest.mark.parametrize(
    "label",
    [
        "utf-8 ",
        "UTF-8;",
        '"utf-8"',
        "'utf-8'",
        "utf-8*en",
        "utf-8 (Unicode)",
        "charset=utf-8",
        "utf-8, us-ascii",
    ],
)
def test_what_surrounds_a_label_is_ignored(label: str) -> None:
    assert find_encoding(label) == "utf-8"


NOT_OF_BROWSERS = {
    "ascii": "us-ascii",
    "ansi_x3.4-1968": "us-ascii",
    "us-ascii": "us-ascii",
    "csiso2022kr": "iso-2022-kr",
    "iso-2022-kr": "iso-2022-kr",
    "hz-gb-2312": "hz",
    "iso-2022-cn": None,
    "iso-2022-cn-ext": None,
    "replacement": None,
    "x-user-defined": None,
}
"""Labels that mean another charset in a mail than in a browser."""


SAMPLES = (
    THAI,
    RUSSIAN,
    CHINESE,
    TAIWANESE,
    JAPANESE,
    KOREAN[:3],
    HEBREW,
    "\u0633",
    "\u03a9",
    "\u0142\u0151",
    "\u0113",
)


def encode(label: str) -> tuple[str, bytes]:
    """Return a text that has no characters but those of the charset, and the text in the charset."""
    for text in (*SAMPLES, "h\u00e9"):
        with contextlib.suppress(UnicodeEncodeError):
            return text, webencodings.encode(text, label)
    raise AssertionError(label)


@pytest.mark.parametrize("label", BROWSER_LABELS)
def test_a_label_of_the_encoding_standard_means_what_it_says(label: str) -> None:
    if label in NOT_OF_BROWSERS:
        assert find_encoding(label) == NOT_OF_BROWSERS[label]
        assert decode(b"Hello", label) == "Hello"
    else:
        text, content = encode(label)
        assert find_encoding(label.upper()) == BROWSER_LABELS[label]
        assert decode(content, label) == text


@pytest.mark.parametrize(
    ("name", "label", "content", "text", "defect"),
    [
        (
            "Latin-1 declared as UTF-8",
            "utf-8",
            b"Gr\xfc\xdfe aus K\xf6ln",
            "Gr\u00fc\u00dfe aus K\u00f6ln",
            "contradicted",
        ),
        ("Latin-1 declared as UTF-8, one letter", "utf-8", b"h\xe9", "h\u00e9", "contradicted"),
        (
            "UTF-8 declared as windows-1252",
            "windows-1252",
            b"Dzie\xc5\x84 \xe2\x80\xa2",
            "Dzie\u0144 \u2022",
            "contradicted",
        ),
        ("UTF-8 declared as Latin-1", "iso-8859-1", b"\xc3\xbc", "\u00fc", "contradicted"),
        ("UTF-8 declared as KOI8-R", "koi8-r", RUSSIAN.encode(), RUSSIAN, "contradicted"),
        ("UTF-8 declared as windows-1251", "windows-1251", RUSSIAN.encode(), RUSSIAN, "contradicted"),
        ("UTF-8 declared as ISO-2022-JP", "iso-2022-jp", JAPANESE.encode(), JAPANESE, "contradicted"),
        (
            "UTF-8 declared as Shift_JIS",
            "shift_jis",
            "h\u00e9\u4e2d\u6587".encode(),
            "h\u00e9\u4e2d\u6587",
            "contradicted",
        ),
        ("UTF-8 declared as ASCII", "us-ascii", b"h\xc3\xa9", "h\u00e9", "contradicted"),
        ("UTF-8 declared as UTF-16", "utf-16", b"hello \xc3\xa9!", "hello \u00e9!", "contradicted"),
        ("ASCII declared as UTF-16", "utf-16", b"hello", "hello", "contradicted"),
        (
            "UTF-16 with a mark declared as UTF-8",
            "utf-8",
            "h\u00e9".encode("utf-16"),
            "h\u00e9",
            "contradicted",
        ),
        ("Shift_JIS declared as EUC-JP", "euc-jp", JAPANESE.encode("cp932"), JAPANESE, "contradicted"),
        ("ISO-2022-JP declared as UTF-8", "utf-8", NEC_JIS, NEC, "contradicted"),
        (
            "two letters of Thai",
            "windows-874",
            "\u0e40\u0e02\u0e15".encode("cp874"),
            "\u0e40\u0e02\u0e15",
            None,
        ),
        ("a quotation after a letter", "windows-1252", b"M\xe4\xbb x", "M\u00e4\u00bb x", None),
        ("ISO-2022-JP without a label", None, NEC_JIS, NEC, "guessed"),
        ("Latin-1 without a label", None, b"h\xe9", "h\u00e9", "guessed"),
        ("UTF-8 without a label", None, b"h\xc3\xa9", "h\u00e9", None),
        ("ASCII declared as unknown", "x-unknown", b"hello", "hello", None),
        ("an unknown label", "unknown-8bit", b"h\xe9", "h\u00e9", "unknown"),
        ("a default label", "default", b"h\xc3\xa9", "h\u00e9", "unknown"),
        ("x-user-defined", "x-user-defined", b"h\xe9", "h\u00e9", "unknown"),
        ("a mark of UTF-8", "utf-8", b"\xef\xbb\xbfh\xc3\xa9", "h\u00e9", None),
        ("a mark of UTF-8 without a label", None, b"\xef\xbb\xbfh", "h", None),
        ("a mark of UTF-16", "utf-16", "h\u00e9".encode("utf-16"), "h\u00e9", None),
    ],
)
def test_a_wrong_label_does_not_make_a_text_unreadable(
    name: str, label: str | None, content: bytes, text: str, defect: str | None
) -> None:
    """Most readers trust the label, but nobody writes words in a European charset that are valid UTF-8."""
    defects: set[Defect] = set()
    assert decode(content, label, defects) == text, name
    assert defects == ({Defect(f"charset_{defect}")} if defect else set())


@pytest.mark.parametrize(
    ("label", "content", "text"),
    [
        ("utf-8", b"\xd0\x9f\xd1\x80\xd0", "\u041f\u0440\ufffd"),
        ("utf-8", b"\xe2\x82", "\ufffd"),
        ("euc-jp", b"\xa4\xa2\xff", "\u3042\ufffd"),
        (None, b"\xc3\xa9\xc3\xa9 \xc3 x", "\u00e9\u00e9 \ufffd x"),
        ("iso-2022-jp", b'\x1b$B$"\x7e\x7e\x1b(B', "\u3042\ufffd"),
        ("gb2312", b"\xd6\xd0\xff", "\u4e2d\ufffd"),
        ("utf-16le", b"a\0\0\xd8b\0", "a\ufffdb"),
    ],
)
def test_a_character_that_was_cut_does_not_change_the_others(
    label: str | None, content: bytes, text: str
) -> None:
    defects: set[Defect] = set()
    assert decode(content, label, defects) == text
    assert defects == {Defect.CHARACTERS_REPLACED}


@pytest.mark.parametrize(
    ("label", "content", "text"),
    [
        ("iso-2022-jp", b"\x1b(I12\x1b(B a", "\uff71\uff72 a"),
        ("iso-2022-jp", b"\x0e12\x0f a", "\uff71\uff72 a"),
        ("iso-2022-jp", b"\xb1\xb2 a", "\uff71\uff72 a"),
        ("iso-2022-jp", b"\x1b(J\\100\x1b(B", "\u00a5100"),
        ("iso-2022-jp", b'\x1b$(D"/\x1b(B', "\u02d8"),
        ("iso-2022-jp", b"\x1b$By!\x1b(B", "\u7e8a"),
        ("iso-2022-jp", b"\x1b$B!A!]\x1b(B", "\uff5e\uff0d"),
        ("euc-jp", b"\x8e\xb1\x8f\xa2\xaf\xf9\xa1", "\uff71\u02d8\u7e8a"),
        ("gbk", b"\x80\xd6\xd0\x80", "\u20ac\u4e2d\u20ac"),
        ("gb18030", b"\xa6\xd9\xa8\xbc\x81\x30\x81\x30", "\ufe10\u1e3f\x80"),
        ("big5", b"\xa3\xe1\xf9\xd6\xc6\xe7\xa1\x45", "\u20ac\u7881\u3041\u2027"),
        ("big5-hkscs", b"\x87\x40", "\u43f0"),
        ("koi8-u", b"\xa4\xae", "\u0454\u045e"),
        ("iso-2022-kr", b"\x0e0!\x0f", "\uac00"),
    ],
)
def test_characters_that_pythons_codecs_do_not_have_are_decoded(
    label: str, content: bytes, text: str
) -> None:
    defects: set[Defect] = set()
    assert (decode(content, label, defects), defects) == (text, set())


@pytest.mark.parametrize(
    ("label", "head", "encoding", "text"),
    [
        (None, '<meta charset="windows-1251">', "cp1251", RUSSIAN),
        (None, "<META content='text/html; charset=koi8-r' http-equiv=Content-Type>", "koi8-r", RUSSIAN),
        (None, '<?xml version="1.0" encoding="iso-8859-2"?>', "iso-8859-2", "\u0142"),
        (None, "<html><head><meta name=a content=b><meta charset=gbk/>", "gbk", CHINESE),
        (None, '<!-- <meta charset="koi8-r"> --><meta charset="windows-1251">', "cp1251", RUSSIAN),
        (None, '<meta charset="utf-16">', "utf-8", RUSSIAN),
        (None, '<meta charset="koi8-r">', "utf-8", RUSSIAN),
        ("us-ascii", '<meta charset="windows-1251">', "cp1251", RUSSIAN),
        ("utf-8", '<meta charset="windows-1251">', "cp1251", RUSSIAN),
        ("nobody-knows", '<meta charset="windows-1251">', "cp1251", RUSSIAN),
        ("koi8-r", '<meta charset="windows-1251">', "koi8-r", RUSSIAN),
    ],
)
def test_html_declares_its_charset_if_its_part_does_not(
    label: str | None, head: str, encoding: str, text: str
) -> None:
    """The label of the part is first, as in browsers: programs that convert a mail change only that."""
    content = head.encode() + text.encode(encoding)
    parameter = f"; charset={label}" if label else ""
    assert read(f"Content-Type: text/html{parameter}", content=content).html == head + text


CHARSETS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)  # headers have no NUL


@given(st.binary(max_size=60), CHARSETS | st.none())
def test_any_bytes_become_text_that_can_be_stored(content: bytes, charset: str | None) -> None:
    for text in (decode(content, charset), decode_header(f"=?{charset}?b?{content.hex()}?=")):
        assert "\0" not in text
        text.encode()
