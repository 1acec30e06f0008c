"""The diagnosis of a file that must not be loaded."""

from __future__ import annotations

from modelaudit.cli.commands.explain import screen
from modelaudit.diagnosis import diagnose
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.rules.engine import run_rules
from modelaudit.rules.security.config.examples import ARITHMETIC, SYSTEM, lambda_layer, with_layers


def explained(code):
    facts = with_layers(lambda_layer(code))
    return diagnose(facts, run_rules(CATALOGUE, facts))


def test_the_danger_comes_first_and_no_advice_loads_the_file():
    found = explained(SYSTEM)
    assert found.answer.startswith("Do not load this file: ")
    assert "(MA702). " in found.answer
    first, *others = found.causes
    steps = [f"{step.text} {step.code}" for step in first.next_steps]
    assert "Do not load" in steps[0]
    assert "clean copy" in steps[1]
    assert not any("MODEL" in step for step in steps)
    assert not any(cause.next_steps for cause in others)


def test_the_terminal_shows_the_danger_first():
    told = screen("model.keras", explained(SYSTEM)).splitlines()
    assert told[2].startswith("Do not load this file: ")


def test_a_harmless_file_is_explained_as_usual():
    found = explained(ARITHMETIC)
    assert "Do not load" not in found.answer
    assert found.causes[0].next_steps
