"""Fixtures for every room."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.sharing import made_once, module, output_of

# A deadline times the machine, not the code. On CI the examples are the same in every run, so that
# a red run can be repeated; elsewhere each run looks at new ones.
settings.register_profile("modelaudit", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("modelaudit")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of `tests.made.build`, built once a session in a process of its own."""
    return made_once(
        tmp_path_factory, "made", lambda folder: output_of(module("tests.made.build", str(folder)))
    )
