"""Problem documents have the members of RFC 9457, and each kind has its status and code."""

import json
import re
from typing import get_args

import pytest
from pydantic import BaseModel, ValidationError

from local.commands.openapi import ROOT
from messaging import problems
from messaging.problems import Invalid, Problem, ProblemCode, Unavailable


@pytest.mark.parametrize(
    ("kind", "status", "title", "code"),
    [
        (problems.Problem, 500, "Internal Server Error", "internal_error"),
        (problems.Unreadable, 400, "Bad Request", "unreadable"),
        (problems.Unauthorized, 401, "Unauthorized", "unauthorized"),
        (problems.SignatureRejected, 403, "Forbidden", "signature_rejected"),
        (problems.PermissionDenied, 403, "Forbidden", "permission_denied"),
        (problems.NotOwned, 403, "Forbidden", "not_owned"),
        (problems.NotFound, 404, "Not Found", "not_found"),
        (problems.MethodNotAllowed, 405, "Method Not Allowed", "method_not_allowed"),
        (problems.Conflict, 409, "Conflict", "conflict"),
        (problems.TooLarge, 413, None, "too_large"),  # Python 3.13 renamed the title
        (problems.UnsupportedMediaType, 415, "Unsupported Media Type", "unsupported_media_type"),
        (problems.Invalid, 422, None, "invalid_field"),  # and this one
        (problems.TooManyRequests, 429, "Too Many Requests", "rate_limited"),
        (problems.Unavailable, 503, "Service Unavailable", "unavailable"),
    ],
)
def test_every_problem_has_its_status_title_and_code(
    kind: type[Problem], status: int, title: str | None, code: str
) -> None:
    document = json.loads(json.dumps(kind("What is wrong.").document()))
    assert document == {
        "type": "about:blank",
        "title": title or kind.status.phrase,
        "status": status,
        "detail": "What is wrong.",
        "code": code,
    }
    assert code in get_args(ProblemCode)


def test_the_table_above_has_every_problem() -> None:
    assert {kind.__name__ for kind in Problem.__subclasses__()} == {
        "Unreadable",
        "Unauthorized",
        "SignatureRejected",
        "PermissionDenied",
        "NotOwned",
        "TooManyRequests",
        "NotFound",
        "MethodNotAllowed",
        "Conflict",
        "TooLarge",
        "UnsupportedMediaType",
        "Invalid",
        "Unavailable",
    }


def test_no_two_problems_share_a_code() -> None:
    kinds: list[type[Problem]] = [Problem, *Problem.__subclasses__()]
    assert sorted(kind.code for kind in kinds) == sorted(get_args(ProblemCode))


def test_the_documentation_lists_every_code() -> None:
    lines = (ROOT / "docs" / "api.md").read_text(encoding="utf-8").splitlines()
    rows = [line.split("|") for line in lines if re.match(r"\| `[a-z_]+` \| [45][0-9][0-9] \|", line)]
    documented = {columns[1].strip(" `"): int(columns[2]) for columns in rows}
    kinds: list[type[Problem]] = [Problem, *Problem.__subclasses__()]
    assert documented == {kind.code: int(kind.status) for kind in kinds}


def test_errors_are_in_the_document_and_headers_are_not() -> None:
    problem = Problem("Wrong.", [{"field": "to", "message": "is wrong"}], {"Allow": "POST"})
    assert problem.document()["errors"] == [{"field": "to", "message": "is wrong"}]
    assert problem.headers == {"Allow": "POST"}
    assert str(problem) == "Wrong."


def test_an_error_of_one_field() -> None:
    assert Invalid.field("to", "is wrong").document()["errors"] == [{"field": "to", "message": "is wrong"}]


class Order(BaseModel):
    body: list[dict[str, int]]


@pytest.mark.parametrize(("skip", "field"), [(0, "body.1.a"), (1, "1.a"), (3, "")])
def test_pydantic_errors_name_the_path_and_not_the_value(skip: int, field: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Order.model_validate({"body": [{}, {"a": "open-sesame"}]})
    document = Invalid.of_errors(raised.value.errors(), skip).document()
    [error] = document["errors"]
    assert set(error) == {"field", "message"}
    assert error["field"] == field
    assert error["message"] == "must be a whole number"
    assert "open-sesame" not in json.dumps(document)


class Empty(BaseModel, extra="forbid"):
    pass


def test_a_document_is_small_however_many_and_long_the_wrong_fields_are() -> None:
    with pytest.raises(ValidationError) as raised:
        Empty.model_validate({f"{number}{'é' * 1000}": 0 for number in range(1000)})
    document = Invalid.of(raised.value).document()
    assert len(document["errors"]) == 100
    assert document["errors"][0]["field"] == "0" + 199 * "é" + "..."
    assert len(json.dumps(document)) < 200_000


def test_an_unavailable_service_asks_for_a_retry_in_five_seconds() -> None:
    assert Unavailable("The database is unavailable.").headers == {"Retry-After": "5"}
