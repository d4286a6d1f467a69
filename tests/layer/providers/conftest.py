"""What the tests of providers stand on."""

from collections.abc import Iterator

import pytest

from tests.layer.providers.internet import Internet, faked


@pytest.fixture
def internet(monkeypatch: pytest.MonkeyPatch) -> Iterator[Internet]:
    with faked(monkeypatch) as internet:
        yield internet
