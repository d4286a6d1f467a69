"""Everything that a template declares, running on this machine. The end-to-end tests use it, too."""

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
INVALID_SETTING = "InvalidSetting"
"""The error of a function at its start, if a parameter of the template has an invalid value."""
GRACE_SECONDS = 3
"""How long busy functions may go on when everything stops."""


class Stack:
    """Starts in the constructor and stops in `close`. A start that fails stops what it has started."""

    def __init__(self, options: Options, say: Callable[[str], None], show: Callable[[str], None]) -> None:
        """Call `say` with each step of the start, and `show` with later requests and shortened log lines.

        Raises CannotStart.
        """
        with ExitStack() as undo:
            self._services = BackingServices(options, say)
            undo.callback(self._services.close)
            self.template = self._services.template
            self.logs = Logs(self._services.folder.path / "logs", show)
            undo.callback(self.logs.close)
            self.functions = self._make_functions(options)
            for function in self.functions.values():
                undo.callback(function.close, GRACE_SECONDS)
            say(f"Functions: {', '.join(self.functions)}")
            self._prewarm(say)
            if MIGRATE in self.functions:
                say("Migrating the database")
                self._prepare_database()
            gateway = Gateway(self.template.routes, self.functions, show, auth=options.auth)
            self.url = _serve(undo, options.host, self._services.port, gateway.respond)
            invocations = Invocations(self.functions, show)
            self.lambda_url = _serve(undo, options.host, self._services.lambda_port, invocations.respond)
            for trigger in self._triggers(options):
                undo.callback(trigger.stop)
                trigger.start()
            self._undo = undo.pop_all()

    def close(self) -> None:
        self._undo.close()

    @property
    def provider(self) -> ProviderSimulator:
        return self._services.provider

    @property
    def simulates_providers(self) -> bool:
        return self._services.simulates_providers

    @property
    def provider_secret(self) -> str:
        return self._services.provider_secret

    @property
    def database_url(self) -> str:
        return self._services.database_url

    @property
    def aws_endpoint(self) -> str:
        return self._services.aws.endpoint

    @property
    def folder(self) -> Path:
        return self._services.folder.path

    @property
    def functions_with_url(self) -> list[str]:
        """The names of the functions that have a URL of their own."""
        return [function.name for function in self.template.functions if function.has_url]

    def function_url(self, name: str) -> str:
        return f"{self.url}{URL_PREFIX}{name}/"

    def invoke(self, name: str, event: object) -> Any:
        """Return the function's result. Raises FunctionError."""
        return self.functions[name].invoke(event)

    def log(self, name: str) -> str:
        """Return what a function has printed so far."""
        path = self.logs.path(name)
        return path.read_text("utf-8") if path.exists() else ""

    def sqs(self) -> "SQSClient":
        return self._services.aws.sqs()

    def s3(self) -> "S3Client":
        client: S3Client = self._services.aws.client("s3")
        return client

    def stop_postgres(self) -> None:
        self._services.postgres.stop()

    def start_postgres(self) -> None:
        self._services.postgres.start()

    def stop_aws(self) -> None:
        self._services.stop_aws()

    def start_aws(self) -> None:
        self._services.start_aws()

    def pollers(self, count: int) -> Iterator[Poller]:
        """Return a poller with `count` threads, not yet started, for each queue that triggers a function."""
        for source in self.template.sources:
            yield Poller(source, self.functions[source.function], self.sqs(), count)

    def _make_functions(self, options: Options) -> dict[str, Function]:
        platform = {
            **CREDENTIALS,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self._services.aws.endpoint,
        }
        return {
            declared.name: Function(declared, platform, self.logs, options.concurrency)
            for declared in self.template.functions
        }

    def _prewarm(self, say: Callable[[str], None]) -> None:
        """Start one environment of each function.

        The others start even if one function cannot. Raises CannotStart if the reason is an invalid setting.
        """

        def start(function: Function) -> None:
            try:
                function.prewarm()
            except FunctionError as error:
                name = function.declared.name
                if error.error_type == INVALID_SETTING:
                    raise CannotStart(f"{name} does not start: {error.message}") from None
                say(f"{name} does not start: {error}; see {self.logs.path(name)}")

        with ThreadPoolExecutor(len(self.functions) or 1) as threads:
            list(threads.map(start, self.functions.values()))

    def _prepare_database(self) -> None:
        """Migrate the database. At its first start, let account 1 send from every address that has no owner.

        A database with audit events is not new: what an operator removed stays removed.
        """
        self._invoke_at_start(MIGRATE, {})
        audit = self._invoke_at_start(ADMIN, {"operator": "GET /api/admin/audit?limit=1"})
        if not audit["body"]["events"]:
            every_address = {"address": "*", "account_id": 1}
            self._invoke_at_start(ADMIN, {"operator": "POST /api/admin/addresses", "body": every_address})

    def _invoke_at_start(self, name: str, event: object) -> Any:
        try:
            return self.invoke(name, event)
        except FunctionError as error:
            raise CannotStart(f"{name} failed: {error}; see {self.logs.path(name)}") from None

    def _triggers(self, options: Options) -> Iterator[Poller | Timer]:
        if options.relay_every:
            for schedule in self.template.schedules:
                yield Timer(schedule, self.functions[schedule.function], options.relay_every)
        if options.polling:
            yield from self.pollers(options.concurrency)


def _serve(undo: ExitStack, host: str, port: int, respond: Callable[[Request], Response]) -> str:
    """Start a server and return its URL."""
    server = Server(host, port, respond)
    undo.callback(server.stop)
    server.start()
    return server.url


@contextmanager
def running(**changes: Any) -> Iterator[Stack]:
    """Run a stack on free ports and in a temporary folder. `changes` are fields of Options.

    with running(relay_every=0.5) as stack:
        urlopen(stack.url + "/healthz")
        stack.provider.behave(Behaviour(status=503, times=1))
        stack.invoke("Relay", {})
        assert not stack.provider.requests, stack.log("DeliverMessage")
    """
    with tempfile.TemporaryDirectory(prefix="messaging-") as folder:
        defaults = Options(
            folder=Path(folder),
            durable=False,
            port=0,
            lambda_port=0,
            postgres_port=0,
            aws_port=0,
            provider_port=0,
        )
        stack = Stack(replace(defaults, **changes), _say_nothing, _say_nothing)
        try:
            yield stack
        finally:
            stack.close()


def _say_nothing(line: str) -> None:
    """For callers that read the log files instead."""
