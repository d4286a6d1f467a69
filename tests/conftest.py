"""What the tests stand on: a real Postgres, migrated once, and empty for each test that asks for it."""

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
from tests.support import aws as playing
from tests.support.configuration import SIGNING_SECRET, Configure
from tests.support.database import Database, connection
from tests.support.lambda_context import Context
from tests.support.log_lines import Printed, let_the_logger_print
from tests.support.postgres_proxy import Proxy

# The contract's asserts say what they saw, as those of any test; said here, before anybody imports them.
pytest.register_assert_rewrite(
    *(
        f"tests.support.providers.{name}"
        for name in ("contract", "webhook_contract", "send_contract", "vendor_profile")
    )
)

# As in a function's environment; set before the product is imported by any test.
os.environ.update(
    AWS_ACCESS_KEY_ID="test",
    AWS_SECRET_ACCESS_KEY="test",
    AWS_DEFAULT_REGION="us-east-1",
    POWERTOOLS_METRICS_NAMESPACE="Messaging",
    POWERTOOLS_SERVICE_NAME="test",
)

# The gate says the same of the same code every time, on a slow machine too.
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
    """The Postgres at DATABASE_URL, or one of our own."""
    if os.environ.get("DATABASE_URL"):
        yield os.environ["DATABASE_URL"]
        return
    server = Postgres(tmp_path_factory.mktemp("postgres"), ports.choose("127.0.0.1", 0, ""), durable=False)
    server.start()
    yield server.url
    server.stop()


@pytest.fixture(scope="session")
def database_url(server_url: str) -> Iterator[str]:
    """A database of the tests' own, migrated as a deployment does it."""
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
    own = Database(database_url)
    yield own
    own.close()


@pytest.fixture
def database(own_connection: Database, configure: Configure) -> Iterator[Database]:
    """Empty, its ids beginning at 1, and what the product is configured for."""
    from messaging.postgres import database as product

    configure(DATABASE_URL=own_connection.url)
    own_connection.clear()
    yield own_connection
    product.disconnect()


@pytest.fixture
def proxy(database: Database, configure: Configure) -> Iterator[Proxy]:
    """Between the product, which has a connection through it, and the database."""
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
    """Eight processes with a connection each: as parallel as eight environments of a function."""
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
    """An HTTP server that plays the house contract and misbehaves when told to; it reports to nobody."""
    provider = ProviderSimulator(
        ports.choose("127.0.0.1", 0, ""), gateway="http://127.0.0.1:9", secret=SIGNING_SECRET
    )
    provider.start()
    yield provider
    provider.stop()


@pytest.fixture
def aws(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> Iterator[playing.Aws]:
    """The queues and the bucket that the product is configured for, and a Secrets Manager."""
    with mock_aws():
        playing.answer_sessions(monkeypatch)
        played = playing.Aws()
        configure(
            OUTBOUND_QUEUE_URL=played.queue_url,
            INBOUND_QUEUE_URL=played.inbound_url,
            INBOUND_BUCKET=played.bucket,
            MEDIA_BUCKET=played.media,
        )
        yield played


@pytest.fixture
def aws_at(configure: Configure) -> Iterator[Callable[[str], None]]:
    """Has the product look for AWS at an address, as long as the test goes on."""

    def look(address: str) -> None:
        playing.forget()
        queues = {"OUTBOUND_QUEUE_URL": "outbound", "INBOUND_QUEUE_URL": "inbound"}
        urls = {name: f"{address}/000000000000/{queue}" for name, queue in queues.items()}
        configure(AWS_ENDPOINT_URL=address, INBOUND_BUCKET="bucket", MEDIA_BUCKET="media", **urls)

    yield look
    playing.forget()


@pytest.fixture
def providers(
    aws: playing.Aws, provider_simulator: ProviderSimulator, configure: Configure
) -> ProviderSimulator:
    """The playing provider, for which the product's two are configured."""
    fields = {
        name: {"url": f"{provider_simulator.url}/{name}", "signing_secret": SIGNING_SECRET}
        for name in ("sms", "email")
    }
    configure(PROVIDER_SECRET_ARN=aws.keep(fields))
    return provider_simulator


@pytest.fixture(scope="session", autouse=True)
def logs() -> None:
    let_the_logger_print()


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Printed:
    from messaging.telemetry import metrics

    metrics.clear_metrics()  # of what was counted before and printed nowhere
    return Printed(capsys)
