"""Every command of docs/formats.md does what the page says."""

from __future__ import annotations

import re
import shlex
import zipfile

import pytest

from modelaudit.report.export.registry import FORMATS
from tests.command_line import ROOT

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
    (folder / "registry").mkdir()
    with zipfile.ZipFile(folder / "registry" / "converted_keras.zip", "w") as archive:
        archive.write(models / "a.h5", "keras_model.h5")
    for line in COMMANDS:
        program, *arguments = shlex.split(line)
        assert program == "modelaudit"
        ran = modelaudit(*arguments, env={"XDG_CACHE_HOME": str(folder / "cache")})
        assert (ran.returncode, ran.stderr) == (0, ""), line
        made = [folder / argument.partition("=")[2] for argument in arguments if "=" in argument]
        assert all(path.stat().st_size for path in made), line
        assert made or ran.stdout, line


def test_every_format_is_in_a_command_of_the_page():
    assert {name for line in COMMANDS for name in re.findall(r"-f (\w+)", line)} == {*FORMATS}
