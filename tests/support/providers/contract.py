"""The contract that every provider fulfils. A subclass of Contract describes one vendor.

vendor_profile.py lists what it can describe. Subclasses are named Test..., so that pytest runs the contract
for them, and are in a file test_contract.py, so that the suites that run over every provider find them.
"""

from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path

import pytest

from messaging.failures import Misconfigured, TemporaryFailure
from messaging.models import Channel
from tests.support.configuration import Configure
from tests.support.providers.send_contract import SendContract
from tests.support.providers.vendor_profile import NAME
from tests.support.providers.webhook_contract import WebhookContract

ODD_SECRETS: Sequence[object] = (
    "",
    " ",
    "\ud800",
    [],
    [""],
    [" "],
    [None],
    [[]],
    None,
    5,
    True,
    {},
    {"a": "b"},
    "whsec_",
)
"""Values that somebody writes by mistake. They count as missing."""


class Contract(SendContract, WebhookContract):
    def test_an_instance_has_the_name_of_the_configuration(self) -> None:
        assert self.create().name == NAME

    def test_the_provider_lists_its_channels_and_limits(self) -> None:
        assert self.provider.channels
        assert self.provider.channels <= set(Channel)
        assert Channel(str(self.sent["type"])) in self.provider.channels
        assert self.provider.limits.body > 0

    def test_without_a_secret_nothing_is_sent_and_every_webhook_is_refused(
        self, configure: Configure
    ) -> None:
        configure(ALLOW_UNSIGNED_WEBHOOKS="")
        bare = self.provider(NAME, {})
        with pytest.raises(TemporaryFailure):
            bare.send(self.message())
        for request in (self.webhook(self.inbound), *map(self.request, self.bodies())):
            self.assert_refused(request, bare)

    @pytest.mark.parametrize("odd", ODD_SECRETS, ids=repr)
    def test_with_a_malformed_secret_nothing_is_sent_and_every_webhook_is_refused(
        self, odd: object, configure: Configure
    ) -> None:
        configure(ALLOW_UNSIGNED_WEBHOOKS="")
        provider = self.create(dict.fromkeys(self.secret(""), odd))
        with pytest.raises(Misconfigured):
            provider.send(self.message())
        for body in self.bodies():
            self.assert_refused(self.request(body), provider)
            for field, _ in self.keys:
                self.assert_refused(self.request(body), self.create({field: odd}))


def contracts() -> Iterator[type[Contract]]:
    """The contract tests of all providers."""
    root = Path(__file__).parents[3]
    for file in sorted((root / "tests" / "layer" / "providers").rglob("test_contract.py")):
        module = import_module(".".join(file.relative_to(root).with_suffix("").parts))
        for name, member in vars(module).items():
            if name.startswith("Test") and isinstance(member, type) and issubclass(member, Contract):
                assert member.__module__ == module.__name__
                yield member
