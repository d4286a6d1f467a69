"""`python -m local` runs the service on this machine, its checks, and commands for a service that runs."""

import argparse
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from local.backing_services import BackingServices
from local.commands import arguments, check, configuration, openapi
from local.commands.guide import services_started, started
from local.commands.operate import NOUNS, operate
from local.commands.redrive import redrive
from local.commands.replay import replay
from local.errors import CannotStart
from local.stack import Stack

TOOLS: dict[str, Callable[[Callable[[str], None]], int]] = {
    "lint": check.lint,
    "types": check.types,
    "check": check.check,
    "test": check.test,
    "faults": check.faults,
    "openapi": openapi.write,
    "configuration": configuration.write,
}
COMMANDS = ("start", "services", "redrive", "replay", *TOOLS)


class _Stop(BaseException):
    """Ctrl-C, SIGTERM, or the terminal was closed."""


def main() -> int:
    try:
        return _run(sys.argv[1:])
    except CannotStart as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _run(command_line: list[str]) -> int:
    if command_line and command_line[0] in NOUNS:
        return operate(command_line, _say)
    parsed = arguments.parser(COMMANDS).parse_args(command_line)
    if parsed.command in TOOLS:
        return TOOLS[parsed.command](_say)
    if parsed.command == "redrive":
        return redrive(arguments.options(parsed), _say)
    if parsed.command == "replay":
        return replay(arguments.options(parsed), arguments.replay_filters(parsed), _say)
    return _serve(parsed)


def _serve(parsed: argparse.Namespace) -> int:
    """Run until a signal, then end everything that was started. Raises CannotStart."""
    _catch_signals()
    running: Stack | BackingServices | None = None
    try:
        options = arguments.options(parsed)
        if parsed.command == "services":
            running = services = BackingServices(options, _say)
            _say(services_started(services))
        else:
            running = stack = Stack(options, _say, _say)
            _say(started(stack, auth=options.auth))
        while True:
            time.sleep(60)
    except _Stop:
        _say("Stopping")
        return 0
    finally:
        if running is not None:
            running.close()


def _ending_signals() -> list[signal.Signals]:
    """SIGHUP is missing on Windows, and SIGBREAK elsewhere."""
    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    return [number for number in signal.Signals if number.name in names]


def _catch_signals() -> None:
    for number in _ending_signals():
        under_nohup = number.name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN
        if not under_nohup:
            signal.signal(number, _stop)


def _stop(*_: object) -> None:
    for number in _ending_signals():
        signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not interrupt the end
    raise _Stop


def _say(line: str) -> None:
    with suppress(OSError):  # the terminal was closed, and its signal is about to arrive
        sys.stdout.write(f"{line}\n")  # one write, because several threads print
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
