"""events/: what AWS passes to each function, for `sam local invoke` and for tests; and sam's settings."""

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]  # ships no types

ROOT = Path(__file__).parents[2]
HTTP = ("send_message", "sms_webhook", "email_webhook", "conversations", "admin", "unread_webhooks")


def event(name: str) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text())
    return fields


def declared_functions() -> dict[str, dict[str, Any]]:
    template = yaml_parse((ROOT / "template.yaml").read_text())
    return {
        resource["Properties"]["CodeUri"].removeprefix("functions/"): resource["Properties"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::Serverless::Function"
    }


def test_every_function_has_an_event_with_its_name() -> None:
    assert {path.stem for path in ROOT.glob("events/*.json")} == {*declared_functions(), "local"}


@pytest.mark.parametrize("name", HTTP)
def test_an_http_event_has_a_route_of_the_template(name: str) -> None:
    function, request = declared_functions()[name], event(name)
    route, http = request["routeKey"], request["requestContext"]["http"]
    if route == "$default":
        assert "FunctionUrlConfig" in function
        assert ".lambda-url." in request["requestContext"]["domainName"]
    else:
        routes = [
            source["Properties"] for source in function["Events"].values() if "Path" in source["Properties"]
        ]
        assert route in {f"{properties['Method']} {properties['Path']}" for properties in routes}
        assert route == f"{http['method']} {request['rawPath']}"
    assert request["version"] == "2.0"
    assert request["requestContext"]["routeKey"] == route
    assert http["path"] == request["rawPath"]


@pytest.mark.parametrize("name", HTTP)
def test_an_http_event_has_the_length_of_its_body(name: str) -> None:
    request = event(name)
    assert request["headers"].get("content-length", "0") == str(len(request.get("body", "").encode()))


def test_the_queue_event_has_an_id_and_its_checksum() -> None:
    (record,) = event("deliver_message")["Records"]
    assert record["body"].isdecimal()
    assert record["md5OfBody"] == hashlib.md5(record["body"].encode(), usedforsecurity=False).hexdigest()


def test_sam_local_sets_only_variables_that_the_template_declares() -> None:
    """It ignores other variables without a warning."""
    declared = set(
        yaml_parse((ROOT / "template.yaml").read_text())["Globals"]["Function"]["Environment"]["Variables"]
    )
    for function in declared_functions().values():
        declared |= function["Environment"]["Variables"].keys()
    assert event("local").keys() == {"Parameters"}
    assert event("local")["Parameters"].keys() <= declared


def test_sam_local_uses_the_services_of_docker_compose() -> None:
    compose = yaml_parse((ROOT / "docker-compose.yml").read_text())
    variables = event("local")["Parameters"]
    postgres, aws = compose["services"]["postgres"], compose["services"]["aws"]
    login = postgres["environment"]
    assert postgres["ports"] == ["5432:5432"]
    assert variables["DATABASE_URL"] == (
        f"postgresql://{login['POSTGRES_USER']}:{login['POSTGRES_PASSWORD']}@host.docker.internal:5432"
        f"/{login['POSTGRES_DB']}?sslmode=disable"
    )
    assert aws["ports"] == ["4566:4566"]
    assert variables["AWS_ENDPOINT_URL"] == "http://host.docker.internal:4566"
    resources = compose["configs"]["resources"]["content"]
    assert f"create-queue --queue-name {variables['OUTBOUND_QUEUE_URL'].rsplit('/', 1)[-1]}\n" in resources
    assert f"create-secret --name {variables['PROVIDER_SECRET_ARN']} " in resources


@pytest.mark.parametrize("command", ["local_invoke", "local_start_api"])
def test_sam_local_can_reach_the_host(command: str) -> None:
    settings = tomllib.loads((ROOT / "samconfig.toml").read_text())["default"][command]["parameters"]
    assert settings["env_vars"] == "events/local.json"
    assert settings["add_host"] == ["host.docker.internal:host-gateway"]
