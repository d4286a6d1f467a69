"""The ways in which one address is written, and those that are no ordinary number."""

from typing import Any

import pytest

from local import Stack
from tests.support.http_client import get, post
from tests.support.stack import CUSTOMER


def receive(stack: Stack, sender: str, id: str) -> dict[str, Any]:
    channel, recipient, id_field = (
        ("email", "user@example.com", "xillio_id")
        if "@" in sender
        else ("sms", CUSTOMER, "messaging_provider_id")
    )
    fields = {"from": sender, "to": recipient, "type": channel, id_field: id, "body": "in"}
    answer = post(f"{stack.url}/api/webhooks/{channel}", fields)
    assert answer.status == 200, answer
    kept: dict[str, Any] = answer.body
    return kept


@pytest.mark.parametrize(
    ("address", "ways"),
    [
        ("+18045551234", ["+1 (804) 555-1234", "+1-804-555-1234", "+1.804.555.1234", " +18045551234 "]),
        (
            "contact@example.org",
            [
                "Contact@Example.org",
                "CONTACT@EXAMPLE.ORG",
                "A Contact <contact@example.org>",
                "[contact@example.org](mailto:contact@example.org)",
            ],
        ),
    ],
)
def test_one_address_in_many_ways_is_one_contact_in_one_conversation(
    stack: Stack, address: str, ways: list[str]
) -> None:
    kept = [receive(stack, way, f"{way} of {address}") for way in [address, *ways]]
    assert {message["from"] for message in kept} == {address}
    assert len({message["conversation_id"] for message in kept}) == 1
    found = get(f"{stack.url}/api/conversations?address={address}").body["conversations"]
    assert kept[0]["conversation_id"] in [conversation["id"] for conversation in found]


def test_a_number_and_what_is_sent_to_it_in_another_way_are_one_conversation(
    stack: Stack, contact: str
) -> None:
    written = f"+1 ({contact[2:5]}) {contact[5:8]}-{contact[8:]}"
    sent = post(f"{stack.url}/api/messages/sms", {"from": CUSTOMER, "to": written, "body": "out"})
    assert (sent.status, sent.body["to"]) == (202, contact)
    assert receive(stack, contact, f"answer of {contact}")["conversation_id"] == sent.body["conversation_id"]


@pytest.mark.parametrize("sender", ["12345", "Example", "Example Co"])
def test_a_short_code_and_an_alphanumeric_sender_are_addresses(
    stack: Stack, contact: str, sender: str
) -> None:
    assert receive(stack, sender, f"from {sender}")["from"] == sender
    sent = post(f"{stack.url}/api/messages/sms", {"from": sender, "to": contact, "body": "out"})
    assert (sent.status, sent.body["from"]) == (202, sender)


def test_a_short_code_can_be_sent_to(stack: Stack) -> None:
    sent = post(f"{stack.url}/api/messages/sms", {"from": CUSTOMER, "to": "12345", "body": "STOP"})
    assert (sent.status, sent.body["to"]) == (202, "12345")


@pytest.mark.parametrize(
    "written", ["+18045550199", " 18045550199", "%2B18045550199", "%2B1%20804%20555%200199"]
)
def test_a_conversation_is_found_by_its_address_also_with_a_plus_that_nobody_escaped(
    stack: Stack, written: str
) -> None:
    kept = receive(stack, "+18045550199", f"for {written}")
    found = get(f"{stack.url}/api/conversations?address={written.replace(' ', '+')}").body["conversations"]
    assert [conversation["id"] for conversation in found] == [kept["conversation_id"]]
