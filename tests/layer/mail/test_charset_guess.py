"""A text without a right label is read in the encoding in which it has common letters."""

import pytest

from messaging.mail.charset import decode
from messaging.mail.defects import Defect

RUSSIAN = "\u041f\u0440\u0438\u0432\u0435\u0442"
GUESSES = {
    "gbk": [
        "\u4e2d\u6587\u90ae\u4ef6",
        "\u5173\u4e8e\u4f1a\u8bae\u7684\u901a\u77e5",
        "\u60a8\u597d\uff0c\u8bf7\u67e5\u6536",
    ],
    "cp932": [
        "\u304a\u554f\u3044\u5408\u308f\u305b",
        "\u65e5\u672c\u8a9e\u306e\u672c\u6587",
        "\u3010\u91cd\u8981\u3011\u304a\u77e5\u3089\u305b",
    ],
    "euc-jp": [
        "\u304a\u554f\u3044\u5408\u308f\u305b",
        "\u65e5\u672c\u8a9e\u306e\u672c\u6587",
        "\u30c6\u30b9\u30c8",
    ],
    "euc-kr": [
        "\uc548\ub155\ud558\uc138\uc694",
        "\uc8fc\ubb38 \ud655\uc778",
        "\ud68c\uc758 \uc548\ub0b4",
    ],
    "big5": [
        "\u4e2d\u6587\u90f5\u4ef6",
        "\u95dc\u65bc\u6703\u8b70\u7684\u901a\u77e5",
        "\u8a02\u55ae\u78ba\u8a8d",
    ],
    "koi8-r": [
        RUSSIAN,
        "\u0421\u0447\u0451\u0442 \u043d\u0430 \u043e\u043f\u043b\u0430\u0442\u0443",
        f"Re: {RUSSIAN}",
    ],
    "cp1251": [
        RUSSIAN,
        "\u0421\u0447\u0451\u0442 \u043d\u0430 \u043e\u043f\u043b\u0430\u0442\u0443",
        f"Re: {RUSSIAN}",
    ],
    "cp1252": [
        "Gr\u00fc\u00dfe",
        "D\u00e9j\u00e0 vu, o\u00f9 \u00eates-vous",
        "voil\u00e0\u2026",
        "\u201cse\u00f1or\u201d",
        "caf\u00e9",
    ],
}


@pytest.mark.parametrize(
    ("codec", "text"), [(codec, text) for codec, texts in GUESSES.items() for text in texts]
)
@pytest.mark.parametrize(
    ("label", "defect"),
    [
        (None, Defect.CHARSET_GUESSED),
        ("utf-8", Defect.CHARSET_CONTRADICTED),
        ("x-unknown", Defect.CHARSET_UNKNOWN),
    ],
)
def test_the_encoding_of_a_text_without_a_right_label_is_guessed(
    codec: str, text: str, label: str | None, defect: Defect
) -> None:
    defects: set[Defect] = set()
    assert decode(text.encode(codec), label, defects) == text
    assert defects == {defect}
