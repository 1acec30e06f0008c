"""README.md shows the real output of commands, and its links are valid."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from modelaudit.cli import COMMANDS
from modelaudit.exit_codes import ExitCode
from modelaudit.rules.catalogue import CATALOGUE
from tests.page_commands import readme_output

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PAGES = [
    README,
    *ROOT.glob("docs/*.md"),
    *ROOT.glob("docs/adr/*.md"),
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
]


@pytest.fixture(scope="module", name="readme_output")
def script():
    return readme_output()


@pytest.mark.slow
def test_every_command_prints_the_output_on_the_page(readme_run):
    assert (readme_run / "differences").read_text() == ""
    assert (readme_run / "reports" / "index.json").is_file()


def test_every_modelaudit_command_on_the_page_is_run(readme_output):
    page = README.read_text(encoding="utf-8")
    run = [command for block in readme_output.blocks(page) for command in block.commands]
    shown = re.findall(r"^\$ (modelaudit .*)$", page, re.MULTILINE)
    assert run == shown
    assert {command.split()[1] for command in run} <= set(COMMANDS)
    assert {"audit", "scan", "explain", "inspect", "render"} <= {c.split()[1] for c in run}


def page_with(*lines, options=""):
    text = "\n".join(lines)
    return f"before\n\n<!-- run{options} -->\n```console\n{text}\n```\n\nafter\n"


def test_a_wrong_output_or_exit_code_is_detected(readme_output, tmp_path):
    (block,) = readme_output.blocks(page_with("$ echo a; exit 3", "b"))
    real, code = readme_output.run(block, tmp_path)
    assert (real, code) == ("$ echo a; exit 3\na\n", 3)
    found = readme_output.differences(block, real, code)
    assert "exit code 3, the page says 0" in found
    assert {"-b", "+a"} <= set(found)


def test_numbers_that_are_not_measured_must_be_the_same(readme_output):
    lines = ("$ command", "0.446 of 12,  98%")
    (strict,) = readme_output.blocks(page_with(*lines))
    (loose,) = readme_output.blocks(page_with(*lines, options=": measured, exit 1"))
    assert loose.exit == 1
    other = "$ command\n0.51 of 12,\n97%\n"
    assert not strict.same(other)
    assert loose.same(other)
    assert not loose.same(other.replace("12", "13"))


@pytest.mark.parametrize("options", [": exit", ": loosely", ": exit 1, ", ":"])
def test_an_option_that_does_not_exist_is_an_error(readme_output, options):
    with pytest.raises(ValueError, match="option"):
        list(readme_output.blocks(page_with("$ true", options=options)))


@pytest.mark.parametrize(("command", "expected"), [("$ false", 1), ("$ true", 0), ("$ echo a", 0)])
def test_writing_fails_if_a_command_ends_with_another_exit_code(
    readme_output, monkeypatch, tmp_path, command, expected
):
    page = tmp_path / "README.md"
    page.write_text(page_with(command))
    monkeypatch.setattr(readme_output, "PAGES", (page,))
    monkeypatch.setattr(sys, "argv", ["readme_output.py"])
    assert readme_output.main() == expected


def test_a_block_without_a_command_is_an_error(readme_output):
    with pytest.raises(ValueError, match="without a command"):
        list(readme_output.blocks(page_with("output")))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_are_valid(page):
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text) + re.findall(r'src="([^"]+)"', text)
    missing = [x for x in links if "://" not in x and not (page.parent / x).exists()]
    assert missing == []


def test_the_tables_name_every_exit_code_and_every_family():
    page = README.read_text(encoding="utf-8")
    codes = {int(code) for code in ExitCode}
    assert {int(c) for c in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)} == codes
    named = set(re.findall(r"^\| ([a-z]+) \| [^|]*\?[^|]*\|$", page, re.MULTILINE))
    assert named == {rule.family.value for rule in CATALOGUE}


def test_the_picture_is_small():
    assert (ROOT / "docs" / "images" / "report.png").stat().st_size < 150_000
