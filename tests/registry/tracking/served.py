"""A fake server, and settings that lead to it."""

from __future__ import annotations

import os

import pytest

from modelaudit.registry.tracking import client
from modelaudit.settings import CacheSettings, ProbeSettings, Settings
from tests.made import files
from tests.registry.tracking.fake import FakeRegistry, serving

MLMODEL = (
    b"flavors:\n  tensorflow:\n    data: data\n    keras_version: 3.11.0\nmlflow_version: 3.5.0\n"
)


@pytest.fixture(scope="session")
def layout(tmp_path_factory):
    """The files of a model as MLflow stores them."""
    model = files.minimal_h5(tmp_path_factory.mktemp("layout") / "model.h5").read_bytes()
    return {"MLmodel": MLMODEL, "conda.yaml": b"name: x\n", "data/model.h5": model}


@pytest.fixture
def registry(layout, monkeypatch):
    """A registry with two versions of a model and one of another."""
    monkeypatch.setattr(client, "_PAUSES", (0.0, 0.0))
    for name in ("URI", "TOKEN", "USERNAME", "PASSWORD"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    found = FakeRegistry()
    found.add("digits", 1, layout)
    found.add("digits", 2, layout)
    found.add("faces", 1, layout)
    with serving(found):
        yield found


@pytest.fixture
def settings(registry, tmp_path):
    return Settings(
        cache=CacheSettings(os.fspath(tmp_path / "cache")),
        probe=ProbeSettings(enabled=False),
        tracking_uri=registry.address,
    )
