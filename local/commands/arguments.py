"""The command line of `python -m local`: its parser, and the Options that it chooses."""

import argparse
import os
import subprocess
from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path

from local.errors import CannotStart
from local.options import Options

DESCRIPTION = """
Runs the service on this machine (start), only what its functions need (services), or a check of the code.
For a service that runs, redrive puts its dead letters back, and replay reads stored webhooks again.
accounts, addresses, keys and audit have options of their own: python -m local keys --help
"""
COMPOSE_POSTGRES_PORT, COMPOSE_AWS_PORT = 5432, 4566
"""The ports in docker-compose.yml, which `services` stands in for."""
REPLAY_FILTERS = ("unparsed", "since", "until", "provider")


def parser(commands: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description=DESCRIPTION)
    parser.add_argument("command", nargs="?", choices=commands, default="start")
    _add_ports(parser)
    _add_start_options(parser)
    services = parser.add_argument_group("services")
    services.add_argument(
        "--host", default=Options.host, help="127.0.0.1, or the address of Docker's bridge for sam local"
    )
    services.add_argument(
        "--gateway", default="http://127.0.0.1:3000", help="URL that serves the API (%(default)s)"
    )
    replay = parser.add_argument_group("replay")
    replay.add_argument("--unparsed", action="store_true", help="only webhooks that could not be parsed")
    replay.add_argument(
        "--since", metavar="TIME", help="only those received at this time or later (RFC 3339)"
    )
    replay.add_argument("--until", metavar="TIME", help="only those received before this time")
    replay.add_argument("--provider", metavar="NAME", help="only those of this provider")
    return parser


def _add_ports(parser: argparse.ArgumentParser) -> None:
    ports = parser.add_argument_group("ports", "0 takes any free port")
    ports.add_argument("--port", type=int, default=Options.port, help="the API (%(default)s)")
    ports.add_argument(
        "--lambda-port",
        type=int,
        default=Options.lambda_port,
        help="Lambda's API, which invokes functions (%(default)s)",
    )
    ports.add_argument(
        "--provider-port", type=int, default=Options.provider_port, help="provider simulator (%(default)s)"
    )
    ports.add_argument(
        "--postgres-port",
        type=int,
        help=f"Postgres ({Options.postgres_port}; services: {COMPOSE_POSTGRES_PORT})",
    )
    ports.add_argument(
        "--aws-port",
        type=int,
        help=f"SQS, S3 and Secrets Manager ({Options.aws_port}; services: {COMPOSE_AWS_PORT})",
    )


def _add_start_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, default=Options.folder, help="folder that survives a restart (.local)"
    )
    parser.add_argument("--fresh", action="store_true", help="delete the data of earlier runs first")
    parser.add_argument("--template", type=Path, default=Options.template)
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the template; can be repeated",
    )
    parser.add_argument(
        "--relay-every",
        type=float,
        default=Options.relay_every,
        metavar="SECONDS",
        help="time between two runs of a schedule (%(default)s)",
    )
    parser.add_argument(
        "--concurrency",
        type=int,
        default=Options.concurrency,
        help="maximum number of processes per function (%(default)s)",
    )
    parser.add_argument(
        "--auth", action="store_true", help="require an API key, as in AWS (create one: python -m local keys)"
    )


def replay_filters(arguments: argparse.Namespace) -> dict[str, object]:
    """Return the filters that the command line names."""
    filters = {name: getattr(arguments, name) for name in REPLAY_FILTERS}
    return {name: value for name, value in filters.items() if value}


def options(arguments: argparse.Namespace) -> Options:
    """Return the options of a run. Raises CannotStart if an argument is wrong."""
    is_services = arguments.command == "services"
    if arguments.host != Options.host and not is_services:
        raise CannotStart("--host is for services; the API is only for this machine")
    _check_host(arguments.host)
    postgres_port, aws_port = arguments.postgres_port, arguments.aws_port
    if postgres_port is None:
        postgres_port = COMPOSE_POSTGRES_PORT if is_services else Options.postgres_port
    if aws_port is None:
        aws_port = COMPOSE_AWS_PORT if is_services else Options.aws_port
    return Options(
        template=arguments.template,
        folder=arguments.data,
        fresh=arguments.fresh,
        host=arguments.host,
        port=arguments.port,
        lambda_port=arguments.lambda_port,
        postgres_port=postgres_port,
        aws_port=aws_port,
        provider_port=arguments.provider_port,
        database_url=os.environ.get("DATABASE_URL", ""),
        gateway=arguments.gateway if is_services else "",
        relay_every=arguments.relay_every,
        concurrency=arguments.concurrency,
        auth=arguments.auth,
        parameters=dict(_name_and_value(parameter) for parameter in arguments.parameter),
    )


def _name_and_value(parameter: str) -> tuple[str, str]:
    name, equals_sign, value = parameter.partition("=")
    if not equals_sign:
        raise CannotStart(f"--parameter {parameter}: must have the form NAME=VALUE")
    return name, value


def _check_host(host: str) -> None:
    """Keep other machines out, because the passwords here are public. Raises CannotStart."""
    try:
        if ip_address(host).is_loopback:
            return
    except ValueError:
        raise CannotStart(f"--host {host}: must be an IP address") from None
    if host not in _bridge_addresses():
        raise CannotStart(f"--host {host}: must be 127.0.0.1 or the address of Docker's bridge")


def _bridge_addresses() -> list[str]:
    """Return this machine's addresses in Docker's default network: by default the first of each subnet."""
    command = ["docker", "network", "inspect", "bridge"]
    command += ["--format", "{{range .IPAM.Config}}{{.Subnet}} {{end}}"]
    try:
        inspected = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return []
    return [str(ip_network(subnet)[1]) for subnet in inspected.stdout.split()]
