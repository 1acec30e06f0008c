"""Runtimes and models shared by the tests of the probe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from modelaudit.probe import run
from modelaudit.probe.host.runtime import (
    RuntimeHandle,
    installed_legacy_runtime,
    installed_runtime,
)
from tests.sharing import with_tensorflow


@pytest.fixture(scope="session")
def keras3() -> Iterator[RuntimeHandle]:
    with run.start_runtime(installed_runtime()) as handle:
        assert not handle.failure
        yield handle


@pytest.fixture(scope="session")
def keras2() -> Iterator[RuntimeHandle]:
    with run.start_runtime(installed_legacy_runtime()) as handle:
        assert not handle.failure
        yield handle


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of `hostile_models`."""
    folder = tmp_path_factory.mktemp("hostile")
    with_tensorflow("-m", "tests.probe.hostile_models", folder)
    return folder


@pytest.fixture(scope="module")
def golden(made: Path) -> dict[str, np.ndarray]:
    with np.load(made / "golden.npz") as arrays:
        return dict(arrays)
