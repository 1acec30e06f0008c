"""MA310: what a dropout rate of 1 does depends on the Keras that trained with it."""

from __future__ import annotations

import pytest

from modelaudit.facts import Provenance
from modelaudit.findings import Severity
from modelaudit.rules import examples
from modelaudit.rules.architecture import erasing_dropout
from modelaudit.rules.engine import run_rule
from modelaudit.structs import replace

(RULE,) = erasing_dropout.RULES


def found(class_name: str, rate: float, keras: str | None):
    drop = examples.layer("drop", class_name, {}, {"rate": rate})
    facts = examples.chain(examples.layer("hidden"), drop, examples.layer("head"))
    saved = replace(facts.artifact, provenance=Provenance(keras=keras))
    return run_rule(RULE, replace(facts, artifact=saved)).findings


# keras.layers.core.Dropout.call before 2.4: `if 0. < self.rate < 1.`, else the inputs as they are.
@pytest.mark.parametrize("keras", ["1.2.2", "2.0.8", "2.2.4", "2.3.1"])
def test_keras_before_it_was_tf_keras_drops_nothing_at_a_rate_of_1(keras):
    (finding,) = found("Dropout", 1.0, keras)
    assert finding.severity is Severity.LOW
    assert f"Keras {keras}, which saved it, drops nothing" in finding.detail
    assert "Remove the layer" in finding.fix


@pytest.mark.parametrize(
    ("class_name", "rate", "keras"),
    [
        *(("Dropout", 1.0, each) for each in ("2.2.4-tf", "2.4.0", "2.13.1", "3.8.0", None)),
        ("Dropout", 0.99, "2.2.4"),
        ("AlphaDropout", 1.0, "2.2.4"),
    ],
)
def test_others_drop_nearly_everything(class_name, rate, keras):
    (finding,) = found(class_name, rate, keras)
    assert finding.severity is Severity.MEDIUM
    assert f"drops {rate:.0%} of its input in training" in finding.detail
