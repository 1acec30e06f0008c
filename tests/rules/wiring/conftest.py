"""Models of Keras 3, and what a rule says of their files."""

from __future__ import annotations

import pytest

from modelaudit.rules.catalogue import rule
from tests.rules.saved import codes


@pytest.fixture(scope="module")
def k():
    import keras

    return keras


@pytest.fixture
def told(k, tmp_path):
    def judged(code, given, result, formats=("keras", "h5")):
        return codes([rule(code)], k.Model(given, result), tmp_path, formats)

    return judged
