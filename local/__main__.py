"""`python -m local`: the whole service here (start), what its functions lean on (services), its checks, or
what is done to one that runs (redrive: its dead letters are put back; replay: webhooks that it has kept are
read again, as the options choose; accounts, addresses, keys, audit: see `python -m local keys --help`)."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address, ip_network
from pathlib import Path
from subprocess import run

from local.backing_services import BackingServices
from local.commands import check, configuration, openapi
from local.commands.guide import services_started, started
from local.commands.operate import NOUNS, operate
from local.commands.redrive import redrive
from local.commands.replay import replay
from local.errors import CannotStart
from local.options import Options
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
OPERATIONS: dict[str, Callable[[argparse.Namespace], int]] = {
    "redrive": lambda arguments: redrive(_options(arguments), _say),
    "replay": lambda arguments: replay(_options(arguments), _chosen(arguments), _say),
}
"""On a service that runs here, found by the ports."""


class _Stop(BaseException):
    """Ctrl-C, SIGTERM, or the terminal was closed."""


def main() -> int:
    try:
        if sys.argv[1:2] and sys.argv[1] in NOUNS:
            return operate(sys.argv[1:], _say)
        arguments = _parser().parse_args()
        if arguments.command in OPERATIONS:
            return OPERATIONS[arguments.command](arguments)
    except CannotStart as error:
        return _cannot(error)
    if arguments.command in TOOLS:
        return TOOLS[arguments.command](_say)
    return _serve(arguments)


def _serve(arguments: argparse.Namespace) -> int:
    for number in _endings():
        if number.name != "SIGHUP" or signal.getsignal(number) is not signal.SIG_IGN:  # under nohup it is
            signal.signal(number, _stop)
    running: Stack | BackingServices | None = None
    try:
        options = _options(arguments)
        if arguments.command == "services":
            running = backing = BackingServices(options, _say)
            _say(services_started(backing))
        else:
            running = stack = Stack(options, _say, _say)
            _say(started(stack, auth=options.auth))
        while True:
            time.sleep(60)
    except _Stop:
        _say("Stopping")
        return 0
    except CannotStart as error:
        return _cannot(error)
    finally:
        if running is not None:
            running.close()


def _cannot(error: CannotStart) -> int:
    print(f"error: {error}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    kept = Options()
    commands = ("start", "services", *OPERATIONS, *TOOLS)
    parser.add_argument("command", nargs="?", choices=commands, default="start")
    parser.add_argument("--port", type=int, default=kept.port, help="of the API (%(default)s)")
    parser.add_argument(
        "--lambda-port", type=int, default=kept.lambda_port, help="of what invokes functions (%(default)s)"
    )
    parser.add_argument("--postgres-port", type=int, help=f"({kept.postgres_port}; services: 5432)")
    parser.add_argument("--aws-port", type=int, help=f"({kept.aws_port}; services: 4566)")
    parser.add_argument("--provider-port", type=int, default=kept.provider_port, help="(%(default)s)")
    parser.add_argument(
        "--data", type=Path, default=kept.folder, help="what survives a restart is here (.local)"
    )
    parser.add_argument("--fresh", action="store_true", help="forget what was kept there")
    parser.add_argument("--template", type=Path, default=kept.template)
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the template; repeatable",
    )
    parser.add_argument(
        "--relay-every",
        type=float,
        default=kept.relay_every,
        help="seconds between a schedule's runs (%(default)s)",
    )
    parser.add_argument(
        "--concurrency",
        type=int,
        default=kept.concurrency,
        help="processes a function, at most (%(default)s)",
    )
    parser.add_argument("--auth", action="store_true", help="ask for a key, as in AWS (python -m local keys)")
    parser.add_argument(
        "--host",
        default=kept.host,
        help="services only: 127.0.0.1, or the Docker bridge's address for sam local",
    )
    parser.add_argument(
        "--gateway",
        default="http://127.0.0.1:3000",
        help="services only: where the API is served (%(default)s)",
    )
    chosen = parser.add_argument_group("replay")
    chosen.add_argument("--unparsed", action="store_true", help="what could not be read")
    chosen.add_argument("--since", metavar="TIME", help="what came then or later; RFC 3339")
    chosen.add_argument("--until", metavar="TIME", help="what came before")
    chosen.add_argument("--provider", metavar="NAME", help="what this provider sent")
    return parser


def _chosen(arguments: argparse.Namespace) -> dict[str, object]:
    names = ("unparsed", "since", "until", "provider")
    return {name: value for name in names if (value := getattr(arguments, name))}


def _options(arguments: argparse.Namespace) -> Options:
    """Ports of `services` are those of docker-compose.yml, which it stands in for."""
    services = arguments.command == "services"
    if arguments.host != Options.host and not services:
        raise CannotStart("--host is for services; the API is for this machine alone")
    _check_host(arguments.host)
    return Options(
        template=arguments.template,
        folder=arguments.data,
        fresh=arguments.fresh,
        host=arguments.host,
        port=arguments.port,
        lambda_port=arguments.lambda_port,
        postgres_port=_first(arguments.postgres_port, 5432 if services else Options.postgres_port),
        aws_port=_first(arguments.aws_port, 4566 if services else Options.aws_port),
        provider_port=arguments.provider_port,
        database_url=os.environ.get("DATABASE_URL", ""),
        gateway=arguments.gateway if services else "",
        relay_every=arguments.relay_every,
        concurrency=arguments.concurrency,
        auth=arguments.auth,
        parameters=dict(map(_name_and_value, arguments.parameter)),
    )


def _first(given: int | None, otherwise: int) -> int:
    return otherwise if given is None else given


def _name_and_value(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found:
        raise CannotStart(f"--parameter {text}: NAME=VALUE is expected")
    return name, value


def _check_host(host: str) -> None:
    """Nobody outside this machine gets in: the passwords here are no secrets."""
    try:
        if ip_address(host).is_loopback:
            return
    except ValueError:
        raise CannotStart(f"--host {host} is not an address") from None
    if host not in _bridges():
        raise CannotStart(f"--host {host}: only 127.0.0.1 or the Docker bridge's address may be served")


def _bridges() -> list[str]:
    """The host's own addresses on Docker's default network: unless told otherwise, the first of a subnet."""
    ask = ["docker", "network", "inspect", "bridge", "--format", "{{range .IPAM.Config}}{{.Subnet}} {{end}}"]
    try:
        subnets = run(ask, capture_output=True, text=True, check=False).stdout.split()
    except OSError:
        return []
    return [str(ip_network(subnet)[1]) for subnet in subnets]


def _endings() -> list[signal.Signals]:
    return [number for number in signal.Signals if number.name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")]


def _stop(*_: object) -> None:
    for ending in _endings():
        signal.signal(ending, signal.SIG_IGN)  # what is under way now is the ending
    raise _Stop


def _say(line: str) -> None:
    with suppress(OSError):  # the terminal is gone, and we are about to be
        sys.stdout.write(f"{line}\n")  # in one piece: several threads have something to say
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
