"""The call that the advice on training names is the one that writes the audited format."""

from __future__ import annotations

import pytest

from modelaudit.facts import Format
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.rules.model import Facts, Rule
from modelaudit.structs import replace

CODES = ("MA430", "MA432")


def _rule(code: str) -> Rule:
    return next(rule for rule in CATALOGUE if rule.code == code)


def _fix(code: str, form: Format) -> str:
    rule = _rule(code)
    facts = rule.bad()
    facts = replace(facts, artifact=replace(facts.artifact, format=form))
    (found,) = rule.check(rule, facts)
    return found.fix


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("form", [Format.LEGACY_H5_FULL, Format.KERAS_ARCHIVE])
def test_a_model_is_saved_whole(code: str, form: Format) -> None:
    assert "model.save(path)" in _fix(code, form)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize(
    "form", [Format.WEIGHTS_H5_LEGACY, Format.WEIGHTS_H5_V3, Format.TF2_CHECKPOINT]
)
def test_weights_are_saved_as_weights(code: str, form: Format) -> None:
    fix = _fix(code, form)
    assert "model.save(path)" not in fix
    assert "model.save_weights(path)" in fix


@pytest.mark.parametrize("code", CODES)
def test_a_graph_of_tensorflow_1_is_trained_in_a_session(code: str) -> None:
    fix = _fix(code, Format.TF1_CHECKPOINT)
    assert "model." not in fix
    assert "in its session" in fix
    assert ("more steps" in fix) == (code == "MA432")


def test_facts_without_a_finding_have_no_advice() -> None:
    for code in CODES:
        rule = _rule(code)
        good: Facts = rule.good()
        assert not [*rule.check(rule, good)]
