"""Mailgun does not sign the body: only the first body with a token is stored."""

from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import boto3
import pytest

from tests.layer.providers.mailgun import signatures
from tests.support.api import Answer, call
from tests.support.aws import Aws
from tests.support.configuration import Configure
from tests.support.database import Database

pytestmark = pytest.mark.slow

MAIL = {"recipient": "user@example.com", "from": "contact@example.org", "body-plain": "in"}


@pytest.fixture(autouse=True)
def deployed(aws: Aws, configure: Configure, database: Database) -> None:
    keys = {
        "mails": signatures.KEY,
        "mails-mime": [signatures.OTHER_KEY, signatures.KEY],
        "others": signatures.OTHER_KEY,
    }
    secret = aws.create_secret({name: {"signing_key": key} for name, key in keys.items()})
    configure(PROVIDERS=",".join(f"{name}=mailgun" for name in keys), PROVIDER_SECRET_ARN=secret)


def post(signed: dict[str, str], to: str = "mails", **fields: str) -> Answer:
    written = urlencode({**MAIL, **fields, **signed}).encode()
    return call("POST", f"/api/webhooks/email/{to}", written, {"content-type": signatures.URLENCODED})


def stored_counts(database: Database) -> tuple[object, object]:
    """The number of stored requests, and of messages."""
    requests = database.value("SELECT count(*) FROM webhook_requests")
    return requests, database.value("SELECT count(*) FROM messages")


@pytest.mark.parametrize("age", [timedelta(0), timedelta(hours=8)], ids=["at once", "after an outage"])
def test_a_token_is_valid_for_one_body_which_may_be_repeated(database: Database, age: timedelta) -> None:
    signed = signatures.signature(datetime.now(UTC) - age)
    assert [post(signed).status for _ in range(3)] == [200, 200, 200]
    assert stored_counts(database) == (1, 1)
    for forged in ({"body-plain": "forged"}, {"from": "evil@example.org"}, {"recipient": "x@example.com"}):
        assert post(signed, **forged).status == 403
    assert stored_counts(database) == (1, 1)
    assert database.value("SELECT body FROM messages") == "in"


def test_a_used_token_is_refused_at_every_instance_with_the_same_key(database: Database) -> None:
    signed = signatures.signature()
    assert post(signed).status == 200
    for forged in ({}, {"body-plain": "forged"}):
        assert post(signed, "mails-mime", **forged).status == 403
    assert stored_counts(database) == (1, 1)
    token = signed["token"]
    assert post(signatures.signature(token=token, key=signatures.OTHER_KEY), "others").status == 200
    assert post(signatures.signature(token=token, key=signatures.OTHER_KEY), "mails-mime").status == 403
    assert stored_counts(database) == (2, 2)
    assert (
        database.value("SELECT count(*) FROM webhook_requests WHERE replay_token = :token", token=token) == 0
    )


def test_a_request_with_a_used_token_stores_no_file(aws: Aws, database: Database) -> None:
    signed = signatures.signature()
    for to, content, status in (("mails", b"1", 200), ("mails", b"2", 403), ("mails-mime", b"3", 403)):
        body = signatures.multipart({**MAIL, **signed}, {"attachment-1": ("a.txt", "text/plain", content)})
        answered = call("POST", f"/api/webhooks/email/{to}", body, {"content-type": signatures.MULTIPART})
        assert answered.status == status
    assert boto3.client("s3").list_objects_v2(Bucket=aws.media)["KeyCount"] == 1
    assert stored_counts(database) == (1, 1)


def test_requests_with_different_tokens_are_stored(database: Database) -> None:
    for body in ("one", "two"):
        assert post(signatures.signature(), **{"body-plain": body}).status == 200
    assert stored_counts(database) == (2, 2)


def test_a_request_that_was_signed_yesterday_is_not_stored(database: Database) -> None:
    assert post(signatures.signature(datetime.now(UTC) - timedelta(days=1))).status == 403
    assert stored_counts(database) == (0, 0)
