"""The headers and bodies of successful responses."""

import json
import re

import pytest

from tests.layer.handlers.test_api import problem
from tests.support.api import EMAIL, NEW_EMAIL, NEW_SMS, SMS, call, invoke
from tests.support.configuration import Configure
from tests.support.database import Database

pytestmark = pytest.mark.usefixtures("aws", "database")


@pytest.fixture(autouse=True)
def unsigned(configure: Configure) -> None:
    configure(ALLOW_UNSIGNED_WEBHOOKS="true", PROVIDER_SECRET_ARN="")


@pytest.mark.parametrize("fraction", ["", ".0", ".1", ".1497", ".000001", ".123456"])
def test_an_accepted_message_is_at_its_location_with_the_same_fields(
    database: Database, fraction: str
) -> None:
    accepted = call("POST", SMS, {**NEW_SMS, "timestamp": f"2024-11-01T14:00:00{fraction}Z"})
    assert accepted.headers["content-type"] == "application/json"
    assert accepted.headers["location"] == "/api/messages/1"
    message = call("GET", accepted.headers["location"]).json
    assert {name: message[name] for name in accepted.json} == accepted.json


def test_a_replayed_message_has_a_header_and_its_present_status(database: Database) -> None:
    first = call("POST", SMS, NEW_SMS, {"Idempotency-Key": "key"})
    assert "idempotency-replayed" not in first.headers
    database.rows("UPDATE messages SET status = 'unknown'")
    again = call("POST", SMS, NEW_SMS, {"idempotency-key": "key"})
    assert (again.status, again.headers["idempotency-replayed"]) == (202, "true")
    assert (again.json["id"], again.json["status"]) == (1, "unknown")
    assert again.headers["location"] == first.headers["location"]
    for other in ({**NEW_SMS, "body": "x"}, b" " + json.dumps(NEW_SMS).encode()):
        refused = problem(call("POST", SMS, other, {"Idempotency-Key": "key"}), 422)
        assert refused.fields == ["Idempotency-Key"]
    assert (
        call("POST", EMAIL, NEW_EMAIL, {"Idempotency-Key": "key"}).json["id"] == 2
    )  # another route has its own keys


def test_the_root_redirects_to_the_documentation_page() -> None:
    answer = call("GET", "/")
    assert (answer.status, answer.headers["location"]) == (302, "/api/docs")


def test_the_documentation_page_loads_nothing_from_other_urls() -> None:
    page = call("GET", "/api/docs")
    assert page.headers["content-type"] == "text/html"
    text = page.body.decode()
    assert "<script>" in text
    assert "/api/conversations/{id}/messages" in text
    head, _, tail = text.partition("<script>")
    for part in (head, tail.rpartition("<script>")[2]):  # between them is Swagger UI's script
        reference = r"<(?:script|img|iframe)\b[^>]*\bsrc\s*=|<link\b|@import|url\((?!\s*['\"]?data:)[^)]*"
        assert re.findall(reference, part) == []


def test_the_documentation_page_has_a_title_and_a_link_to_the_document() -> None:
    text = call("GET", "/api/docs").body.decode()
    assert "<title>Messaging API</title>" in text
    assert 'ui.specActions.updateUrl("/api/openapi.json");' in text
    assert "?format=json" not in text


def test_the_openapi_document_is_served_as_committed() -> None:
    from local.commands.openapi import FILE

    served = call("GET", "/api/openapi.json")
    assert served.headers["content-type"] == "application/json"
    assert served.body.decode() == FILE.read_text(encoding="utf-8")


def test_only_queue_records_that_are_not_ids_fail(database: Database) -> None:
    call("POST", SMS, NEW_SMS)
    bodies = ["1", "x", "", "-1", "1.0", str(2**63), "9" * 20, "\u0661", " 1", "1\n", "999"]
    records = [{"messageId": f"record-{index}", "body": body} for index, body in enumerate(bodies)]
    failed = invoke("deliver_message", {"Records": records})["batchItemFailures"]
    assert [failure["itemIdentifier"] for failure in failed] == [f"record-{index}" for index in range(1, 10)]
    assert database.value("SELECT attempt_count FROM messages") == 1
