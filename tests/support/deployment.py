"""Deploys the built template with `sam deploy` to ministack, beside Postgres and a provider simulator.

ministack runs functions with its own Python, so it gets a virtual environment of the functions' version.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from local.services import ports
from local.services.aws import CREDENTIALS, LocalAws
from local.services.postgres import Postgres
from local.simulators.provider import ProviderSimulator
from local.template.template import REGION
from tests.support import sam
from tests.support.configuration import SIGNING_SECRET

STACK = "messaging"
LOOPBACK = "127.0.0.1"


def ministack_python(python: Path, cache: pytest.Cache) -> str:
    """Return a Python that has ministack and the packages of Lambda. It is cached by their versions."""
    requirements = [f"{name}=={version(name)}" for name in ("ministack", "aws-sam-translator", "boto3")]
    folder = cache.mkdir("ministack")
    installed = folder / "packages"
    executable = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not installed.exists() or installed.read_text().split() != requirements:
        subprocess.run([python, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([executable, "-m", "pip", "install", "--quiet", *requirements], check=True)
        installed.write_text("\n".join(requirements))
    return str(executable)


class Deployment:
    """What was deployed. Clients reach it at `api_url` and `url_of`."""

    def __init__(self, aws: LocalAws, provider: ProviderSimulator) -> None:
        self._aws = aws
        self.provider = provider
        self._resources = _resources(aws)
        self.api_url = _api_url(aws, self._resources["Api"])

    def invoke(self, function: str, event: Any) -> Any:
        response = self._aws.client("lambda").invoke(
            FunctionName=self._resources[function], Payload=json.dumps(event)
        )
        result = json.load(response["Payload"])
        assert "FunctionError" not in response, result
        return result

    def url_of(self, function: str) -> str:
        """Return the URL of a function. ministack serves it below a path instead of at a host."""
        configured = self._aws.client("lambda").get_function_url_config(
            FunctionName=self._resources[function]
        )
        id = configured["FunctionUrl"].removeprefix("https://").partition(".")[0]
        return f"{self._aws.endpoint}/_aws/lambda-url/{id}"


@contextmanager
def deployed(folder: Path, cache: pytest.Cache) -> Iterator[Deployment]:
    python = sam.interpreter()
    template = sam.build(python)
    with ExitStack() as undo:
        postgres = Postgres(folder, ports.choose(LOOPBACK, 0, ""), durable=False)
        undo.callback(postgres.clear)
        undo.callback(postgres.stop)
        postgres.start()
        port = ports.choose(LOOPBACK, 0, "")
        # The functions inherit these variables. The template does not set them.
        endpoints = {
            f"AWS_ENDPOINT_URL_{name}": f"http://{LOOPBACK}:{port}" for name in ("SQS", "SECRETS_MANAGER")
        }
        aws = LocalAws(folder, port, python=ministack_python(python, cache), variables=endpoints)
        undo.callback(aws.stop)
        aws.start()
        provider_port = ports.choose(LOOPBACK, 0, "")
        secret = {
            channel: {"url": f"http://{LOOPBACK}:{provider_port}/{channel}", "signing_secret": SIGNING_SECRET}
            for channel in ("sms", "email")
        }
        created = aws.client("secretsmanager").create_secret(
            Name="providers", SecretString=json.dumps(secret)
        )
        parameters = {"DatabaseUrl": postgres.url, "ProviderSecretArn": created["ARN"]}
        overrides = [f"{name}={value}" for name, value in parameters.items()]
        sam.run(
            "deploy",
            "--template-file",
            str(template),
            "--parameter-overrides",
            *overrides,
            environment=sam.environment(python, AWS_ENDPOINT_URL=aws.endpoint, **CREDENTIALS),
        )
        resources = _resources(aws)
        _add_routes(aws, resources)
        _poll(aws, resources)
        provider = ProviderSimulator(provider_port, _api_url(aws, resources["Api"]), SIGNING_SECRET)
        undo.callback(provider.stop)
        provider.start()
        yield Deployment(aws, provider)


def _resources(aws: LocalAws) -> dict[str, str]:
    resources = aws.client("cloudformation").describe_stack_resources(StackName=STACK)["StackResources"]
    return {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources}


def _api_url(aws: LocalAws, api: str) -> str:
    return f"{aws.endpoint}/_aws/execute-api/{api}"


def _add_routes(aws: LocalAws, resources: Mapping[str, str]) -> None:
    """Create the routes and the authorizer from the OpenAPI document of the API, which ministack ignores."""
    deployed = aws.client("cloudformation").get_template(StackName=STACK, TemplateStage="Processed")
    api = deployed["TemplateBody"]["Resources"]["Api"]["Properties"]["Body"]
    gateway, functions = aws.client("apigatewayv2"), aws.client("lambda")
    authorizers = {
        name: _add_authorizer(aws, resources, name, scheme["x-amazon-apigateway-authorizer"])
        for name, scheme in api["components"]["securitySchemes"].items()
    }
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            declared = operation["x-amazon-apigateway-integration"]
            (name,) = re.findall(r"functions/\$\{(\w+)\.Arn\}", declared["uri"]["Fn::Sub"])
            function = functions.get_function_configuration(FunctionName=resources[name])
            integration = gateway.create_integration(
                ApiId=resources["Api"],
                IntegrationType="AWS_PROXY",
                IntegrationUri=function["FunctionArn"],
                PayloadFormatVersion=declared["payloadFormatVersion"],
            )
            [security] = operation["security"]
            [scheme] = security
            authorizer = authorizers.get(scheme)
            gateway.create_route(
                ApiId=resources["Api"],
                RouteKey=path if path == "$default" else f"{method.upper()} {path}",
                Target=f"integrations/{integration['IntegrationId']}",
                **({"AuthorizationType": "CUSTOM", "AuthorizerId": authorizer} if authorizer else {}),
            )


def _add_authorizer(
    aws: LocalAws, resources: Mapping[str, str], name: str, declared: Mapping[str, Any]
) -> str:
    uri, values = declared["authorizerUri"]["Fn::Sub"]
    [value] = values.values()
    function, _ = value["Fn::GetAtt"]
    arn = aws.client("lambda").get_function_configuration(FunctionName=resources[function])["FunctionArn"]
    added = aws.client("apigatewayv2").create_authorizer(
        ApiId=resources["Api"],
        Name=name,
        AuthorizerType="REQUEST",
        AuthorizerUri=uri.replace("${__FunctionArn__}", arn).replace("${AWS::Region}", REGION),
        AuthorizerPayloadFormatVersion=declared["authorizerPayloadFormatVersion"],
        EnableSimpleResponses=declared["enableSimpleResponses"],
        IdentitySource=declared["identitySource"],
        AuthorizerResultTtlInSeconds=declared["authorizerResultTtlInSeconds"],
    )
    return str(added["AuthorizerId"])


def _poll(aws: LocalAws, resources: Mapping[str, str]) -> None:
    """Fix the queue's trigger: ministack stores its numbers as text, with which it cannot poll."""
    functions = aws.client("lambda")
    source = functions.get_event_source_mapping(UUID=resources["DeliverMessageQueued"])
    functions.update_event_source_mapping(
        UUID=source["UUID"],
        ScalingConfig={name: int(value) for name, value in source["ScalingConfig"].items()},
    )
