"""Fixtures of the layer's tests, besides the database."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest

from local.simulators.provider import ProviderSimulator
from tests.support.aws import Aws
from tests.support.configuration import SIGNING_SECRET, Configure
from tests.support.database import Database
from tests.support.internet import Internet, fake_internet
from tests.support.race import Race


@pytest.fixture
def other(database: Database) -> Iterator[Database]:
    """A second connection, for a transaction that blocks others. It is rolled back at the end."""
    other = Database(database.url)
    yield other
    other.close()


@pytest.fixture
def askable(aws: Aws, provider_simulator: ProviderSimulator, configure: Configure) -> ProviderSimulator:
    """The same as `providers`, with status lookup."""
    url = f"{provider_simulator.url}/sms"
    fields = {"url": url, "lookup_url": f"{url}/lookup", "signing_secret": SIGNING_SECRET}
    configure(PROVIDER_SECRET_ARN=aws.create_secret({"sms": fields}))
    return provider_simulator


@pytest.fixture
def race(environments: ProcessPoolExecutor, other: Database) -> Race:
    return Race(environments, other)


@pytest.fixture
def internet(monkeypatch: pytest.MonkeyPatch) -> Iterator[Internet]:
    with fake_internet(monkeypatch) as internet:
        yield internet
