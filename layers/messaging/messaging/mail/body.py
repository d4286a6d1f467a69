"""The text of a mail, for readers of plain text and for readers of HTML."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from messaging.mail.declaration import Declaration


class Text(NamedTuple):
    media_type: str
    text: str

    @property
    def is_html(self) -> bool:
        return self.media_type == "text/html"


class Body(NamedTuple):
    """The same content in two ways: for readers of plain text, and for readers of HTML.

    If a mail has only one of them, both lists contain it.
    """

    plain: Sequence[Text] = ()
    html: Sequence[Text] = ()
    is_variant: bool = False
    """Whether only some mail readers show it."""
    empty_multipart: Declaration | None = None
    """The headers of a multipart without content."""

    def text_and_html(self) -> tuple[str | None, str | None]:
        """Return the plain text, or None if a part of it is HTML, and the HTML, or None if there is none."""
        text = html = None
        if self.plain and not _has_html(self.plain):
            text = "\n".join(text.text for text in self.plain)
        if _has_html(self.html):
            html = "\n".join(_as_html(text) for text in self.html if text.is_html or text.text.strip())
        return text, html


def _as_html(text: Text) -> str:
    return text.text if text.is_html else f"<pre>{escape(text.text)}</pre>"


def _has_html(texts: Sequence[Text]) -> bool:
    return any(text.is_html for text in texts)


def combine(media_type: str, bodies: Sequence[Body]) -> Body:
    """Return the body of a multipart."""
    bodies = [body for body in bodies if body.plain or body.html]
    common = [body for body in bodies if not body.is_variant]
    if not common:
        return _join(bodies)._replace(is_variant=bool(bodies))
    return _choose(common) if media_type == "multipart/alternative" else _join(common)


def _join(bodies: Sequence[Body]) -> Body:
    """Return the bodies one after the other, as in multipart/mixed."""
    plain: list[Text] = []
    html: list[Text] = []
    for body in bodies:
        plain += body.plain
        html += body.html
    return Body(plain, html)


def _choose(bodies: Sequence[Body]) -> Body:
    """Return, of bodies with the same content (multipart/alternative), the plain ones and the HTML ones.

    Other texts, such as text/enriched, are only used if there is no text/plain.
    """
    texts = [body for body in bodies if not _has_html(body.plain)]
    plain_texts = [body for body in texts if any(text.media_type == "text/plain" for text in body.plain)]
    plain = _join(plain_texts or texts).plain
    html = _join([body for body in bodies if _has_html(body.html)]).html
    return Body(plain or html, html or plain)
