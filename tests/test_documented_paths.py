"""The files and directories named in the documentation exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "modelaudit"
PAGES = [ROOT / "CONTRIBUTING.md", ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES += sorted([*ROOT.glob("docs/adr/*.md"), *ROOT.glob("docs/accuracy/*.md")])
FOLDERS = "|".join(
    [
        *(path.name for path in PACKAGE.iterdir() if path.is_dir()),
        "modelaudit",
        "tests",
        "scripts",
        "benchmarks",
    ]
)
PATH = re.compile(rf"`((?:{FOLDERS})/[\w/]*(?:\.py|/))`")
NAME = re.compile(r"`(?!tf\.)([a-z_]+(?:\.[a-z_]+)*)\.([A-Z]\w+)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_exist(page):
    named = PATH.findall(page.read_text(encoding="utf-8"))
    missing = [
        each for each in named if not any((base / each).exists() for base in (ROOT, PACKAGE))
    ]
    assert missing == []


def test_each_decision_has_a_number_of_its_own():
    pages = sorted((ROOT / "docs" / "adr").glob("*.md"))
    titles = [int(page.read_text(encoding="utf-8")[2:].partition(".")[0]) for page in pages]
    assert titles == [int(page.name[:4]) for page in pages] == [*range(1, len(pages) + 1)]


def test_the_glossary_names_existing_things():
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    names = NAME.findall(text)
    assert len(names) > 20
    for module, name in names:
        home = PACKAGE / module.replace(".", "/")
        path = home / "__init__.py" if home.is_dir() else home.with_suffix(".py")
        assert re.search(rf"^(class )?{name}\b", path.read_text(encoding="utf-8"), re.M), name


def test_the_glossary_is_in_alphabetical_order():
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    for part in text.split("\n## ")[1:]:
        terms = [line.split("|")[1].strip() for line in part.splitlines() if line.startswith("| ")]
        assert terms[1:] == sorted(terms[1:], key=str.lower)
