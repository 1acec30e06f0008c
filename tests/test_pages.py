"""Commands, options, steps and limits on the pages exist."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.changes.models import ModelChangeKind
from modelaudit.cli import cli
from modelaudit.diagnosis.procedure import PROCEDURE
from modelaudit.rules.catalogue import CATALOGUE

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
# In a block, at the start of a line or after a prompt; in a sentence, between back quotes.
SHOWN = re.compile(
    r"^(?:    |\$ )?modelaudit +([a-z-].*)|`modelaudit +([a-z-][^`]*)`", re.MULTILINE
)
WHOLE = {"README.md", "guide.md", "nightly.md", "restore.md", "compatibility.md", "formats.md"}


def unknown(line: str) -> list[str]:
    """Words of a command line that are not commands or options of the program."""
    words = re.sub(r"[][,;]", " ", re.split(r"  #| \| ", line)[0]).split()
    command: click.Command = cli
    context = click.Context(cli)
    options = {"--help"}
    found = []
    for word in words:
        options |= {name for each in command.params for name in each.opts}
        if isinstance(command, click.Group) and not word.startswith("-"):
            inner = command.get_command(context, word)
            if inner is None:
                return [word]
            command, context = inner, click.Context(inner, parent=context)
        elif word.startswith("-") and word.partition("=")[0] not in options:
            found.append(word)
    return found


def commands(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return [" ".join((block or inline).split()) for block, inline in SHOWN.findall(text)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_on_the_page_exist(page):
    assert [line for line in commands(page) if unknown(line)] == []


def test_commands_are_found_and_wrong_ones_detected():
    assert {page.name for page in PAGES if commands(page)} >= WHOLE
    assert unknown("audit models --out report -f html") == []
    assert unknown("runtimes collect --python /opt/x --out runtimes") == []
    assert unknown("audits models") == ["audits"]
    assert unknown("runtimes gather") == ["gather"]
    assert unknown("scan models --outt x") == ["--outt"]
    assert unknown("diff OLD NEW [--json] [--yaml]") == ["--yaml"]


def cells(name: str, pattern: str) -> list[str]:
    """Matches of the pattern's group in the rows of a page's tables."""
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    return re.findall(rf"^\| {pattern} \|", text, re.MULTILINE)


def test_tables_are_complete():
    assert cells("diagnosis.md", r"\d+ \| `([a-z-]+)`") == [step.cause for step in PROCEDURE]
    assert set(LoadOutcome) <= set(cells("compatibility.md", r"([a-z]+) \| [^|]+"))
    limited = [
        f"[{each.code}](rules/{each.code}.md) {each.name}" for each in CATALOGUE if each.limit
    ]
    assert cells("guide.md", r"(\[MA\d+\]\S+ [a-z-]+)") == limited
    words = cells("nightly.md", r"([a-z, ]+) \| [^|]+")
    assert set(ModelChangeKind) <= {word for row in words for word in row.split(", ")}
