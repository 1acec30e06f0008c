"""The commands of docs/fleet.md do what the page says, and so do the jobs in contrib/."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess

import pytest

from modelaudit.registry.bounded_yaml import parse
from tests.command_line import ROOT, command

CONTRIB = ROOT / "contrib"
PAGE = (ROOT / "docs" / "fleet.md").read_text(encoding="utf-8")
(COMMANDS,) = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
KEPT = {k: v for k, v in os.environ.items() if not k.startswith(("MODELAUDIT_", "SLURM_"))}


@pytest.mark.slow
def test_the_commands_of_the_page_work(modelaudit, sound):
    said = []
    for line in COMMANDS.splitlines():
        program, *arguments = shlex.split(line)
        assert program == "modelaudit"
        ran = modelaudit(*arguments)
        assert (ran.returncode, ran.stderr) == (0, ""), line
        said.append(ran.stdout)
    assert "2 pass" in said[3]
    index = json.loads((sound.parent / "all" / "index.json").read_text())
    assert [row["path"] for row in index["models"]] == ["a.h5", "b.keras"]
    for name in ("report.sarif", "junit.xml", "history.sqlite3"):
        assert (sound.parent / "all" / name).stat().st_size
    assert (
        'modelaudit_models{registry="models",verdict="pass"} 2'
        in (sound.parent / "all.prom").read_text()
    )


@pytest.fixture
def programs(tmp_path):
    """A directory with `modelaudit`, for PATH. Models are not run."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "modelaudit"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(command())} "$@"\n')
    program.chmod(0o755)
    return {
        "PATH": f"{folder}:{KEPT['PATH']}",
        "PYTHONPATH": str(ROOT),
        "MODELAUDIT_NO_PROBE": "1",
        "MODELAUDIT_FORMAT": "json",
    }


def run(words, cwd, env):
    return subprocess.run(
        words, cwd=cwd, env=KEPT | env, capture_output=True, text=True, check=False, timeout=240
    )


@pytest.mark.slow
def test_the_tasks_of_the_array_are_all_shards(models, programs):
    """With a model that fails: that is a result, and no failure of a task."""
    out = models.parent / "reports"
    script = CONTRIB / "slurm" / "modelaudit.sbatch"
    own = {"MODELS": str(models), "OUT": str(out), "SHARDS": "2", "SLURM_CPUS_PER_TASK": "1"}
    for task in ("1", "2"):
        ran = run(["bash", script], models, programs | own | {"SLURM_ARRAY_TASK_ID": task})
        assert ran.returncode == 0, ran.stderr
    wrapped = re.search(r"--wrap '(.*)'", PAGE)[1].replace("/srv/model-reports", str(out))
    ran = run(["sh", "-c", wrapped], models, programs)
    assert ran.returncode == 1, ran.stderr
    index = json.loads((out / "all" / "index.json").read_text())
    assert [row["path"] for row in index["models"]] == ["truncated.h5", "a.h5", "b.keras"]
    broken = run(["bash", script], models, programs | own | {"SLURM_ARRAY_TASK_ID": "3"})
    assert broken.returncode == 2


def test_the_array_has_as_many_tasks_as_shards():
    text = (CONTRIB / "slurm" / "modelaudit.sbatch").read_text()
    shards = re.search(r"SHARDS=\$\{SHARDS:-(\d+)\}", text)[1]
    assert f"#SBATCH --array=1-{shards}\n" in text
    limit, memory = re.search(r"--mem=(\d+)G", text)[1], re.search(r"MEMORY:-(\d+)\}", text)[1]
    jobs = re.search(r"--cpus-per-task=(\d+)", text)[1]
    assert int(jobs) * int(memory) < 1024 * int(limit)


def job(name):
    return parse((CONTRIB / "kubernetes" / name).read_text(), name)


@pytest.mark.slow
def test_the_pods_of_the_job_are_all_shards(models, programs):
    spec = job("indexed-job.yaml")["spec"]
    assert spec["completionMode"] == "Indexed"
    (container,) = spec["template"]["spec"]["containers"]
    count, out = int(spec["completions"]), models.parent / "reports"
    *shell, line = container["command"]
    assert shell == ["sh", "-c"]
    assert f"/{count}" in line
    line = line.replace(f"/{count}", "/2").replace("/models", str(models))
    for index in ("0", "1"):
        words = ["sh", "-c", line.replace("/reports", str(out))]
        ran = run(words, models, programs | {"JOB_COMPLETION_INDEX": index})
        assert ran.returncode == 0, ran.stderr
    *shell, line = job("merge-job.yaml")["spec"]["template"]["spec"]["containers"][0]["command"]
    ran = run([*shell, line.replace("/reports", str(out))], models, programs)
    assert ran.returncode == 0, ran.stderr
    assert len(json.loads((out / "all" / "index.json").read_text())["models"]) == 3


def lines():
    """The shell lines of all scripts and jobs, by name."""
    for name in ("indexed-job.yaml", "merge-job.yaml"):
        *_, line = job(name)["spec"]["template"]["spec"]["containers"][0]["command"]
        yield name, line
    yield "modelaudit.sbatch", (CONTRIB / "slurm" / "modelaudit.sbatch").read_text()


@pytest.mark.parametrize("code", [0, 1, 2, 3, 4, 75, 130])
@pytest.mark.parametrize(("name", "line"), [*lines()])
def test_findings_and_incomplete_models_fail_no_job(name, line, code, tmp_path):
    (tmp_path / "modelaudit").write_text(f"#!/bin/sh\nexit {code}\n")
    (tmp_path / "modelaudit").chmod(0o755)
    env = {"PATH": f"{tmp_path}:{KEPT['PATH']}", "JOB_COMPLETION_INDEX": "0"}
    ran = run(["bash", "-c", line], tmp_path, env | {"SLURM_ARRAY_TASK_ID": "1"})
    assert (ran.returncode == 0) == (code in (0, 1, 3)), ran.stderr


@pytest.mark.parametrize("name", ["indexed-job.yaml", "merge-job.yaml"])
def test_the_jobs_are_complete(name):
    """The fields that Kubernetes requires, and as few rights as the CronJob has."""
    told = job(name)
    assert (told["apiVersion"], told["kind"]) == ("batch/v1", "Job")
    assert told["metadata"]["name"]
    pod = told["spec"]["template"]["spec"]
    nightly = job("cronjob.yaml")["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    for key in ("restartPolicy", "automountServiceAccountToken", "securityContext"):
        assert pod[key] == nightly[key]
    (container,) = pod["containers"]
    assert container["image"] == nightly["containers"][0]["image"]
    assert container["securityContext"] == nightly["containers"][0]["securityContext"]
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}
    env = {each["name"]: int(each["value"]) for each in container.get("env", [])}
    if env:
        limit = int(container["resources"]["limits"]["memory"].removesuffix("Gi"))
        assert env["MODELAUDIT_JOBS"] * env["MODELAUDIT_MEMORY"] < 1024 * limit
