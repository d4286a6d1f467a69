"""What template.yaml must have and no linter checks."""

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
    "UnreadWebhooks": "unread_webhooks",
    "Relay": "relay",
    "Migrate": "migrate",
}
COMMON_VARIABLES = {
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
    "UnreadWebhooks": PROVIDERS | {"DEFAULT_REGION", "INBOUND_BUCKET", "MEDIA_BUCKET"},
}


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return transformed_template.template()


def test_a_function_has_the_same_name_everywhere(template: dict[str, Any]) -> None:
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


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_exactly_the_variables_that_it_reads(template: dict[str, Any], name: str) -> None:
    variables = of_type(template, "AWS::Lambda::Function")[name]["Environment"]["Variables"]
    assert variables.keys() == COMMON_VARIABLES | VARIABLES[name]


def test_resources_have_no_circular_dependency(template: dict[str, Any]) -> None:
    """The API needs its functions, so CloudFormation could create neither if one of them needed the API."""
    graph = {name: dependencies(resource) for name, resource in template["Resources"].items()}
    order = list(TopologicalSorter(graph).static_order())  # raises CycleError
    assert order.index("SmsWebhook") < order.index("Api") < order.index("DeliverMessage")


def dependencies(resource: dict[str, Any]) -> set[str]:
    """The resources and parameters that must exist before this resource."""
    substituted = {
        name.partition(".")[0]
        for text in inside(resource, "Fn::Sub")
        for name in re.findall(r"\$\{(?!!)([^}]+)\}", json.dumps(text))
    }
    attributes = {name for name, _ in inside(resource, "Fn::GetAtt")}
    return {*inside(resource, "Ref"), *attributes, *substituted, *listed(resource.get("DependsOn", []))}


def test_providers_report_to_the_public_url_or_to_the_api(template: dict[str, Any]) -> None:
    """A webhook function uses the domain of its event, which may be its function URL."""
    functions = of_type(template, "AWS::Lambda::Function")
    urls = {name: functions[name]["Environment"]["Variables"].get("PUBLIC_URL") for name in FUNCTIONS}
    assert urls["SmsWebhook"] == urls["EmailWebhook"] == {"Ref": "PublicUrl"}
    api_url = {"Fn::GetAtt": ["Api", "ApiEndpoint"]}
    assert urls["DeliverMessage"] == {"Fn::If": ["HasPublicUrl", {"Ref": "PublicUrl"}, api_url]}


def test_every_function_traces_logs_json_and_has_the_layer_s_runtime(
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


def test_every_log_group_has_the_retention_of_the_parameter(template: dict[str, Any]) -> None:
    for log in of_type(template, "AWS::Logs::LogGroup").values():
        assert log["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_only_webhook_functions_have_a_url(template: dict[str, Any]) -> None:
    urls = of_type(template, "AWS::Lambda::Url")
    assert {url["TargetFunctionArn"]["Ref"] for url in urls.values()} == {"SmsWebhook", "EmailWebhook"}
    open_permissions = [
        (permission["FunctionName"]["Ref"], permission["Action"])
        for permission in of_type(template, "AWS::Lambda::Permission").values()
        if permission["Principal"] == "*"
    ]
    assert sorted(open_permissions) == [
        (name, action)
        for name in ("EmailWebhook", "SmsWebhook")
        for action in ("lambda:InvokeFunction", "lambda:InvokeFunctionUrl")
    ]


def test_secrets_are_hidden_and_have_no_default(template: dict[str, Any]) -> None:
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
def test_names_contain_the_stack_s_name_so_that_an_account_can_have_several_stacks(
    template: dict[str, Any], kind: str, key: str
) -> None:
    for properties in of_type(template, kind).values():
        assert key not in properties or "${AWS::StackName}" in json.dumps(properties[key])


def test_the_access_log_has_no_path_because_it_may_contain_an_address(template: dict[str, Any]) -> None:
    [stage] = of_type(template, "AWS::ApiGatewayV2::Stage").values()
    log_format = stage["AccessLogSettings"]["Format"]
    assert set(re.findall(r"\$context\.([A-Za-z.]+)", log_format)) == {
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
