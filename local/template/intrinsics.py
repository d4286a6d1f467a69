"""CloudFormation's YAML tags and intrinsic functions, as far as this project's templates use them."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from local.errors import CannotStart

NO_VALUE = object()
"""What `AWS::NoValue` stands for: the property that holds it is not there."""


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # untyped, as above
    """Reads `!Name x` as CloudFormation does: as `{"Fn::Name": x}`."""


def _tagged(loader: Any, suffix: str, node: Any) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _tagged)


def read(path: Path) -> dict[str, Any]:
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
    """Works out values that hold intrinsic functions. An unknown one is an error, never a guess."""

    def __init__(
        self,
        references: Mapping[str, Any],
        attribute: Callable[[str, str], str],
        conditions: Mapping[str, Any],
    ) -> None:
        """`references` holds what Ref gives, `attribute` finds what GetAtt gives."""
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
            raise CannotStart(f"the template has no condition {name}")
        return self._truth(self._conditions[name])

    def _call(self, name: str, argument: Any) -> Any:
        match name:
            case "Ref":
                return self._reference(argument)
            case "Fn::GetAtt":
                return self._attribute(*argument)
            case "Fn::Sub":
                return self._substitute(*(argument if isinstance(argument, list) else [argument]))
            case "Fn::Join":
                separator, items = argument
                return separator.join(str(item) for item in self.resolve(items))
            case "Fn::If":
                condition, yes, no = argument
                return self.resolve(yes if self.condition(condition) else no)
            case "Fn::Equals" | "Fn::Not" | "Fn::And" | "Fn::Or":
                return self._truth({name: argument})
        raise CannotStart(f"the template uses {name}, which is not known here (local/template/intrinsics.py)")

    def _truth(self, expression: Any) -> bool:
        if isinstance(expression, dict) and len(expression) == 1:
            [(name, argument)] = expression.items()
            match name:
                case "Condition":
                    return self.condition(argument)
                case "Fn::Equals":
                    left, right = argument
                    return str(self.resolve(left)) == str(self.resolve(right))
                case "Fn::Not":
                    return not self._truth(argument[0])
                case "Fn::And":
                    return all(map(self._truth, argument))
                case "Fn::Or":
                    return any(map(self._truth, argument))
        raise CannotStart(f"the template has a condition that is not known here: {expression}")

    def _reference(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        if name not in self._references:
            raise CannotStart(f"the template refers to {name}, for which there is no value here")
        return self._references[name]

    def _substitute(self, text: str, values: Mapping[str, Any] | None = None) -> str:
        def replace(found: re.Match[str]) -> str:
            name = found[1]
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if values and name in values:
                return str(self.resolve(values[name]))
            resource, _, attribute = name.partition(".")
            return str(self._attribute(resource, attribute) if attribute else self._reference(name))

        return re.sub(r"\$\{([^}]+)\}", replace, text)
