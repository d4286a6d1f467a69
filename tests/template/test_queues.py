"""The queues and buckets of template.yaml lose nothing: retention, retries, dead letters and alarms."""

from typing import Any

import pytest

from tests.support import transformed_template
from tests.support.transformed_template import inside, of_type

TWO_WEEKS = 14 * 24 * 3600


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return transformed_template.template()


def sources(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The event source mapping of each queue that a function consumes."""
    mappings = of_type(template, "AWS::Lambda::EventSourceMapping").values()
    return {mapping["EventSourceArn"]["Fn::GetAtt"][0]: mapping for mapping in mappings}


def test_a_visibility_timeout_is_at_least_six_times_the_function_s_timeout(template: dict[str, Any]) -> None:
    for name, source in sources(template).items():
        queue = template["Resources"][name]["Properties"]
        function = template["Resources"][source["FunctionName"]["Ref"]]["Properties"]
        assert queue["VisibilityTimeout"] >= 6 * function["Timeout"]


def test_a_failed_record_does_not_fail_its_batch(template: dict[str, Any]) -> None:
    for source in sources(template).values():
        assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert source["BatchSize"] == 10
    concurrency = {
        name: source["ScalingConfig"]["MaximumConcurrency"] for name, source in sources(template).items()
    }
    deliveries = {"Ref": "MaxConcurrentDeliveries"}
    assert concurrency == {"OutboundQueue": deliveries, "SmsInboundQueue": 2, "EmailInboundQueue": 2}


@pytest.mark.parametrize(
    ("name", "receives"), [("Outbound", 5), ("SmsInbound", 1000), ("EmailInbound", 1000)]
)
def test_a_dead_letter_is_stored_for_two_weeks_and_raises_an_alarm(
    template: dict[str, Any], name: str, receives: int
) -> None:
    queues = of_type(template, "AWS::SQS::Queue")
    queue, dead = queues[f"{name}Queue"], queues[f"{name}DeadLetters"]
    assert queue["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": [f"{name}DeadLetters", "Arn"]},
        "maxReceiveCount": receives,
    }
    (source,) = dead["RedriveAllowPolicy"]["sourceQueueArns"]
    assert source["Fn::Sub"].endswith(":" + queue["QueueName"]["Fn::Sub"])
    assert dead["MessageRetentionPeriod"] == TWO_WEEKS
    assert alarms(template, f"{name}DeadLetters") == {"ApproximateNumberOfMessagesVisible": 1}


@pytest.mark.parametrize("channel", ["Sms", "Email"])
def test_a_spooled_webhook_is_stored_for_two_weeks_and_raises_alarms(
    template: dict[str, Any], channel: str
) -> None:
    queue = of_type(template, "AWS::SQS::Queue")[f"{channel}InboundQueue"]
    assert queue["MessageRetentionPeriod"] == TWO_WEEKS
    ages = {"ApproximateAgeOfOldestMessage": 900, "ApproximateNumberOfMessagesNotVisible": 1}
    assert alarms(template, f"{channel}InboundQueue") == ages
    unreadable = template["Resources"][f"{channel}UnreadableAlarm"]["Properties"]
    service = {"Name": "service", "Value": f"{channel.lower()}_webhook"}
    assert (unreadable["MetricName"], unreadable["Dimensions"]) == ("WebhooksUnreadable", [service])


def alarms(template: dict[str, Any], queue: str) -> dict[str, int]:
    """The metrics of a queue that have an alarm, each with its threshold."""
    dimension = {"Name": "QueueName", "Value": {"Fn::GetAtt": [queue, "QueueName"]}}
    queue_alarms = [
        alarm
        for alarm in of_type(template, "AWS::CloudWatch::Alarm").values()
        if alarm["Dimensions"] == [dimension]
    ]
    assert {alarm["ComparisonOperator"] for alarm in queue_alarms} == {"GreaterThanOrEqualToThreshold"}
    return {alarm["MetricName"]: alarm["Threshold"] for alarm in queue_alarms}


def test_a_spooled_object_is_private_encrypted_and_outlives_its_pointer(template: dict[str, Any]) -> None:
    bucket = of_type(template, "AWS::S3::Bucket")["InboundRequests"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert list(inside(bucket["BucketEncryption"], "SSEAlgorithm")) == ["AES256"]
    (rule,) = bucket["LifecycleConfiguration"]["Rules"]
    assert rule["Status"] == "Enabled"
    assert rule["ExpirationInDays"] * 24 * 3600 > 2 * TWO_WEEKS


def test_stored_files_are_private_encrypted_and_outlive_the_stack(template: dict[str, Any]) -> None:
    bucket = template["Resources"]["Media"]
    properties = bucket["Properties"]
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert list(inside(properties["BucketEncryption"], "SSEAlgorithm")) == ["AES256"]
    assert "LifecycleConfiguration" not in properties
    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_queues_are_encrypted(template: dict[str, Any]) -> None:
    for queue in of_type(template, "AWS::SQS::Queue").values():
        assert queue["SqsManagedSseEnabled"] is True
