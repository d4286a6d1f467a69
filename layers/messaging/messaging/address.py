"""Addresses in the one form under which they are kept and compared."""

import re
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from messaging.settings import settings

_SHORT_CODE = re.compile(r"[0-9]{3,8}")
_ALPHANUMERIC = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 &+_.-]{1,11}")
_NO_NUMBER = re.compile(r"[^\W\d_]|[\0-\x1f]")  # the library would pick a number out of prose
_NAMED = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^"<>,])*<([^<>]*)>')  # a bare comma would make it a list
_MARKDOWN = re.compile(r"\[[^\[\]]*\]\(mailto:([^()]*)\)")


def _refused(kind: str, message: str) -> PydanticCustomError:
    return PydanticCustomError(kind, "{message}", {"message": message})


def normalize_phone(text: str) -> str:
    """A number in E.164, a short code or an alphanumeric sender.

    A national number is read where DEFAULT_REGION names its region. Raises PydanticCustomError.
    """
    text = text.strip()
    if number := _number(text, settings().default_region):
        return number
    if _SHORT_CODE.fullmatch(text) or (_ALPHANUMERIC.fullmatch(text) and not text.startswith("+")):
        return text
    raise _refused(
        "phone_address",
        "is not a phone number in E.164 (such as +18045551234), a short code or an alphanumeric sender",
    )


@lru_cache(maxsize=1000)  # 40 us each, and of two addresses one at least is known by now
def _number(text: str, region: str | None) -> str | None:
    if _NO_NUMBER.search(text):
        return None
    import phonenumbers  # 20 ms of a cold start, and only for functions that see a number

    try:
        number = phonenumbers.parse(text, region)
        written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        if phonenumbers.parse(written) != number:
            return None  # with zeros in front that would go one by one, each time that it is read
    except phonenumbers.NumberParseException:
        return None
    # Possible rather than valid: numbering plans change faster than the library's tables. But a few digits
    # are possible in many regions, and a short code sooner than a number that the region does not have.
    if _SHORT_CODE.fullmatch(text):
        readable = phonenumbers.is_valid_number(number)
    else:
        possible = phonenumbers.is_possible_number_with_reason(number)
        readable = possible == phonenumbers.ValidationResult.IS_POSSIBLE and not number.extension
    return written if readable else None


def normalize_phone_recipient(text: str) -> str:
    """A phone address that can be sent to: nothing reaches an alphanumeric sender.

    Raises PydanticCustomError.
    """
    address = normalize_phone(text)
    if not address.lstrip("+").isdecimal():
        raise _refused(
            "phone_recipient", "is not a phone number in E.164 (such as +18045551234) or a short code"
        )
    return address


def normalize_email(text: str) -> str:
    """An email address in lower case, also out of `Name <address>` and `[address](mailto:address)`.

    Raises PydanticCustomError.
    """
    from email_validator import EmailNotValidError, validate_email  # 40 ms, as above

    text = text.strip()
    if link := _MARKDOWN.fullmatch(text):
        text = link[1]
    elif named := _NAMED.fullmatch(text):
        text = named[1].strip()
    try:
        return validate_email(text, check_deliverability=False).normalized.lower()
    except EmailNotValidError as error:
        raise _refused("email_address", "is not an email address") from error


def normalize_address(text: str) -> str:
    """Whichever the text looks like. Raises PydanticCustomError."""
    return normalize_email(text) if "@" in text else normalize_phone(text)


PhoneAddress = Annotated[
    str, Field(max_length=64, examples=["+12016661234"]), AfterValidator(normalize_phone)
]
PhoneRecipient = Annotated[
    str, Field(max_length=64, examples=["+18045551234"]), AfterValidator(normalize_phone_recipient)
]
EmailAddress = Annotated[
    str, Field(max_length=320, examples=["user@example.com"]), AfterValidator(normalize_email)
]
Address = Annotated[str, Field(max_length=320), AfterValidator(normalize_address)]


def _listed(value: object) -> object:
    return [] if value is None else value


def _each_once(addresses: list[str]) -> list[str]:
    return list(dict.fromkeys(addresses))


_Listed = Annotated[list[EmailAddress], Field(max_length=50), AfterValidator(_each_once)]
EmailAddresses = Annotated[_Listed, BeforeValidator(_listed, json_schema_input_type=_Listed | None)]
"""Each once, in their order; null is none."""
