"""Every stored message fits into a response: Lambda's limit is 6 MB, with the body as JSON in JSON."""

import json

import pytest
from pydantic import ValidationError

from messaging.conversations import reads
from messaging.models import NewEmail
from messaging.outbound import store
from tests.support.database import Database
from tests.support.messages import ACCOUNT

pytestmark = pytest.mark.slow

LAMBDA_LIMIT = 6_291_556  # bytes: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html


def email(body: str, html: str | None = None) -> NewEmail:
    return NewEmail.model_validate(
        {"from": "user@example.com", "to": "contact@example.org", "body": body, "html": html}
    )


def response_size(document: str) -> int:
    return len(json.dumps({"statusCode": 200, "body": document}, ensure_ascii=False).encode())


@pytest.mark.parametrize("character", ["x", '"', "\\", "\n", "\x01", "é", "\U0001f600"])
def test_pages_of_large_messages_fit_into_a_response_and_show_all(database: Database, character: str) -> None:
    stored = [store.accept_message(ACCOUNT, email(character * 200_000), ["email"])[1] for _ in range(8)]
    listed: list[int] = []
    page = reads.list_messages(ACCOUNT, 1, 200)
    while page and page.items:
        assert response_size(",".join(page.items)) < LAMBDA_LIMIT
        listed += [json.loads(item)["id"] for item in page.items]
        page = reads.list_messages(ACCOUNT, 1, 200, page.next_cursor)
    assert listed == [message.id for message in stored if message]


@pytest.mark.parametrize("character", ['"', "\\", "\n"])
def test_a_mebibyte_of_escaped_characters_is_accepted_and_shown(database: Database, character: str) -> None:
    _, stored, _ = store.accept_message(ACCOUNT, email(character * 2**20), ["email"])
    assert stored
    assert response_size(reads.get_message(ACCOUNT, stored.id) or "") < LAMBDA_LIMIT


@pytest.mark.parametrize("message", [("\x01" * 990_000, None), ('"' * 2**20, '"' * 2**20)])
def test_a_message_that_could_never_be_shown_is_refused(message: tuple[str, str | None]) -> None:
    with pytest.raises(ValidationError, match="too long after its characters are escaped"):
        email(*message)
