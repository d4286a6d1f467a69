"""The values of a template's parameters: chosen by the caller, or the defaults."""

import re
from collections.abc import Mapping
from typing import Any

from local.errors import CannotStart


def parameters(declared: Mapping[str, Mapping[str, Any]], chosen: Mapping[str, str]) -> dict[str, Any]:
    """Return the value of each parameter. Raises CannotStart if a chosen value is not allowed."""
    unknown = sorted(set(chosen) - set(declared))
    if unknown:
        raise CannotStart(f"the template has no parameter {', '.join(unknown)}")
    values: dict[str, Any] = {}
    for name, parameter in declared.items():
        if name not in chosen and "Default" not in parameter:
            raise CannotStart(f"the template's parameter {name} needs a value: --parameter {name}=...")
        value = text(chosen.get(name, parameter.get("Default")))
        allowed = [text(item) for item in parameter.get("AllowedValues", [])]
        if allowed and value not in allowed:
            raise CannotStart(
                f"the template's parameter {name} must be one of {', '.join(allowed)}; not {value}"
            )
        pattern = parameter.get("AllowedPattern")
        if pattern and not re.fullmatch(pattern, value):
            raise CannotStart(f"the template's parameter {name} must match {pattern}; not {value}")
        values[name] = value.split(",") if parameter.get("Type") == "CommaDelimitedList" else value
    return values


def text(value: object) -> str:
    """Return a value as CloudFormation writes it: YAML's true is `true`."""
    return str(value).lower() if isinstance(value, bool) else str(value)
