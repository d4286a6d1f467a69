"""functions/conversations/openapi.json: it matches the code, is valid, and describes the real responses."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import schemathesis
from jsonschema_rs import Draft202012Validator, meta

from local.commands.openapi import FILE, description
from local.simulators.provider import ProviderSimulator
from tests.support import api
from tests.support.database import Database

pytestmark = pytest.mark.slow

DIALECT = "https://json-schema.org/draft/2020-12/schema"
DOCUMENT: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def request_examples() -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """The method, path, name and value of each example of a request."""
    for method, path, operation in operations():
        content = operation.get("requestBody", {}).get("content", {})
        for name, example in content.get("application/json", {}).get("examples", {}).items():
            yield method, path, name, example["value"]


def conforms(answer: api.Answer, method: str, path: str) -> api.Answer:
    """Return the answer. Checks that the document describes its status and body."""
    responses = DOCUMENT["paths"][path][method.lower()]["responses"]
    response = responses.get(str(answer.status)) or (answer.status >= 400 and responses["default"])
    assert response, answer.status
    schema = response["content"][answer.headers["content-type"]]["schema"]
    validator = Draft202012Validator({**schema, "components": DOCUMENT["components"]})
    assert [error.message for error in validator.iter_errors(answer.json)] == []
    return answer


def test_the_committed_document_matches_the_code() -> None:
    """If it does not: python -m local openapi"""
    assert FILE.read_text(encoding="utf-8") == description()


@pytest.mark.slow
def test_the_document_is_valid_openapi() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    schemathesis.openapi.from_dict(DOCUMENT).validate()
    for name, schema in DOCUMENT["components"]["schemas"].items():
        assert meta.is_valid(schema | {"$schema": DIALECT})
        assert schema.get("title", name) == name


def test_the_document_has_exactly_the_routes_of_the_template() -> None:
    declared = {
        (route.method, route.path)
        for route in api.template().routes
        if route.path and route.method != "OPTIONS"
    }
    assert {(method, path) for method, path, _ in operations()} == declared


def test_the_document_says_which_routes_need_a_key() -> None:
    protected = {
        (route.method, route.path) for route in api.template().routes if route.authorizer and route.path
    }
    assert {
        (method, path) for method, path, operation in operations() if "security" in operation
    } == protected
    for _, _, operation in operations():
        assert operation.get("security", [{"key": []}]) == [{"key": []}]
        assert ("security" in operation) == ({"401", "403"} <= operation["responses"].keys())
    assert DOCUMENT["components"]["securitySchemes"]["key"]["scheme"] == "bearer"


def test_every_operation_has_a_unique_id() -> None:
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() for name in names)


def test_every_operation_has_a_unique_summary_and_a_listed_tag() -> None:
    tags = [tag["name"] for tag in DOCUMENT["tags"]]
    assert tags == ["Send", "Read", "Webhooks", "Admin", "About"]
    assert {tag for _, _, operation in operations() for tag in operation["tags"]} == set(tags)
    summaries = [operation["summary"] for _, _, operation in operations()]
    assert len(set(summaries)) == len(summaries)


def test_every_described_request_body_has_an_example() -> None:
    with_body = {(method, path) for method, path, operation in operations() if "requestBody" in operation}
    assert {(method, path) for method, path, _, _ in request_examples()} == with_body


@pytest.mark.parametrize(("method", "path", "name", "fields"), [*request_examples()])
@pytest.mark.usefixtures("providers", "database")
def test_every_example_of_a_request_is_accepted(
    method: str, path: str, name: str, fields: dict[str, Any]
) -> None:
    schema = DOCUMENT["paths"][path][method.lower()]["requestBody"]["content"]["application/json"]["schema"]
    validator = Draft202012Validator({**schema, "components": DOCUMENT["components"]})
    assert [error.message for error in validator.iter_errors(fields)] == [], name
    answer = api.call(method, path.replace("{id}", "1"), fields, api.signed(fields))
    assert conforms(answer, method, path).status in (200, 201, 202)


def test_every_reference_has_a_schema_and_every_schema_is_used() -> None:
    def references(value: object) -> Iterator[str]:
        if isinstance(value, Mapping):
            if isinstance(reference := value.get("$ref"), str):
                yield reference.removeprefix("#/components/schemas/")
            for inner in value.values():
                yield from references(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from references(inner)

    assert set(references(DOCUMENT)) == DOCUMENT["components"]["schemas"].keys()


def test_every_operation_describes_its_problems() -> None:
    for _, path, operation in operations():
        problem = operation["responses"]["default"]["content"]
        assert problem.keys() == {"application/problem+json"}, path
        assert [status for status in operation["responses"] if status[0] in "23"], path


@pytest.mark.parametrize(
    ("route", "fields"),
    [
        (api.SMS, api.NEW_SMS),
        (api.SMS, {**api.NEW_SMS, "type": "mms", "attachments": ["https://example.com/i"], "body": ""}),
        (api.EMAIL, {**api.NEW_EMAIL, "html": "<b>Hi</b>", "timestamp": "2024-11-01T14:00:00+01:00"}),
        ("/api/webhooks/sms", api.INBOUND_SMS),
        (
            "/api/webhooks/sms",
            {**api.INBOUND_SMS, "messaging_provider_id": 7, "body": None, "attachments": None},
        ),
        ("/api/webhooks/sms", {"reference": "999", "status": "sent"}),
        ("/api/webhooks/email", api.INBOUND_EMAIL),
        ("/api/webhooks/email", {"xillio_id": "x", "status": "failed", "error": {"code": 1, "reason": "x"}}),
    ],
)
@pytest.mark.usefixtures("providers", "database")
def test_described_requests_are_accepted_and_answered_as_described(
    route: str, fields: dict[str, object]
) -> None:
    schema = DOCUMENT["paths"][route]["post"]["requestBody"]["content"]["application/json"]["schema"]
    validator = Draft202012Validator({**schema, "components": DOCUMENT["components"]})
    assert [error.message for error in validator.iter_errors(fields)] == []
    assert conforms(api.call("POST", route, fields, api.signed(fields)), "POST", route).status in (200, 202)
    assert conforms(
        api.call("POST", route, {**fields, "from": 7}, api.signed({**fields, "from": 7})), "POST", route
    )


def test_reads_are_answered_as_described(database: Database, providers: ProviderSimulator) -> None:
    api.call("POST", api.SMS, api.NEW_SMS)
    api.call("POST", "/api/webhooks/sms", api.INBOUND_SMS, api.signed(api.INBOUND_SMS))
    api.deliver(1)
    for path in (
        *("/api/conversations", "/api/conversations/{id}", "/api/conversations/{id}/messages"),
        *("/api/messages/{id}", "/healthz", "/api/openapi.json"),
    ):
        assert conforms(api.call("GET", path.replace("{id}", "1")), "GET", path).status == 200
        if "{id}" in path:
            assert conforms(api.call("GET", path.replace("{id}", "999")), "GET", path).status == 404
            assert conforms(api.call("GET", path.replace("{id}", "x")), "GET", path).status == 422
