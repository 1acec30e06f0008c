"""Thresholds of rules, and what a finding takes from its rule."""

from __future__ import annotations

import pytest

from modelaudit.audit_types.loading import Port, Status
from modelaudit.audit_types.probe_data import ProbeInputs
from modelaudit.findings import Confidence, Severity
from modelaudit.measures.architecture.modality_words import Modality
from modelaudit.measures.summary import Behaviour
from modelaudit.probe.protocol import Observation
from modelaudit.rules import examples
from modelaudit.rules.catalogue import CATALOGUE, rule
from modelaudit.rules.model import Facts, Limit
from modelaudit.settings import Settings
from modelaudit.structs import replace


def test_a_limit_in_words():
    assert str(Limit(0.2, 0.001, 10.0, "times")) == "0.2 times; configurable from 0.001 to 10"
    assert str(Limit(None, 0.0, 1.0, "bits")) == "bits; configurable from 0 to 1"


def test_the_settings_replace_a_threshold():
    chosen = rule("MA604")
    assert chosen.threshold(examples.healthy()) == chosen.limit.value
    assert chosen.chosen(examples.healthy()) is None
    for value in (0.0, 0.3):
        facts = replace(examples.healthy(), settings=Settings(thresholds=(("MA604", value),)))
        assert chosen.threshold(facts) == value


@pytest.mark.parametrize("limit", [None, Limit(None, 0.0, 1.0, "")])
def test_a_rule_without_a_value_has_no_threshold(limit):
    with pytest.raises(AssertionError):
        replace(CATALOGUE[0], limit=limit).threshold(examples.healthy())


def test_a_finding_takes_what_is_not_given_from_its_rule():
    declared = CATALOGUE[0]
    plain = declared.finding("what is wrong")
    assert (plain.severity, plain.confidence) == (declared.severity, declared.confidence)
    assert (plain.title, plain.fix, plain.evidence) == (declared.summary, declared.fix, {})
    severity = next(each for each in Severity if each is not declared.severity)
    confidence = next(each for each in Confidence if each is not declared.confidence)
    given = declared.finding(
        "what is wrong",
        evidence={"n": 1},
        title="title",
        fix="fix",
        severity=severity,
        confidence=confidence,
    )
    assert (given.severity, given.confidence) == (severity, confidence)
    assert (given.title, given.fix, given.evidence) == ("title", "fix", {"n": 1})


def test_facts_are_empty_unless_given():
    facts = Facts(examples.model())
    assert not (facts.measurements or facts.behaviour or facts.restore or facts.golden)
    assert not (facts.observations or facts.elsewhere or facts.predictions or facts.unseen)


@pytest.mark.parametrize(
    ("ports", "shape", "kind"),
    [
        # What was restored comes before what was fed.
        ((Port("x", "float32", (None, 13)),), (8, 16, 16, 3), Modality.TABLE),
        ((), (8, 16, 16, 3), Modality.IMAGE),
        ((), (8, 13), Modality.TABLE),
    ],
)
def test_the_kind_of_the_inputs_is_that_of_the_loaded_model_or_of_what_it_was_fed(
    ports, shape, kind
):
    inputs = ProbeInputs("user", 8, shape, (0.0, 1.0))
    seen = Behaviour("here", inputs, 1e-7, True, ())
    bare = replace(examples.healthy().artifact, architecture=None)
    loaded = Observation("here", "load_model", Status.LOADED, inputs=ports)
    facts = Facts(bare, observations=(loaded,), behaviour=seen)
    assert facts.modality.kind == kind
    # A runtime that restored other inputs, with which the model cannot be called, says nothing.
    wrong = (Port("x", "float32", (None, None, 13)),)
    changed = replace(loaded, inputs=wrong, uncallable="the restored model takes other inputs")
    assert replace(facts, observations=(changed, loaded)).modality.kind == kind


def test_long_texts_of_a_finding_are_cut():
    found = CATALOGUE[0].finding("d" * 20_000, fix="f" * 20_000)
    for text in (found.detail, found.fix):
        assert len(text) == 10_001 and text.endswith("…")
