"""A deployment of one provider, whichever it is."""

from collections.abc import Callable, Iterator

import pytest

from messaging.providers import REGISTRY, provider_class
from tests.support.aws import Aws
from tests.support.configuration import Configure
from tests.support.database import Database
from tests.support.providers.contract import Contract, contracts
from tests.support.providers.vendor_profile import NAME, PUBLIC_URL

Deploy = Callable[[object], None]

TYPES = {provider_class(name): name for name in REGISTRY}
REGISTERED = [contract_class for contract_class in contracts() if contract_class.provider in TYPES]


@pytest.fixture(
    params=REGISTERED,
    ids=lambda contract_class: f"{TYPES[contract_class.provider]} {contract_class.__name__}",
)
def contract(request: pytest.FixtureRequest) -> Iterator[Contract]:
    instance: Contract = request.param()
    with instance.running():
        yield instance


@pytest.fixture
def deploy(aws: Aws, configure: Configure, contract: Contract, database: Database) -> Deploy:
    """Configure this provider as the only one, with these fields in its secret."""

    def deploy(fields: object) -> None:
        configure(
            PROVIDERS=f"{NAME}={TYPES[contract.provider]}",
            PROVIDER_SECRET_ARN=aws.create_secret({NAME: fields}),
            PUBLIC_URL=PUBLIC_URL,
            ALLOW_UNSIGNED_WEBHOOKS="",
        )

    deploy(contract.secret("http://127.0.0.1:9/"))
    return deploy
