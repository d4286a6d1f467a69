"""Writes docs/configuration.md from messaging.settings and template.yaml: `python -m local configuration`."""

import ast
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from local.template.intrinsics import read
from local.template.parameters import text

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docs" / "configuration.md"
SETTINGS = ROOT / "layers" / "messaging" / "messaging" / "settings.py"
TEMPLATE = ROOT / "template.yaml"

INTRODUCTION = """\
# Configuration

`.venv/bin/python -m local configuration` writes this page from
[settings.py](../layers/messaging/messaging/settings.py) and [template.yaml](../template.yaml). Change those
files, not this page.

Parameters of the template become environment variables of the functions. An empty variable counts as not
set. A message keeps the providers and the policy that were set when it was accepted: a new setting applies
to new messages, so keep an old instance in `PROVIDERS` until its messages have ended.

```sh
make deploy PARAMETERS='Providers=sms,email MaxAge=3600'             # in AWS
make start ARGS='--parameter Providers=sms --parameter MaxAge=3600'     # on your machine
```
"""
PARAMETERS = """
## Template parameters

A stack that exists keeps the parameters that a deployment does not name.

"""
VARIABLES = """
## Environment variables

What the functions read. The last column is the parameter or resource of the template that sets the variable.

"""


def write(say: Callable[[str], None]) -> int:
    FILE.write_text(page(), encoding="utf-8")
    say(f"Written: {FILE.relative_to(ROOT)}")
    return 0


def page() -> str:
    """The page as it is committed."""
    document = read(TEMPLATE)
    parts = [
        INTRODUCTION,
        PARAMETERS,
        _table(("parameter", "default", "values", "meaning"), _parameters(document["Parameters"])),
        VARIABLES,
        _table(("variable", "default", "meaning", "set by"), _variables(_sources(document))),
    ]
    return "".join(parts)


def _parameters(declared: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    for name, parameter in declared.items():
        default = text(parameter.get("Default", ""))
        yield f"`{name}`", _code(default), _values(parameter), _cell(parameter.get("Description", ""))


def _values(parameter: Mapping[str, Any]) -> str:
    if "AllowedValues" in parameter:
        return ", ".join(_code(text(value)) for value in parameter["AllowedValues"])
    if "MinValue" in parameter and "MaxValue" in parameter:
        return f"{parameter['MinValue']} to {parameter['MaxValue']}"
    if "MinValue" in parameter:
        return f"{parameter['MinValue']} or more"
    return "a list with commas" if parameter["Type"] == "CommaDelimitedList" else ""


def _variables(sources: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    for name, default, meaning in _settings():
        variable = name.upper()
        yield f"`{variable}`", _code(default), _cell(meaning), _code(sources.get(variable, ""))


def _settings() -> Iterator[tuple[str, str, str]]:
    """The name, default and docstring of each field of Settings: Python keeps no docstring of a field."""
    tree = ast.parse(SETTINGS.read_text(encoding="utf-8"))
    [settings] = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Settings"]
    for field, following in zip(settings.body, [*settings.body[1:], None], strict=True):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            yield field.target.id, _default(field.value), _docstring(following)


def _default(value: ast.expr | None) -> str:
    """Return the default as an environment variable; empty if there is no default."""
    if isinstance(value, ast.Call):
        value = value.args[0]
    default = ast.literal_eval(value) if value else None
    if isinstance(default, dict):
        return ",".join(default) or "{}"
    return "" if default is None else text(default)


def _docstring(node: ast.stmt | None) -> str:
    if (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ):
        return " ".join(node.value.value.split())
    return ""


def _sources(document: Mapping[str, Any]) -> dict[str, str]:
    """The parameter or resource that each variable refers to; the first one if functions differ."""
    sources: dict[str, str] = {}
    functions = [document["Globals"]["Function"]]
    functions += [resource.get("Properties", {}) for resource in document["Resources"].values()]
    for function in functions:
        for variable, value in function.get("Environment", {}).get("Variables", {}).items():
            reference = _reference(value)
            if reference:
                sources.setdefault(variable, reference)
    return sources


def _reference(value: Any) -> str:
    """The name in a !Ref, or in the first !Ref of an !If."""
    if not isinstance(value, dict):
        return ""
    if "Ref" in value:
        return str(value["Ref"])
    for option in value.get("Fn::If", []):
        if reference := _reference(option):
            return reference
    return ""


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def _code(value: str) -> str:
    return f"`{value}`" if value else ""


def _cell(value: str) -> str:
    return " ".join(value.split()).replace("|", "\\|").replace("<", "&lt;")
