"""The service's description, generated from the functions; `python -m local openapi` writes the file."""

import importlib.util
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

from pydantic import BaseModel, Field, TypeAdapter

ROOT = Path(__file__).parents[2]
FILE = ROOT / "functions" / "conversations" / "openapi.json"

WEBHOOKS = {"sms_webhook": "/api/webhooks/sms", "email_webhook": "/api/webhooks/email"}
PROVIDER = {
    "required": True,
    "schema": {"type": "string", "title": "Provider"},
    "name": "provider",
    "in": "path",
}
LATER = (
    "It was kept: a report of no message that is known yet, or a request that is read later, when the"
    " database is back or a fault of ours is mended."
)
OPEN = {"Webhooks", "About"}
"""The tags of what needs no key."""
KEY = {"type": "http", "scheme": "bearer", "description": "An API key: mk_<id>_<secret>"}
REFUSALS = {"401": "There is no key.", "403": "The key is not good for this, or not good at all."}
ABOUT = {
    "title": "Messaging",
    "description": "SMS, MMS and email through any provider, shown as one conversation.",
}


class FieldError(BaseModel):
    field: str
    message: str


class Problem(BaseModel):
    """What went wrong, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str
    code: str = Field(description="Stable and machine-readable. More codes may be added.")
    errors: list[FieldError] = Field([], description="The wrong fields, if fields are wrong.")


class Refusal(BaseModel):
    """Said before the request has come to us."""

    message: str


class Kept(BaseModel):
    """Without a message to show: why."""

    detail: str


def write(say: Callable[[str], None]) -> int:
    FILE.write_text(description(), encoding="utf-8")
    say(f"Written: {FILE.relative_to(ROOT)}")
    return 0


def description() -> str:
    """The document as it is committed: OpenAPI 3.1, all functions in one."""
    _add_to_path(ROOT / "layers" / "messaging")
    from messaging import __version__
    from messaging.problems import ProblemCode

    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    for name in ("send_message", "conversations", "admin"):
        found = json.loads(load(name).app.get_openapi_json_schema(**ABOUT, version=__version__))
        for path, operations in found["paths"].items():
            for method, operation in operations.items():
                # Powertools' id is the route's function and its path; clients want the first alone.
                route = re.sub(r"\W", "_", path)
                called = operation["operationId"].removesuffix(f"{route}_{method}")
                operation["operationId"] = called
                operation["summary"] = called.replace("_", " ").capitalize()
            paths[path] = operations
        schemas |= found.get("components", {}).get("schemas", {})
    for name, path in WEBHOOKS.items():
        paths[path] = {"post": _hook(f"{name}_receive_from_house", "Receive from house")}
        paths[f"{path}/{{provider}}"] = {"post": _hook(f"{name}_receive", "Receive", PROVIDER)}
    for path, operations in paths.items():
        for operation in operations.values():
            _finish(path, operation, schemas)
    document = {
        "openapi": "3.1.0",
        "info": ABOUT | {"version": __version__},
        "paths": dict(sorted(paths.items())),
    }
    schemas["Problem"]["properties"]["code"]["enum"] = list(get_args(ProblemCode))
    document |= {"components": {"schemas": _used(paths, schemas), "securitySchemes": {"key": KEY}}}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _hook(id: str, summary: str, *parameters: dict[str, Any]) -> dict[str, Any]:
    """These functions route by hand; `_finish` says the rest."""
    operation: dict[str, Any] = {"tags": ["Webhooks"], "summary": summary, "operationId": id}
    return operation | ({"parameters": list(parameters)} if parameters else {}) | {"responses": {"200": {}}}


def _used(paths: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """Those that the paths lead to; Powertools brings more."""

    def named(value: object) -> set[str]:
        return set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(value)))

    used = named(paths)
    while more := named([schemas[name] for name in used]) - used:
        used |= more
    return {name: schemas[name] for name in sorted(used)}


def _finish(path: str, operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """What Powertools does not know of an operation: its problems, and what the built-in webhooks take."""
    from messaging.providers import json_gateway

    answers = {status: answer for status, answer in operation["responses"].items() if status[0] in "23"}
    operation["responses"] = answers | {
        "default": {
            "description": "A problem",
            "content": {"application/problem+json": {"schema": _schema(Problem, schemas)}},
        }
    }
    if not OPEN & set(operation["tags"]):
        told: dict[str, type[BaseModel]] = {"application/json": Refusal, "application/problem+json": Problem}
        content = {kind: {"schema": _schema(model, schemas)} for kind, model in told.items()}
        operation["security"] = [{"key": []}]
        operation["responses"] |= {
            status: {"description": why, "content": content} for status, why in REFUSALS.items()
        }
    bodies: dict[str, type[BaseModel]] = {
        "/api/webhooks/sms": json_gateway.InboundSms,
        "/api/webhooks/email": json_gateway.InboundEmail,
    }
    if path in bodies:
        taken = [_schema(bodies[path], schemas), _schema(json_gateway.Report, schemas)]
        for ours in ("files", "extra"):  # of every inbound message, and none of them is sent
            schemas[bodies[path].__name__]["properties"].pop(ours)
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": {"anyOf": taken}}},
        }
        operation["responses"] |= {
            "200": _answer("The message as it is kept.", {"$ref": "#/components/schemas/Message"}),
            "202": _answer(LATER, _schema(Kept, schemas)),
        }
    elif path.startswith(tuple(WEBHOOKS.values())):
        operation["responses"] |= {
            "200": {"description": "What the provider wants to hear."},
            "202": _answer(LATER, _schema(Kept, schemas)),
        }


def _answer(description: str, schema: dict[str, str]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _schema(model: type[BaseModel], schemas: dict[str, Any]) -> dict[str, str]:
    schema = TypeAdapter(model).json_schema(ref_template="#/components/schemas/{model}")
    schemas |= schema.pop("$defs", {})
    schemas[model.__name__] = schema
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def load(function: str) -> ModuleType:
    """The app of a function, as its own process would import it: its folder alone is on the path."""
    folder = ROOT / "functions" / function
    _add_to_path(folder)
    _add_to_path(ROOT / "layers" / "messaging")
    spec = importlib.util.spec_from_file_location(f"{function}_app", folder / "app.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(folder)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _add_to_path(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
