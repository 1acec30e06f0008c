"""The digest of the rules, which distinguishes changed rules from a changed model."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from modelaudit.findings import Confidence
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.rules.engine import rules_digest
from modelaudit.rules.model import Limit, Need
from modelaudit.structs import replace

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "change",
    [
        {"confidence": Confidence.LOW},
        {"needs": (Need.BEHAVIOUR,)},
        {"limit": Limit(0.2, 0.0, 1.0, "times")},
        {"fix": "Do something else."},
    ],
    ids=lambda change: next(iter(change)),
)
def test_it_follows_the_declarations(change) -> None:
    first, *others = CATALOGUE
    assert rules_digest((replace(first, **change), *others)) != rules_digest(CATALOGUE)
    assert rules_digest(others) != rules_digest(CATALOGUE)


def test_it_is_the_same_in_every_process() -> None:
    code = "from modelaudit.rules import catalogue; from modelaudit.rules import engine\n"
    code += "print(engine.rules_digest(catalogue.CATALOGUE))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == rules_digest(CATALOGUE)
