"""Every command in a block of the documentation is executed by a test, or is listed with a reason.

Blocks behind `<!-- run -->` are run by `scripts/readme_output.py`. `EXECUTED` names the tests that
run the others, this module among them; `ELSEWHERE` the few that no test can run.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import ROOT, run_command

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES += sorted((ROOT / "docs" / "accuracy").glob("*.md"))
PAGES += [ROOT / "contrib" / "example-plugin" / "README.md"]
BLOCK = re.compile(r"^(<!-- run[^\n]*-->\n)?```(sh|bash|console|shell)\n(.*?)^```$", re.M | re.S)
# Page -> the test that runs its blocks, and how many there are: a new one needs a look at the test.
EXECUTED = {
    "docs/fleet.md": ("tests/cli/test_fleet_page.py", 1),
    "docs/formats.md": ("tests/cli/test_formats_page.py", 9),
    "docs/provenance.md": ("tests/signing/test_provenance_page.py", 2),
    "docs/registries.md": ("tests/cli/test_registries_page.py", 3),
    "docs/repair.md": ("tests/repairs/test_registry.py", 4),
    "docs/restore.md": ("tests/cli/commands/test_diff_exports.py", 1),
    "docs/guide.md": ("tests/test_documented_commands.py", 5),
    "docs/nightly.md": ("tests/test_documented_commands.py", 2),
}
# The beginning of a block -> who runs it, or why nobody does.
ELSEWHERE = {
    "$ make demo": ".ci/run",
    "$ make setup ": ".ci/run, and `pip install .` in scripts/routes.py",
    "$ make setup-dev": ".ci/run runs its parts",
    "$ docker run": "needs Docker; scripts/image.sh runs the steps of the Dockerfile",
    "$ modelaudit nightly /srv/models --out /srv/reports --engine ray": (
        "needs a cluster of Ray; tests/runs/cluster/test_ray_engine.py"
    ),
    "$ job=$(sbatch": "needs Slurm; tests/cli/test_fleet_page.py runs both scripts",
    "$ kubectl": "needs a cluster; tests/cli/test_fleet_page.py runs the command of each job",
    "$ modelaudit merge shards/1": "the same command as in the first block of its page",
    "# python3 -m venv": "needs root and systemd; scripts/check_schedules.sh",
    "# systemctl": "needs root and systemd; scripts/check_schedules.sh",
    "$ contrib/serving/start.sh": "tests/test_serving.py, with another server",
    "$ pip install ./contrib/example-plugin": "tests/plugins, which install it",
    "$ pip install tf-modelaudit[hub]": "tests/probe/host/test_hub_presets.py, with what it adds",
}
# The places that the pages name, below the directory of a test.
PLACES = (
    ("/models --probe-data /data/validation-images", "models"),
    ("/reports/models", "reports"),
    ("/var/lib/modelaudit", "nights"),
    ("/srv/models", "models"),
    (" /models", " models"),
    ("report/models/classifier.keras/", "report/models/b.keras/"),
    ("vision/plates.keras", "b.keras"),
)


def blocks(page: Path) -> list[str]:
    """The blocks of commands that `readme_output.py` does not run."""
    found = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [text for marked, _, text in found if not marked]


def reason(text: str) -> str | None:
    """The entry of `ELSEWHERE` for a block."""
    return next((each for each in ELSEWHERE if text.startswith(each)), None)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_block_is_executed(page):
    name = page.relative_to(ROOT).as_posix()
    left = [text for text in blocks(page) if not reason(text)]
    test, count = EXECUTED.get(name, ("", 0))
    assert len(left) == count, left
    if test:
        assert page.name in (ROOT / test).read_text(encoding="utf-8")


def test_marked_blocks_are_on_pages_that_are_run():
    script = (ROOT / "scripts" / "readme_output.py").read_text(encoding="utf-8")
    for page in PAGES:
        if any(marked for marked, _, _ in BLOCK.findall(page.read_text(encoding="utf-8"))):
            assert f'"{page.relative_to(ROOT).as_posix()}"' in script


def test_no_exception_is_out_of_date():
    texts = [text for page in PAGES for text in blocks(page)]
    assert {reason(text) for text in texts} - {None} == set(ELSEWHERE)
    assert set(EXECUTED) <= {page.relative_to(ROOT).as_posix() for page in PAGES}


def commands(name: str) -> list[str]:
    """The commands of a page's blocks, with the places of the test."""
    lines = []
    for text in blocks(ROOT / "docs" / name):
        if not reason(text):
            lines += [line.removeprefix("$ ").partition("   ")[0] for line in text.splitlines()]
    for place, here in PLACES:
        lines = [line.replace(place, here) for line in lines]
    return lines


SETTINGS = {"MODELAUDIT_NO_PROBE": "1", "MODELAUDIT_FORMAT": "json", "NO_COLOR": "1"}


def run(line: str, folder: Path, shell: str = "bash") -> subprocess.CompletedProcess[str]:
    """Run a line of a page in `folder`, where `modelaudit` runs no models."""
    program = folder / "bin" / "modelaudit"
    program.parent.mkdir(exist_ok=True)
    lines = ("from modelaudit.cli import main", "main()")
    program.write_text("\n".join((f"#!{sys.executable}", *lines, "")))
    program.chmod(0o755)
    env = SETTINGS | {
        "PATH": f"{program.parent}:/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder),
    }
    return subprocess.run(
        [shell, "-c", line], cwd=folder, env=env, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["guide.md", "nightly.md"])
def test_the_commands_of_the_page_work(name, sound):
    lines = [line for line in commands(name) if line.startswith("modelaudit ")]
    assert len(lines) >= 3
    for line in lines:
        if set(line) & set("|&;<>$*"):  # it is for a shell
            ran = run(line, sound.parent)
        else:
            words = shlex.split(line, comments=True)[1:]
            ran = run_command(*words, cwd=sound.parent, env=SETTINGS | {"HOME": str(sound.parent)})
        assert (ran.returncode, ran.stderr) == (0, ""), line


@pytest.mark.slow
def test_the_shells_get_their_completion(tmp_path):
    lines = [line for line in commands("guide.md") if "_COMPLETE" in line]
    for shell, line in zip(("bash", "zsh", "fish"), lines, strict=True):
        assert f"{shell}_source" in line
        (inner,) = re.findall(r"_MODELAUDIT_COMPLETE=\w+ modelaudit", line)
        shown = run(inner, tmp_path)
        assert shown.returncode == 0
        assert "_MODELAUDIT_COMPLETE" in shown.stdout
    completed = f"{lines[0]}; complete -p modelaudit"
    assert "modelaudit" in run(completed, tmp_path).stdout


def linked(page: Path) -> set[Path]:
    """What a page links to; of a directory, its README.md."""
    if page.is_dir():
        page /= "README.md"
    if page.suffix != ".md" or not page.exists():
        return set()
    found = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    return {(page.parent / each).resolve() for each in found if "://" not in each}


def test_everything_is_two_clicks_from_the_readme():
    reached, last = {ROOT / "README.md"}, {ROOT / "README.md"}
    for _ in range(2):
        last = set().union(*map(linked, last)) - reached
        reached |= last
    wanted = {*ROOT.glob("docs/*.md"), *ROOT.glob("docs/rules/*.md"), ROOT / "action.yml"}
    wanted |= {
        *ROOT.glob("docs/*.ipynb"),
        *ROOT.glob("docs/man/*"),
        ROOT / ".pre-commit-hooks.yaml",
    }
    wanted |= {ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", ROOT / "CHANGELOG.md"}
    wanted |= {
        ROOT / "Dockerfile",
        *ROOT.glob("contrib/*/[!_.]*"),
        ROOT / "templates/modelaudit.yml",
    }
    wanted |= {*ROOT.glob("docs/adr/*.md"), *ROOT.glob("docs/accuracy/*.md")}
    reached |= {page.parent for page in reached if page.name == "README.md"} - {ROOT}
    there = {path for path in wanted if path in reached or reached & {*path.parents} - {ROOT}}
    assert wanted - there == set()
