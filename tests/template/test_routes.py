"""Which routes stand open, after SAM's transform; every other one has the authorizer."""

from itertools import chain
from typing import Any

import pytest

from tests.support import transformed_template
from tests.support.transformed_template import of_type

OPEN = {
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
    """Of each route, the authorizers that are asked."""
    return {
        path if method == ANY else f"{method.upper()} {path}": [*chain.from_iterable(route["security"])]
        for path, methods in body["paths"].items()
        for method, route in methods.items()
    }


def test_every_route_but_the_open_ones_has_the_authorizer(body: dict[str, Any]) -> None:
    found = security(body)
    assert {route for route, asked in found.items() if asked != ["KeyAuthorizer"]} == OPEN
    assert all(found[route] == ["NONE"] for route in OPEN)
    assert "$default" in found.keys() - OPEN


def test_the_authorizer_s_answer_is_kept_by_the_authorization_header(body: dict[str, Any]) -> None:
    [(name, scheme)] = body["components"]["securitySchemes"].items()
    assert name == "KeyAuthorizer"
    asked = scheme["x-amazon-apigateway-authorizer"]
    assert asked["identitySource"] == ["$request.header.Authorization"]
    assert asked["authorizerResultTtlInSeconds"] == 60
    assert (asked["type"], asked["authorizerPayloadFormatVersion"]) == ("request", "2.0")
    assert asked["enableSimpleResponses"] is True
    function = {"__FunctionArn__": {"Fn::GetAtt": ["Authorizer", "Arn"]}}
    assert function in asked["authorizerUri"]["Fn::Sub"]


def test_the_api_may_ask_it_as_an_authorizer_alone() -> None:
    permissions = of_type(transformed_template.template(), "AWS::Lambda::Permission").values()
    of_it = [one for one in permissions if one["FunctionName"] == {"Fn::GetAtt": ["Authorizer", "Arn"]}]
    [permission] = of_it
    assert permission["SourceArn"]["Fn::Sub"][0].endswith("${__ApiId__}/authorizers/*")


def test_no_page_of_another_origin_is_let_in_unless_it_is_named(body: dict[str, Any]) -> None:
    assert transformed_template.template()["Parameters"]["CorsOrigins"]["Default"] == ""
    condition, named, otherwise = body["x-amazon-apigateway-cors"]["Fn::If"]
    assert condition == "HasCorsOrigins"
    assert otherwise == {"Ref": "AWS::NoValue"}
    assert "Fn::Split" in named["allowOrigins"]
    assert "authorization" in named["allowHeaders"]
    assert "allowCredentials" not in named  # a key is sent by the page's own script, not by the browser
