"""Fixtures of all tests: a real Postgres, migrated once and emptied for each test that uses it."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from urllib.parse import urlsplit

import hypothesis
import pytest
from moto import mock_aws

from local.commands.openapi import load
from local.services import ports
from local.services.postgres import Postgres
from local.simulators.provider import ProviderSimulator
from tests.support import aws as moto_aws
from tests.support.configuration import SIGNING_SECRET, Configure
from tests.support.database import Database, connection
from tests.support.lambda_context import Context
from tests.support.log_lines import Printed, let_the_logger_print
from tests.support.postgres_proxy import Proxy

# Assertions of these modules show their values, as in test files. This must come before their import.
pytest.register_assert_rewrite(
    "tests.support.providers.contract",
    "tests.support.providers.webhook_contract",
    "tests.support.providers.send_contract",
    "tests.support.providers.vendor_profile",
)

# The environment of a function. Tests import the product afterwards.
os.environ.update(
    AWS_ACCESS_KEY_ID="test",
    AWS_SECRET_ACCESS_KEY="test",
    AWS_DEFAULT_REGION="us-east-1",
    POWERTOOLS_METRICS_NAMESPACE="Messaging",
    POWERTOOLS_SERVICE_NAME="test",
)

# The gate has the same result for the same code every time, on a slow machine, too.
hypothesis.settings.register_profile("gate", derandomize=True, deadline=None)
hypothesis.settings.load_profile("gate")


@pytest.fixture
def context() -> Context:
    return Context()


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    yield Configure(monkeypatch)
    monkeypatch.undo()
    Configure(monkeypatch)()


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The Postgres at DATABASE_URL, or an embedded one."""
    if os.environ.get("DATABASE_URL"):
        yield os.environ["DATABASE_URL"]
        return
    server = Postgres(tmp_path_factory.mktemp("postgres"), ports.choose("127.0.0.1", 0, ""), durable=False)
    server.start()
    yield server.url
    server.stop()


@pytest.fixture(scope="session")
def database_url(server_url: str) -> Iterator[str]:
    """A new database, migrated as in a deployment."""
    name = f"messaging_test_{os.getpid()}"
    admin = connection(server_url)
    admin.run(f"CREATE DATABASE {name}")
    url = urlsplit(server_url)._replace(path=f"/{name}").geturl()
    with pytest.MonkeyPatch.context() as monkeypatch:
        Configure(monkeypatch)(DATABASE_URL=url)
        load("migrate").handler({}, Context())
    Configure(monkeypatch)()
    yield url
    admin.run(f"DROP DATABASE {name} WITH (FORCE)")
    admin.close()


@pytest.fixture(scope="session")
def own_connection(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def database(own_connection: Database, configure: Configure) -> Iterator[Database]:
    """The empty database, to which the product is configured to connect. Its ids begin at 1."""
    from messaging.postgres import database as product

    configure(DATABASE_URL=own_connection.url)
    own_connection.clear()
    yield own_connection
    product.disconnect()


@pytest.fixture
def proxy(database: Database, configure: Configure) -> Iterator[Proxy]:
    """A proxy between the product, which is connected through it, and the database."""
    from messaging.conversations import reads
    from messaging.postgres import database as product

    proxy = Proxy(database.url)
    configure(DATABASE_URL=proxy.url)
    reads.check_schema()
    yield proxy
    product.disconnect()
    proxy.close()


@pytest.fixture(scope="session")
def environments(database_url: str) -> Iterator[ProcessPoolExecutor]:
    """Eight processes with a connection each, like eight environments of a function."""
    from tests.support.race import PROCESSES, join_pool  # imports the product

    spawn = get_context("spawn")
    barrier = spawn.Barrier(PROCESSES)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("DATABASE_URL", database_url)
        with ProcessPoolExecutor(PROCESSES, spawn, join_pool, (barrier,)) as pool:
            list(pool.map(os.getpgid, [0] * 64))
            yield pool


@pytest.fixture
def provider_simulator() -> Iterator[ProviderSimulator]:
    """A simulator of the built-in providers. Its reports go nowhere."""
    provider = ProviderSimulator(
        ports.choose("127.0.0.1", 0, ""), gateway="http://127.0.0.1:9", secret=SIGNING_SECRET
    )
    provider.start()
    yield provider
    provider.stop()


@pytest.fixture
def aws(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> Iterator[moto_aws.Aws]:
    """The queues, buckets and Secrets Manager that the product is configured to use, simulated by moto."""
    with mock_aws():
        moto_aws.answer_signed_clients(monkeypatch)
        simulated = moto_aws.Aws()
        configure(
            OUTBOUND_QUEUE_URL=simulated.queue_url,
            INBOUND_QUEUE_URL=simulated.inbound_url,
            INBOUND_BUCKET=simulated.bucket,
            MEDIA_BUCKET=simulated.media,
        )
        yield simulated


@pytest.fixture
def aws_at(configure: Configure) -> Iterator[Callable[[str], None]]:
    """A function that configures the address of AWS until the test ends."""

    def configure_address(address: str) -> None:
        moto_aws.clear_caches()
        queues = {"OUTBOUND_QUEUE_URL": "outbound", "INBOUND_QUEUE_URL": "inbound"}
        urls = {name: f"{address}/000000000000/{queue}" for name, queue in queues.items()}
        configure(AWS_ENDPOINT_URL=address, INBOUND_BUCKET="bucket", MEDIA_BUCKET="media", **urls)

    yield configure_address
    moto_aws.clear_caches()


@pytest.fixture
def providers(
    aws: moto_aws.Aws, provider_simulator: ProviderSimulator, configure: Configure
) -> ProviderSimulator:
    """The simulator that the product's built-in providers are configured to call."""
    fields = {
        name: {"url": f"{provider_simulator.url}/{name}", "signing_secret": SIGNING_SECRET}
        for name in ("sms", "email")
    }
    configure(PROVIDER_SECRET_ARN=aws.create_secret(fields))
    return provider_simulator


@pytest.fixture(scope="session", autouse=True)
def logs() -> None:
    let_the_logger_print()


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Printed:
    from messaging.telemetry import metrics

    metrics.clear_metrics()  # of earlier tests
    return Printed(capsys)
