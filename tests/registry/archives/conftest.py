"""A registry, and what is found in it with a cache of the test's own."""

from __future__ import annotations

import pytest

from modelaudit.registry.discover import discover
from modelaudit.settings import CacheSettings, Limits


@pytest.fixture
def look(tmp_path):
    """`discover` with a cache of the test's own."""

    def found(path, limits=None, size=1 << 30, **options):
        cache = CacheSettings(str(tmp_path / "cache"), size)
        return discover(path, limits or Limits(), cache, **options)

    return found


@pytest.fixture
def registry(tmp_path):
    folder = tmp_path / "registry"
    folder.mkdir()
    return folder
