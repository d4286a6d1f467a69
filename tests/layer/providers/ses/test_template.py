"""The permissions at AWS that the template grants if its parameters are set."""

from typing import Any

import pytest

from tests.support import transformed_template


@pytest.mark.parametrize(
    ("name", "condition", "actions", "resource"),
    [
        (
            *("SendThroughAmazon", "SendsThroughAmazon"),
            ["ses:SendEmail", "ses:SendRawEmail", "sms-voice:SendTextMessage"],
            {"Ref": "AmazonSendingArns"},
        ),
        (
            *("ReadAmazonMail", "HasAmazonMailBucket", "s3:GetObject"),
            {"Fn::Sub": "arn:${AWS::Partition}:s3:::${AmazonMailBucket}/*"},
        ),
    ],
)
def test_the_policy_grants_only_sending_and_reading(
    name: str, condition: str, actions: Any, resource: object
) -> None:
    policy = transformed_template.template()["Resources"][name]
    assert policy["Condition"] == condition
    [statement] = policy["Properties"]["PolicyDocument"]["Statement"]
    assert statement == {"Effect": "Allow", "Action": actions, "Resource": resource}


@pytest.mark.slow
def test_without_the_parameters_the_policy_grants_nothing() -> None:
    parameters = transformed_template.template()["Parameters"]
    assert {parameters[name]["Default"] for name in ("AmazonSendingArns", "AmazonMailBucket")} == {""}
