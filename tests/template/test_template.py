"""template.yaml promises what no linter asks for."""

import json
import re
from graphlib import TopologicalSorter
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]  # ships no types

from messaging.settings import Settings
from tests.support import transformed_template
from tests.support.transformed_template import ROOT, inside, listed, of_type

FUNCTIONS = {
    "SendMessage": "send_message",
    "DeliverMessage": "deliver_message",
    "SmsWebhook": "sms_webhook",
    "EmailWebhook": "email_webhook",
    "Conversations": "conversations",
    "Authorizer": "authorizer",
    "Admin": "admin",
    "Relay": "relay",
    "Migrate": "migrate",
}
EVERYWHERE = {
    "DATABASE_URL",
    "DATABASE_SECRET_ARN",
    "DATABASE_CA_FILE",
    "ONE_ROUND_TRIP",
    "AWS_ENDPOINT_URL",
    "POWERTOOLS_LOG_LEVEL",
    "POWERTOOLS_METRICS_NAMESPACE",
    "POWERTOOLS_SERVICE_NAME",
}
PROVIDERS = {"PROVIDERS", "PROVIDER_SECRET_ARN"}
INBOUND = {
    "ALLOW_UNSIGNED_WEBHOOKS",
    "DEFAULT_REGION",
    "INBOUND_BUCKET",
    "INBOUND_QUEUE_URL",
    "MEDIA_BUCKET",
    "PUBLIC_URL",
}
VARIABLES = {
    "SendMessage": PROVIDERS
    | {"DEFAULT_REGION", "DELIVERY_POLICY", "OUTBOUND_QUEUE_URL", "SENDER_PROVIDERS"},
    "DeliverMessage": PROVIDERS
    | {"MAX_AGE", "MAX_ATTEMPTS", "OUTBOUND_QUEUE_URL", "PUBLIC_URL", "UNKNOWN_AFTER"},
    "SmsWebhook": PROVIDERS | INBOUND,
    "EmailWebhook": PROVIDERS | INBOUND,
    "Conversations": {"DEFAULT_REGION", "MEDIA_BUCKET", "PROVIDERS"},
    "Relay": {"OUTBOUND_QUEUE_URL", "RAW_RETENTION_DAYS"},
    "Migrate": set[str](),
    "Authorizer": set[str](),
    "Admin": {"DEFAULT_REGION"},
}


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return transformed_template.template()


def test_a_function_has_one_name_in_all_places(template: dict[str, Any]) -> None:
    resources: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())["Resources"]
    folders = {
        name: resource["Properties"]["CodeUri"]
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Serverless::Function"
    }
    assert folders == {name: f"functions/{folder}" for name, folder in FUNCTIONS.items()}
    for name, function in of_type(template, "AWS::Lambda::Function").items():
        log = template["Resources"][function["LoggingConfig"]["LogGroup"]["Ref"]]["Properties"]
        assert log["LogGroupName"]["Fn::Sub"].endswith(f"/{FUNCTIONS[name]}")
        assert function["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"] == FUNCTIONS[name]


def test_every_folder_belongs_to_a_function() -> None:
    assert {path.parent.name for path in ROOT.glob("functions/*/app.py")} == set(FUNCTIONS.values())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_gets_the_variables_that_it_reads_and_no_more(template: dict[str, Any], name: str) -> None:
    variables = of_type(template, "AWS::Lambda::Function")[name]["Environment"]["Variables"]
    assert variables.keys() == EVERYWHERE | VARIABLES[name]


def test_no_resource_waits_for_itself(template: dict[str, Any]) -> None:
    """As the API would, which needs its functions, if one of them needed the API; CloudFormation could begin
    with neither."""
    waits_for = {name: needed(resource) for name, resource in template["Resources"].items()}
    order = list(TopologicalSorter(waits_for).static_order())  # raises CycleError
    assert order.index("SmsWebhook") < order.index("Api") < order.index("DeliverMessage")


def needed(resource: dict[str, Any]) -> set[str]:
    """What has to be there before it: resources, and the parameters that it is given."""
    substituted = {
        name.partition(".")[0]
        for text in inside(resource, "Fn::Sub")
        for name in re.findall(r"\$\{(?!!)([^}]+)\}", json.dumps(text))
    }
    attributes = {name for name, _ in inside(resource, "Fn::GetAtt")}
    return {*inside(resource, "Ref"), *attributes, *substituted, *listed(resource.get("DependsOn", []))}


def test_reports_go_to_the_public_url_or_else_to_the_api(template: dict[str, Any]) -> None:
    """A function that receives has its event's own domain, which may be that of its own URL."""
    functions = of_type(template, "AWS::Lambda::Function")
    told = {name: functions[name]["Environment"]["Variables"].get("PUBLIC_URL") for name in FUNCTIONS}
    assert told["SmsWebhook"] == told["EmailWebhook"] == {"Ref": "PublicUrl"}
    otherwise = {"Fn::GetAtt": ["Api", "ApiEndpoint"]}
    assert told["DeliverMessage"] == {"Fn::If": ["HasPublicUrl", {"Ref": "PublicUrl"}, otherwise]}


def test_every_function_traces_logs_json_and_runs_what_the_layer_was_built_for(
    template: dict[str, Any],
) -> None:
    runtimes = set()
    for function in of_type(template, "AWS::Lambda::Function").values():
        assert function["TracingConfig"] == {"Mode": "Active"}
        assert function["LoggingConfig"]["LogFormat"] == "JSON"
        assert function["Layers"] == [{"Ref": next(iter(of_type(template, "AWS::Lambda::LayerVersion")))}]
        runtimes.add(function["Runtime"])
    makefile = (ROOT / "layers/messaging/Makefile").read_text()
    assert runtimes == set(re.findall(r"python3\.\d+", makefile)) == {"python3.13"}
    assert set(re.findall(r"--python-version (\S+)", makefile)) == {"3.13"}


def test_every_log_is_kept_for_as_long_as_the_parameter_says(template: dict[str, Any]) -> None:
    for log in of_type(template, "AWS::Logs::LogGroup").values():
        assert log["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_only_the_webhooks_have_a_url_of_their_own(template: dict[str, Any]) -> None:
    urls = of_type(template, "AWS::Lambda::Url")
    assert {url["TargetFunctionArn"]["Ref"] for url in urls.values()} == {"SmsWebhook", "EmailWebhook"}
    opened = [
        (permission["FunctionName"]["Ref"], permission["Action"])
        for permission in of_type(template, "AWS::Lambda::Permission").values()
        if permission["Principal"] == "*"
    ]
    assert sorted(opened) == [
        (name, action)
        for name in ("EmailWebhook", "SmsWebhook")
        for action in ("lambda:InvokeFunction", "lambda:InvokeFunctionUrl")
    ]


def test_secrets_are_neither_shown_nor_defaulted(template: dict[str, Any]) -> None:
    parameters = template["Parameters"]
    assert parameters["DatabaseUrl"]["NoEcho"] is True
    assert {
        parameters[name]["Default"] for name in ("DatabaseUrl", "DatabaseSecretArn", "ProviderSecretArn")
    } == {""}
    assert parameters["AllowUnsignedWebhooks"]["Default"] == "false"


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("AWS::SQS::Queue", "QueueName"),
        ("AWS::Logs::LogGroup", "LogGroupName"),
        ("AWS::Lambda::Function", "FunctionName"),
        ("AWS::Scheduler::Schedule", "Name"),
    ],
)
def test_several_stacks_fit_into_one_account(template: dict[str, Any], kind: str, key: str) -> None:
    for properties in of_type(template, kind).values():
        assert key not in properties or "${AWS::StackName}" in json.dumps(properties[key])


def test_the_access_log_tells_no_path_which_may_hold_an_address(template: dict[str, Any]) -> None:
    [stage] = of_type(template, "AWS::ApiGatewayV2::Stage").values()
    written = stage["AccessLogSettings"]["Format"]
    assert set(re.findall(r"\$context\.([A-Za-z.]+)", written)) == {
        *("requestId", "requestTime", "identity.sourceIp", "routeKey", "status", "responseLength"),
        *("responseLatency", "error.message", "integrationErrorMessage"),
    }


def test_numbers_have_the_same_bounds_and_defaults_in_the_template_and_in_the_settings() -> None:
    fields = Settings.model_json_schema()["properties"]
    compared = []
    for name, parameter in parameters().items():
        field = fields.get(snake_case(name))
        if parameter["Type"] == "Number" and field:
            compared.append(name)
            assert (parameter["MinValue"], parameter["Default"]) == (field["minimum"], field["default"]), name
    assert sorted(compared) == ["MaxAge", "MaxAttempts", "RawRetentionDays", "UnknownAfter"]


def parameters() -> dict[str, Any]:
    declared: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())["Parameters"]
    return declared


def snake_case(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()
