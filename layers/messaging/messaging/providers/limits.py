"""What a provider cannot send is refused before the message is stored, not dropped on the way.

The length of an SMS depends on its alphabet: a text with a character outside the alphabet of SMS is sent in
UCS-2, and half as much of it fits. https://www.3gpp.org/dynareport/23038.htm
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from messaging.fields import MAX_BODY
from messaging.models import Channel, Content
from messaging.problems import Invalid

REQUIRED = frozenset({"type", "sender", "recipient", "body", "timestamp"})
"""The fields of every message. A provider that serves the message's channel sends them."""

_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = "\f^{}\\[~]|€"
_LENGTHS = {**dict.fromkeys(_BASIC, 1), **dict.fromkeys(_EXTENDED, 2)}


@dataclass(frozen=True)
class Limits:
    """The optional fields that a provider sends, and how much of each. It refuses every other field."""

    body: int
    """Characters, also of `html`."""
    attachments: int = 0
    body_in_ucs2: int | None = None
    """Characters of an SMS that is sent in UCS-2, if the provider limits it apart."""
    cc: int = 0
    headers: int = 0
    reserved_headers: tuple[str, ...] = ()
    """Headers that the provider writes itself or reads as commands, in lower case. A name that ends in `-` is
    a prefix."""
    fields: frozenset[str] = frozenset()
    """The other optional fields of models.Content that the provider sends, such as `subject`."""

    @classmethod
    def for_email(cls, cc: int, reserved_headers: tuple[str, ...] = ()) -> Self:
        """Return the limits of a provider that sends every field of an email."""
        return cls(
            body=MAX_BODY,
            attachments=100,
            cc=cc,
            headers=20,
            reserved_headers=reserved_headers,
            fields=frozenset(
                {"subject", "html", "from_name", "to_name", "cc_names", "reply_to", "reply_to_name"}
            ),
        )

    def check(self, content: Content, provider: str) -> None:
        """Raises Invalid with an error for every field that the provider cannot send. `provider` is the name
        of the instance, for the error."""
        errors = [*self._lengths(content, provider), *self._fields(content, provider)]
        if errors:
            raise Invalid.fields(errors)

    def _lengths(self, content: Content, provider: str) -> Iterator[tuple[str, str]]:
        if len(content.body) > self.body:
            yield "body", f"must have at most {self.body} characters for {provider}"
        if len(content.html or "") > self.body:
            yield "html", f"must have at most {self.body} characters for {provider}"
        if self.body_in_ucs2 is not None and content.type is Channel.SMS:
            length, is_gsm = sms_length(content.body[: self.body])
            most = self.body if is_gsm else self.body_in_ucs2
            if length > most:
                yield "body", f"must have at most {most} characters of this alphabet for {provider}"
        for name in content.headers:
            if self._is_reserved(name.lower()):
                yield f"headers.{name}", f"must not name a header that {provider} reserves"

    def _fields(self, content: Content, provider: str) -> Iterator[tuple[str, str]]:
        most = {"attachments": self.attachments, "cc": self.cc, "headers": self.headers}
        for name, field in Content.model_fields.items():
            value = getattr(content, name)
            if most.get(name):
                if len(value) > most[name]:
                    yield name, f"must have at most {most[name]} entries for {provider}"
            elif name not in REQUIRED | self.fields and value != field.get_default(call_default_factory=True):
                yield name, f"must be left out: {provider} cannot send it"

    def _is_reserved(self, name: str) -> bool:
        for reserved in self.reserved_headers:
            if name == reserved or (reserved.endswith("-") and name.startswith(reserved)):
                return True
        return False


def sms_length(text: str) -> tuple[int, bool]:
    """The length of a text as an SMS counts it, and whether the alphabet of SMS has all its characters."""
    if all(character in _LENGTHS for character in text):
        return sum(_LENGTHS[character] for character in text), True
    return len(text.encode("utf-16-le")) // 2, False
