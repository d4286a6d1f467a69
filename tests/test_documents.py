"""The documents agree with the code: links lead somewhere, samples are complete, tables name what exists."""

import ast
import dataclasses
import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import get_args

import pytest

from local.commands import configuration
from local.simulators.behaviour import Behaviour
from local.template import intrinsics
from messaging.conversations.responses import Message
from messaging.mail.defects import Defect
from messaging.models import NewEmail, NewSms
from messaging.problems import ProblemCode
from messaging.providers import REGISTRY, credentials

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]
PROVIDERS = ROOT / "layers" / "messaging" / "messaging" / "providers"
UNSAMPLED = {"endpoint_url"}
"""A field for tests and private networks: documented in a table, but not in the sample of the secret."""


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def prose(document: Path) -> Iterator[str]:
    """The lines outside of code blocks."""
    in_code = False
    for line in document.read_text(encoding="utf-8").splitlines():
        is_fence = line.lstrip().startswith("```")
        in_code ^= is_fence
        if not in_code and not is_fence:
            yield line


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    titles = (line.lstrip("#").strip().lower() for line in prose(document) if line.startswith("#"))
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}


def section(document: str, title: str) -> str:
    """The text under a heading of level two, up to the next one."""
    _, _, after = read(document).partition(f"\n## {title}\n")
    assert after, f"{document} has no section {title}"
    return after.partition("\n## ")[0]


def first_column(text: str) -> set[str]:
    """The names in backticks in the first cell of each table row."""
    cells = (line.split("|")[1] for line in text.splitlines() if line.startswith("|"))
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_every_relative_link_and_anchor_exists(document: Path) -> None:
    text = re.sub(r"`[^`]*`", "", "\n".join(prose(document)))
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = link.partition("#")
        if path.startswith(("http", "../../")):  # another site, or a page of the repository's host
            continue
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_readme_is_at_most_16_kilobytes() -> None:
    assert len(read("README.md").encode()) <= 16_000


def test_the_readme_quotes_figures_of_the_benchmarks() -> None:
    quoted = re.findall(r"\d+\.\d+|\d{2,}", section("README.md", "Performance").replace("2 cores", ""))
    assert quoted
    assert [figure for figure in quoted if figure not in read("docs/benchmarks.md")] == []


def test_the_readme_leads_to_every_document() -> None:
    links = set(re.findall(r"\]\((docs/[\w.-]+\.md)", read("README.md")))
    assert links >= {f"docs/{path.name}" for path in DOCS.glob("*.md")}


def test_the_index_of_decisions_leads_to_every_record() -> None:
    links = re.findall(r"\]\((\d{4}-[\w.-]+\.md)\)", read("docs/adr/README.md"))
    assert links == sorted(path.name for path in DOCS.glob("adr/0*.md"))


def test_the_mail_page_names_every_defect() -> None:
    assert first_column(section("docs/mail.md", "Defects")) == set(Defect)


def test_the_configuration_page_is_the_generated_one() -> None:
    assert read("docs/configuration.md") == configuration.page()


def test_the_glossary_has_each_term_once_in_alphabetical_order() -> None:
    terms = re.findall(r"^\| ([^|]+) \|", read("docs/glossary.md"), re.MULTILINE)[1:]
    assert terms == sorted(set(terms), key=str.lower)


def test_the_api_page_names_every_field_of_a_send_request_and_of_a_message() -> None:
    for model in (NewSms, NewEmail):
        fields = {field.alias or name for name, field in model.model_fields.items()}
        assert fields <= first_column(section("docs/api.md", "Send a message")), model
    shown = {field.alias or name for name, field in Message.model_fields.items()}
    assert shown <= first_column(section("docs/api.md", "Read messages"))


def test_the_api_page_names_every_route() -> None:
    routes = json.loads(read("functions/conversations/openapi.json"))["paths"]
    page = section("docs/api.md", "Routes")
    assert [path for path in routes if f"{path}`" not in page and not path.startswith("/api/admin/")] == []


def test_the_api_page_names_every_problem_code() -> None:
    assert set(get_args(ProblemCode)) <= first_column(section("docs/api.md", "Errors"))


def first_arguments(*functions: str) -> set[str]:
    """The strings in the first argument of each call of these functions in the product."""
    strings: set[str] = set()
    for file in (*ROOT.glob("layers/messaging/messaging/**/*.py"), *ROOT.glob("functions/**/*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and ast.unparse(node.func) in functions:
                constants = [part for part in ast.walk(node.args[0]) if isinstance(part, ast.Constant)]
                strings |= {part.value for part in constants if isinstance(part.value, str)}
    return strings


def test_the_operations_page_has_exactly_the_log_lines_of_the_product() -> None:
    logged = first_arguments("log_fault", "logger.info", "logger.warning", "logger.error")
    assert len(logged) > 30
    assert first_column(section("docs/operations.md", "Log lines")) == logged


def test_the_operations_page_names_every_metric() -> None:
    counted = first_arguments("count", "duration")
    assert len(counted) > 10
    assert counted <= first_column(section("docs/operations.md", "Metrics"))


def test_the_operations_page_names_exactly_the_alarms_of_the_template() -> None:
    resources = intrinsics.read(ROOT / "template.yaml")["Resources"]
    alarms = {name for name, resource in resources.items() if resource["Type"] == "AWS::CloudWatch::Alarm"}
    named = first_column(section("docs/operations.md", "Alarms and signs"))
    assert {name for name in named if name.endswith("Alarm")} == alarms


def test_the_local_page_names_exactly_the_fields_of_a_simulated_fault() -> None:
    fields = {field.name for field in dataclasses.fields(Behaviour)}
    assert first_column(section("docs/local.md", "Simulated faults")) == fields


def test_the_provider_table_has_a_row_for_each_type() -> None:
    assert first_column(section("docs/providers.md", "What each type can do")) >= REGISTRY.keys()


def secret_sample() -> dict[str, dict[str, object]]:
    [sample] = re.findall(r"```json\n(\{\n.*?)```", read("docs/providers.md"), re.DOTALL)
    secret: dict[str, dict[str, object]] = json.loads(sample)
    return secret


def secret_fields(file: Path) -> Iterator[str]:
    """The fields that a provider's file reads: by a function of credentials, or by secret.get("field")."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and name_of(node.func) in {*vars(credentials), "get"}:
            receiver = [node.func.value] if isinstance(node.func, ast.Attribute) else []
            for part, following in pairwise((*receiver, *node.args)):
                if name_of(part) in {"secret", "_secret"} and isinstance(following, ast.Constant):
                    yield str(following.value)


def name_of(node: ast.expr) -> str:
    return str(getattr(node, "id", getattr(node, "attr", "")))


def test_the_sample_of_the_secret_has_each_type_and_each_field() -> None:
    fields = {field for file in PROVIDERS.glob("*.py") for field in secret_fields(file)}
    sample = secret_sample()
    assert sample.keys() == REGISTRY.keys()
    assert {name for instance in sample.values() for name in instance} == fields - UNSAMPLED
