"""Networks and their exports, and what the rules on layers say of them."""

from __future__ import annotations

from pathlib import Path

from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.settings import Settings

RULES = (
    "MA304",
    "MA309",
    "MA311",
    "MA312",
    "MA313",
    "MA316",
    "MA318",
    "MA321",
    "MA322",
    "MA326",
    "MA436",
)
CLASSES = 5


def exported(model, folder: Path):
    """Facts of the model's export."""
    path = folder / "exported"
    model.export(str(path), format="tf_saved_model", verbose=False)
    return static_facts(path, Settings())


def found(facts) -> dict[str, str]:
    """Code -> highest severity."""
    ranks = ("info", "low", "medium", "high")
    results = {code: run_rule(rule(code), facts) for code in RULES}
    assert not [each for each in results.values() if each.outcome.value == "error"]
    return {
        code: max((x.severity.value for x in each.findings), key=ranks.index)
        for code, each in results.items()
        if each.findings
    }


def network(keras, shape, *layers, dtype="float32"):
    return keras.Sequential([keras.Input(shape, dtype=dtype), *layers])


def head(of, activation="softmax", units=CLASSES):
    return of.Dense(units, activation=activation, name="head")
