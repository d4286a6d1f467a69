"""The contract's asserts say what they saw, as those of any test."""

import pytest

pytest.register_assert_rewrite(
    *(f"tests.layer.providers.{name}" for name in ("contract", "receiving", "sending", "speaking"))
)
