"""Every command of docs/formats.md does what the page says."""

from __future__ import annotations

import re
import shlex

import pytest

from modelaudit.cli.runs.write_reports import PER_MODEL, PER_RUN
from tests.cli.conftest import ROOT

PAGE = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
    if "FORMAT" not in line
]


@pytest.mark.slow
def test_the_commands_of_the_page_work(modelaudit, models):
    ran = modelaudit("audit", models / "b.keras", "--out", "out", "-f", "json", "--no-probe", "-q")
    assert ran.returncode == 0, ran.stderr
    folder = models.parent
    next(folder.glob("out/models/*/audit.json")).rename(folder / "audit.json")
    for line in COMMANDS:
        program, *arguments = shlex.split(line)
        assert program == "modelaudit"
        ran = modelaudit(*arguments)
        assert (ran.returncode, ran.stderr) == (0, ""), line
        made = [folder / argument.partition("=")[2] for argument in arguments if "=" in argument]
        assert all(path.stat().st_size for path in made), line
        assert made or ran.stdout, line


def test_every_format_is_on_the_page_and_in_a_command():
    told = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert sorted(told) == sorted((*PER_MODEL, *PER_RUN))
    used = {name for line in COMMANDS for name in re.findall(r"-f (\w+)", line)}
    assert used == set(told)
    for name, file in PER_RUN.items():
        assert re.search(rf"^\| `{name}` .*`{re.escape(file)}` \|$", PAGE, re.MULTILINE)
