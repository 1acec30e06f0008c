"""`make demo` ends well only if every model was fully audited and has its reports."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "demo.sh"


def demo(root, *, code, verdict="fail", missing=None, repaired=0):
    """Run the script with a `modelaudit` that exits with `code` and writes two reports.

    As `modelaudit repair`, it exits with `repaired`.
    """
    (root / "scripts").mkdir()
    shutil.copy(SCRIPT, root / "scripts")
    (root / ".venv" / "bin").mkdir(parents=True)
    (root / ".venv" / "bin" / "python").symlink_to(sys.executable)
    made = root / "made"
    for place in ("models/a", "models/b"):
        (made / place).mkdir(parents=True)
        for name in ("report.html", "report.pdf"):
            (made / place / name).write_text("x")
        (made / place / "audit.json").write_text(json.dumps({"verdict": verdict}))
    (made / "index.html").write_text("x")
    if missing:
        (made / missing).unlink()
    command = root / ".venv" / "bin" / "modelaudit"
    command.write_text(
        f'#!/bin/sh\n[ "$1" = repair ] && exit {repaired}\ncp -r "{made}" "${{6}}"\nexit {code}\n'
    )
    command.chmod(0o755)
    return subprocess.run(
        [root / "scripts" / "demo.sh"], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("code", [0, 1])
def test_complete_runs_succeed_and_print_where_the_reports_are(tmp_path, code):
    done = demo(tmp_path, code=code)
    assert done.returncode == 0, done.stderr
    assert "demo-report/index.html" in done.stdout
    assert "demo-report/models/b/report.pdf" in done.stdout


@pytest.mark.parametrize("code", [2, 3, 4, 70, 130])
def test_other_exit_codes_are_passed_on(tmp_path, code):
    assert demo(tmp_path, code=code).returncode == code


@pytest.mark.parametrize("missing", ["index.html", "models/b/report.pdf", "models/a/audit.json"])
def test_a_missing_report_is_a_failure(tmp_path, missing):
    done = demo(tmp_path, code=1, missing=missing)
    assert done.returncode == 3
    assert missing in done.stderr


def test_findings_do_not_hide_an_incomplete_audit(tmp_path):
    done = demo(tmp_path, code=1, verdict="incomplete")
    assert done.returncode == 3
    assert "incomplete" in done.stderr


def test_a_repair_that_fails_is_a_failure(tmp_path):
    done = demo(tmp_path, code=1, repaired=1)
    assert done.returncode == 3
    assert "teachable_digits" in done.stderr
