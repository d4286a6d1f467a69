"""Manages accounts, addresses and keys of a running service, by invoking Admin as an operator does in AWS.

python -m local keys create --account 1 --scopes send,read
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from local.http.client import invoke
from local.options import Options

Say = Callable[[str], None]


class Operation(NamedTuple):
    method: str
    path: str
    """With the options that are part of the path in braces."""


OPERATIONS: Mapping[tuple[str, str], Operation] = {
    ("accounts", "create"): Operation("POST", "/api/admin/accounts"),
    ("accounts", "list"): Operation("GET", "/api/admin/accounts"),
    ("accounts", "change"): Operation("PATCH", "/api/admin/accounts/{id}"),
    ("addresses", "add"): Operation("POST", "/api/admin/addresses"),
    ("addresses", "list"): Operation("GET", "/api/admin/addresses"),
    ("addresses", "remove"): Operation("DELETE", "/api/admin/addresses/{address}"),
    ("keys", "create"): Operation("POST", "/api/admin/keys"),
    ("keys", "list"): Operation("GET", "/api/admin/keys"),
    ("keys", "revoke"): Operation("DELETE", "/api/admin/keys/{id}"),
    ("audit", "list"): Operation("GET", "/api/admin/audit"),
}
NOUNS = {noun for noun, _ in OPERATIONS}
UNLIMITED = 0
"""The value of a limit's option that removes the limit."""


def operate(command: Sequence[str], say: Say) -> int:
    """Run a command and show the response. Returns 1 if it is an error, or else 0. Raises CannotStart."""
    arguments = vars(_parser().parse_args(command))
    url = f"http://{Options.host}:{arguments.pop('lambda_port')}"
    operation = OPERATIONS[arguments.pop("noun"), arguments.pop("verb")]
    fields = {name: value for name, value in arguments.items() if value is not None}
    response = invoke(url, "Admin", _event(operation, fields))
    if response["body"] is not None:
        say(json.dumps(response["body"], indent=2, ensure_ascii=False))
    return 1 if response["statusCode"] >= 400 else 0


def _event(operation: Operation, fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the event of Admin for an operation."""
    path = operation.path
    remaining: dict[str, Any] = {}
    for name, value in fields.items():
        if f"{{{name}}}" in path:
            path = path.replace(f"{{{name}}}", quote(str(value), safe=""))
        else:
            remaining[name] = value
    if operation.method == "GET":
        return {"operator": f"GET {path}?{urlencode(remaining)}"}
    event: dict[str, Any] = {"operator": f"{operation.method} {path}"}
    if operation.method != "DELETE":
        event["body"] = {name: None if value == UNLIMITED else value for name, value in remaining.items()}
    return event


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    nouns = parser.add_subparsers(dest="noun", required=True)
    verbs: dict[str, Any] = {}
    for noun in sorted(NOUNS):
        verbs[noun] = nouns.add_parser(noun).add_subparsers(dest="verb", required=True)

    def add(noun: str, verb: str) -> argparse.ArgumentParser:
        command: argparse.ArgumentParser = verbs[noun].add_parser(verb)
        command.add_argument(
            "--lambda-port",
            type=int,
            default=Options.lambda_port,
            help="port to invoke functions (%(default)s)",
        )
        return command

    for verb in ("create", "change"):
        account = add("accounts", verb)
        if verb == "change":
            account.add_argument("id", type=int)
        account.add_argument("--name", required=verb == "create")
        for limit in ("--sends-per-second", "--sends-per-day"):
            account.add_argument(limit, type=int, help="0 removes the limit")
    address = add("addresses", "add")
    address.add_argument("address", help="* means every address that has no owner")
    address.add_argument("--account", dest="account_id", type=int, required=True)
    add("addresses", "remove").add_argument("address")
    key = add("keys", "create")
    key.add_argument("--account", dest="account_id", type=int, required=True)
    key.add_argument("--scopes", required=True, type=_split, help="any of send, read and admin, with commas")
    key.add_argument("--name")
    key.add_argument("--expires-at", metavar="TIME", help="in RFC 3339")
    add("keys", "revoke").add_argument("id", type=int)
    for noun in sorted(NOUNS):
        _add_list_options(add(noun, "list"), noun)
    return parser


def _add_list_options(command: argparse.ArgumentParser, noun: str) -> None:
    if noun != "accounts":
        command.add_argument("--account", dest="account_id", type=int)
    if noun == "audit":
        command.add_argument("--key", dest="key_id", type=int)
    command.add_argument("--limit", type=int)
    command.add_argument("--cursor")


def _split(text: str) -> list[str]:
    return text.split(",")
