"""A cold start, from its first line to the function's first answer; then a second one, which is warm.

Started by path as `python -I -B first.py`; its order, a line of JSON, comes on standard input. It waits for
the end of that, so that its memory can be looked at.
"""

import sys
import time

started, cpu_started = time.perf_counter(), time.process_time()

import importlib  # noqa: E402
import json  # noqa: E402  # Lambda's own bootstrap has it too
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
    order = json.loads(sys.stdin.readline())
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.path[:0] = order["path"]
    function = importlib.import_module(order["module"])
    events: list[list[float]] = []
    told: dict[str, object] = {"init": _since(), "events": events}
    for event in order["events"]:
        before = _since()
        answer = function.handler(event, Context())
        events.append([now - then for now, then in zip(_since(), before, strict=True)])
        told["failed"] = answer.get("statusCode", 200) >= 300 or bool(answer.get("batchItemFailures"))
        if told["failed"]:
            told["answer"] = str(answer)
            break
    answers.write(json.dumps(told) + "\n")
    answers.flush()
    sys.stdin.read()


def _since() -> list[float]:
    """Milliseconds on the wall, and of CPU."""
    return [(time.perf_counter() - started) * 1000, (time.process_time() - cpu_started) * 1000]


main()
