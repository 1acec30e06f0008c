"""The page of mistakes, and what the benchmark of faulty programs accepts, name what exists."""

from __future__ import annotations

import re
from pathlib import Path

from modelaudit.diagnosis.advice import ADVICE
from modelaudit.rules.catalogue import CATALOGUE

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/mistakes.md").read_text()
TABLE = (ROOT / "benchmarks/programs/table.py").read_text()


def test_codes_are_rules() -> None:
    rules = {rule.code for rule in CATALOGUE}
    for text in (PAGE, TABLE):
        codes = set(re.findall(r"\bMA\d{3}\b", text))
        assert codes
        assert codes <= rules


def test_names_are_causes() -> None:
    rows = "\n".join(line for line in PAGE.splitlines() if line.startswith("|"))
    named = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", rows))
    assert named
    assert named <= set(ADVICE)


def test_every_mistake_says_where_it_is_visible_and_what_names_it() -> None:
    rows = [line.split("|")[1:-1] for line in PAGE.splitlines() if line.startswith("| ")]
    mistakes = [[cell.strip() for cell in row] for row in rows if len(row) == 4]
    seen = 0
    for mistake, listed, visible, named in mistakes:
        if re.fullmatch(r"[A-Z]( [A-Z])*", listed):
            assert mistake
            assert visible.startswith(("config", "training", "data", "no"))
            assert named
            seen += 1
    assert seen > 60
