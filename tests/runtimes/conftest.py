"""The libraries that models are saved and loaded with."""

from __future__ import annotations

from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def tensorflow() -> ModuleType:
    return pytest.importorskip("tensorflow")


@pytest.fixture(scope="module")
def old() -> ModuleType:
    return pytest.importorskip("tf_keras")


@pytest.fixture(scope="module")
def new() -> ModuleType:
    return pytest.importorskip("keras")
