"""Formats are detected in children, many at once; a crash costs only the file that caused it."""

from __future__ import annotations

import os
import signal

import pytest

from modelaudit.facts import Format
from modelaudit.formats.sniff import sniff
from modelaudit.registry import isolated_sniff
from modelaudit.registry.isolated_sniff import sniff_all_isolated
from modelaudit.settings import Limits
from tests.made import files


@pytest.mark.parametrize("at_once", [2, 100])
def test_a_crash_costs_one_file(tmp_path, monkeypatch, at_once):
    paths = [files.minimal_h5(tmp_path / f"{number}.h5") for number in range(7)]
    paths.append(files.minimal_keras(tmp_path / "a.keras"))
    expected = {path: sniff(path) for path in paths}

    def crash(path, *more):
        if path.name == "3.h5" and not more:
            os.kill(os.getpid(), signal.SIGKILL)
        return sniff(path, *more)

    monkeypatch.setattr(isolated_sniff, "AT_ONCE", at_once)
    monkeypatch.setattr(isolated_sniff, "sniff", crash)
    found = sniff_all_isolated(paths, Limits())
    assert found == expected | {paths[3]: Format.CORRUPT_HDF5}
