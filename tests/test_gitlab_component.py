"""The component of GitLab CI/CD: what its job runs and leaves."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.made.files import minimal_h5, truncated_h5

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "templates" / "modelaudit.yml").read_text(encoding="utf-8")
SPEC, JOBS = yaml.safe_load_all(TEXT)
INPUTS = SPEC["spec"]["inputs"]
SETUP = f"""#!/bin/sh
cd "$(dirname "$0")/.."
mkdir -p .venv/bin
echo "$1" >"$CALLED"
printf '#!/bin/sh\\nexec {sys.executable} -m modelaudit "$@"\\n' >.venv/bin/modelaudit
chmod +x .venv/bin/modelaudit
"""


@pytest.fixture
def job(tmp_path):
    """Run the job's script as GitLab does, with a repository whose setup installs nothing."""
    repository = tmp_path / "repository"
    (repository / "scripts").mkdir(parents=True)
    (repository / "scripts" / "setup.sh").write_text(SETUP)
    (repository / "scripts" / "setup.sh").chmod(0o755)
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    for words in (("init", "-q"), ("add", "."), (*who, "commit", "-qm", "x")):
        subprocess.run(["git", "-C", repository, *words], check=True)
    (tmp_path / "work").mkdir()

    def run(**inputs: str) -> tuple[subprocess.CompletedProcess[str], dict]:
        given = {"repository": str(repository), "revision": "HEAD", **inputs}
        values = {name: given.get(name, each.get("default")) for name, each in INPUTS.items()}
        text = re.sub(
            r"\$\[\[ inputs\.([a-z-]+) \]\]",
            lambda found: json.dumps(str(values[found[1]]))[1:-1],
            json.dumps(JOBS),
        )
        ((_, made),) = json.loads(text).items()
        lines = "\n".join(made["script"])
        variables = {**made["variables"], "CALLED": str(tmp_path / "called")}
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", lines],
            cwd=tmp_path / "work",
            env={**os.environ, **variables, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        return done, made

    return run


def test_every_input_is_described_and_none_is_part_of_a_script():
    assert all(each["description"] for each in INPUTS.values())
    (job,) = JOBS.values()
    assert "inputs" not in json.dumps(job["script"])
    assert set(re.findall(r"inputs\.([a-z-]+)", json.dumps(JOBS))) == set(INPUTS)


def test_findings_fail_the_job_and_its_reports_are_where_gitlab_looks(job, tmp_path):
    models = tmp_path / "work" / "my models"
    models.mkdir()
    truncated_h5(models)
    done, made = job(paths="my models\n\n", baseline="", formats="json")
    assert done.returncode == 1, done.stderr
    assert (tmp_path / "called").read_text() == "light\n"
    reports = made["artifacts"]["reports"]
    entries = json.loads((tmp_path / "work" / reports["codequality"]).read_text())
    assert "truncated.h5" in json.dumps(entries)
    assert "<testsuites" in (tmp_path / "work" / reports["junit"]).read_text()


def test_inputs_are_no_code(job, tmp_path):
    words = "$(touch injected) `touch injected`.h5"
    minimal_h5(tmp_path / "work" / words)
    done, _ = job(**{"paths": words, "out": "re ports", "fail-on": "critical"})
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "work" / "injected").exists()
    assert (tmp_path / "work" / "re ports" / "index.html").exists()
