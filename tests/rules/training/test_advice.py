"""The call that the advice on training names is the one that writes the audited format."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.facts import Format
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.rules.model import Facts, Rule
from modelaudit.structs import replace
from tests.rules.saved import found as found_in
from tests.rules.saved import sequential

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


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("factor", [0.05, 0.0])
def test_results_that_a_penalty_drew_to_zero(keras, tmp_path, factor):
    """An autoencoder whose code is penalized, and the same without."""
    keras.utils.set_random_seed(1)
    x = np.random.default_rng(4).random((320, 40)).astype("float32") ** 3
    penalty = keras.regularizers.L1(factor) if factor else None
    code = keras.layers.Dense(16, "relu", activity_regularizer=penalty, name="code")
    layers = keras.layers.Input((40,)), code, keras.layers.Dense(40, "sigmoid")
    model = keras.Sequential([*layers])
    model.compile(keras.optimizers.Adam(0.003), "binary_crossentropy")
    model.fit(x, x, epochs=30, batch_size=32, verbose=0)
    model.save(tmp_path / "m.keras")
    found = [x for x in found_in([_rule("MA433")], tmp_path / "m.keras") if "alone" in x.title]
    assert len(found) == bool(factor)
    assert all(x.fix.startswith("The activity penalty of `code`") for x in found)


@pytest.mark.slow
@pytest.mark.parametrize(("patience", "at_least"), [(0, 2), (10, 12)])
def test_early_stopping_without_a_patience(patience, at_least):
    """What MA432 says of it: a loss that gets worse ends training after one more epoch."""
    import keras as k

    model = sequential(k, (1,), k.layers.Dense(1), loss="mse", optimizer=k.optimizers.SGD(0.0))
    x = np.ones((8, 1))
    stop = k.callbacks.EarlyStopping(monitor="loss", patience=patience)
    seen = model.fit(x, 2 * x, epochs=20, verbose=0, callbacks=[stop])
    assert len(seen.epoch) <= at_least
    assert (len(seen.epoch) > 2) is bool(patience)
    assert "patience" in _rule("MA432").fix
