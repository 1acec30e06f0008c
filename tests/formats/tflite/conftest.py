"""Fixtures for the tests of TensorFlow Lite models."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelaudit.facts import Artifact
from modelaudit.formats.reader import read
from modelaudit.settings import Limits


@pytest.fixture
def reading(tmp_path):
    """Read bytes as a file of a model."""

    def read_bytes(data: bytes, name: str = "m.tflite", limits: Limits | None = None) -> Artifact:
        path: Path = tmp_path / name
        path.write_bytes(data)
        return read(path, limits or Limits())

    return read_bytes
