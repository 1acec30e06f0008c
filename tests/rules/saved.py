"""Findings of rules on models that Keras saves."""

from __future__ import annotations

from pathlib import Path

from modelaudit.pipeline import static_facts
from modelaudit.rules.engine import run_rules
from modelaudit.settings import Settings

FORMATS = ("keras", "h5")


def found(rules, path: Path):
    """All findings of the rules on one file."""
    results = run_rules(rules, static_facts(path, Settings()))
    assert not [each.reason for each in results if each.outcome.value == "error"]
    return [finding for result in results for finding in result.findings]


def codes(rules, model, folder: Path, formats=FORMATS):
    """Code and severity of all findings, which are the same in every format."""
    seen = []
    for suffix in formats:
        path = folder / f"model.{suffix}"
        model.save(path)
        seen.append([(each.code, each.severity.value) for each in found(rules, path)])
    assert all(each == seen[0] for each in seen), seen
    return seen[0]


def sequential(keras, shape, *layers, loss="mse", **options):
    """A compiled Sequential model."""
    model = keras.Sequential([keras.layers.Input(shape), *layers])
    model.compile(options.pop("optimizer", "adam"), loss, **options)
    return model
