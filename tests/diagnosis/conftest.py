"""What tests of single steps share."""

from __future__ import annotations

import pytest

from modelaudit.diagnosis import procedure
from modelaudit.diagnosis.beliefs import Beliefs
from modelaudit.odds.table import shipped_table


@pytest.fixture
def steps_alone(monkeypatch):
    """Every step's own result: odds, which decide what is named, have nothing to say."""
    silent = Beliefs(None, shipped_table(), "a test of the steps")
    monkeypatch.setattr(procedure, "beliefs", lambda case, steps: silent)
