"""Files of a mail, with names that can be shown and stored."""

import re
from functools import cache
from mimetypes import MimeTypes

from messaging.fields import clean_text
from messaging.mail.header_text import decode_header
from messaging.models import File

MAX_NAME = 255  # characters of a file's name or type
MAX_EXTENSION = 20  # characters that are kept if a file's name is shortened

_MORE_TYPES = {
    "audio/amr": ".amr",
    "image/heic": ".heic",
    "text/calendar": ".ics",
    "text/rtf": ".rtf",
    "text/vcard": ".vcf",
    "video/3gpp": ".3gp",
}
"""Types of files in mails and MMS that Python does not know."""
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*")
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_DIRECTION_CONTROLS = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""They can make a name such as `gpj.exe` look like `exe.jpg`."""


@cache
def _types() -> MimeTypes:
    """Return Python's own types, without those of the machine: a file has the same name everywhere."""
    types = MimeTypes()
    for media_type, extension in _MORE_TYPES.items():
        types.add_type(media_type, extension)
    return types


def make_file(name: str | None, content_type: str, content: bytes) -> File:
    """Return a file with the sender's name for it, without folders, or with a name that fits its type."""
    media_type = content_type.partition(";")[0].strip().lower()
    if not _MEDIA_TYPE.fullmatch(media_type) or len(media_type) > MAX_NAME:
        media_type = "application/octet-stream"
    file_name = _file_name(name or "") or f"attachment{_types().guess_extension(media_type) or ''}"
    return File(name=file_name, content_type=media_type, content=content)


def guess_type(name: str) -> str | None:
    """Return the media type that a file's extension stands for."""
    return _types().guess_type(_file_name(name))[0]


def clean_content_id(text: str) -> str:
    """Return the id in a Content-ID header, by which HTML names a file. Empty if the header has no id."""
    return clean_text(decode_header(text)).strip("<> \t")


def _file_name(text: str) -> str:
    """Return the name without folders. A name of only dots names a folder, so the result is empty."""
    text = _DIRECTION_CONTROLS.sub("", clean_text(decode_header(text)))
    path = _CONTROL_CHARACTERS.sub(" ", text).replace("\\", "/")
    name = path.rpartition("/")[2].strip()
    if not name.strip(". "):
        return ""
    if len(name) <= MAX_NAME:
        return name
    stem, dot, extension = name.rpartition(".")
    if len(extension) >= MAX_EXTENSION:
        return name[:MAX_NAME]
    extension = dot + extension
    return stem[: MAX_NAME - len(extension)] + extension
