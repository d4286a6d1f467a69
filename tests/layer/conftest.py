"""What the layer's tests stand on beside the database."""

from collections.abc import Iterator

import pytest

from tests.conftest import Configure, Database
from tests.proxy import Proxy


@pytest.fixture
def proxy(database: Database, configure: Configure) -> Iterator[Proxy]:
    """Between the product, which has a connection through it, and the database."""
    from messaging import database as product
    from messaging import views

    proxy = Proxy(database.url)
    configure(DATABASE_URL=proxy.url)
    views.check()
    yield proxy
    product.engine().dispose()
    proxy.close()


@pytest.fixture
def other(database: Database) -> Iterator[Database]:
    """A second connection, for a transaction that is in the way; it is taken back at the end."""
    other = Database(database.url)
    yield other
    other.close()
