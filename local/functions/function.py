"""A function as Lambda runs it: warm processes first, more on demand, one invocation at a time in each."""

import threading
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from local.functions.environment import Environment, FunctionError, variables
from local.functions.logs import Logs
from local.template import template


class StillRunning(Exception):  # no error: the function goes on
    """The caller's patience was over before the function's answer, which is thrown away when it comes."""


class Function:
    """A warm pool that grows on demand up to `concurrency`; past that an invocation waits for a free one."""

    def __init__(
        self, declared: template.Function, platform: Mapping[str, str], logs: Logs, concurrency: int
    ) -> None:
        """`platform` holds the variables that come from us rather than from the template."""
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
        """Raises FunctionError where the function cannot even be imported."""
        self._put_back(self._take(float("inf")))

    def invoke(self, event: object, patience: float = float("inf")) -> Any:
        """The function's result. Raises FunctionError, or StillRunning where it outlasts `patience`."""
        give_up = time.monotonic() + patience
        environment = self._take(patience)
        request_id = str(uuid.uuid4())
        timeout = self.declared.timeout
        deadline = time.monotonic() + timeout
        environment.ask(
            {"id": request_id, "arn": self._arn, "deadline": time.time() + timeout, "event": event}
        )
        if give_up < deadline and not environment.answers_within(give_up - time.monotonic()):
            threading.Thread(
                target=self._outlast, args=(environment, request_id, deadline), daemon=True
            ).start()
            raise StillRunning
        return self._finish(environment, request_id, deadline)

    def close(self, grace: float = 0) -> None:
        """Takes no more invocations and ends every process, a busy one once `grace` seconds are over."""
        give_up = time.monotonic() + grace
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            while len(self._idle) < len(self._environments) and time.monotonic() < give_up:
                self._changed.wait(give_up - time.monotonic())
            environments = list(self._environments)
        for environment in environments:
            environment.end()

    def note(self, line: str) -> None:
        """Into the function's log, as the platform does."""
        self._logs.write(self.declared.name, line)

    def _finish(self, environment: Environment, request_id: str, deadline: float) -> Any:
        try:
            return environment.answer(deadline - time.monotonic())
        except FunctionError as error:
            if not error.trace:  # else the function itself has printed it
                self.note(
                    f"[ERROR] {error} (request {request_id}, {self.declared.timeout:g} seconds allowed)"
                )
            raise
        finally:
            self._put_back(environment)

    def _outlast(self, environment: Environment, request_id: str, deadline: float) -> None:
        with suppress(FunctionError):  # it is in the log, and nobody waits for it any more
            self._finish(environment, request_id, deadline)

    def _take(self, patience: float) -> Environment:
        """A warm process, or the first to be free or ready: who waits for a new one may get an old one."""
        give_up = time.monotonic() + patience
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
                    left = give_up - time.monotonic()
                    if left <= 0:
                        raise StillRunning
                    self._changed.wait(min(left, threading.TIMEOUT_MAX))
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
                failure = FunctionError("Sandbox.Closed", "the runner is stopping")
            elif environment is not None:
                self._environments.add(environment)
                self._idle.append(environment)
            self._failure = failure
            self._changed.notify_all()

    def _put_back(self, environment: Environment) -> None:
        with self._changed:
            if environment.alive:
                self._idle.append(environment)
            else:
                self._environments.discard(environment)
            self._changed.notify()
