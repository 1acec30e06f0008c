from __future__ import annotations

import site
import subprocess
import sys
import zipfile

import pytest

from modelaudit.formats import plugin_formats
from modelaudit.plugins import loading
from modelaudit.report.export import registry
from modelaudit.rules import catalogue
from tests.plugins.installing import EXAMPLE


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """The wheel of the example."""
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", out],
        cwd=EXAMPLE,
        check=True,
        capture_output=True,
        timeout=60,
    )
    (wheel,) = out.glob("*.whl")
    return wheel


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """An empty directory of installed packages, and a process that has loaded no plug-in."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.setattr(site, "getsitepackages", lambda: [str(folder)])
    monkeypatch.setattr(site, "ENABLE_USER_SITE", False)
    monkeypatch.setattr(sys, "path", [*sys.path, str(folder)])
    monkeypatch.setattr(loading, "_loaded", [])
    loading.load.cache_clear()
    monkeypatch.setattr(catalogue, "_added", [])
    monkeypatch.setattr(catalogue, "_sources", [])
    monkeypatch.setattr(plugin_formats, "_added", [])
    before, formats = set(sys.modules), [*registry.FORMATS]
    yield folder
    loading.load.cache_clear()
    for name in set(registry.FORMATS) - {*formats}:
        del registry.FORMATS[name]
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("acme_modelaudit", "made"):
            del sys.modules[name]


@pytest.fixture
def example(packages, built):
    with zipfile.ZipFile(built) as wheel:
        wheel.extractall(packages)
    return packages
