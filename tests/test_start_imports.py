"""What commands import: the start of a command costs mostly that."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "modelaudit"


def imported_by(*words: str, code: int = 0) -> set[str]:
    """The modules that a command with this exit code imports, workers included."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "modelaudit", *words],
        cwd=PACKAGE,  # which has no settings file
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == code, done.stderr
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}


# What takes long to import, and what helps only few commands.
HEAVY = {"tensorflow", "keras", "tf_keras", "matplotlib", "weasyprint", "scipy", "jinja2"}
NOT_FOR_HELP = HEAVY | {"numpy", "h5py", "google.protobuf", "modelaudit.pipeline", "tomllib"}
NOT_FOR_A_SCAN = HEAVY | {
    *("asyncio", "concurrent.futures", "email", "importlib.metadata", "importlib.resources"),
    *("sqlite3", "tomllib", "zoneinfo", "numpy.ma"),
    *("modelaudit.probe.host", "modelaudit.probe.study", "modelaudit.probe.run"),
    *("modelaudit.store.store", "modelaudit.runs.recorded_run", "modelaudit.report.pages"),
}
# The packages that audit a model, which a run that finds none, or knows them all, does not need.
AUDITING = {
    f"modelaudit.{name}"
    for name in ("pipeline", "rules", "diagnosis", "measures", "probe", "runtimes")
}
OTHER_READERS = {
    "digits_robust.keras": {"google.protobuf", "modelaudit.formats.saved_model.reader"},
    "digits_noaug.h5": {"google.protobuf", "modelaudit.formats.keras.archive"},
    "digits_tf1_savedmodel": {"h5py", "modelaudit.formats.keras.archive"},
}


def test_help_imports_nothing_heavy():
    loaded = imported_by("--help")
    assert {"modelaudit.cli", "click"} <= loaded
    assert loaded & NOT_FOR_HELP == set()


def test_a_scan_without_a_model_imports_nothing_that_audits_one(tmp_path):
    loaded = imported_by("scan", str(tmp_path), code=4)
    assert "modelaudit.registry.discover" in loaded
    assert loaded & (NOT_FOR_A_SCAN | AUDITING) == set()


@pytest.mark.parametrize("sample", OTHER_READERS)
def test_a_scan_imports_only_what_it_needs(sample):
    loaded = imported_by("scan", str(ROOT / "sample_models" / sample))
    assert {"modelaudit.pipeline", "numpy"} <= loaded
    assert loaded & (NOT_FOR_A_SCAN | OTHER_READERS[sample]) == set()
