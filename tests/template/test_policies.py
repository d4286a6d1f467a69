"""What the deployment grants, after SAM's transform: to each function what it uses, by name."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import transformed_template
from tests.support.transformed_template import inside, listed, of_type

OUTBOUND = {("sqs:SendMessage", "OutboundQueue.Arn")}
MEDIA = "${Media.Arn}/*"


def held(queue: str) -> set[tuple[str, str]]:
    """What a function needs that holds requests while the database is away."""
    requests = "${InboundRequests.Arn}/*"
    return {
        *((f"sqs:{action}", f"{queue}.Arn") for action in ("SendMessage", "ChangeMessageVisibility")),
        *((f"s3:{action}", requests) for action in ("PutObject", "GetObject", "DeleteObject")),
        ("s3:PutObject", MEDIA),
    }


GRANTED = {
    "SendMessageRole": OUTBOUND,
    "DeliverMessageRole": OUTBOUND,
    "RelayRole": OUTBOUND,
    "RelayEveryMinuteRole": {("lambda:InvokeFunction", "Relay.Arn")},  # the schedule's
    "SmsWebhookRole": held("SmsInboundQueue"),
    "EmailWebhookRole": held("EmailInboundQueue"),
    "ConversationsRole": {("s3:GetObject", MEDIA)},
    "ReadDatabaseSecret": {("secretsmanager:GetSecretValue", "DatabaseSecretArn")},
    "ReadProviderSecret": {("secretsmanager:GetSecretValue", "ProviderSecretArn")},
    "SendThroughAmazon": {
        (action, "AmazonSendingArns")
        for action in ("ses:SendEmail", "ses:SendRawEmail", "sms-voice:SendTextMessage")
    },
    "ReadAmazonMail": {("s3:GetObject", "arn:${AWS::Partition}:s3:::${AmazonMailBucket}/*")},
}
"""By who is granted it, an action and what it may be done to; whoever is not here gets nothing of ours."""
SHARED = {
    "Database": {"SendMessage", "DeliverMessage", "Relay", "SmsWebhook", "EmailWebhook", "Conversations"}
    | {"Migrate", "Authorizer", "Admin"},
    "Provider": {"SendMessage", "DeliverMessage", "SmsWebhook", "EmailWebhook"},
    "SendThroughAmazon": {"DeliverMessage"},
    "ReadAmazonMail": {"EmailWebhook"},
}
"""Who gets which policy that stands on its own, where the deployment is configured for it."""
CONDITIONS = {
    "Database": ("HasDatabaseSecret", "ReadDatabaseSecret"),
    "Provider": ("HasProviderSecret", "ReadProviderSecret"),
    "SendThroughAmazon": ("SendsThroughAmazon", "SendThroughAmazon"),
    "ReadAmazonMail": ("HasAmazonMailBucket", "ReadAmazonMail"),
}
PLATFORM = {
    "AWSLambdaBasicExecutionRole",  # logs
    "AWSXrayWriteOnlyAccess",  # traces, for which there is no resource but *
    "AWSLambdaVPCAccessExecutionRole",  # network interfaces, for which there is none either
    "AWSLambdaSQSQueueExecutionRole",  # to receive
}
"""AWS's own, which SAM attaches to a function."""


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return transformed_template.template()


def statements(template: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement of every policy, with the resource in which it stands."""
    for name, resource in template["Resources"].items():
        for policy in inside(resource["Properties"], "PolicyDocument"):
            yield from ((name, statement) for statement in listed(policy["Statement"]))


def named(resource: Any) -> str:
    """What a Ref, a GetAtt or a Sub leads to."""
    match resource:
        case {"Fn::GetAtt": [name, attribute]}:
            return f"{name}.{attribute}"
        case {"Fn::Sub": str(text)} | {"Ref": str(text)}:
            return text
    pytest.fail(f"a policy names {json.dumps(resource)}")


def test_each_is_granted_what_it_uses_and_no_more(template: dict[str, Any]) -> None:
    granted: dict[str, set[tuple[str, str]]] = {}
    for name, statement in statements(template):
        assert statement["Effect"] == "Allow"
        assert statement.keys() <= {"Effect", "Action", "Resource"}  # NotAction would be all but some
        pairs = {
            (action, named(resource))
            for action in listed(statement["Action"])
            for resource in listed(statement["Resource"])
        }
        granted.setdefault(name, set()).update(pairs)
    assert granted == GRANTED


def test_no_action_is_a_pattern_and_no_resource_but_of_a_bucket_s_objects(template: dict[str, Any]) -> None:
    for _, statement in statements(template):
        assert not [action for action in listed(statement["Action"]) if set(action) & set("*?")]
        for resource in listed(statement["Resource"]):
            assert set(named(resource).removesuffix("/*")).isdisjoint("*?")


def test_a_function_gets_the_policies_that_are_for_it(template: dict[str, Any]) -> None:
    roles = of_type(template, "AWS::IAM::Role")
    for name in of_type(template, "AWS::Lambda::Function"):
        ours = [policy for policy in roles[f"{name}Role"]["ManagedPolicyArns"] if isinstance(policy, dict)]
        assert ours == [
            {"Fn::If": [condition, {"Ref": policy}, {"Ref": "AWS::NoValue"}]}
            for shared, (condition, policy) in CONDITIONS.items()
            if name in SHARED[shared]
        ]


def test_of_aws_s_own_policies_a_function_gets_what_its_triggers_need(template: dict[str, Any]) -> None:
    fed = {
        source["FunctionName"]["Ref"]
        for source in of_type(template, "AWS::Lambda::EventSourceMapping").values()
    }
    roles = of_type(template, "AWS::IAM::Role")
    for name in of_type(template, "AWS::Lambda::Function"):
        attached = [arn for arn in roles[f"{name}Role"]["ManagedPolicyArns"] if isinstance(arn, str)]
        policies = {arn.rsplit("/", 1)[-1] for arn in attached}
        assert policies <= PLATFORM
        assert ("AWSLambdaSQSQueueExecutionRole" in policies) == (name in fed)


def test_a_role_is_taken_on_by_the_service_that_needs_it(template: dict[str, Any]) -> None:
    for name, role in of_type(template, "AWS::IAM::Role").items():
        [trusted] = role["AssumeRolePolicyDocument"]["Statement"]
        service = "scheduler" if name == "RelayEveryMinuteRole" else "lambda"
        assert trusted["Principal"] == {"Service": [f"{service}.amazonaws.com"]}
        assert listed(trusted["Action"]) == ["sts:AssumeRole"]


def test_the_api_calls_functions_as_itself_alone(template: dict[str, Any]) -> None:
    api = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${__ApiId__}/"
    called = set()
    for permission in of_type(template, "AWS::Lambda::Permission").values():
        if permission["Principal"] == "apigateway.amazonaws.com":
            arn, given = permission["SourceArn"]["Fn::Sub"]
            assert {"Ref": "Api"} in given.values()
            assert arn.startswith(api)
            called.add(json.dumps(permission["FunctionName"]))
    assert called
