"""The YAML tags and intrinsic functions of CloudFormation that this project's templates use."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from local.errors import CannotStart

NO_VALUE = object()
"""The value of `AWS::NoValue`: a property with this value is removed."""


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # yaml ships no types
    """Reads `!Name x` as `{"Fn::Name": x}`, as CloudFormation does."""


def _construct_tag(loader: Any, suffix: str, node: Any) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _construct_tag)


def read(path: Path) -> dict[str, Any]:
    """Return the template as CloudFormation sees it. Raises CannotStart."""
    try:
        document = yaml.load(path.read_text("utf-8"), _Loader)
    except FileNotFoundError:
        raise CannotStart(f"there is no template {path}") from None
    except yaml.YAMLError as error:
        raise CannotStart(f"{path} is not YAML: {error}") from None
    if not isinstance(document, dict) or "Resources" not in document:
        raise CannotStart(f"{path} has no Resources")
    return document


class Resolver:
    """Evaluates intrinsic functions. An unknown function is an error, never a guess."""

    def __init__(
        self,
        references: Mapping[str, Any],
        attribute: Callable[[str, str], str],
        conditions: Mapping[str, Any],
    ) -> None:
        """`references` holds the values of Ref. `attribute` returns the values of GetAtt."""
        self._references = references
        self._attribute = attribute
        self._conditions = conditions

    def resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [item for item in map(self.resolve, value) if item is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(name, argument)] = value.items()
            if name == "Ref" or name.startswith("Fn::"):
                return self._call(name, argument)
        resolved = {key: self.resolve(item) for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item is not NO_VALUE}

    def condition(self, name: str) -> bool:
        if name not in self._conditions:
            raise CannotStart(f"the template does not declare the condition {name}")
        return self._evaluate(self._conditions[name])

    def _call(self, name: str, argument: Any) -> Any:
        match name:
            case "Ref":
                return self._reference(argument)
            case "Fn::GetAtt":
                return self._attribute(*argument)
            case "Fn::Sub":
                text, values = argument if isinstance(argument, list) else (argument, {})
                return self._substitute(text, values)
            case "Fn::Join":
                separator, items = argument
                return separator.join(str(item) for item in self.resolve(items))
            case "Fn::If":
                condition, value_if_true, value_if_false = argument
                return self.resolve(value_if_true if self.condition(condition) else value_if_false)
            case "Fn::Equals" | "Fn::Not" | "Fn::And" | "Fn::Or":
                return self._evaluate({name: argument})
        raise CannotStart(f"the template uses {name}, which local/template/intrinsics.py does not support")

    def _evaluate(self, expression: Any) -> bool:
        if isinstance(expression, dict) and len(expression) == 1:
            [(name, argument)] = expression.items()
            match name:
                case "Condition":
                    return self.condition(argument)
                case "Fn::Equals":
                    left, right = argument
                    return str(self.resolve(left)) == str(self.resolve(right))
                case "Fn::Not":
                    return not self._evaluate(argument[0])
                case "Fn::And":
                    return all(map(self._evaluate, argument))
                case "Fn::Or":
                    return any(map(self._evaluate, argument))
        raise CannotStart(
            f"the template has a condition that local/template/intrinsics.py does not support: {expression}"
        )

    def _reference(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        if name not in self._references:
            raise CannotStart(f"the template refers to {name}, which has no value on this machine")
        return self._references[name]

    def _substitute(self, text: str, values: Mapping[str, Any]) -> str:
        def replace(match: re.Match[str]) -> str:
            name = match[1]
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in values:
                return str(self.resolve(values[name]))
            resource, _, attribute = name.partition(".")
            if attribute:
                return self._attribute(resource, attribute)
            return str(self._reference(name))

        return re.sub(r"\$\{([^}]+)\}", replace, text)
