"""Problem documents: what RFC 9457 wants, and the status that the contract gives to each."""

import json

import pytest
from pydantic import BaseModel, ValidationError

from messaging import problems
from messaging.problems import Invalid, Problem, Unavailable


@pytest.mark.parametrize(
    ("kind", "status", "title"),
    [
        (problems.Problem, 500, "Internal Server Error"),
        (problems.Unreadable, 400, "Bad Request"),
        (problems.Unauthorized, 401, "Unauthorized"),
        (problems.SignatureRejected, 403, "Forbidden"),
        (problems.PermissionDenied, 403, "Forbidden"),
        (problems.NotFound, 404, "Not Found"),
        (problems.MethodNotAllowed, 405, "Method Not Allowed"),
        (problems.Conflict, 409, "Conflict"),
        (problems.TooLarge, 413, None),  # Python 3.13 has another name for it
        (problems.UnsupportedMediaType, 415, "Unsupported Media Type"),
        (problems.Invalid, 422, None),
        (problems.TooManyRequests, 429, "Too Many Requests"),
        (problems.Unavailable, 503, "Service Unavailable"),
    ],
)
def test_every_problem_has_its_status_and_title(kind: type[Problem], status: int, title: str | None) -> None:
    document = json.loads(json.dumps(kind("What is wrong.").document()))
    assert document == {
        "type": "about:blank",
        "title": title or kind.status.phrase,
        "status": status,
        "detail": "What is wrong.",
    }


def test_every_problem_is_in_the_table_above() -> None:
    assert {kind.__name__ for kind in Problem.__subclasses__()} == {
        "Unreadable",
        "Unauthorized",
        "SignatureRejected",
        "PermissionDenied",
        "TooManyRequests",
        "NotFound",
        "MethodNotAllowed",
        "Conflict",
        "TooLarge",
        "UnsupportedMediaType",
        "Invalid",
        "Unavailable",
    }


def test_errors_stand_in_the_document_and_headers_beside_it() -> None:
    problem = Problem("Wrong.", [{"field": "to", "message": "is wrong"}], {"Allow": "POST"})
    assert problem.document()["errors"] == [{"field": "to", "message": "is wrong"}]
    assert problem.headers == {"Allow": "POST"}
    assert str(problem) == "Wrong."


def test_one_field_may_be_wrong() -> None:
    assert Invalid.field("to", "is wrong").document()["errors"] == [{"field": "to", "message": "is wrong"}]


class Ordered(BaseModel):
    body: list[dict[str, int]]


@pytest.mark.parametrize(("skip", "field"), [(0, "body.1.a"), (1, "1.a"), (3, "")])
def test_what_pydantic_found_is_named_by_its_path_and_never_shown(skip: int, field: str) -> None:
    with pytest.raises(ValidationError) as found:
        Ordered.model_validate({"body": [{}, {"a": "open-sesame"}]})
    document = Invalid.found(found.value.errors(), skip).document()
    [error] = document["errors"]
    assert set(error) == {"field", "message"}
    assert error["field"] == field
    assert error["message"] == "must be a whole number"
    assert "open-sesame" not in json.dumps(document)


def test_what_is_away_is_asked_for_again_in_a_few_seconds() -> None:
    assert Unavailable("The database is away.").headers == {"Retry-After": "5"}
