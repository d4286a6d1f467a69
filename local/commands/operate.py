"""Accounts, addresses and keys of a service that runs here, by invoking Admin, as an operator does in AWS.

python -m local keys create --account 1 --scopes send,read
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from local.http.client import invoke
from local.options import Options

Say = Callable[[str], None]


def operate(command: Sequence[str], say: Say) -> int:
    """Shows the answer, and gives 1 where it is a problem. Raises CannotStart."""
    arguments = vars(_parser().parse_args(command))
    url = f"http://{Options.host}:{arguments.pop('lambda_port')}"
    order = ORDERS[arguments.pop("noun"), arguments.pop("verb")]
    given = {name: value for name, value in arguments.items() if value is not None}
    answer = invoke(url, "Admin", order(given))
    if answer["body"] is not None:
        say(json.dumps(answer["body"], indent=2, ensure_ascii=False))
    return 1 if answer["statusCode"] >= 400 else 0


Order = Callable[[Mapping[str, Any]], Mapping[str, Any]]


def _post(path: str) -> Order:
    return lambda given: {"operator": f"POST {path}", "body": _fields(given)}


def _fields(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """A limit of 0 is none."""
    return {name: None if value == 0 else value for name, value in given.items() if name != "id"}


def _get(path: str) -> Order:
    return lambda query: {"operator": f"GET {path}?{urlencode(query)}"}


def _delete(path: str, name: str) -> Order:
    return lambda given: {"operator": f"DELETE {path}/{quote(str(given[name]), safe='')}"}


ORDERS: Mapping[tuple[str, str], Order] = {
    ("accounts", "create"): _post("/api/admin/accounts"),
    ("accounts", "list"): _get("/api/admin/accounts"),
    ("accounts", "change"): lambda given: {
        "operator": f"PATCH /api/admin/accounts/{given['id']}",
        "body": _fields(given),
    },
    ("addresses", "add"): _post("/api/admin/addresses"),
    ("addresses", "list"): _get("/api/admin/addresses"),
    ("addresses", "remove"): _delete("/api/admin/addresses", "address"),
    ("keys", "create"): _post("/api/admin/keys"),
    ("keys", "list"): _get("/api/admin/keys"),
    ("keys", "revoke"): _delete("/api/admin/keys", "id"),
    ("audit", "list"): _get("/api/admin/audit"),
}
NOUNS = {noun for noun, _ in ORDERS}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    nouns = parser.add_subparsers(dest="noun", required=True)
    verbs = {
        noun: nouns.add_parser(noun).add_subparsers(dest="verb", required=True) for noun in sorted(NOUNS)
    }

    def add(noun: str, verb: str) -> argparse.ArgumentParser:
        made = verbs[noun].add_parser(verb)
        made.add_argument("--lambda-port", type=int, default=Options.lambda_port, help="(%(default)s)")
        return made

    for verb in ("create", "change"):
        account = add("accounts", verb)
        if verb == "change":
            account.add_argument("id", type=int)
        account.add_argument("--name", required=verb == "create")
        for limit in ("sends_per_second", "sends_per_day"):
            account.add_argument(f"--{limit.replace('_', '-')}", type=int, help="0 is none")
    account_id = {"dest": "account_id", "type": int}
    address = add("addresses", "add")
    address.add_argument("address", help="* is every address that no account owns by name")
    address.add_argument("--account", required=True, **account_id)  # type: ignore[arg-type]  # of mixed types
    add("addresses", "remove").add_argument("address")
    key = add("keys", "create")
    key.add_argument("--account", required=True, **account_id)  # type: ignore[arg-type]  # of mixed types
    key.add_argument(
        "--scopes", required=True, type=lambda text: text.split(","), help="of send, read, admin"
    )
    key.add_argument("--name")
    key.add_argument("--expires-at", metavar="TIME", help="RFC 3339")
    add("keys", "revoke").add_argument("id", type=int)
    for noun in sorted(NOUNS):
        listed = add(noun, "list")
        if noun != "accounts":
            listed.add_argument("--account", **account_id)  # type: ignore[arg-type]  # of mixed types
        if noun == "audit":
            listed.add_argument("--key", dest="key_id", type=int)
        listed.add_argument("--limit", type=int)
        listed.add_argument("--cursor")
    return parser
