"""The environment variables of the product, as a test sets them."""

import pytest

SIGNING_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
"""The secret of the built-in providers `sms` and `email`."""


class Configure:
    """Sets environment variables until the test ends. The product reads its settings again."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def __call__(self, **variables: str) -> None:
        from messaging import settings

        for name, value in variables.items():
            self._monkeypatch.setenv(name, value)
        settings.settings.cache_clear()
