"""The command as a user runs it, and directories of small models."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.made import files

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "sample_models"


def command(*arguments):
    """The command line of a fresh process."""
    return [sys.executable, "-m", "modelaudit", *map(os.fspath, arguments)]


@pytest.fixture
def modelaudit(tmp_path):
    """Run the command in a directory of its own; `env` adds variables."""

    def run(*arguments, env=None, **options):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("MODELAUDIT_")}
        return subprocess.run(
            command(*arguments),
            cwd=options.pop("cwd", tmp_path),
            env=clean | {"PYTHONPATH": os.fspath(ROOT)} | (env or {}),
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
            **options,
        )

    return run


@pytest.fixture
def models(tmp_path):
    """Two sound models (`a.h5`, `b.keras`) and a cut one (`truncated.h5`)."""
    folder = tmp_path / "models"
    folder.mkdir()
    files.minimal_h5(folder / "a.h5")
    files.minimal_keras(folder / "b.keras")
    files.truncated_h5(folder)
    return folder


@pytest.fixture
def sound(models):
    """The two sound models alone."""
    (models / "truncated.h5").unlink()
    return models
