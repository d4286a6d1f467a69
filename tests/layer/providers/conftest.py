"""What the tests of providers stand on. The contract's asserts say what they saw, as those of any test."""

from collections.abc import Iterator

import pytest

from tests.layer.providers.internet import Internet, faked

pytest.register_assert_rewrite(
    *(f"tests.layer.providers.{name}" for name in ("contract", "receiving", "sending", "speaking"))
)


@pytest.fixture
def internet(monkeypatch: pytest.MonkeyPatch) -> Iterator[Internet]:
    with faked(monkeypatch) as internet:
        yield internet
