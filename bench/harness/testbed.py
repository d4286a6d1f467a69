"""What all figures are measured on: the functions' runtime, Postgres, a fake AWS and a provider simulator."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bench.harness import runtime
from bench.harness.aws import FakeAws
from bench.harness.database import PostgresServer
from bench.harness.environment import Environment
from bench.harness.events import SIGNING_SECRET
from bench.harness.runtime import Runtime
from local.http.server import Request
from local.services import ports
from local.simulators.provider import ProviderSimulator
from local.triggers import payload
from local.triggers.authorizer import OPERATOR

FOLDER = Path(__file__).parents[2] / ".local" / "bench"
WEBHOOK, SEND, LIST = "/api/webhooks/sms", "/api/messages/sms", "/api/conversations"


class Testbed(NamedTuple):
    runtime: Runtime
    server: PostgresServer
    aws: FakeAws
    provider: ProviderSimulator
    say: Callable[[str], None]

    def variables(self, url: str, **more: str) -> dict[str, str]:
        """Return the environment variables of a function that uses this database."""
        return {
            "PATH": os.environ["PATH"],
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "LAMBDA_TASK_ROOT": "/var/task",
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
            "_X_AMZN_TRACE_ID": "Root=1-6724de60-3f1a2b4c5d6e7f8091a2b3c4;Parent=53995c3f42cd8ad8;Sampled=0",
            "POWERTOOLS_METRICS_NAMESPACE": "Messaging",
            "POWERTOOLS_SERVICE_NAME": "bench",
            "POWERTOOLS_LOG_LEVEL": "INFO",
            "DATABASE_URL": url,
            **self.aws.variables,
            **more,
        }

    def environment(self, function: str, url: str, **more: str) -> Environment:
        return Environment(self.runtime, function, self.variables(url, **more))


@contextmanager
def open_testbed(say: Callable[[str], None]) -> Iterator[Testbed]:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with ExitStack() as undo:
        lambdas = runtime.prepare(FOLDER, say)
        say("Starting Postgres")
        server = PostgresServer(FOLDER)
        undo.callback(server.stop)
        provider = ProviderSimulator(
            ports.choose("127.0.0.1", 0, ""), gateway="http://127.0.0.1:9", secret=SIGNING_SECRET
        )
        undo.callback(provider.stop)
        provider.start()
        fields = {
            name: {"url": f"{provider.url}/{name}", "signing_secret": SIGNING_SECRET}
            for name in ("sms", "email")
        }
        aws = FakeAws(fields)
        undo.callback(aws.close)
        yield Testbed(lambdas, server, aws, provider, say)


def http_event(method: str, target: str, route: str = "", **variables: str) -> dict[str, Any]:
    """Return an event of the HTTP API. The body of a POST is added later."""
    path, _, query = target.partition("?")
    headers = [("content-type", "application/json"), ("accept", "*/*"), ("user-agent", "provider/1.0")]
    headers.append(("host", payload.HTTP_API.domain))
    request = Request(method, path, query, headers, b"", "203.0.113.7", "HTTP/1.1")
    event = payload.http_event(request, payload.HTTP_API, path, f"{method} {route or path}", variables)
    return payload.with_caller(event, OPERATOR)


def queue_event(ids: list[int]) -> dict[str, Any]:
    """Return the event of a batch of message ids, as the outbound queue sends it."""
    records = [
        {
            "messageId": f"19dd0b57-b21e-4ac1-bd88-{id:012}",
            "receiptHandle": "handle",
            "body": str(id),
            "attributes": {"ApproximateReceiveCount": "1"},
            "eventSource": "aws:sqs",
        }
        for id in ids
    ]
    return {"Records": records}
