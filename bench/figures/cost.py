"""What a million messages cost: measured CPU, waits and requests, at AWS's list prices."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bench.figure import Figure
from bench.figures import latency
from local.commands.openapi import ROOT
from local.template.template import Template

MILLION = 1_000_000
MONTH = 30 * 24 * 60  # minutes
VCPU = (
    1769  # MB of memory that buy one, https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
)


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
"""List prices of us-east-1, without free tiers and tiers of volume. They move: the sources know better."""

REPORTS = 2  # of a message that was sent: sent, delivered
PROVIDER = 100  # milliseconds that a provider takes to answer
SQS_CALL = 10  # milliseconds of the nudge, which the send waits for
PLATFORM_LOG = 700  # bytes that Lambda writes of an invocation, in its JSON format
ACCESS_LOG = 350  # bytes of a request to the API
TRACED = 0.05  # of the requests, by X-Ray's rule of its own
POLLERS = 5  # that Lambda has at a queue at least, each waiting for 20 s
METRICS = 20  # names, each with the services that count them
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
    """Two tables in Markdown: of a million messages, and of a month in which nothing happens."""
    flows = _flows(figures)
    if flows is None:
        return ["The costs want the figures of throughput and latency."]
    sent, received = flows
    lines = ["| dollars for a million messages | sent | received |", "|---|---|---|"]
    lines += [f"| {item} | {sent[item]:.2f} | {received[item]:.2f} |" for item in sent]
    lines.append(f"| **together** | **{sum(sent.values()):.2f}** | **{sum(received.values()):.2f}** |")
    fixed = _fixed()
    lines += ["", "| dollars a month, whatever comes | |", "|---|---|"]
    lines += [f"| {item} | {dollars:.2f} |" for item, dollars in fixed.items()]
    lines.append(f"| **together, and the database** | **{sum(fixed.values()):.2f}** |")
    return lines


def inputs(figures: Sequence[Figure]) -> list[str]:
    invocations = _invocations(figures)
    if invocations is None:
        return []
    lines = ["| input | | source |", "|---|---|---|"]
    lines += [
        f"| {name}: billed, with memory | {one.milliseconds:.1f} ms, {one.memory} MB | measured |"
        for name, one in invocations.items()
    ]
    assumed = {
        "a vCPU of Lambda": "as fast as a core here",
        "reports of a message": REPORTS,
        "milliseconds of a provider's answer": PROVIDER,
        "milliseconds of a call of SQS": SQS_CALL,
        "messages a delivery": "1; of up to 10, which share its wait",
        "bytes that the platform logs of an invocation, of a request": f"{PLATFORM_LOG}, {ACCESS_LOG}",
        "share of requests that is traced": TRACED,
    }
    lines += [f"| {name} | {value} | assumed |" for name, value in assumed.items()]
    lines += [
        f"| {name} | ${one.dollars:.10g} per {one.unit} | {one.source}, {AS_OF} |"
        for name, one in PRICES.items()
    ]
    return lines


def _invocations(figures: Sequence[Figure]) -> dict[str, Invocation] | None:
    template = Template(ROOT / "template.yaml", {}, {}, endpoint="", gateway="")
    memory = {one.name: one.memory for one in template.functions}
    named = {figure.name: figure for figure in figures}
    wanted = {
        "webhook": (latency.WEBHOOK_NAME, "SmsWebhook", 0),
        "report": ("report at 1 ms", "SmsWebhook", 0),
        "send": ("send at 1 ms", "SendMessage", SQS_CALL),
        "delivery": ("delivery of one at 1 ms", "DeliverMessage", PROVIDER),
    }
    if not all(figure in named for figure, _, _ in wanted.values()):
        return None
    return {
        name: _invocation(named[figure], memory[function], waits)
        for name, (figure, function, waits) in wanted.items()
    }


def _invocation(figure: Figure, memory: int, waits: float) -> Invocation:
    """CPU stretches to the share of a vCPU that the memory buys; waiting does not."""
    cpu, p50 = figure.cpu or 0, figure.p50 or 0
    milliseconds = cpu * max(VCPU / memory, 1) + max(p50 - cpu, 0) + waits
    return Invocation(milliseconds, memory, figure.more.get("log", 0))


def _flows(figures: Sequence[Figure]) -> tuple[Mapping[str, float], Mapping[str, float]] | None:
    of = _invocations(figures)
    if of is None:
        return None
    named = {figure.name: figure for figure in figures}
    stored = {
        "sent": named.get("bytes kept of a sent message, with indexes"),
        "received": named.get("bytes kept of a received message, with indexes"),
    }
    reports = [of["report"]] * REPORTS
    sent = _flow([of["send"], *reports], [of["delivery"]], queue=3)
    received = _flow([of["webhook"]], [], queue=0)
    for flow, kept in ((sent, stored["sent"]), (received, stored["received"])):
        size = (kept.value or 0) if kept else 0
        flow["its storage, a month"] = size * MILLION / 1e9 * PRICES["Postgres storage"].dollars
    return sent, received


def _flow(requests: Sequence[Invocation], behind: Sequence[Invocation], queue: int) -> dict[str, float]:
    """Of a million, each with these requests from outside and invocations behind the queue."""
    every = [*requests, *behind]
    log = sum(one.log + PLATFORM_LOG for one in every) + ACCESS_LOG * len(requests)
    return {
        "HTTP API": len(requests) * PRICES["HTTP API"].dollars,
        "Lambda, requests": len(every) * PRICES["Lambda, requests"].dollars,
        "Lambda, time": sum(one.gb_seconds for one in every) * MILLION * PRICES["Lambda, arm64"].dollars,
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
