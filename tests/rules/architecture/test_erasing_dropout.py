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


def of_few(units: int, rate: float, **config):
    hidden = replace(examples.layer("hidden"), output_shape=(None, units))
    drop = examples.layer("drop", "Dropout", {}, {"rate": rate, **config})
    given = examples.layer("input", "InputLayer", {})
    return run_rule(RULE, examples.chain(given, hidden, drop, examples.layer("head"))).findings


@pytest.mark.parametrize(
    ("units", "rate", "told"),
    [(8, 0.8, True), (3, 0.5, True), (4, 0.5, False), (32, 0.69, False), (7, 0.69, False)],
)
def test_rows_of_which_nothing_is_left(units, rate, told):
    """The share is that of Keras' own draws."""
    import numpy as np
    from keras import layers

    findings = of_few(units, rate)
    assert bool(findings) is told
    drawn = layers.Dropout(rate, seed=1)(np.ones((20000, units), "float32"), training=True)
    share = float(np.mean(np.asarray(drawn).sum(axis=1) == 0))
    assert (share > 0.1) is told
    for each in findings:
        assert each.severity is Severity.LOW
        assert abs(each.evidence["measured"] - share) < 0.01
        assert "keras.layers.Dropout(0.2, name='drop')" in each.fix


def test_rows_that_a_shape_of_noise_or_more_axes_keep():
    assert of_few(3, 0.5, noise_shape=[None, 1]) == ()
    hidden = replace(examples.layer("hidden"), output_shape=(None, 20, 3))
    drop = examples.layer("drop", "Dropout", {}, {"rate": 0.5})
    assert run_rule(RULE, examples.chain(hidden, drop, examples.layer("head"))).findings == ()


@pytest.mark.parametrize("rate", [0.8, 0.85])
def test_a_rate_that_was_perhaps_the_share_to_keep(rate):
    (only,) = of_few(64, rate)
    assert only.severity is Severity.LOW and only.evidence["measured"] == rate
    assert f"set rate to {1 - rate:.2g}" in only.fix
    assert of_few(64, 0.69) == ()
    (recurrent,) = run_rule(
        RULE, examples.chain(examples.layer("lstm", "LSTM", {}, {"recurrent_dropout": rate}))
    ).findings
    assert "set recurrent_dropout" in recurrent.fix
    # Much of an input is hidden on purpose.
    given = examples.layer("input", "InputLayer", {})
    first = examples.layer("drop", "Dropout", {}, {"rate": rate})
    assert run_rule(RULE, examples.chain(given, first, examples.layer("head"))).findings == ()
