"""template.yaml after the SAM transform, as CloudFormation receives it."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from boto3.session import Session
from samtranslator.parser.parser import Parser  # type: ignore[import-untyped]  # ships no types
from samtranslator.translator.translator import Translator  # type: ignore[import-untyped]  # ships no types
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]  # ships no types

ROOT = Path(__file__).parents[2]


@cache
def template() -> dict[str, Any]:
    """Return the template that CloudFormation receives, with conditions that are not evaluated."""
    declared: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())
    for resource in declared["Resources"].values():
        for source in {"CodeUri", "ContentUri"} & resource["Properties"].keys():
            resource["Properties"][source] = "s3://bucket/what-sam-deploy-uploads"
    translator = Translator({}, Parser(), boto_session=Session(region_name="us-east-1"))
    translated: dict[str, Any] = translator.translate(declared, {})
    return translated


def of_type(template: dict[str, Any], resource_type: str) -> dict[str, dict[str, Any]]:
    resources = {
        name: resource["Properties"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == resource_type
    }
    assert resources, f"no {resource_type}"
    return resources


def inside(value: Any, key: str) -> Iterator[Any]:
    """Return every value of `key`, at any depth."""
    if isinstance(value, dict):
        for name, child in value.items():
            if name == key:
                yield child
            yield from inside(child, key)
    elif isinstance(value, list):
        for child in value:
            yield from inside(child, key)


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
