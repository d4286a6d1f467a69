"""A provider takes a message and answers with an error of its server: under at_most_once the message is
not sent again, neither through this provider nor through another."""

import json
from itertools import product
from typing import Any, NamedTuple

import pytest

from local import Behaviour, RecordedRequest, running
from tests.support.faults import result_tables
from tests.support.faults.final_states import wait_until_all_is_done
from tests.support.faults.provider_outcomes import SILENT
from tests.support.faults.unknown_outcomes import UNKNOWN_AFTER, resolve_after_two_seconds
from tests.support.http_client import post
from tests.support.outbound import attempts, message

STATUSES = (500, 501, 502, 504, 505, 507, 508, *range(520, 528), 530, 599)
"""Every status after which the provider may have the message. 503 promises that it does not."""
TIMEOUT = 120  # seconds
CONTACT = "+18045551234"


class Route(NamedTuple):
    """A sender with one or two providers of its own, of which the first takes the message and fails."""

    status: int
    provider_count: int
    position: int

    @property
    def instances(self) -> list[str]:
        return [f"sms-{self.position}-{number}" for number in range(self.provider_count)]

    @property
    def sender(self) -> str:
        return f"+1201666{self.position:04}"


ROUTES = [Route(*route, position) for position, route in enumerate(product(STATUSES, (1, 2)))]


class Result(NamedTuple):
    message: dict[str, Any]
    calls: list[RecordedRequest]


@pytest.fixture(scope="module")
def results() -> dict[Route, Result]:
    instances = [name for route in ROUTES for name in route.instances]
    parameters = {
        "Providers": ",".join(f"{name}=sms" for name in instances),
        "SenderProviders": json.dumps({route.sender: route.instances for route in ROUTES}),
        **UNKNOWN_AFTER,
    }
    with running(relay_every=0.5, parameters=parameters, without_status_lookup=instances) as stack:
        resolve_after_two_seconds(stack)
        stack.provider.behave(SILENT)
        ids = {}
        for route in ROUTES:
            failing = Behaviour(status=route.status, accepts=True, reports=())
            stack.provider.behave(failing, at=route.instances[0])
            fields = {"from": route.sender, "to": CONTACT, "body": "Hello"}
            answer = post(f"{stack.url}/api/messages/sms", {**fields, "delivery_policy": "at_most_once"})
            assert answer.status == 202, answer
            ids[route] = int(answer.body["id"])
        wait_until_all_is_done(stack, TIMEOUT)
        by_route = {
            route: Result(
                message(stack, id),
                [call for call in stack.provider.requests if call.body["reference"] == str(id)],
            )
            for route, id in ids.items()
        }
    columns = ["the provider takes it and answers", "providers", "status", "calls"]
    rows = [
        [route.status, route.provider_count, result.message["status"], len(result.calls)]
        for route, result in by_route.items()
    ]
    result_tables.add("Errors of a server that has the message, at most once", [columns, *rows])
    return by_route


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.status} with {route.provider_count}")
def test_a_message_that_was_taken_is_sent_once_whatever_the_server_answers(
    results: dict[Route, Result], route: Route
) -> None:
    message_at_end, calls = results[route]
    assert [call.path for call in calls] == [f"/{route.instances[0]}"]
    assert calls[0].id is not None, "the provider has it"
    assert attempts(message_at_end) == [(1, "unknown", str(route.status))]
    assert message_at_end["status"] == "unknown"
