"""Functions can be invoked through Lambda's Invoke API, with an AWS client."""

import json

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local import Stack
from local.http.client import SIGNED
from local.services.aws import CREDENTIALS
from tests.local.test_gateway import ask


def invoke(stack: Stack, function: str, payload: bytes) -> tuple[object, str | None]:
    """Return the result and the type of error."""
    client = boto3.client(
        "lambda",
        endpoint_url=stack.lambda_url,
        region_name="us-east-1",
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        config=Config(proxies={}, retries={"total_max_attempts": 1}),
    )
    response = client.invoke(FunctionName=function, Payload=payload)
    return json.load(response["Payload"]), response.get("FunctionError")


def test_the_result_of_the_function_is_returned(stack: Stack) -> None:
    result, error = invoke(stack, "Echo", b'{"do": "environment"}')
    assert error is None
    assert isinstance(result, dict)
    assert result["variables"]["AWS_LAMBDA_FUNCTION_NAME"] == "Echo"


def test_an_error_of_the_function_is_returned(stack: Stack) -> None:
    result, error = invoke(stack, "Echo", b'{"do": "raise"}')
    assert (result, error) == ({"errorType": "ValueError", "errorMessage": "as asked"}, "Unhandled")


@pytest.mark.parametrize(("function", "payload"), [("Nobody", b"{}"), ("Echo", b"{")])
def test_an_unknown_function_or_a_malformed_event_is_rejected(
    stack: Stack, function: str, payload: bytes
) -> None:
    with pytest.raises(ClientError):
        invoke(stack, function, payload)


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer mk_1_x"}, {"Origin": "https://example.com"}]
)
def test_unsigned_requests_and_the_api_s_port_cannot_invoke(stack: Stack, headers: dict[str, str]) -> None:
    path = "/2015-03-31/functions/Echo/invocations"
    assert ask(f"{stack.lambda_url}{path}", "POST", b"{}", headers).status == 403
    signed = headers | {"Authorization": f"{SIGNED}Credential=local"}
    assert ask(f"{stack.url}{path}", "POST", b"{}", signed).json == {"message": "Not Found"}
