"""Spellings of an address, short codes and alphanumeric senders."""

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
    message: dict[str, Any] = answer.body
    return message


@pytest.mark.parametrize(
    ("address", "spellings"),
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
def test_the_spellings_of_an_address_are_one_contact_in_one_conversation(
    stack: Stack, address: str, spellings: list[str]
) -> None:
    messages = [receive(stack, spelling, f"{spelling} of {address}") for spelling in [address, *spellings]]
    assert {message["from"] for message in messages} == {address}
    assert len({message["conversation_id"] for message in messages}) == 1
    conversations = get(f"{stack.url}/api/conversations?address={address}").body["conversations"]
    assert messages[0]["conversation_id"] in [conversation["id"] for conversation in conversations]


def test_a_message_to_another_spelling_of_a_number_is_in_its_conversation(stack: Stack, contact: str) -> None:
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
def test_a_conversation_is_found_by_an_address_with_an_unescaped_plus(stack: Stack, written: str) -> None:
    message = receive(stack, "+18045550199", f"for {written}")
    conversations = get(f"{stack.url}/api/conversations?address={written.replace(' ', '+')}").body[
        "conversations"
    ]
    assert [conversation["id"] for conversation in conversations] == [message["conversation_id"]]
