"""The alphabet of an SMS: a text with a character beyond it goes out in UCS-2, and half as much of it fits.

https://www.3gpp.org/dynareport/23038.htm
"""

_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = "\f^{}\\[~]|€"
_LENGTHS = {**dict.fromkeys(_BASIC, 1), **dict.fromkeys(_EXTENDED, 2)}


def length(text: str) -> tuple[int, bool]:
    """How long it is, as an SMS counts, and whether the alphabet holds it."""
    if all(character in _LENGTHS for character in text):
        return sum(_LENGTHS[character] for character in text), True
    return len(text.encode("utf-16-le")) // 2, False
