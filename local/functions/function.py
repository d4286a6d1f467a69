"""A function as Lambda runs it: in environments that are started on demand and then stay warm."""

import threading
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from local.functions.environment import Environment, FunctionError, variables
from local.functions.logs import Logs
from local.template import template


class StillRunning(Exception):
    """The caller's wait ended before the function did. The function goes on, and its result is discarded."""


class Function:
    """A pool of environments. It grows up to `concurrency`; further invocations wait for an idle one."""

    def __init__(
        self, declared: template.Function, platform: Mapping[str, str], logs: Logs, concurrency: int
    ) -> None:
        """`platform` holds environment variables that the template does not declare."""
        self.declared = declared
        self._variables = variables(declared, platform)
        self._arn = template.function_arn(declared.name)
        self._logs = logs
        self._concurrency = concurrency
        self._changed = threading.Condition()
        self._environments: set[Environment] = set()
        self._idle: list[Environment] = []
        self._starting = 0
        self._waiting = 0
        self._failure: FunctionError | None = None
        self._closed = False

    def prewarm(self) -> None:
        """Start an environment. Raises FunctionError if the function cannot be imported."""
        self._release(self._acquire(float("inf")))

    def invoke(self, event: object, wait_seconds: float = float("inf")) -> Any:
        """Return the function's result. Raises FunctionError, or StillRunning after `wait_seconds`."""
        wait_deadline = time.monotonic() + wait_seconds
        environment = self._acquire(wait_seconds)
        request_id = str(uuid.uuid4())
        timeout = self.declared.timeout
        deadline = time.monotonic() + timeout
        environment.send(
            {"id": request_id, "arn": self._arn, "deadline": time.time() + timeout, "event": event}
        )
        if wait_deadline < deadline and not environment.is_ready_within(wait_deadline - time.monotonic()):
            arguments = (environment, request_id, deadline)
            threading.Thread(target=self._discard_result, args=arguments, daemon=True).start()
            raise StillRunning
        return self._receive(environment, request_id, deadline)

    def close(self, grace: float = 0) -> None:
        """Accept no more invocations and end every environment. Busy ones have `grace` seconds to finish."""
        deadline = time.monotonic() + grace
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            while len(self._idle) < len(self._environments) and time.monotonic() < deadline:
                self._changed.wait(deadline - time.monotonic())
            environments = list(self._environments)
        for environment in environments:
            environment.end()

    def log(self, line: str) -> None:
        """Write a line of the platform to the function's log."""
        self._logs.write(self.declared.name, line)

    def _receive(self, environment: Environment, request_id: str, deadline: float) -> Any:
        try:
            return environment.receive(deadline - time.monotonic())
        except FunctionError as error:
            if not error.trace:  # with a traceback, the worker has logged the error already
                self.log(f"[ERROR] {error} (request {request_id}, {self.declared.timeout:g} seconds allowed)")
            raise
        finally:
            self._release(environment)

    def _discard_result(self, environment: Environment, request_id: str, deadline: float) -> None:
        with suppress(FunctionError):  # it is in the log, and nobody waits for it
            self._receive(environment, request_id, deadline)

    def _acquire(self, wait_seconds: float) -> Environment:
        """Return the first environment that is idle. A new one may be started meanwhile."""
        deadline = time.monotonic() + wait_seconds
        with self._changed:
            self._waiting += 1
            self._failure = None
            try:
                while True:
                    if environment := self._pop_idle():
                        return environment
                    if self._failure and not self._environments and not self._starting:
                        raise self._failure
                    self._grow()
                    seconds_left = deadline - time.monotonic()
                    if seconds_left <= 0:
                        raise StillRunning
                    self._changed.wait(min(seconds_left, threading.TIMEOUT_MAX))
            finally:
                self._waiting -= 1

    def _pop_idle(self) -> Environment | None:
        while self._idle:
            environment = self._idle.pop()
            if environment.alive:
                return environment
            self._environments.discard(environment)
            environment.end()
        return None

    def _grow(self) -> None:
        if self._starting < self._waiting and len(self._environments) + self._starting < self._concurrency:
            self._starting += 1
            threading.Thread(target=self._start, daemon=True).start()

    def _start(self) -> None:
        environment, failure = None, None
        try:
            environment = Environment(self.declared, self._variables, self._logs)
        except OSError as error:
            failure = FunctionError("Runtime.InvalidEntrypoint", str(error))
        except FunctionError as error:
            failure = error
        with self._changed:
            self._starting -= 1
            if environment is not None and self._closed:
                environment.end()
                failure = FunctionError("Sandbox.Closed", "the service is stopping")
            elif environment is not None:
                self._environments.add(environment)
                self._idle.append(environment)
            self._failure = failure
            self._changed.notify_all()

    def _release(self, environment: Environment) -> None:
        with self._changed:
            if environment.alive:
                self._idle.append(environment)
            else:
                self._environments.discard(environment)
            self._changed.notify()
