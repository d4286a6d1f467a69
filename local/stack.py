"""Everything together: the stack that a template declares. Also the fixture of the end-to-end tests."""

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.backing_services import BackingServices
from local.errors import CannotStart
from local.functions.environment import FunctionError
from local.functions.function import Function
from local.functions.logs import Logs
from local.http.server import Request, Response, Server
from local.options import Options
from local.services.aws import CREDENTIALS
from local.simulators.provider import ProviderSimulator
from local.template.template import REGION
from local.triggers.gateway import URL_PREFIX, Gateway
from local.triggers.invocation import Invocations
from local.triggers.queues import Poller
from local.triggers.schedule import Timer

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

MIGRATE, ADMIN = "Migrate", "Admin"
"""The function that is invoked once everything is there, as `make deploy` does."""
INVALID = "InvalidSetting"
"""What a function raises at its start where a parameter says what cannot be, and which."""
GRACE = 3
"""Seconds that functions at work have to end by themselves when all of it stops."""


class Stack:
    """Runs from its making to `close`. Where it cannot, it ends what it had begun and raises CannotStart."""

    def __init__(self, options: Options, say: Callable[[str], None], show: Callable[[str], None]) -> None:
        """`say` is told each step of starting, `show` what happens then: requests and shortened log lines."""
        with ExitStack() as undo:
            self._backing = BackingServices(options, say)
            undo.callback(self._backing.close)
            self.template = self._backing.template
            self.logs = Logs(self._backing.folder.path / "logs", show)
            undo.callback(self.logs.close)
            platform = {
                **CREDENTIALS,
                "AWS_REGION": REGION,
                "AWS_DEFAULT_REGION": REGION,
                "AWS_ENDPOINT_URL": self._backing.aws.endpoint,
            }
            self.functions = {
                declared.name: Function(declared, platform, self.logs, options.concurrency)
                for declared in self.template.functions
            }
            for function in self.functions.values():
                undo.callback(function.close, GRACE)
            say(f"Functions: {', '.join(self.functions)}")
            self._prewarm(say)
            if MIGRATE in self.functions:
                say("Migrating the database")
                self._prepare()
            gateway = Gateway(self.template.routes, self.functions, show, auth=options.auth)
            invocations = Invocations(self.functions, show)
            self.url, self.lambda_url = (
                self._serve(undo, options.host, port, answer)
                for port, answer in (
                    (self._backing.port, gateway.answer),
                    (self._backing.lambda_port, invocations.answer),
                )
            )
            moving: list[Poller | Timer] = [*self._timers(options)]
            if options.polling:
                moving += self.pollers(options.concurrency)
            for part in moving:
                undo.callback(part.stop)
                part.start()
            self._undo = undo.pop_all()

    def close(self) -> None:
        self._undo.close()

    @staticmethod
    def _serve(undo: ExitStack, host: str, port: int, answer: Callable[[Request], Response]) -> str:
        server = Server(host, port, answer)
        undo.callback(server.stop)
        server.start()
        return server.url

    @property
    def provider(self) -> ProviderSimulator:
        return self._backing.provider

    @property
    def database_url(self) -> str:
        return self._backing.database_url

    @property
    def aws_endpoint(self) -> str:
        return self._backing.aws.endpoint

    @property
    def folder(self) -> Path:
        return self._backing.folder.path

    @property
    def urls(self) -> list[str]:
        """The functions that have a URL of their own."""
        return [declared.name for declared in self.template.functions if declared.has_url]

    def function_url(self, name: str) -> str:
        return f"{self.url}{URL_PREFIX}{name}/"

    def invoke(self, name: str, event: object) -> Any:
        """The function's result, or FunctionError."""
        return self.functions[name].invoke(event)

    def log(self, name: str) -> str:
        """What a function has printed so far."""
        path = self.logs.path(name)
        return path.read_text("utf-8") if path.exists() else ""

    def sqs(self) -> "SQSClient":
        return self._backing.aws.sqs()

    def s3(self) -> "S3Client":
        client: S3Client = self._backing.aws.client("s3")
        return client

    def stop_postgres(self) -> None:
        self._backing.postgres.stop()

    def start_postgres(self) -> None:
        self._backing.postgres.start()

    def stop_aws(self) -> None:
        self._backing.stop_aws()

    def start_aws(self) -> None:
        self._backing.start_aws()

    def _prewarm(self, say: Callable[[str], None]) -> None:
        """One environment each. A function that does not start is no reason for the others not to, unless it
        is for what it was told. Raises CannotStart."""

        def start(function: Function) -> None:
            try:
                function.prewarm()
            except FunctionError as error:
                name = function.declared.name
                if error.error_type == INVALID:
                    raise CannotStart(f"{name} does not start: {error.message}") from None
                say(f"{name} does not start: {error}; see {self.logs.path(name)}")

        with ThreadPoolExecutor(len(self.functions) or 1) as threads:
            list(threads.map(start, self.functions.values()))

    def _prepare(self) -> None:
        """The database, and for a first try an account that sends from every address that no other owns: in a
        database of which the audit tells nothing yet, so that what an operator removes stays removed."""
        self._done(MIGRATE, {})
        if not self._done(ADMIN, {"operator": "GET /api/admin/audit?limit=1"})["body"]["events"]:
            everything = {"address": "*", "account_id": 1}
            self._done(ADMIN, {"operator": "POST /api/admin/addresses", "body": everything})

    def _done(self, name: str, event: object) -> Any:
        try:
            return self.invoke(name, event)
        except FunctionError as error:
            raise CannotStart(f"{name} failed: {error}; see {self.logs.path(name)}") from None

    def pollers(self, pollers: int) -> Iterator[Poller]:
        """What hands the queues' messages to their functions, for each source; not started yet."""
        for source in self.template.sources:
            yield Poller(source, self.functions[source.function], self.sqs(), pollers)

    def _timers(self, options: Options) -> Iterator[Timer]:
        if options.relay_every:
            for schedule in self.template.schedules:
                yield Timer(schedule, self.functions[schedule.function], options.relay_every)


@contextmanager
def running(**changes: Any) -> Iterator[Stack]:
    """A stack of one's own, on free ports and in a temporary folder; `changes` are fields of Options.

    with running(relay_every=0.5) as stack:
        urlopen(stack.url + "/healthz")
        stack.provider.behave(Behaviour(status=503, times=1))
        stack.invoke("Relay", {})
        assert not stack.provider.requests, stack.log("DeliverMessage")
    """
    with tempfile.TemporaryDirectory(prefix="messaging-") as folder:
        free = Options(
            folder=Path(folder),
            durable=False,
            port=0,
            lambda_port=0,
            postgres_port=0,
            aws_port=0,
            provider_port=0,
        )
        stack = Stack(replace(free, **changes), _silent, _silent)
        try:
            yield stack
        finally:
            stack.close()


def _silent(line: str) -> None:
    """For whoever reads the logs' files instead."""
