"""Schedules: each fires every few seconds, whatever its expression says: nobody waits minutes at a desk."""

import json
import threading
import time
import uuid
from contextlib import suppress
from typing import Any

from local.functions.environment import FunctionError
from local.functions.function import Function
from local.template.template import ACCOUNT, REGION, Schedule


class Timer:
    def __init__(self, schedule: Schedule, function: Function, every: float) -> None:
        self._schedule = schedule
        self._function = function
        self._every = every
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(self._every):
            with suppress(FunctionError):  # it is in the function's log, and the next time is the retry
                self._function.invoke(event(self._schedule))


def event(schedule: Schedule) -> Any:
    """As EventBridge Scheduler makes it for a target without an input of its own."""
    if schedule.input is not None:
        return json.loads(schedule.input)
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": ACCOUNT,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "region": REGION,
        "resources": [f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/{schedule.name}"],
        "detail": "{}",
    }
