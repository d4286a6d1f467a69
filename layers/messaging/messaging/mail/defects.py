"""Names what reading a mail guessed, replaced or lost."""

from enum import StrEnum


class Defect(StrEnum):
    """A fault of a mail that the reader can see. docs/mail.md lists them.

    They are stored in `extra.defects` of the message, in this order.
    """

    HEADER_SEPARATOR_MISSING = "header_separator_missing"
    """No empty line follows the headers of the mail or of a part."""
    HEADER_NOT_FOLDED = "header_not_folded"
    """A line among the headers is not a header. It continues the header before it."""
    HEADER_REPEATED = "header_repeated"
    """A part has two different values of Content-Type, Content-Disposition or Content-Transfer-Encoding."""
    CONTENT_TYPE_INVALID = "content_type_invalid"
    """The Content-Type is not a media type. The part is text, or a file if it has a file's name."""
    BOUNDARY_WRONG = "boundary_wrong"
    """A multipart does not declare its boundary, or a wrong one. Another is used, or its content is text."""
    CLOSING_BOUNDARY_MISSING = "closing_boundary_missing"
    """A multipart has no end. The mail may be cut."""
    CLOSING_BOUNDARY_MISPLACED = "closing_boundary_misplaced"
    """Parts follow after the end of a multipart. They are read."""
    TEXT_AFTER_PARTS = "text_after_parts"
    """Text follows after the end of a multipart, such as the footer of a mailing list. It is not read."""
    MULTIPART_ENCODED = "multipart_encoded"
    """A multipart is itself in base64 or quoted-printable."""
    HEADERS_IN_TEXT = "headers_in_text"
    """The headers of a part, or a whole mail, are in its text. They are read."""
    TRANSFER_ENCODING_UNKNOWN = "transfer_encoding_unknown"
    """The content of a part is not decoded."""
    TRANSFER_ENCODING_WRONG = "transfer_encoding_wrong"
    """A part is declared as base64 or quoted-printable and is not."""
    BASE64_INVALID = "base64_invalid"
    """A part in base64 contains other characters or text after its end, or an incomplete byte."""
    QUOTED_PRINTABLE_INVALID = "quoted_printable_invalid"
    """A part in quoted-printable contains an equals sign that encodes nothing."""
    UUENCODE_INVALID = "uuencode_invalid"
    """A part in uuencode has no beginning or no end, or a line that is not valid."""
    TEXT_FORWARDED = "text_forwarded"
    """The mail has no text of its own. The text is that of the mails that are attached to it."""
    TEXT_IN_BASE64 = "text_in_base64"
    """The body of an SMS is in base64, and is shown decoded. `extra.Body` has it as it was sent."""
    MEDIA_MISSING = "media_missing"
    """An MMS has fewer files than its provider says."""
