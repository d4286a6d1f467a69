"""Secrets: read once in a while, and Unavailable where Secrets Manager does not give them."""

import json
import socket
import time
from collections.abc import Callable

import boto3
import pytest

from messaging import providers
from messaging.aws import secrets
from messaging.aws.secrets import MAX_AGE, get_secret
from messaging.problems import Unavailable
from tests.support.aws import Aws
from tests.support.configuration import Configure

FIELDS = {"sms": {"url": "https://example.com/sms", "signing_secret": "whsec_b3Blbi1zZXNhbWU="}}
MISSING = "arn:aws:secretsmanager:us-east-1:123456789012:secret:nowhere-AbCdEf"


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets time pass for what is kept."""
    passed = 0.0

    def pass_(seconds: float) -> None:
        nonlocal passed
        passed += seconds

    monkeypatch.setattr(secrets, "monotonic", lambda: time.monotonic() + passed)
    return pass_


def put(arn: str, text: str) -> None:
    boto3.client("secretsmanager").put_secret_value(SecretId=arn, SecretString=text)


def test_a_secret_is_read_and_kept_until_its_age(aws: Aws, wait: Callable[[float], None]) -> None:
    arn = aws.keep(FIELDS)
    assert get_secret(arn) == FIELDS
    put(arn, '{"rotated": true}')
    wait(MAX_AGE - 10)
    assert get_secret(arn) == FIELDS
    wait(11)
    assert get_secret(arn) == {"rotated": True}


def test_a_secret_that_could_not_be_read_is_asked_for_again(aws: Aws) -> None:
    arn = aws.keep("not an object")
    put(arn, "open-sesame")
    with pytest.raises(Unavailable):
        get_secret(arn)
    put(arn, json.dumps(FIELDS))
    assert get_secret(arn) == FIELDS


def test_a_service_may_have_an_address_of_its_own(aws: Aws, configure: Configure) -> None:
    arn = aws.keep(FIELDS)
    with socket.create_server(("127.0.0.1", 0)) as server:
        nobody = f"http://127.0.0.1:{server.getsockname()[1]}"
    configure(
        AWS_ENDPOINT_URL=nobody,
        AWS_ENDPOINT_URL_SECRETS_MANAGER="https://secretsmanager.us-east-1.amazonaws.com/",
    )
    assert get_secret(arn) == FIELDS


def test_secrets_are_told_apart(aws: Aws) -> None:
    one, other = aws.keep({"a": 1}), aws.keep({"b": 2})
    assert (get_secret(one), get_secret(other), get_secret(one)) == ({"a": 1}, {"b": 2}, {"a": 1})


@pytest.mark.usefixtures("aws")
def test_a_secret_that_is_not_there_is_unavailable_and_named_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(Unavailable, match="could not be read") as refused:
        get_secret(MISSING)
    assert MISSING not in str(refused.value.document())
    [line] = caplog.records
    assert (line.__dict__["secret_arn"], line.__dict__["cause"]) == (MISSING, "ResourceNotFoundException")


def test_an_instance_that_the_secret_does_not_name_is_named_once_in_the_log(
    aws: Aws, configure: Configure, caplog: pytest.LogCaptureFixture
) -> None:
    arn = aws.keep({"sms": FIELDS["sms"], "mail": "open-sesame"})
    configure(PROVIDERS="sms,email,mail=email", PROVIDER_SECRET_ARN=arn)
    for name in ("sms", "email", "mail", "email"):
        providers.named(name)
    told = [(line.__dict__["provider"], line.__dict__["secret_arn"]) for line in caplog.records]
    assert told == [("email", arn), ("mail", arn)]


@pytest.mark.parametrize(
    "text",
    ["open-sesame", "{'a': 'open-sesame'}", '{"a": "open-sesame"', '["open-sesame"]', '"open-sesame"', "5"],
)
def test_what_is_no_json_object_is_unavailable_and_not_shown(
    text: str, aws: Aws, caplog: pytest.LogCaptureFixture
) -> None:
    arn = aws.keep({})
    put(arn, text)
    with pytest.raises(Unavailable) as refused:
        get_secret(arn)
    problem = refused.value
    assert "open-sesame" not in f"{problem} {problem.document()} {problem.__cause__} {caplog.text}"
    assert arn in [line.__dict__["secret_arn"] for line in caplog.records]
    assert problem.headers == {"Retry-After": "5"}


def test_secrets_manager_out_of_reach_is_unavailable(aws_at: Callable[[str], None]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
    aws_at(address)
    with pytest.raises(Unavailable, match="could not be read"):
        get_secret(MISSING)


def test_a_secrets_manager_that_never_answers_is_given_up_in_time(aws_at: Callable[[str], None]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        aws_at(f"http://127.0.0.1:{server.getsockname()[1]}")
        began = time.monotonic()
        with pytest.raises(Unavailable, match="could not be read"):
            get_secret(MISSING)
        assert time.monotonic() - began < 10  # a third of what every function has
