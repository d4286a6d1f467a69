"""The cost of a million messages: measured CPU, waits and requests, at AWS's list prices."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bench.figure import Figure
from bench.figures import latency
from local.commands.openapi import ROOT
from local.template.template import Template

MILLION = 1_000_000
MONTH = 30 * 24 * 60  # minutes
VCPU = 1769
"""MB of memory with one vCPU: https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""


class Price(NamedTuple):
    dollars: float
    unit: str
    source: str


AS_OF = "2025"
PRICES = {
    "Lambda, requests": Price(0.20, "million", "https://aws.amazon.com/lambda/pricing/"),
    "Lambda, arm64": Price(0.0000133334, "GB-second", "https://aws.amazon.com/lambda/pricing/"),
    "HTTP API": Price(1.00, "million requests", "https://aws.amazon.com/api-gateway/pricing/"),
    "SQS": Price(0.40, "million requests", "https://aws.amazon.com/sqs/pricing/"),
    "CloudWatch Logs": Price(0.50, "GB taken in", "https://aws.amazon.com/cloudwatch/pricing/"),
    "X-Ray": Price(5.00, "million traces", "https://aws.amazon.com/xray/pricing/"),
    "CloudWatch alarm": Price(0.10, "alarm and month", "https://aws.amazon.com/cloudwatch/pricing/"),
    "CloudWatch metric": Price(0.30, "metric and month", "https://aws.amazon.com/cloudwatch/pricing/"),
    "Secret": Price(0.40, "secret and month", "https://aws.amazon.com/secrets-manager/pricing/"),
    "Scheduler": Price(1.00, "million", "https://aws.amazon.com/eventbridge/pricing/"),
    "Postgres storage": Price(0.115, "GB and month", "https://aws.amazon.com/rds/postgresql/pricing/"),
}
"""List prices of us-east-1, without free tiers and volume tiers. Check the sources: prices change."""

REPORTS = 2  # per sent message: sent, delivered
PROVIDER = 100  # milliseconds until a provider responds
SQS_CALL = 10  # milliseconds of the dispatch, for which the request waits
PLATFORM_LOG = 700  # bytes that Lambda logs per invocation, in its JSON format
ACCESS_LOG = 350  # bytes per request to the API
TRACED = 0.05  # the share of requests that X-Ray traces by default
POLLERS = 5  # the least that Lambda runs per queue, each with a wait of 20 s
METRICS = 20  # names, each for every service that uses it
SECRETS = 2


class Invocation(NamedTuple):
    milliseconds: float
    memory: int
    log: float

    @property
    def gb_seconds(self) -> float:
        return self.milliseconds / 1000 * self.memory / 1024


def text(figures: Sequence[Figure]) -> str:
    return "\n".join(["", *rows(figures), "", *inputs(figures)])


def rows(figures: Sequence[Figure]) -> list[str]:
    """Return two tables in Markdown: for a million messages, and for a month without messages."""
    flows = _flows(figures)
    if flows is None:
        return ["The costs need the figures of throughput and latency."]
    sent, received = flows
    lines = ["| dollars for a million messages | sent | received |", "|---|---|---|"]
    lines += [f"| {item} | {sent[item]:.2f} | {received[item]:.2f} |" for item in sent]
    lines.append(f"| **total** | **{sum(sent.values()):.2f}** | **{sum(received.values()):.2f}** |")
    fixed = _fixed()
    lines += ["", "| dollars per month, without messages | |", "|---|---|"]
    lines += [f"| {item} | {dollars:.2f} |" for item, dollars in fixed.items()]
    lines.append(f"| **total, without the database** | **{sum(fixed.values()):.2f}** |")
    return lines


def inputs(figures: Sequence[Figure]) -> list[str]:
    invocations = _invocations(figures)
    if invocations is None:
        return []
    lines = ["| input | | source |", "|---|---|---|"]
    lines += [
        f"| {name}: billed, with memory | {billed.milliseconds:.1f} ms, {billed.memory} MB | measured |"
        for name, billed in invocations.items()
    ]
    assumed = {
        "speed of a vCPU of Lambda": "that of a core of this machine",
        "reports per message": REPORTS,
        "milliseconds until a provider responds": PROVIDER,
        "milliseconds of a call to SQS": SQS_CALL,
        "messages per delivery": "1 of up to 10, which would share its wait",
        "bytes that AWS logs per invocation, per request": f"{PLATFORM_LOG}, {ACCESS_LOG}",
        "share of requests that are traced": TRACED,
    }
    lines += [f"| {name} | {value} | assumed |" for name, value in assumed.items()]
    lines += [
        f"| {name} | ${price.dollars:.10g} per {price.unit} | {price.source}, {AS_OF} |"
        for name, price in PRICES.items()
    ]
    return lines


def _invocations(figures: Sequence[Figure]) -> dict[str, Invocation] | None:
    template = Template(ROOT / "template.yaml", {}, {}, endpoint="", gateway="")
    memory = {function.name: function.memory for function in template.functions}
    named = {figure.name: figure for figure in figures}
    measured_functions = {
        "webhook": (latency.WEBHOOK_NAME, "SmsWebhook", 0),
        "report": ("report at 1 ms", "SmsWebhook", 0),
        "send": ("send at 1 ms", "SendMessage", SQS_CALL),
        "delivery": ("delivery of one at 1 ms", "DeliverMessage", PROVIDER),
    }
    if not all(figure in named for figure, _, _ in measured_functions.values()):
        return None
    return {
        name: _invocation(named[figure], memory[function], waits)
        for name, (figure, function, waits) in measured_functions.items()
    }


def _invocation(figure: Figure, memory: int, waits: float) -> Invocation:
    """Less memory means a smaller share of a vCPU, which prolongs the CPU time but not the waits."""
    cpu, p50 = figure.cpu or 0, figure.p50 or 0
    milliseconds = cpu * max(VCPU / memory, 1) + max(p50 - cpu, 0) + waits
    return Invocation(milliseconds, memory, figure.more.get("log", 0))


def _flows(figures: Sequence[Figure]) -> tuple[Mapping[str, float], Mapping[str, float]] | None:
    invocations = _invocations(figures)
    if invocations is None:
        return None
    named = {figure.name: figure for figure in figures}
    stored = {
        "sent": named.get("bytes of a sent message, with indexes"),
        "received": named.get("bytes of a received message, with indexes"),
    }
    reports = [invocations["report"]] * REPORTS
    sent = _flow([invocations["send"], *reports], [invocations["delivery"]], queue=3)
    received = _flow([invocations["webhook"]], [], queue=0)
    for flow, stored_figure in ((sent, stored["sent"]), (received, stored["received"])):
        size = (stored_figure.value or 0) if stored_figure else 0
        flow["its storage, per month"] = size * MILLION / 1e9 * PRICES["Postgres storage"].dollars
    return sent, received


def _flow(requests: Sequence[Invocation], from_queue: Sequence[Invocation], queue: int) -> dict[str, float]:
    """Return the cost of a million messages.

    Each has these requests from outside, these invocations from the queue, and `queue` calls to SQS.
    """
    invocations = [*requests, *from_queue]
    log = sum(invocation.log + PLATFORM_LOG for invocation in invocations) + ACCESS_LOG * len(requests)
    return {
        "HTTP API": len(requests) * PRICES["HTTP API"].dollars,
        "Lambda, requests": len(invocations) * PRICES["Lambda, requests"].dollars,
        "Lambda, time": sum(invocation.gb_seconds for invocation in invocations)
        * MILLION
        * PRICES["Lambda, arm64"].dollars,
        "SQS": queue * PRICES["SQS"].dollars,
        "CloudWatch Logs": log * MILLION / 1e9 * PRICES["CloudWatch Logs"].dollars,
        "X-Ray": TRACED * len(requests) * PRICES["X-Ray"].dollars,
    }


def _fixed() -> dict[str, float]:
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")
    alarms = template.count("Type: AWS::CloudWatch::Alarm")
    sources = template.count("Type: SQS")
    polls = sources * POLLERS * MONTH * 3
    return {
        f"polling {sources} queues": polls / MILLION * PRICES["SQS"].dollars,
        "the relay, every minute": MONTH
        / MILLION
        * (PRICES["Scheduler"].dollars + PRICES["Lambda, requests"].dollars)
        + MONTH * 0.05 * 0.5 * PRICES["Lambda, arm64"].dollars,
        f"{alarms} alarms": alarms * PRICES["CloudWatch alarm"].dollars,
        f"about {METRICS} metrics": METRICS * PRICES["CloudWatch metric"].dollars,
        f"{SECRETS} secrets": SECRETS * PRICES["Secret"].dollars,
    }
