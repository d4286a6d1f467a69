"""Addresses in their canonical form, in which they are stored and compared.

An address in a request to us is checked strictly. An address that a provider names is not: its message has
reached us, so the address is stored in any case.
"""

import re
from contextlib import suppress
from functools import lru_cache, partial
from hashlib import sha256
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from messaging.email_address import canonical_email, is_shortened
from messaging.settings import settings

MAX_MAILBOX = 3000  # characters: a name in encoded words, and an address

_SHORT_CODE = re.compile(r"[0-9]{3,8}")
_ALPHANUMERIC = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 &+_.-]{1,11}")
_INTERNATIONAL = re.compile(r"(?:\+?00)?([1-9][0-9]{8,14})")
"""The digits of a number with its country code. Shorter texts are short codes."""
_NOT_A_NUMBER = re.compile(r"[^\W\d_]|[\0-\x1f]")  # phonenumbers would extract a number from a sentence
_NAME_AND_ADDRESS = re.compile(
    r'((?:"(?:[^"\\]++|\\.)*+"|[^"<>,]++)*+)<([^<>]*)>', re.DOTALL
)  # an unquoted comma separates two
_MARKDOWN_LINK = re.compile(r"\[([^\[\]]*)\]\(mailto:([^()]*)\)")
_QUOTED = re.compile(r'"((?:[^"\\]++|\\.)*+)"', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_PUNCTUATION = re.compile(r"[ ().-]")
_CONTROL_PICTURES = {code: 0x2400 + code for code in range(32)} | {127: 0x2421}
_CANONICAL_NUMBERS = (
    # Mexico dropped the 1 before mobile numbers in 2019. Networks and gateways still write it.
    (re.compile(r"\+521([0-9]{10})"), r"+52\1"),
    # Argentina: mobile numbers have a 9 after the country code if they are dialled from abroad. Area codes
    # begin with 1, 2 or 3. A number without the 9 is a landline, which has no texts, or lacks it by mistake.
    (re.compile(r"\+54([1-3][0-9]{9})"), r"+549\1"),
    # Brazil put a 9 before the eight digits of every mobile number by 2016. Landlines begin with 2 to 5.
    (re.compile(r"\+55([1-9]{2})([6-9][0-9]{7})"), r"+55\g<1>9\2"),
)
"""Numbers that are written in two ways, and the way that can be dialled from abroad (E.164). Numbers of other
countries are not changed: an old form that no network delivers any more does not reach us."""
MAX_PHONE = 64  # characters
MAX_ADDRESS = 320  # characters; an email address has at most 320


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


def received_phone(text: str, *, is_international: bool = False) -> str:
    """Return a phone address that a provider named: as normalize_phone does, or else as it was written.

    Digits without a `+` are a number in E.164 if they can be one, and `is_international` says that the
    provider always writes a country code, or DEFAULT_REGION is not set, or they follow `00` or a blank (an
    unescaped plus in a form). Raises PydanticCustomError only if the text is blank.
    """
    written = text.strip()
    if not written:
        raise _error("phone_address", "must not be empty")
    if len(written) > MAX_PHONE:
        return storable_address(written)
    if is_international and _SHORT_CODE.fullmatch(written):
        return written
    lost_plus = text.startswith(" ") or written.startswith(("00", "+00"))
    if is_international or lost_plus or not settings().default_region:
        digits = _INTERNATIONAL.fullmatch(_PUNCTUATION.sub("", written))
        number = _to_e164(f"+{digits[1]}", None) if digits else None
        if number and _is_valid(number):
            return number
    with suppress(PydanticCustomError):
        return normalize_phone(written)
    return storable_address(written)


def storable_address(text: str) -> str:
    """Return an address as it was written, in a form that can be stored and indexed.

    Control characters become their symbols (NUL becomes U+2400), and unpaired surrogates become U+FFFD. A
    text over MAX_ADDRESS is cut and ends in a hash of all of it. So different addresses stay different.
    """
    text = text.strip().translate(_CONTROL_PICTURES).encode(errors="surrogatepass").decode(errors="replace")
    if len(text) <= MAX_ADDRESS:
        return text
    hash_of_all = sha256(text.encode()).hexdigest()[:16]
    return f"{text[: MAX_ADDRESS - len(hash_of_all) - 1]}…{hash_of_all}"


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
        for pattern, replacement in _CANONICAL_NUMBERS:
            if pattern.fullmatch(e164):
                e164 = pattern.sub(replacement, e164)
                number = phonenumbers.parse(e164)
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


def _is_valid(e164: str) -> bool:
    import phonenumbers

    return phonenumbers.is_valid_number(phonenumbers.parse(e164))


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
    """Return the email address in its canonical form, if it obeys the rules for new addresses.

    `Name <address>` and `[address](mailto:address)` are read as their address. Raises PydanticCustomError
    if the text is not an email address; no DNS lookup is made.
    """
    from email_validator import EmailNotValidError, validate_email  # here: 40 ms of a cold start

    text = split_mailbox(text).address
    try:
        validate_email(text, check_deliverability=False)
    except EmailNotValidError as error:
        raise _error("email_address", "is not an email address") from error
    address = canonical_email(text)
    if address is None or is_shortened(address):
        raise _error("email_address", "is not an email address")
    return address


def is_new_email(address: str) -> bool:
    """Whether an email address obeys the rules for new addresses."""
    try:
        normalize_email(address)
    except PydanticCustomError:
        return False
    return True


def normalize_email_recipient(text: str) -> str:
    """Return the email address in its canonical form, also if it does not obey the rules for new addresses.

    Such an address can be that of somebody who wrote to us. Raises PydanticCustomError if nothing can be sent
    to it, or if the text is a wrong spelling of an address that obeys them.
    """
    try:
        return normalize_email(text)
    except PydanticCustomError:
        address = canonical_email(split_mailbox(text).address)
        if address is None or is_shortened(address) or is_new_email(address):
            raise
        return address


def normalize_address(text: str) -> str:
    """Return an email address if the text contains `@`, else a phone address.

    Raises PydanticCustomError if it is neither.
    """
    return normalize_email(text) if "@" in text else normalize_phone(text)


def stored_address(text: str) -> str:
    """Return how an address is stored, if it is one that reached us or can be sent to.

    Raises PydanticCustomError if the text is blank.
    """
    return canonical_email(split_mailbox(text).address) or received_phone(text)


PhoneAddress = Annotated[
    str, Field(max_length=MAX_PHONE, examples=["+12016661234"]), AfterValidator(normalize_phone)
]
PhoneRecipient = Annotated[
    str, Field(max_length=MAX_PHONE, examples=["+18045551234"]), AfterValidator(normalize_phone_recipient)
]
ReceivedPhone = Annotated[str, Field(examples=["+12016661234"]), AfterValidator(received_phone)]
"""A phone address that a provider names."""
ReceivedNumber = Annotated[str, AfterValidator(partial(received_phone, is_international=True))]
"""A phone address that a provider names which writes every number with its country code."""
EmailAddress = Annotated[
    str, Field(max_length=MAX_MAILBOX, examples=["user@example.com"]), AfterValidator(normalize_email)
]
EmailRecipient = Annotated[
    str,
    Field(max_length=MAX_MAILBOX, examples=["user@example.com"]),
    AfterValidator(normalize_email_recipient),
]
Address = Annotated[str, Field(max_length=MAX_ADDRESS), AfterValidator(normalize_address)]
StoredAddress = Annotated[str, Field(max_length=MAX_ADDRESS), AfterValidator(stored_address)]
"""An address to look up. It need not be valid for sending."""


def _null_to_list(value: object) -> object:
    return [] if value is None else value


def _without_duplicates(addresses: list[str]) -> list[str]:
    return list(dict.fromkeys(addresses))


_EmailList = Annotated[list[EmailAddress], Field(max_length=50), AfterValidator(_without_duplicates)]
EmailAddresses = Annotated[
    _EmailList, BeforeValidator(_null_to_list, json_schema_input_type=_EmailList | None)
]
"""Addresses without duplicates, in their order. null means none."""
