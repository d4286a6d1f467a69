"""The alarms of template.yaml on the functions' own metrics: each can be raised by its function."""

import json
from collections.abc import Callable, Mapping

import pytest
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]  # ships no types

from local import Behaviour
from local.commands.openapi import ROOT
from local.simulators.provider import ProviderSimulator
from messaging.telemetry import metrics
from tests.support.api import INBOUND_EMAIL, INBOUND_SMS, NEW_SMS, SMS, call, deliver, invoke, signed
from tests.support.aws import Aws
from tests.support.database import Database
from tests.support.log_lines import Printed
from tests.template.test_events import event

Cause = Callable[[ProviderSimulator], object]


def let_provider_reject_credentials(provider: ProviderSimulator) -> None:
    provider.behave(Behaviour(status=401))
    call("POST", SMS, NEW_SMS)
    deliver(1)


def open_circuit(provider: ProviderSimulator) -> None:
    provider.behave(Behaviour(status=503))
    ids = [call("POST", SMS, NEW_SMS | {"to": f"+1804555{n:04}"}).json["id"] for n in range(10)]
    deliver(*ids)
    metrics.clear_metrics()
    invoke("relay", event("relay"))


def post_unreadable(channel: str) -> Cause:
    return lambda _: call("POST", f"/api/webhooks/{channel}", b"{", signed(b"{"))


def post_conflict(channel: str, fields: Mapping[str, object]) -> Cause:
    def post(_: ProviderSimulator) -> None:
        for text in ("first", "second"):
            body = json.dumps({**fields, "body": text}).encode()
            call("POST", f"/api/webhooks/{channel}", body, signed(body))

    return post


CAUSES: dict[tuple[str, str], Cause] = {
    ("deliver_message", "Misconfigured"): let_provider_reject_credentials,
    ("relay", "OpenCircuits"): open_circuit,
    ("sms_webhook", "WebhooksUnreadable"): post_unreadable("sms"),
    ("email_webhook", "WebhooksUnreadable"): post_unreadable("email"),
    ("sms_webhook", "InboundConflicts"): post_conflict("sms", INBOUND_SMS),
    ("email_webhook", "InboundConflicts"): post_conflict("email", INBOUND_EMAIL),
}


def alarms() -> set[tuple[str, str]]:
    """The function and the metric of each alarm on our own metrics."""
    resources = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))["Resources"].values()
    properties = [
        resource["Properties"] for resource in resources if resource["Type"] == "AWS::CloudWatch::Alarm"
    ]
    metric_alarms = [alarm for alarm in properties if alarm["Namespace"] == "Messaging"]
    assert all(
        [dimension["Name"] for dimension in alarm["Dimensions"]] == ["service"] for alarm in metric_alarms
    )
    return {(alarm["Dimensions"][0]["Value"], alarm["MetricName"]) for alarm in metric_alarms}


def test_every_alarm_has_a_known_cause() -> None:
    assert alarms() == CAUSES.keys()


@pytest.mark.parametrize(("function", "metric"), CAUSES)
def test_the_metric_of_an_alarm_is_counted_by_its_function(
    database: Database, aws: Aws, providers: ProviderSimulator, printed: Printed, function: str, metric: str
) -> None:
    CAUSES[function, metric](providers)
    assert sum(printed.metrics[metric]) >= 1
