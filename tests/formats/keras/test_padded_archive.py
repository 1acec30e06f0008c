"""Zeros behind an archive, as copies in whole blocks add; Keras is the oracle of what loads."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelaudit.pipeline import static_facts
from modelaudit.rules import catalogue
from modelaudit.rules.engine import run_rule
from modelaudit.settings import Settings
from tests.made.files import minimal_keras


def findings(path: Path, code: str) -> list[str]:
    facts = static_facts(path, Settings())
    return [found.detail for found in run_rule(catalogue.rule(code), facts).findings]


@pytest.mark.parametrize(
    ("added", "hidden"),
    [(b"\0", False), (bytes(4096), False), (bytes(4095) + b"x", True), (b"#!/bin/sh\n", True)],
)
def test_zeros_hold_no_other_content(tmp_path: Path, added: bytes, hidden: bool) -> None:
    path = minimal_keras(tmp_path / "m.keras")
    assert findings(path, "MA733") == findings(path, "MA122") == []
    with path.open("ab") as file:
        file.write(added)
    assert bool(findings(path, "MA733")) is hidden
    assert any("zeros after the archive" in each for each in findings(path, "MA122")) is not hidden


@pytest.mark.slow
def test_keras_loads_it(tmp_path: Path) -> None:
    import keras

    path = tmp_path / "m.keras"
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(path)
    with path.open("ab") as file:
        file.write(bytes(4096))
    keras.models.load_model(path)
    assert findings(path, "MA733") == []
