"""The manual page: current, complete, and accepted by groff."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from modelaudit.cli import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "man" / "modelaudit.1"


def rendered() -> str:
    done = subprocess.run(
        ["groff", "-man", "-Tascii", "-ww", "-P-cbou", PAGE],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout


def test_the_page_has_every_command_and_option():
    text = PAGE.read_text().replace(r"\-", "-")
    for name in COMMANDS:
        assert f"\\fBmodelaudit {name}" in text
    table = (ROOT / "docs" / "commands.md").read_text()
    for words in re.findall(r"^\| `(--[a-z-]+)`", table, re.MULTILINE):
        assert re.search(rf"\\fB{words}[,\\]", text), words


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
def test_groff_renders_it_without_a_warning():
    text = " ".join(rendered().split())  # lines are justified
    assert "modelaudit scan [OPTIONS] PATHS..." in text
    assert "--no-plugins Load no rules" in text
    assert "130 Interrupted" in text


def test_every_exit_code_has_a_text():
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        import man_page
    finally:
        sys.path.pop(0)
    assert set(man_page.CODES) == set(man_page.ExitCode)
    assert man_page.text() == PAGE.read_text()
