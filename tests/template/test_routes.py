"""Which routes are public, after SAM's transform. Every other route has the authorizer."""

from itertools import chain
from typing import Any

import pytest

from tests.support import transformed_template
from tests.support.transformed_template import of_type

PUBLIC = {
    "GET /healthz",
    "GET /api/openapi.json",
    "GET /api/docs",
    "GET /",
    *(f"POST /api/webhooks/{channel}{of}" for channel in ("sms", "email") for of in ("", "/{provider}")),
    "OPTIONS /{path+}",  # a browser asks what it may do before it sends a key
}
ANY = "x-amazon-apigateway-any-method"


@pytest.fixture(scope="module")
def body() -> dict[str, Any]:
    """The HTTP API, as OpenAPI."""
    [api] = of_type(transformed_template.template(), "AWS::ApiGatewayV2::Api").values()
    described: dict[str, Any] = api["Body"]
    return described


def security(body: dict[str, Any]) -> dict[str, list[str]]:
    """The names of the authorizers of each route."""
    return {
        path if method == ANY else f"{method.upper()} {path}": [*chain.from_iterable(route["security"])]
        for path, methods in body["paths"].items()
        for method, route in methods.items()
    }


def test_every_route_except_the_public_ones_has_the_authorizer(body: dict[str, Any]) -> None:
    authorizers = security(body)
    assert {route for route, names in authorizers.items() if names != ["KeyAuthorizer"]} == PUBLIC
    assert all(authorizers[route] == ["NONE"] for route in PUBLIC)
    assert "$default" in authorizers.keys() - PUBLIC


def test_the_authorizer_s_result_is_cached_by_the_authorization_header(body: dict[str, Any]) -> None:
    [(name, scheme)] = body["components"]["securitySchemes"].items()
    assert name == "KeyAuthorizer"
    authorizer = scheme["x-amazon-apigateway-authorizer"]
    assert authorizer["identitySource"] == ["$request.header.Authorization"]
    assert authorizer["authorizerResultTtlInSeconds"] == 60
    assert (authorizer["type"], authorizer["authorizerPayloadFormatVersion"]) == ("request", "2.0")
    assert authorizer["enableSimpleResponses"] is True
    function = {"__FunctionArn__": {"Fn::GetAtt": ["Authorizer", "Arn"]}}
    assert function in authorizer["authorizerUri"]["Fn::Sub"]


def test_the_api_may_invoke_the_authorizer_only_as_an_authorizer() -> None:
    permissions = of_type(transformed_template.template(), "AWS::Lambda::Permission").values()
    authorizer = {"Fn::GetAtt": ["Authorizer", "Arn"]}
    [permission] = [permission for permission in permissions if permission["FunctionName"] == authorizer]
    assert permission["SourceArn"]["Fn::Sub"][0].endswith("${__ApiId__}/authorizers/*")


def test_only_listed_origins_are_allowed(body: dict[str, Any]) -> None:
    assert transformed_template.template()["Parameters"]["CorsOrigins"]["Default"] == ""
    condition, named, otherwise = body["x-amazon-apigateway-cors"]["Fn::If"]
    assert condition == "HasCorsOrigins"
    assert otherwise == {"Ref": "AWS::NoValue"}
    assert "Fn::Split" in named["allowOrigins"]
    assert "authorization" in named["allowHeaders"]
    assert "allowCredentials" not in named  # the page's script sends the key, not the browser
