"""Generates the OpenAPI document from the functions: `python -m local openapi` writes the file."""

import importlib.util
import inspect
import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

from pydantic import BaseModel, Field, TypeAdapter

from local.commands.samples import request_examples

ROOT = Path(__file__).parents[2]
FILE = ROOT / "functions" / "conversations" / "openapi.json"

Schemas = dict[str, Any]
"""The JSON schema of each component, by its name."""
Operation = dict[str, Any]
"""An operation of the document, such as the POST of a path."""

WEBHOOKS = {"sms_webhook": "/api/webhooks/sms", "email_webhook": "/api/webhooks/email"}
RECEIVED = {"sms_webhook": "SMS, MMS and reports", "email_webhook": "email and reports"}
"""What each webhook function receives."""
TAGS = ("Send", "Read", "Webhooks", "Admin", "About")
"""The order in which the documentation page shows the groups of operations."""
SUMMARIES = {
    "send_sms": "Send an SMS or MMS",
    "send_email": "Send an email",
    "list_messages": "List the messages of a conversation",
    "get_openapi_document": "Get the OpenAPI document",
    "get_docs_page": "Get the documentation page",
    "open_docs_page": "Open the documentation page",
    "create_key": "Create an API key",
    "list_keys": "List API keys",
    "revoke_key": "Revoke an API key",
}
"""The summaries of operations whose function's name does not say enough."""
PROVIDER_PARAMETER = {
    "required": True,
    "schema": {"type": "string", "title": "Provider"},
    "name": "provider",
    "in": "path",
}
STORED_FOR_LATER = (
    "The request is stored. It is a report on a message that is not known yet, or it is processed later,"
    " because the database is unavailable or because processing failed."
)
PUBLIC_TAGS = {"Webhooks", "About"}
"""The tags of operations that need no API key."""
SECURITY_SCHEME = {"type": "http", "scheme": "bearer", "description": "An API key: mk_<id>_<secret>"}
AUTHORIZATION_ERRORS = {
    "401": "The API key is missing.",
    "403": "The API key is invalid, or it does not have the scope for this operation.",
}
INFO = {
    "title": "Messaging",
    "description": "SMS, MMS and email through any provider, shown as conversations.",
}
FIELDS_OF_THE_PRODUCT = ("files", "extra", "substitute")
"""Fields of an inbound message that a webhook does not set."""


class FieldError(BaseModel):
    field: str
    message: str


class Problem(BaseModel):
    """A problem, as RFC 9457 defines it."""

    type: str
    title: str
    status: int
    detail: str
    code: str = Field(description="Stable and machine-readable. More codes may be added.")
    errors: list[FieldError] = Field([], description="The wrong fields, if fields are wrong.")


class GatewayError(BaseModel):
    """An error of the API gateway: the request did not reach the service."""

    message: str


class Stored(BaseModel):
    """A webhook request that is stored, without a message to show."""

    detail: str


def write(say: Callable[[str], None]) -> int:
    FILE.write_text(description(), encoding="utf-8")
    say(f"Written: {FILE.relative_to(ROOT)}")
    return 0


def description() -> str:
    """Return the OpenAPI 3.1 document of all functions, as it is committed."""
    _add_to_path(ROOT / "layers" / "messaging")
    from messaging import __version__
    from messaging.problems import ProblemCode

    paths: dict[str, dict[str, Operation]] = {}
    schemas: Schemas = {}
    for folder in ("send_message", "conversations", "admin", "unread_webhooks"):
        module = load(folder)
        generated = json.loads(module.app.get_openapi_json_schema(**INFO, version=__version__))
        for path, operations in generated["paths"].items():
            for method, operation in operations.items():
                _name(operation, method, path, module)
        paths |= generated["paths"]
        schemas |= generated.get("components", {}).get("schemas", {})
    for function, path in WEBHOOKS.items():
        summary = f"Receive {RECEIVED[function]} from"
        paths[path] = {"post": _webhook(f"{function}_receive_built_in", f"{summary} the JSON gateway")}
        paths[f"{path}/{{provider}}"] = {
            "post": _webhook(f"{function}_receive", f"{summary} a named provider", PROVIDER_PARAMETER)
        }
    for path, operations in paths.items():
        for method, operation in operations.items():
            _complete(path, operation, schemas)
            _add_examples(method, path, operation)
    schemas["Problem"]["properties"]["code"]["enum"] = list(get_args(ProblemCode))
    document = {
        "openapi": "3.1.0",
        "info": INFO | {"version": __version__},
        "tags": [{"name": tag} for tag in TAGS],
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": _used(paths, schemas), "securitySchemes": {"key": SECURITY_SCHEME}},
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _name(operation: Operation, method: str, path: str, module: ModuleType) -> None:
    """Name and describe an operation by its route's Python function.

    Powertools adds the path and the method to the id.
    """
    path_and_method = re.sub(r"\W", "_", path) + f"_{method}"
    name = operation["operationId"].removesuffix(path_and_method)
    operation["operationId"] = name
    operation["summary"] = SUMMARIES.get(name) or name.replace("_", " ").capitalize()
    operation["description"] = inspect.getdoc(getattr(module, name))


def _webhook(operation_id: str, summary: str, *parameters: Mapping[str, Any]) -> Operation:
    """Return an operation of a webhook function, which Powertools does not describe."""
    operation: Operation = {"tags": ["Webhooks"], "summary": summary, "operationId": operation_id}
    if parameters:
        operation["parameters"] = list(parameters)
    return operation | {"responses": {"200": {}}}


def _used(paths: Mapping[str, Any], schemas: Schemas) -> Schemas:
    """Return the schemas that the paths refer to. Powertools generates more."""
    used = _references(paths)
    while indirect := _references([schemas[name] for name in used]) - used:
        used |= indirect
    return {name: schemas[name] for name in sorted(used)}


def _references(value: object) -> set[str]:
    return set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(value)))


def _complete(path: str, operation: Operation, schemas: Schemas) -> None:
    """Add what Powertools does not know: problems, the API key, and the bodies of the built-in webhooks."""
    responses = {status: response for status, response in operation["responses"].items() if status[0] in "23"}
    responses["default"] = {
        "description": "A problem",
        "content": {"application/problem+json": {"schema": _schema(Problem, schemas)}},
    }
    operation["responses"] = responses
    if not PUBLIC_TAGS & set(operation["tags"]):
        operation["security"] = [{"key": []}]
        content = {
            "application/json": {"schema": _schema(GatewayError, schemas)},
            "application/problem+json": {"schema": _schema(Problem, schemas)},
        }
        for status, reason in AUTHORIZATION_ERRORS.items():
            responses[status] = {"description": reason, "content": content}
    if path in WEBHOOKS.values():
        operation["requestBody"] = _webhook_body(path, schemas)
        message = {"$ref": "#/components/schemas/Message"}
        responses["200"] = _json_response("The message as it is stored.", message)
        responses["202"] = _json_response(STORED_FOR_LATER, _schema(Stored, schemas))
    elif path.startswith(tuple(WEBHOOKS.values())):
        responses["200"] = {"description": "The response that the provider expects."}
        responses["202"] = _json_response(STORED_FOR_LATER, _schema(Stored, schemas))


def _add_examples(method: str, path: str, operation: Operation) -> None:
    """Add requests that the service accepts. Without them, the documentation page makes up its own."""
    examples = request_examples(method, path)
    if examples:
        content = operation["requestBody"]["content"]["application/json"]
        content["examples"] = {name: {"value": value} for name, value in examples.items()}


def _webhook_body(path: str, schemas: Schemas) -> dict[str, Any]:
    """Return the body of a built-in webhook: an inbound message or a report."""
    from messaging.providers import json_gateway

    is_sms = path == WEBHOOKS["sms_webhook"]
    message: type[BaseModel] = json_gateway.InboundSms if is_sms else json_gateway.InboundEmail
    alternatives = [_schema(message, schemas), _schema(json_gateway.Report, schemas)]
    for field in FIELDS_OF_THE_PRODUCT:
        schemas[message.__name__]["properties"].pop(field)
    return {"required": True, "content": {"application/json": {"schema": {"anyOf": alternatives}}}}


def _json_response(description: str, schema: Mapping[str, str]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _schema(model: type[BaseModel], schemas: Schemas) -> dict[str, str]:
    """Add a model to the schemas, and return a reference to it."""
    schema = TypeAdapter(model).json_schema(ref_template="#/components/schemas/{model}")
    schemas |= schema.pop("$defs", {})
    schemas[model.__name__] = schema
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def load(function: str) -> ModuleType:
    """Import the app of a function. Its folder and the layer are added to the path, as in its own process."""
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
