"""A stack of the tests' own project, shared by those that leave it as it was."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from local import Behaviour, Stack, running
from local.http.server import Server
from local.simulators.provider import ProviderSimulator
from tests.support.local.simulator_client import SECRET, Product

PROJECT = Path(__file__).with_name("project")


@pytest.fixture(scope="session")
def template() -> Path:
    return PROJECT / "template.yaml"


@pytest.fixture(scope="session")
def stack(template: Path) -> Iterator[Stack]:
    """Started with what a developer's shell may hold, of which nothing may get through."""
    inherited = {"AWS_CA_BUNDLE": "/nowhere.pem", "AWS_PROFILE": "nobody", "HTTP_PROXY": "http://127.0.0.1:9"}
    with ExitStack() as ended:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in inherited.items():
                patch.setenv(name, value)
            stack = ended.enter_context(running(template=template, relay_every=0.2))
        yield stack


@pytest.fixture
def product() -> Product:
    return Product()


@pytest.fixture
def provider(product: Product) -> Iterator[ProviderSimulator]:
    gateway = Server("127.0.0.1", 0, product.answer)
    gateway.start()
    provider = ProviderSimulator(0, gateway.url, SECRET)
    provider.start()
    provider.behave(Behaviour(report_delay=0))
    yield provider
    provider.stop()
    gateway.stop()
