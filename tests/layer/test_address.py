"""All spellings of an address become one canonical form. Other text is refused."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from messaging import address
from tests.support.configuration import Configure

NUMBER = "+18045551234"
EMAIL = "contact@example.org"

# Text that resembles an address more often than arbitrary text does.
ADDRESS_LIKE = st.one_of(
    st.text(),
    st.text("+0123456789 ()-./;x#,", max_size=24),
    st.text("aZ0+. @<>[]()\"',:\\İßΣ\x00\ud800", max_size=24),
    st.builds("{}@{}.{}".format, st.text(max_size=8), st.text(max_size=8), st.text(max_size=4)),
    st.builds("{}<{}@example.org>".format, st.text(max_size=8), st.text(max_size=8)),
    st.emails(),
)


@pytest.mark.parametrize(
    "text",
    [
        NUMBER,
        "+1 (804) 555-1234",
        "+1-804-555-1234",
        "+1.804.555.1234",
        "+1 804/555\u20101234",
        "(+1) 804 555 1234",
        "  +18045551234\n",
        "+1\u00a0804\u00a0555\u00a01234",
        "\u202a+18045551234\u202c",
        "\uff0b\uff11\uff18\uff10\uff14\uff15\uff15\uff15\uff11\uff12\uff13\uff14",
        "+\u0661\u0668\u0660\u0664\u0665\u0665\u0665\u0661\u0662\u0663\u0664",
    ],
)
def test_all_spellings_of_a_number_become_one_address(text: str) -> None:
    assert (
        address.normalize_phone(text)
        == address.normalize_phone_recipient(text)
        == address.normalize_address(text)
        == NUMBER
    )


@pytest.mark.parametrize("code", ["911", "12345", "116123", "1234567"])
@pytest.mark.parametrize("region", ["", "US", "GB", "DE", "FR"])
def test_short_codes_are_not_changed(code: str, region: str, configure: Configure) -> None:
    configure(DEFAULT_REGION=region)
    assert address.normalize_phone(code) == address.normalize_phone_recipient(code) == code


@pytest.mark.parametrize("sender", ["ACME", "Acme Co", "A", "Acme-1+2_.&", "Hello World", "800FLOWERS"])
@pytest.mark.parametrize("region", ["", "US"])
def test_an_alphanumeric_sender_is_not_a_valid_recipient(
    sender: str, region: str, configure: Configure
) -> None:
    configure(DEFAULT_REGION=region)
    assert address.normalize_phone(f" {sender} ") == sender
    with pytest.raises(PydanticCustomError, match=r"is not a phone number in E\.164"):
        address.normalize_phone_recipient(sender)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "+",
        "12",
        "+1804555",
        "+15551234",  # a local number without its area
        "+1804555123456789",
        "+9990000000000",
        "8045551234",
        "18045551234",
        "123456789",
        "not a number",
        "call +18045551234",
        "+18045551234 now",
        "+1 804 CALL NOW",
        "+ACME",
        "+18045551234x5",
        "+18045551234 ext. 5",
        "+18045551234;ext=5",
        "+18045551234#5",
        "+18045551234, +18045559999",
        "+18045551234/+18045559999",
        "tel:2;phone-context=+1804555123",
        "+18045551234\0",
        "\0+18045551234",
        "+1804\n5551234",
        "ACME\0",
        "Ünïcode",
        "\uff11\uff12\uff13\uff14\uff15",
        "\ud800",
        EMAIL,
        "9" * 65,
        "+" + "1" * 300,
    ],
)
def test_text_that_is_not_a_phone_address_is_refused(text: str) -> None:
    for normalize in (address.normalize_phone, address.normalize_phone_recipient):
        with pytest.raises(PydanticCustomError, match="is not a phone number"):
            normalize(text)


@pytest.mark.parametrize(
    ("region", "text", "expected"),
    [
        ("US", "(804) 555-1234", NUMBER),
        ("US", "8045551234", NUMBER),
        ("US", "18045551234", NUMBER),
        ("US", "+44 20 7946 0958", "+442079460958"),
        ("GB", "020 7946 0958", "+442079460958"),
        ("GB", "0018045551234", NUMBER),
        ("DK", "32123456", "+4532123456"),
    ],
)
def test_a_national_number_is_read_in_the_default_region(
    region: str, text: str, expected: str, configure: Configure
) -> None:
    configure(DEFAULT_REGION=region)
    assert (
        address.normalize_phone(text)
        == address.normalize_phone_recipient(text)
        == address.normalize_address(text)
        == expected
    )


@pytest.mark.parametrize("region", ["US", "XX", "nowhere"])
def test_a_number_that_is_not_possible_in_the_default_region_is_refused(
    region: str, configure: Configure
) -> None:
    configure(DEFAULT_REGION=region)
    with pytest.raises(PydanticCustomError):
        address.normalize_phone("020 7946 0958 1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Contact@Example.org", EMAIL),
        (" contact@example.org\n", EMAIL),
        ("Contact <contact@example.org>", EMAIL),
        ("<Contact@Example.org>", EMAIL),
        ("Contact < contact@example.org >", EMAIL),
        ('"Contact, the <first>" <contact@example.org>', EMAIL),
        (r'"The \"first\" one" <contact@example.org>', EMAIL),
        ("user@example.com <contact@example.org>", EMAIL),
        ("[contact@example.org](mailto:Contact@Example.org)", EMAIL),
        ("[](mailto:contact@example.org)", EMAIL),
        ("User+Tag@example.org", "user+tag@example.org"),
        ("first.last@mail.example.org", "first.last@mail.example.org"),
        ("user@xn--bcher-kva.example", "user@b\u00fccher.example"),
    ],
)
def test_all_spellings_of_an_email_address_become_one_address(text: str, expected: str) -> None:
    assert address.normalize_email(text) == address.normalize_address(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "contact",
        "@example.org",
        "contact@",
        "contact@example",
        "contact@localhost",
        "contact@[127.0.0.1]",
        "a@b@example.org",
        "two words@example.org",
        "contact@example..org",
        ".contact@example.org",
        "contact@example.org\0",
        "\ud800@example.org",
        "contact@\ud800.org",
        "con\ntact@example.org",
        "contact@example.org, user@example.com",
        "<contact@example.org>, <user@example.com>",
        "contact@example.org, User <user@example.com>",
        "Contact <contact@example.org> <user@example.com>",
        "Contact <contact@example.org",
        "Contact <>",
        "contact@example.org <>",
        "mailto:contact@example.org",
        "[a](mailto:)",
        "[a](mailto:contact@example.org?subject=a)",
        "[contact@example.org](https://example.org)",
        "contact@" + "x" * 64 + ".org",
        "x" * 10_000 + "@example.org",
        NUMBER,
    ],
)
def test_text_that_is_not_an_email_address_is_refused(text: str) -> None:
    with pytest.raises(PydanticCustomError, match="is not an email address"):
        address.normalize_email(text)


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        (address.PhoneAddress, "+1 804 555 1234" + " " * 50),
        (address.PhoneRecipient, "+1 804 555 1234" + " " * 50),
        (address.PhoneRecipient, "ACME"),
        (address.EmailAddress, "x" * 310 + "@example.org"),
        (address.EmailAddress, NUMBER),
        (address.Address, " " * 321),
        (address.Address, "nobody in particular"),
        (address.PhoneAddress, 18045551234),
        (address.EmailAddress, None),
        (address.Address, [NUMBER]),
        (address.Address, b"\xff"),
    ],
)
def test_a_field_refuses_wrong_types_and_too_long_text(type_: object, text: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(type_).validate_python(text)


# --- Two ways to write one number --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "canonical"),
    [
        (["+5215512345678", "+52 1 55 1234 5678", "+52 55 1234 5678"], "+525512345678"),
        (["+5218112345678", "+528112345678"], "+528112345678"),
        (["+5491123456789", "+54 9 11 2345-6789", "+54 11 2345-6789"], "+5491123456789"),
        (["+54 11 15-2345-6789"], "+5491123456789"),
        (["+543514123456", "+5493514123456"], "+5493514123456"),
        (["+551187654321", "+5511987654321", "+55 (11) 98765-4321"], "+5511987654321"),
        (["+552181234567", "+5521981234567"], "+5521981234567"),
        (["+554861234567"], "+5548961234567"),
        (["+551132654321", "+55 11 3265-4321"], "+551132654321"),  # a landline
        (["+548001234567"], "+548001234567"),  # a free number
        (["+44 (0)7911 123456", "+447911123456"], "+447911123456"),
        (["+39 06 698 1234"], "+39066981234"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("region", ["", "US", "MX", "AR", "BR"])
def test_a_phone_has_one_address_for_requests_webhooks_and_lookups(
    texts: list[str], canonical: str, region: str, configure: Configure
) -> None:
    configure(DEFAULT_REGION=region)
    for text in texts:
        assert address.normalize_phone(text) == canonical
        assert address.normalize_phone_recipient(text) == canonical
        assert address.normalize_address(text) == canonical
        assert address.stored_address(text) == canonical
        assert address.received_phone(text) == canonical
        assert address.received_phone(text, is_international=True) == canonical


# --- Addresses that reached us -----------------------------------------------------------------------

AS_WRITTEN = [
    *("McDonald's", "Yahoo!", "E*TRADE", "Müller", "H&M", "楽天", "Ünïcode", "🍕 Pizza", "AT&T/Cricket"),
    *("A name with more than 11 characters", "info@acme", "@acme", "#1 Shop", "Re/Max", "1-800", "12", "+"),
    *("+ACME", "unknown", "+15551234", "+1804555123456789", "call +18045551234", "+18045551234;ext=5"),
]


@pytest.mark.parametrize("written", AS_WRITTEN)
@pytest.mark.parametrize("region", ["", "US"])
def test_an_odd_sender_is_stored_as_it_was_written(written: str, region: str, configure: Configure) -> None:
    configure(DEFAULT_REGION=region)
    for text in (written, f" {written}\t"):
        for is_international in (False, True):
            assert address.received_phone(text, is_international=is_international) == written
    assert address.stored_address(written) == written


@pytest.mark.parametrize("written", ["McDonald's", "Yahoo!", "E*TRADE", "Müller", "楽天", "🍕 Pizza"])
def test_an_odd_sender_is_not_valid_for_sending(written: str) -> None:
    for normalize in (address.normalize_phone, address.normalize_phone_recipient):
        with pytest.raises(PydanticCustomError):
            normalize(written)


@pytest.mark.parametrize(
    "text",
    [
        *("18045551234", " 18045551234", "0018045551234", "+0018045551234", "00 1 (804) 555-1234"),
        *("1 804 555 1234", "1-804-555-1234", NUMBER),
    ],
)
@pytest.mark.parametrize("region", ["", "DE", "US"])
def test_digits_with_their_country_code_are_a_number(text: str, region: str, configure: Configure) -> None:
    configure(DEFAULT_REGION=region)
    assert address.received_phone(text, is_international=True) == NUMBER
    if region != "DE":  # the default region goes first for a gateway that may write national numbers
        assert address.received_phone(text) == NUMBER


@pytest.mark.parametrize("code", ["911", "24273", "116123", "1234567", "32123456"])
@pytest.mark.parametrize("region", ["", "US", "DK"])
def test_up_to_eight_digits_are_a_short_code_if_numbers_have_their_country_code(
    code: str, region: str, configure: Configure
) -> None:
    configure(DEFAULT_REGION=region)
    assert address.received_phone(code, is_international=True) == code


@pytest.mark.parametrize("digits", ["8045551234", "123456789", "999999999999", "9" * 15])
def test_digits_that_are_no_number_are_stored_as_they_were_written(digits: str) -> None:
    assert address.received_phone(digits, is_international=True) == digits
    assert address.received_phone(digits) == digits


def test_a_national_number_that_reached_us_is_read_in_the_default_region(configure: Configure) -> None:
    configure(DEFAULT_REGION="US")
    assert address.received_phone("8045551234") == NUMBER


def test_different_addresses_stay_different() -> None:
    texts = ["ab", "a\0b", "a\x01b", "a\x7fb", "a\nb", "x" * 320, "x" * 321, "x" * 322, "x" * 5000 + "y"]
    stored = [address.received_phone(text) for text in texts]
    assert len(set(stored)) == len(texts)
    assert stored[:2] == ["ab", "a\u2400b"]
    assert max(map(len, stored)) == 320
    assert all(text.isprintable() for text in stored)
    assert "\ufffd" in address.received_phone("a\ud800")


@pytest.mark.parametrize("text", ["", " ", "\t\n"])
def test_a_blank_address_is_refused(text: str) -> None:
    with pytest.raises(PydanticCustomError, match="must not be empty"):
        address.received_phone(text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # every example has the same region
@given(text=ADDRESS_LIKE)
@example(text="\u0130@example.org")
@example(text="\u03a3@example.org")
@example(text="tel:2;phone-context=+1804555123")
@example(text="000000:")
@pytest.mark.parametrize("region", ["", "US", "DE"])
@pytest.mark.parametrize(
    "normalize",
    [
        address.normalize_phone,
        address.normalize_phone_recipient,
        address.normalize_email,
        address.normalize_address,
        address.received_phone,
    ],
)
def test_normalizing_a_normalized_address_does_not_change_it(
    normalize: Callable[[str], str], region: str, text: str, configure: Configure
) -> None:
    configure(DEFAULT_REGION=region)
    try:
        normalized = normalize(text)
    except PydanticCustomError:
        return
    assert normalize(normalized) == normalized
