"""The page of mistakes, and what the benchmark of faulty programs accepts, name what exists."""

from __future__ import annotations

import re
from pathlib import Path

from modelaudit.rules.catalogue import CATALOGUE

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "docs/mistakes.md", ROOT / "benchmarks/faulty_table.py")


def test_codes_are_rules() -> None:
    rules = {rule.code for rule in CATALOGUE}
    for page in PAGES:
        codes = set(re.findall(r"\bMA\d{3}\b", page.read_text()))
        assert codes, f"{page} names no rule"
        assert codes <= rules, f"{page} names what is no rule: {sorted(codes - rules)}"
