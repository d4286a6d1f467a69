"""delivery_policy in a send request: its values on both routes, and its effect on a replay."""

import pytest

from tests.support.api import EMAIL, NEW_EMAIL, NEW_SMS, SMS, call
from tests.support.configuration import Configure
from tests.support.database import Database

pytestmark = [pytest.mark.usefixtures("providers"), pytest.mark.slow]

ROUTES = [(SMS, NEW_SMS), (EMAIL, NEW_EMAIL)]
POLICIES = "SELECT delivery_policy FROM messages ORDER BY id"


@pytest.mark.parametrize(("route", "fields"), ROUTES)
@pytest.mark.parametrize(
    "value",
    [
        "",
        "exactly_once",
        "At_most_once",
        " at_most_once",
        "at_most_once\0",
        1,
        True,
        [],
        ["at_most_once"],
        {},
    ],
)
def test_an_invalid_policy_is_refused_by_its_field(
    database: Database, route: str, fields: dict[str, str], value: object
) -> None:
    answer = call("POST", route, {**fields, "delivery_policy": value})
    assert (answer.status, answer.fields) == (422, ["delivery_policy"])
    assert database.value("SELECT count(*) FROM messages") == 0


@pytest.mark.parametrize(("route", "fields"), ROUTES)
@pytest.mark.parametrize("default", ["at_most_once", "at_least_once"])
def test_without_a_policy_the_deployment_s_applies(
    database: Database, configure: Configure, route: str, fields: dict[str, str], default: str
) -> None:
    configure(DELIVERY_POLICY=default)
    for policy in ({}, {"delivery_policy": None}):
        assert call("POST", route, {**fields, **policy}).status == 202
    assert database.rows(POLICIES) == [[default]] * 2


@pytest.mark.parametrize(("route", "fields"), ROUTES)
@pytest.mark.parametrize("policy", ["at_most_once", "at_least_once"])
def test_the_policy_of_the_request_is_stored(
    database: Database, configure: Configure, route: str, fields: dict[str, str], policy: str
) -> None:
    configure(DELIVERY_POLICY="at_least_once" if policy == "at_most_once" else "at_most_once")
    assert call("POST", route, {**fields, "delivery_policy": policy}).status == 202
    assert database.rows(POLICIES) == [[policy]]


def test_the_same_key_replays_the_same_policy_and_conflicts_with_another(
    database: Database, configure: Configure
) -> None:
    key = {"idempotency-key": "key"}
    request = {**NEW_SMS, "delivery_policy": "at_least_once"}
    assert call("POST", SMS, request, key).status == 202
    again = call("POST", SMS, request, key)
    assert (again.status, again.json["id"], again.headers["idempotency-replayed"]) == (202, 1, "true")
    for other in (NEW_SMS, {**NEW_SMS, "delivery_policy": "at_most_once"}):
        assert call("POST", SMS, other, key).status == 422
    assert database.rows(POLICIES) == [["at_least_once"]]


def test_a_replay_after_the_default_has_changed_returns_the_first_message(
    database: Database, configure: Configure
) -> None:
    key = {"idempotency-key": "key"}
    call("POST", SMS, NEW_SMS, key)
    configure(DELIVERY_POLICY="at_least_once")
    assert call("POST", SMS, NEW_SMS, key).headers["idempotency-replayed"] == "true"
    assert database.rows(POLICIES) == [["at_most_once"]]
