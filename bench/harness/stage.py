"""What all figures are measured on: the functions' runtime, Postgres, and who plays AWS and a provider."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bench.harness import runtime
from bench.harness.aws import Aws
from bench.harness.database import Server
from bench.harness.environment import Environment
from bench.harness.requests import SIGNING_SECRET
from bench.harness.runtime import Runtime
from local.http.server import Request
from local.services import ports
from local.simulators.provider import ProviderSimulator
from local.triggers import payload
from local.triggers.authorizer import OPERATOR

FOLDER = Path(__file__).parents[2] / ".local" / "bench"
WEBHOOK, SEND, LIST = "/api/webhooks/sms", "/api/messages/sms", "/api/conversations"


class Stage(NamedTuple):
    runtime: Runtime
    server: Server
    aws: Aws
    provider: ProviderSimulator
    say: Callable[[str], None]

    def variables(self, url: str, **more: str) -> dict[str, str]:
        """Of a function that has this database."""
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
def stage(say: Callable[[str], None]) -> Iterator[Stage]:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with ExitStack() as undo:
        lambdas = runtime.prepare(FOLDER, say)
        say("Starting Postgres")
        server = Server(FOLDER)
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
        aws = Aws(fields)
        undo.callback(aws.close)
        yield Stage(lambdas, server, aws, provider, say)


def frame(method: str, target: str, route: str = "", **variables: str) -> dict[str, Any]:
    """An HTTP API's event; one of a POST is still to get its body."""
    path, _, query = target.partition("?")
    headers = [("content-type", "application/json"), ("accept", "*/*"), ("user-agent", "provider/1.0")]
    headers.append(("host", payload.HTTP_API.domain))
    request = Request(method, path, query, headers, b"", "203.0.113.7", "HTTP/1.1")
    made = payload.http_event(request, payload.HTTP_API, path, f"{method} {route or path}", variables)
    return payload.with_caller(made, OPERATOR)


def records(ids: list[int]) -> dict[str, Any]:
    """As the queue's event source mapping hands them over."""
    listed = [
        {
            "messageId": f"19dd0b57-b21e-4ac1-bd88-{id:012}",
            "receiptHandle": "handle",
            "body": str(id),
            "attributes": {"ApproximateReceiveCount": "1"},
            "eventSource": "aws:sqs",
        }
        for id in ids
    ]
    return {"Records": listed}
