"""Schedules. Each fires every few seconds, whatever its expression says, so that nobody waits minutes."""

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
    def __init__(self, schedule: Schedule, function: Function, interval: float) -> None:
        self._schedule = schedule
        self._function = function
        self._interval = interval
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(self._interval):
            with suppress(FunctionError):  # it is in the function's log; the next run is the retry
                self._function.invoke(schedule_event(self._schedule))


def schedule_event(schedule: Schedule) -> Any:
    """Return the schedule's input, or else the event that EventBridge Scheduler makes."""
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
