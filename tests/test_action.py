"""The GitHub Action: what its step runs, shows and sends."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.made.files import minimal_h5, truncated_h5

ROOT = Path(__file__).resolve().parents[1]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEP = ROOT / "contrib" / "github" / "audit.sh"
GH = """\
#!/bin/bash
[ -z "$REFUSED" ] || exit 1
printf '%s\\n' "$@" >"$CALLS/$1"
for word in "$@"; do case "$word" in sarif=@*) cp "${word#sarif=@}" "$CALLS/sarif";; esac; done
"""


@pytest.fixture
def step(tmp_path):
    """Run the step in a workspace, with a `gh` that notes its arguments."""
    programs, calls = tmp_path / "programs", tmp_path / "calls"
    programs.mkdir()
    calls.mkdir()
    (programs / "gh").write_text(GH)
    (programs / "modelaudit").write_text(f'#!/bin/sh\nexec {sys.executable} -m modelaudit "$@"\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    given = {
        "MODELS" if name == "paths" else name.upper().replace("-", "_"): str(value["default"])
        for name, value in ACTION["inputs"].items()
        if name != "token"
    }

    def run(**inputs: str) -> subprocess.CompletedProcess[str]:
        github = {
            "GITHUB_OUTPUT": str(tmp_path / "outputs"),
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
            "GITHUB_REPOSITORY": "owner/models",
            "GITHUB_SHA": "0123abc",
            "GITHUB_REF": "refs/pull/7/merge",
            "PULL_REQUEST": "7",
            "CALLS": str(calls),
            "MODELAUDIT": str(programs / "modelaudit"),
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        }
        return subprocess.run(
            [STEP],
            cwd=tmp_path,
            env=os.environ | given | github | inputs,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_every_input_reaches_the_step():
    assert all(value["description"] for value in ACTION["inputs"].values())
    (only,) = ACTION["runs"]["steps"]
    used = set(re.findall(r"inputs\.([a-z-]+)", json.dumps(only["env"])))
    assert used == set(ACTION["inputs"])
    assert "${{" not in only["run"]  # an expression in a script could be code
    read = set(re.findall(r"\$\{?([A-Z_]+)", STEP.read_text(encoding="utf-8")))
    assert set(only["env"]) - {"GH_TOKEN"} <= read


def test_findings_fail_the_step_and_are_shown_and_sent(step, tmp_path):
    models = tmp_path / "my models"
    models.mkdir()
    truncated_h5(models)
    done = step(MODELS="my models\n\n", COMMENT="true")
    assert done.returncode == 1, done.stderr
    assert (tmp_path / "outputs").read_text() == "report=modelaudit-report\nexit-code=1\n"
    assert "truncated.h5" in (tmp_path / "summary").read_text()
    comment = (tmp_path / "calls" / "pr").read_text().split("\n")
    assert comment[:5] == ["pr", "comment", "7", "--repo", "owner/models"]
    sent = (tmp_path / "calls" / "api").read_text()
    assert "repos/owner/models/code-scanning/sarifs" in sent
    assert "commit_sha=0123abc" in sent and "ref=refs/pull/7/merge" in sent
    log = json.loads(gzip.decompress(base64.b64decode((tmp_path / "calls" / "sarif").read_text())))
    assert log["version"] == "2.1.0"
    assert log["runs"][0]["results"]
    reports = {path.name for path in (tmp_path / "modelaudit-report").iterdir()}
    assert {"report.sarif", "report.md", "index.html"} <= reports
    assert "sarif.base64" not in reports


def test_a_sound_model_passes_and_nothing_is_sent_unasked(step, tmp_path):
    minimal_h5(tmp_path / "m.h5")
    words = "$(touch injected).h5"
    shutil.copy(tmp_path / "m.h5", tmp_path / words)
    done = step(MODELS=f"m.h5\n{words}", UPLOAD_SARIF="false", FAIL_ON="critical")
    assert done.returncode == 0, done.stderr
    assert not list((tmp_path / "calls").iterdir())
    assert not (tmp_path / "injected").exists()


def test_what_cannot_be_sent_does_not_hide_the_findings(step, tmp_path):
    truncated_h5(tmp_path)
    done = step(MODELS="truncated.h5", COMMENT="true", REFUSED="yes")
    assert done.returncode == 1
    assert done.stdout.count("::warning::") == 2
    assert "truncated.h5" in (tmp_path / "summary").read_text()


def test_a_wrong_path_is_an_error_of_usage(step, tmp_path):
    done = step(MODELS="nowhere")
    assert done.returncode == 2
    assert "nowhere" in done.stderr
    assert not (tmp_path / "calls" / "api").exists()
