"""What the headers of a part say about its content (RFC 2045, RFC 2183), read leniently."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from messaging.mail.defects import Defect
from messaging.mail.files import guess_type
from messaging.mail.header_text import decode_header
from messaging.mail.mime import Headers
from messaging.mail.parameters import HeaderValue, file_name, parse_header
from messaging.mail.transfer_encoding import Encoding

MAX_REPETITIONS = 10  # of one header in a part
MAX_ENCODING = 100  # characters of a Content-Transfer-Encoding header

_MEDIA_TYPE = re.compile(r"[^/]+/[^/]+")
_MEDIA_TYPES = {
    "html": "text/html",
    "html/text": "text/html",
    "multipart": "multipart/mixed",
    "plain": "text/plain",
    "plain/text": "text/plain",
    "text": "text/plain",
}
"""What senders mean by media types that do not exist."""
_BINARY = re.compile(r"(?:audio|image(?!/svg)|video)/|application/(?:msword|pdf|vnd\.(?:ms-|openxml)|zip)")
_UTF_8 = re.compile(r"(?i)utf-?8|(?:us-)?ascii|")
_COMMENT = re.compile(r"\([^()]*+\)")
_NOT_ALPHANUMERIC = re.compile(r"[^a-z0-9]+")
_ENCODINGS = (
    (re.compile(r"x?base64|b64"), Encoding.BASE64),
    (re.compile(r"x?quotedprint|qp"), Encoding.QUOTED_PRINTABLE),
    (re.compile(r"x?uu"), Encoding.UUENCODE),
    (re.compile(r"7bit|8bit|binary|[78]?\Z"), Encoding.IDENTITY),
)
"""How the names of the transfer encodings begin, without punctuation. Senders append more: `base64;`."""


class Declaration(NamedTuple):
    media_type: str
    charset: str | None
    boundary: str | None
    is_attachment: bool
    is_inline: bool
    """Whether the sender asks to show the part, even if it has a file's name."""
    file_name: str
    encoding: Encoding

    @classmethod
    def parse(cls, headers: Headers, default_type: str, defects: set[Defect]) -> "Declaration":
        """Parse the headers of a part.

        `default_type` is the media type of a part that does not declare one, unless its file name does.
        """
        content_type = _content_type(headers, defects)
        disposition = _disposition(headers, defects)
        name = file_name(disposition, content_type)
        charset = content_type.parameters.get("charset", "").split()
        return cls(
            media_type=_media_type(content_type.value, name, default_type, defects),
            charset=charset[0] if charset else None,
            boundary=content_type.parameters.get("boundary"),
            is_attachment=disposition.value.startswith("attach"),
            is_inline=disposition.value == "inline",
            file_name=name,
            encoding=_encoding(headers, defects),
        )

    @property
    def is_multipart(self) -> bool:
        return self.media_type.startswith("multipart/")

    @property
    def is_binary(self) -> bool:
        """Whether no content of this type has only letters and digits."""
        return bool(_BINARY.match(self.media_type))

    @property
    def is_text_in_utf8(self) -> bool:
        """Whether the content should be text in UTF-8 or ASCII, because no other charset is declared."""
        is_text = self.media_type.startswith("text/") or self.is_multipart
        return is_text and bool(_UTF_8.fullmatch(self.charset or ""))


def _values(headers: Headers, name: str, defects: set[Defect]) -> Sequence[str]:
    values = headers.get(name, ())[:MAX_REPETITIONS]
    if len(set(values)) > 1:
        defects.add(Defect.HEADER_REPEATED)
    return [decode_header(value) if value.startswith("=?") else value for value in values]


def _content_type(headers: Headers, defects: set[Defect]) -> HeaderValue:
    """Return, of several Content-Types, the first multipart with a boundary, else the first.

    Parameters that it lacks are those of the others with the same value.
    """
    types = [parse_header(value) for value in _values(headers, "content-type", defects)]
    if not types:
        return HeaderValue("", {})
    multiparts = (
        header for header in types if header.value.startswith("multipart") and "boundary" in header.parameters
    )
    value = next(multiparts, types[0]).value
    return HeaderValue(value, _merge([header for header in types if header.value == value]))


def _disposition(headers: Headers, defects: set[Defect]) -> HeaderValue:
    """Return, of several Content-Dispositions, an attachment, else the first, with the parameters of all."""
    dispositions = [parse_header(value) for value in _values(headers, "content-disposition", defects)]
    values = sorted(
        (header.value for header in dispositions), key=lambda value: not value.startswith("attach")
    )
    return HeaderValue(values[0] if values else "", _merge(dispositions))


def _merge(headers: Sequence[HeaderValue]) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for header in reversed(headers):
        parameters |= header.parameters
    return parameters


def _media_type(declared: str, name: str, default_type: str, defects: set[Defect]) -> str:
    media_type = _MEDIA_TYPES.get(declared, declared)
    if _MEDIA_TYPE.fullmatch(media_type):
        return media_type
    if media_type:
        defects.add(Defect.CONTENT_TYPE_INVALID)
        default_type = "application/octet-stream" if name else "text/plain"
    return (name and guess_type(name)) or default_type


def _encoding(headers: Headers, defects: set[Defect]) -> Encoding:
    """Return, of several Content-Transfer-Encodings, the first that changes the content."""
    encodings = []
    for value in _values(headers, "content-transfer-encoding", defects):
        name = _NOT_ALPHANUMERIC.sub("", _COMMENT.sub("", value[:MAX_ENCODING]).lower())
        encoding = next((encoding for pattern, encoding in _ENCODINGS if pattern.match(name)), None)
        if encoding is None:
            defects.add(Defect.TRANSFER_ENCODING_UNKNOWN)
        else:
            encodings.append(encoding)
    return next((encoding for encoding in encodings if encoding is not Encoding.IDENTITY), Encoding.IDENTITY)
