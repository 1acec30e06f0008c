"""Runtimes and models that several files of this room share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from modelaudit.probe.supervisor import RuntimeHandle, here, here_legacy, start_runtime

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def keras3() -> Iterator[RuntimeHandle]:
    with start_runtime(here()) as handle:
        assert not handle.failure
        yield handle


@pytest.fixture(scope="session")
def keras2() -> Iterator[RuntimeHandle]:
    with start_runtime(here_legacy()) as handle:
        assert not handle.failure
        yield handle


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of `hostile_models`."""
    folder = tmp_path_factory.mktemp("hostile")
    done = subprocess.run(
        [sys.executable, "-m", "tests.probe.hostile_models", str(folder)],
        cwd=ROOT,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


@pytest.fixture(scope="module")
def golden(made: Path) -> dict[str, np.ndarray]:
    with np.load(made / "golden.npz") as arrays:
        return dict(arrays)
