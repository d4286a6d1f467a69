"""The contract's asserts say what they saw, as those of any test."""

import pytest

pytest.register_assert_rewrite("tests.layer.providers.contract")
