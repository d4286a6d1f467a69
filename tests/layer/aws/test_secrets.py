"""Secrets are cached for MAX_AGE, and Unavailable is raised if one cannot be read."""

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
    """Advances the clock of the cache."""
    passed = 0.0

    def pass_(seconds: float) -> None:
        nonlocal passed
        passed += seconds

    monkeypatch.setattr(secrets, "monotonic", lambda: time.monotonic() + passed)
    return pass_


def put(arn: str, text: str) -> None:
    boto3.client("secretsmanager").put_secret_value(SecretId=arn, SecretString=text)


def test_a_secret_is_cached_until_its_maximum_age(aws: Aws, wait: Callable[[float], None]) -> None:
    arn = aws.create_secret(FIELDS)
    assert get_secret(arn) == FIELDS
    put(arn, '{"rotated": true}')
    wait(MAX_AGE - 10)
    assert get_secret(arn) == FIELDS
    wait(11)
    assert get_secret(arn) == {"rotated": True}


def test_a_failed_read_is_not_cached(aws: Aws) -> None:
    arn = aws.create_secret("not an object")
    put(arn, "open-sesame")
    with pytest.raises(Unavailable):
        get_secret(arn)
    put(arn, json.dumps(FIELDS))
    assert get_secret(arn) == FIELDS


def test_a_service_can_have_its_own_endpoint(aws: Aws, configure: Configure) -> None:
    arn = aws.create_secret(FIELDS)
    with socket.create_server(("127.0.0.1", 0)) as server:
        unused_address = f"http://127.0.0.1:{server.getsockname()[1]}"
    configure(
        AWS_ENDPOINT_URL=unused_address,
        AWS_ENDPOINT_URL_SECRETS_MANAGER="https://secretsmanager.us-east-1.amazonaws.com/",
    )
    assert get_secret(arn) == FIELDS


def test_each_arn_has_its_own_cache_entry(aws: Aws) -> None:
    first, second = aws.create_secret({"a": 1}), aws.create_secret({"b": 2})
    assert (get_secret(first), get_secret(second), get_secret(first)) == ({"a": 1}, {"b": 2}, {"a": 1})


@pytest.mark.usefixtures("aws")
def test_a_missing_secret_is_unavailable_and_the_log_names_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(Unavailable, match="could not be read") as raised:
        get_secret(MISSING)
    assert MISSING not in str(raised.value.document())
    [line] = caplog.records
    assert (line.__dict__["secret_arn"], line.__dict__["cause"]) == (MISSING, "ResourceNotFoundException")


def test_the_log_names_once_each_instance_that_the_secret_lacks(
    aws: Aws, configure: Configure, caplog: pytest.LogCaptureFixture
) -> None:
    arn = aws.create_secret({"sms": FIELDS["sms"], "mail": "open-sesame"})
    configure(PROVIDERS="sms,email,mail=email", PROVIDER_SECRET_ARN=arn)
    for name in ("sms", "email", "mail", "email"):
        providers.get_provider(name)
    logged = [(line.__dict__["provider"], line.__dict__["secret_arn"]) for line in caplog.records]
    assert logged == [("email", arn), ("mail", arn)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    ["open-sesame", "{'a': 'open-sesame'}", '{"a": "open-sesame"', '["open-sesame"]', '"open-sesame"', "5"],
)
def test_a_secret_that_is_not_a_json_object_is_unavailable_and_not_shown(
    text: str, aws: Aws, caplog: pytest.LogCaptureFixture
) -> None:
    arn = aws.create_secret({})
    put(arn, text)
    with pytest.raises(Unavailable) as raised:
        get_secret(arn)
    problem = raised.value
    assert "open-sesame" not in f"{problem} {problem.document()} {problem.__cause__} {caplog.text}"
    assert arn in [line.__dict__["secret_arn"] for line in caplog.records]
    assert problem.headers == {"Retry-After": "5"}


def test_an_unreachable_secrets_manager_is_unavailable(aws_at: Callable[[str], None]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
    aws_at(address)
    with pytest.raises(Unavailable, match="could not be read"):
        get_secret(MISSING)


@pytest.mark.slow
def test_a_secrets_manager_that_never_responds_times_out(aws_at: Callable[[str], None]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        aws_at(f"http://127.0.0.1:{server.getsockname()[1]}")
        began = time.monotonic()
        with pytest.raises(Unavailable, match="could not be read"):
            get_secret(MISSING)
        assert time.monotonic() - began < 10  # a third of every function's timeout
