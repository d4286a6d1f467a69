"""Addresses in their canonical form, in which they are stored and compared."""

import re
from contextlib import suppress
from functools import lru_cache
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from messaging.settings import settings

MAX_MAILBOX = 3000  # characters: a name in encoded words, and an address

_SHORT_CODE = re.compile(r"[0-9]{3,8}")
_ALPHANUMERIC = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 &+_.-]{1,11}")
_NOT_A_NUMBER = re.compile(r"[^\W\d_]|[\0-\x1f]")  # phonenumbers would extract a number from a sentence
_NAME_AND_ADDRESS = re.compile(
    r'((?:"(?:[^"\\]++|\\.)*+"|[^"<>,]++)*+)<([^<>]*)>', re.DOTALL
)  # an unquoted comma separates two
_MARKDOWN_LINK = re.compile(r"\[([^\[\]]*)\]\(mailto:([^()]*)\)")
_QUOTED = re.compile(r'"((?:[^"\\]++|\\.)*+)"', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def _error(kind: str, message: str) -> PydanticCustomError:
    return PydanticCustomError(kind, "{message}", {"message": message})


def normalize_phone(text: str) -> str:
    """Return a number in E.164, a short code, or an alphanumeric sender.

    A number without a leading `+` is read as one of the region DEFAULT_REGION, if that is set. Raises
    PydanticCustomError if the text is none of the three.
    """
    text = text.strip()
    number = _to_e164(text, settings().default_region)
    if number is not None:
        return number
    if _SHORT_CODE.fullmatch(text):
        return text
    if _ALPHANUMERIC.fullmatch(text) and not text.startswith("+"):
        return text
    raise _error(
        "phone_address",
        "is not a phone number in E.164 (such as +18045551234), a short code or an alphanumeric sender",
    )


@lru_cache(maxsize=1000)  # parsing takes 40 us, and one of a message's two addresses repeats
def _to_e164(text: str, region: str | None) -> str | None:
    """Return the number in E.164, or None if the text is not a phone number."""
    if _NOT_A_NUMBER.search(text):
        return None
    import phonenumbers  # here, because it takes 20 ms of a cold start and only some functions read numbers

    try:
        number = phonenumbers.parse(text, region)
        e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        if phonenumbers.parse(e164) != number:
            return None  # leading zeros: each parse would remove one, and give another address
    except phonenumbers.NumberParseException:
        return None
    if _SHORT_CODE.fullmatch(text):
        # A few digits are a possible number in many regions. If the number is not valid, it is a short code.
        return e164 if phonenumbers.is_valid_number(number) else None
    # Possible is enough here: numbering plans change faster than the library's tables.
    possible = phonenumbers.is_possible_number_with_reason(number)
    if possible != phonenumbers.ValidationResult.IS_POSSIBLE or number.extension:
        return None
    return e164


def normalize_phone_recipient(text: str) -> str:
    """Return a phone address that a message can be sent to: a number in E.164 or a short code.

    An alphanumeric sender cannot receive. Raises PydanticCustomError for it, and for what is not a phone
    address.
    """
    address = normalize_phone(text)
    if not address.lstrip("+").isdecimal():
        raise _error(
            "phone_recipient", "is not a phone number in E.164 (such as +18045551234) or a short code"
        )
    return address


class Mailbox(NamedTuple):
    """An email address and its owner's name."""

    name: str | None
    address: str


def split_mailbox(text: str) -> Mailbox:
    """Return the name and the address in `Name <address>` or `[name](mailto:address)`.

    The name is decoded: without its quotes, and without encoded words (RFC 2047). Any other text is returned
    as an address without a name. Neither part is checked.
    """
    text = text.strip()
    if len(text) > MAX_MAILBOX:
        return Mailbox(None, text)
    if link := _MARKDOWN_LINK.fullmatch(text):
        name, address = link[1].strip(), link[2].strip()
        return Mailbox(name if name.lower() != address.lower() else None, address)
    if named := _NAME_AND_ADDRESS.fullmatch(text):
        return Mailbox(_decode_name(named[1].strip()) or None, named[2].strip())
    return Mailbox(None, text)


def _decode_name(text: str) -> str:
    if quoted := _QUOTED.fullmatch(text):
        text = _ESCAPED.sub(r"\1", quoted[1])
    if "=?" in text:
        from email import errors, header  # here: few names are encoded

        with suppress(errors.MessageError, LookupError, ValueError):  # not encoded: the text is the name
            text = str(header.make_header(header.decode_header(text)))
    return text.strip()


def normalize_email(text: str) -> str:
    """Return the email address in lower case.

    `Name <address>` and `[address](mailto:address)` are read as their address. Raises PydanticCustomError
    if the text is not an email address; no DNS lookup is made.
    """
    from email_validator import EmailNotValidError, validate_email  # here: 40 ms of a cold start

    text = split_mailbox(text).address
    try:
        return validate_email(text, check_deliverability=False).normalized.lower()
    except EmailNotValidError as error:
        raise _error("email_address", "is not an email address") from error


def normalize_address(text: str) -> str:
    """Return an email address if the text contains `@`, else a phone address.

    Raises PydanticCustomError if it is neither.
    """
    return normalize_email(text) if "@" in text else normalize_phone(text)


PhoneAddress = Annotated[
    str, Field(max_length=64, examples=["+12016661234"]), AfterValidator(normalize_phone)
]
PhoneRecipient = Annotated[
    str, Field(max_length=64, examples=["+18045551234"]), AfterValidator(normalize_phone_recipient)
]
EmailAddress = Annotated[
    str, Field(max_length=MAX_MAILBOX, examples=["user@example.com"]), AfterValidator(normalize_email)
]
Address = Annotated[str, Field(max_length=320), AfterValidator(normalize_address)]


def _null_to_list(value: object) -> object:
    return [] if value is None else value


def _without_duplicates(addresses: list[str]) -> list[str]:
    return list(dict.fromkeys(addresses))


_EmailList = Annotated[list[EmailAddress], Field(max_length=50), AfterValidator(_without_duplicates)]
EmailAddresses = Annotated[
    _EmailList, BeforeValidator(_null_to_list, json_schema_input_type=_EmailList | None)
]
"""Addresses without duplicates, in their order. null means none."""
