"""`python -m modelaudit` in a directory of untrusted files."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.command_line import ROOT


@pytest.mark.slow
@pytest.mark.parametrize("flags", [(), ("-P",)])
def test_no_package_is_imported_from_the_current_directory(sound, flags):
    for name in ("click", "msgspec", "numpy", "h5py", "jinja2"):
        (sound / f"{name}.py").write_text(f"print('{name} was run')\n")
    ran = subprocess.run(
        [sys.executable, *flags, "-m", "modelaudit", "scan", "."],
        cwd=sound,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "was run" not in ran.stdout
    assert "2 pass" in ran.stdout
