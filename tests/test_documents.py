"""What the documents tell holds for what is here: links lead somewhere, samples are whole."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from messaging.providers import REGISTRY

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
PROVIDERS = ROOT / "layers" / "messaging" / "messaging" / "providers"
ELSEWHERE = {"endpoint_url"}
"""A field for tests and private networks, which stands in a table and in no sample."""


def prose(document: Path) -> Iterator[str]:
    """The lines outside of samples."""
    sample = False
    for line in document.read_text(encoding="utf-8").splitlines():
        sample ^= line.lstrip().startswith("```")
        if not sample:
            yield line


def anchors(document: Path) -> set[str]:
    """Of its headings, as they are made where documents are shown."""
    titles = (line.lstrip("#").strip().lower() for line in prose(document) if line.startswith("#"))
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}


def secret() -> dict[str, dict[str, object]]:
    text = (ROOT / "docs" / "providers.md").read_text(encoding="utf-8")
    [sample] = re.findall(r"```json\n(\{\n.*?)```", text, re.DOTALL)
    found: dict[str, dict[str, object]] = json.loads(sample)
    return found


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", "\n".join(prose(document)))
    assert links
    for link in links:
        path, _, anchor = link.partition("#")
        if not path.startswith("http"):
            there = (document.parent / path).resolve() if path else document
            assert there.exists(), link
            assert not anchor or anchor in anchors(there), link


def test_the_sample_of_the_secret_has_each_type_and_each_field() -> None:
    read = r'(?:single|several|number)\(\s*(?:self\._)?secret, "(\w+)"\)|secret\.get\("(\w+)"\)'
    files = "".join(file.read_text(encoding="utf-8") for file in PROVIDERS.glob("*.py"))
    fields = {"".join(names) for names in re.findall(read, files)}
    sample = secret()
    assert sample.keys() == REGISTRY.keys()
    assert {name for one in sample.values() for name in one} == fields - ELSEWHERE
