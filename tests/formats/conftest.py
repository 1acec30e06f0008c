"""Fixtures for the tests of several formats."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(scope="module")
def tf():
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow

    return tensorflow
