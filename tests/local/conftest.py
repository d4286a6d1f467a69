"""A stack of the tests' own project, shared by the tests that leave it unchanged."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from local import Behaviour, Stack, running
from local.http.server import Server
from local.simulators.provider import ProviderSimulator
from tests.support.local.simulator_client import SECRET, Product

FOLDER = Path(__file__).parent
PROJECT = FOLDER / "project"
SLOW_FILES = {"test_audit.py", "test_start.py"}
SLOW_FIXTURES = {"aws", "stack"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts functions, the AWS APIs or the command as slow."""
    for item in items:
        if not item.path.is_relative_to(FOLDER):
            continue
        fixtures = set(getattr(item, "fixturenames", ()))
        if item.path.name in SLOW_FILES or SLOW_FIXTURES & fixtures:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def template() -> Path:
    return PROJECT / "template.yaml"


@pytest.fixture(scope="session")
def stack(template: Path) -> Iterator[Stack]:
    """A stack that was started with variables of a developer's shell. No function may inherit them."""
    inherited = {"AWS_CA_BUNDLE": "/nowhere.pem", "AWS_PROFILE": "nobody", "HTTP_PROXY": "http://127.0.0.1:9"}
    with ExitStack() as undo:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in inherited.items():
                patch.setenv(name, value)
            stack = undo.enter_context(running(template=template, relay_every=0.2))
        yield stack


@pytest.fixture
def product() -> Product:
    return Product()


@pytest.fixture
def provider(product: Product) -> Iterator[ProviderSimulator]:
    """A simulator of the built-in providers, which reports to `product`."""
    gateway = Server("127.0.0.1", 0, product.respond)
    gateway.start()
    provider = ProviderSimulator(0, gateway.url, SECRET)
    provider.start()
    provider.behave(Behaviour(report_delay=0))
    yield provider
    provider.stop()
    gateway.stop()
