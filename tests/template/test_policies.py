"""The permissions of the deployment, after SAM's transform: each function has those that it uses."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import transformed_template
from tests.support.transformed_template import inside, listed, of_type

OUTBOUND = {("sqs:SendMessage", "OutboundQueue.Arn")}
MEDIA = "${Media.Arn}/*"


def webhook_grants(queue: str) -> set[tuple[str, str]]:
    """What a webhook function needs to spool requests and to store files."""
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
    "SmsWebhookRole": webhook_grants("SmsInboundQueue"),
    "EmailWebhookRole": webhook_grants("EmailInboundQueue"),
    "ConversationsRole": {("s3:GetObject", MEDIA)},
    "UnreadWebhooksRole": {
        ("s3:PutObject", "${InboundRequests.Arn}/unread/*"),
        ("s3:GetObject", "${InboundRequests.Arn}/unread/*"),
        ("s3:PutObject", MEDIA),
    },
    "ReadDatabaseSecret": {("secretsmanager:GetSecretValue", "DatabaseSecretArn")},
    "ReadProviderSecret": {("secretsmanager:GetSecretValue", "ProviderSecretArn")},
    "SendThroughAmazon": {
        (action, "AmazonSendingArns")
        for action in ("ses:SendEmail", "ses:SendRawEmail", "sms-voice:SendTextMessage")
    },
    "ReadAmazonMail": {("s3:GetObject", "arn:${AWS::Partition}:s3:::${AmazonMailBucket}/*")},
}
"""For each role or policy its actions and their resources. What is not listed here is granted nothing."""
SHARED = {
    "Database": {"SendMessage", "DeliverMessage", "Relay", "SmsWebhook", "EmailWebhook", "Conversations"}
    | {"Migrate", "Authorizer", "Admin", "UnreadWebhooks"},
    "Provider": {"SendMessage", "DeliverMessage", "SmsWebhook", "EmailWebhook", "UnreadWebhooks"},
    "SendThroughAmazon": {"DeliverMessage"},
    "ReadAmazonMail": {"EmailWebhook", "UnreadWebhooks"},
}
"""The functions that have each shared policy, if the deployment is configured for it."""
CONDITIONS = {
    "Database": ("HasDatabaseSecret", "ReadDatabaseSecret"),
    "Provider": ("HasProviderSecret", "ReadProviderSecret"),
    "SendThroughAmazon": ("SendsThroughAmazon", "SendThroughAmazon"),
    "ReadAmazonMail": ("HasAmazonMailBucket", "ReadAmazonMail"),
}
PLATFORM = {
    "AWSLambdaBasicExecutionRole",  # logs
    "AWSXrayWriteOnlyAccess",  # traces; AWS has only * as their resource
    "AWSLambdaVPCAccessExecutionRole",  # network interfaces; the same
    "AWSLambdaSQSQueueExecutionRole",  # to receive
}
"""Managed policies of AWS, which SAM attaches to a function."""


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return transformed_template.template()


def statements(template: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement of every policy, with the name of its resource."""
    for name, resource in template["Resources"].items():
        for policy in inside(resource["Properties"], "PolicyDocument"):
            yield from ((name, statement) for statement in listed(policy["Statement"]))


def resource_name(resource: Any) -> str:
    """The name that a Ref, a GetAtt or a Sub refers to."""
    match resource:
        case {"Fn::GetAtt": [name, attribute]}:
            return f"{name}.{attribute}"
        case {"Fn::Sub": str(text)} | {"Ref": str(text)}:
            return text
    pytest.fail(f"a policy names {json.dumps(resource)}")


def test_every_role_and_policy_has_exactly_the_grants_listed_here(template: dict[str, Any]) -> None:
    granted: dict[str, set[tuple[str, str]]] = {}
    for name, statement in statements(template):
        assert statement["Effect"] == "Allow"
        assert statement.keys() <= {"Effect", "Action", "Resource"}  # NotAction would grant everything else
        pairs = {
            (action, resource_name(resource))
            for action in listed(statement["Action"])
            for resource in listed(statement["Resource"])
        }
        granted.setdefault(name, set()).update(pairs)
    assert granted == GRANTED


def test_only_bucket_objects_are_granted_by_pattern(template: dict[str, Any]) -> None:
    for _, statement in statements(template):
        assert not [action for action in listed(statement["Action"]) if set(action) & set("*?")]
        for resource in listed(statement["Resource"]):
            assert set(resource_name(resource).removesuffix("/*")).isdisjoint("*?")


def test_a_function_has_the_shared_policies_that_it_needs(template: dict[str, Any]) -> None:
    roles = of_type(template, "AWS::IAM::Role")
    for name in of_type(template, "AWS::Lambda::Function"):
        shared_policies = [
            policy for policy in roles[f"{name}Role"]["ManagedPolicyArns"] if isinstance(policy, dict)
        ]
        assert shared_policies == [
            {"Fn::If": [condition, {"Ref": policy}, {"Ref": "AWS::NoValue"}]}
            for shared, (condition, policy) in CONDITIONS.items()
            if name in SHARED[shared]
        ]


def test_a_function_has_the_managed_policies_that_its_triggers_need(template: dict[str, Any]) -> None:
    queue_consumers = {
        source["FunctionName"]["Ref"]
        for source in of_type(template, "AWS::Lambda::EventSourceMapping").values()
    }
    roles = of_type(template, "AWS::IAM::Role")
    for name in of_type(template, "AWS::Lambda::Function"):
        attached = [arn for arn in roles[f"{name}Role"]["ManagedPolicyArns"] if isinstance(arn, str)]
        policies = {arn.rsplit("/", 1)[-1] for arn in attached}
        assert policies <= PLATFORM
        assert ("AWSLambdaSQSQueueExecutionRole" in policies) == (name in queue_consumers)


def test_a_role_is_assumed_by_the_service_that_needs_it(template: dict[str, Any]) -> None:
    schedules = of_type(template, "AWS::Scheduler::Schedule").values()
    schedule_roles = {resource_name(schedule["Target"]["RoleArn"]) for schedule in schedules}
    for name, role in of_type(template, "AWS::IAM::Role").items():
        [trusted] = role["AssumeRolePolicyDocument"]["Statement"]
        service = "scheduler" if f"{name}.Arn" in schedule_roles else "lambda"
        assert trusted["Principal"] == {"Service": [f"{service}.amazonaws.com"]}
        assert listed(trusted["Action"]) == ["sts:AssumeRole"]


def test_only_this_api_may_call_its_functions(template: dict[str, Any]) -> None:
    api = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${__ApiId__}/"
    callable_functions = set()
    for permission in of_type(template, "AWS::Lambda::Permission").values():
        if permission["Principal"] == "apigateway.amazonaws.com":
            arn, variables = permission["SourceArn"]["Fn::Sub"]
            assert {"Ref": "Api"} in variables.values()
            assert arn.startswith(api)
            callable_functions.add(json.dumps(permission["FunctionName"]))
    assert callable_functions
