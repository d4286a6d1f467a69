"""A cold start, from the first line to the function's first response; then a second, warm invocation.

Started by path as `python -I -B cold_start.py`. A line of JSON on standard input names the module, its path
and the events. The process waits for the end of standard input, so that its memory can be measured.
"""

import sys
import time

started, cpu_started = time.perf_counter(), time.process_time()

import importlib  # noqa: E402
import json  # noqa: E402  # Lambda's own bootstrap imports it, too
import os  # noqa: E402


class Context:
    function_name = "bench"
    function_version = "$LATEST"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:bench"
    aws_request_id = "00000000-0000-4000-8000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        return 28_000


def main() -> None:
    start = json.loads(sys.stdin.readline())
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.path[:0] = start["path"]
    function = importlib.import_module(start["module"])
    events: list[list[float]] = []
    result: dict[str, object] = {"init": _since(), "events": events}
    for event in start["events"]:
        before = _since()
        response = function.handler(event, Context())
        after = _since()
        events.append([after[0] - before[0], after[1] - before[1]])
        result["failed"] = response.get("statusCode", 200) >= 300 or bool(response.get("batchItemFailures"))
        if result["failed"]:
            result["response"] = str(response)
            break
    output.write(json.dumps(result) + "\n")
    output.flush()
    sys.stdin.read()


def _since() -> list[float]:
    """Return the milliseconds since the start: wall-clock time, and CPU time."""
    return [(time.perf_counter() - started) * 1000, (time.process_time() - cpu_started) * 1000]


main()
