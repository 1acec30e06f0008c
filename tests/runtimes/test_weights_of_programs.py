"""Weights of classes whose code is given: Keras is the oracle, it loads them a second time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.formats.reader import read
from modelaudit.formats.source_code.reading import read_source_code
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest
from modelaudit.runtimes.predict import predict_calls
from modelaudit.settings import Limits
from tests.runtimes.fitting_code import causes, if_it_fits
from tests.runtimes.made_programs import (
    DATA,
    DIFFERS,
    FAILS,
    LOADS,
    PROGRAM,
    TARGETS,
    made,
    observed,
    predicted,
)

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
NORMALIZES = """
import tensorflow as tf

class OWN(keras.layers.Layer):
    def __init__(self, eps=1e-6, **kwargs):
        self.eps = eps
        super().__init__(**kwargs)

    def build(self, shape):
        self.gamma = self.add_weight(name="gamma", shape=shape[-1:], initializer="ones")
        self.beta = self.add_weight(name="beta", shape=shape[-1:], initializer="zeros")
        super().build(shape)

    def call(self, x):
        mean = tf.reduce_mean(x, axis=-1, keepdims=True)
        x = self.gamma * (x - mean)
        return x / (tf.math.reduce_std(x, -1, keepdims=True) + self.eps) + self.beta
"""


@pytest.mark.parametrize(
    ("generation", "name", "suffix", "outcome", "code"),
    [
        ("keras", "Called", ".weights.h5", LOADS, ""),
        ("keras", "Traced", ".weights.h5", DIFFERS, "call-keeps-first-weights"),
        ("keras", "TracedInside", ".weights.h5", DIFFERS, "call-keeps-first-weights"),
        ("keras", "TracedAndBuilt", ".weights.h5", LOADS, ""),
        ("tf_keras", "Traced", ".h5", LOADS, ""),
        ("keras", "Layered", ".weights.h5", LOADS, ""),
        ("keras", "Holder", ".weights.h5", DIFFERS, "layers-in-plain-object"),
        ("tf_keras", "Holder", ".h5", DIFFERS, "layers-in-plain-object"),
        ("tf_keras", "Modules", ".h5", LOADS, ""),
        ("keras", "Factors", ".weights.h5", FAILS, "weights-of-subclass-not-saved"),
        ("keras", "FilterFactors", ".weights.h5", FAILS, "weights-of-subclass-not-saved"),
        ("keras", "SavedFactors", ".weights.h5", LOADS, ""),
        ("tf_keras", "Factors", ".h5", LOADS, ""),
        ("keras", "Staged", ".weights.h5", LOADS, ""),
        ("keras", "Attending", ".weights.h5", DIFFERS, "variable-not-saved"),
        ("keras", "Shifting", ".weights.h5", LOADS, ""),
        ("tf_keras", "Attending", ".h5", LOADS, ""),
        ("tf_keras", "Weighing", ".h5", LOADS, ""),
        ("keras", "Numbered2", ".weights.h5", DIFFERS, "variable-not-saved"),
        ("tf_keras", "Numbered2", ".h5", LOADS, ""),
        ("keras", "Prompted", ".weights.h5", DIFFERS, "variable-not-saved"),
        ("keras", "Decoding1", ".weights.h5", DIFFERS, "variable-not-saved"),
        ("tf_keras", "Decoding1", ".h5", LOADS, ""),
        ("keras", "ByVars", ".weights.h5", LOADS, ""),
        ("tf_keras", "ByVars", ".h5", DIFFERS, "layers-in-plain-object"),
        ("tf_keras", "BothWays", ".h5", LOADS, ""),
    ],
)
def test_weights(
    tmp_path: Path, generation: str, name: str, suffix: str, outcome: LoadOutcome, code: str
) -> None:
    keras = pytest.importorskip(generation)
    model, path = made(keras, name, trained=False), tmp_path / f"w{suffix}"
    model.save_weights(path)
    found = predicted(path, TARGETS[generation], LoadRequest(LoadCall.LOAD_WEIGHTS))
    assert if_it_fits(found) is outcome
    assert causes(found) == ({code} if code else set())
    fresh = made(keras, name, trained=False)
    assert observed(lambda other: other.load_weights(path), fresh, model) is outcome


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize(("name", "outcome"), [("Asked", LOADS), ("Attended", FAILS)])
def test_attributes_named_like_those_of_attention(
    tmp_path: Path, name: str, outcome: LoadOutcome, given: bool
) -> None:
    """Keras 2 has an underscore before those of its own."""
    old, keras = map(pytest.importorskip, ("tf_keras", "keras"))
    path = tmp_path / "w.weights.h5"
    model = made(keras, name, trained=False)
    model.save_weights(path)
    code = read_source_code([str(PROGRAM)]) if given else None
    asked = [(as_installed(find_profile(TARGETS["tf_keras"])), LoadRequest(LoadCall.LOAD_WEIGHTS))]
    (found,) = predict_calls(read(path, Limits()), asked, code)
    assert if_it_fits(found) is outcome
    fresh = made(old, name, trained=False)
    assert observed(lambda other: other.load_weights(path), fresh, model) is outcome


def test_a_variable_of_the_model_itself_across_generations(tmp_path: Path) -> None:
    old, keras = map(pytest.importorskip, ("tf_keras", "keras"))
    path = tmp_path / "w.h5"
    made(old, "Weighing", trained=False).save_weights(path)
    found = predicted(path, TARGETS["keras"], LoadRequest(LoadCall.LOAD_WEIGHTS))
    assert found.predicted is FAILS
    (because,) = found.because
    assert because.code == "variable-not-counted"
    with pytest.raises(ValueError) as raised:
        made(keras, "Weighing", trained=False).load_weights(path)
    assert because.error.partition(": ")[2] in str(raised.value)


@pytest.mark.parametrize(("name", "outcome"), [("InTurn", FAILS), ("OneByOne", LOADS)])
def test_lists_filled_in_turn(tmp_path: Path, name: str, outcome: LoadOutcome) -> None:
    """Keras 2 has the layers of one list ahead of those of the other."""
    saved, path = made(pytest.importorskip("tf_keras"), name, False), tmp_path / "w.h5"
    saved.save_weights(path)
    request = LoadRequest(LoadCall.LOAD_WEIGHTS)
    assert if_it_fits(predicted(path, TARGETS["keras"], request)) is outcome
    fresh = made(pytest.importorskip("keras"), name, trained=False)
    assert observed(lambda other: other.load_weights(path), fresh, saved) is outcome


@pytest.mark.parametrize("pair", [("keras", "tf_keras"), ("tf_keras", "keras")])
@pytest.mark.parametrize(("trained", "outcome"), [(False, LOADS), (True, FAILS)])
def test_layers_of_the_program_alone(
    tmp_path: Path, pair: tuple[str, str], trained: bool, outcome: LoadOutcome
) -> None:
    """Their names are the same in both generations; the optimizer tells which wrote them."""
    tf = pytest.importorskip("tensorflow")
    saved = made(pytest.importorskip(pair[0]), "Critic", trained)
    prefix = tf.train.Checkpoint(saved).write(str(tmp_path / "c"))
    request = LoadRequest(LoadCall.RESTORE, trained=trained)
    assert if_it_fits(predicted(Path(prefix), TARGETS[pair[1]], request)) is outcome
    fresh = made(pytest.importorskip(pair[1]), "Critic", trained)

    def restore(other: Any) -> None:
        tf.train.Checkpoint(other).restore(prefix).expect_partial()

    assert observed(restore, fresh, saved) is outcome


@pytest.mark.parametrize(
    ("generation", "name", "learns"),
    [("keras", "Traced", False), ("keras", "Called", True), ("tf_keras", "Traced", True)],
)
def test_what_training_changes(generation: str, name: str, learns: bool) -> None:
    """In Keras 3 no gradient goes through a call that keeps the first weights."""
    model = made(pytest.importorskip(generation), name, trained=False)
    answers = np.asarray(model(DATA))
    model.compile("adam", "mse")
    if not learns:
        with pytest.raises(ValueError, match="No gradients provided"):
            model.fit(DATA, np.ones((2, 2), "float32"), verbose=0)
        return
    model.fit(DATA, np.ones((2, 2), "float32"), verbose=0)
    assert not np.allclose(np.asarray(model(DATA)), answers, atol=1e-6)


@pytest.mark.parametrize("name", ["Factors", "FilterFactors", "SavedFactors"])
def test_weights_of_keras_2_that_keras_3_does_not_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / "w.weights.h5"
    model = made(pytest.importorskip("tf_keras"), name, trained=False)
    model.save_weights(path)
    found = predicted(path, TARGETS["keras"], LoadRequest(LoadCall.LOAD_WEIGHTS))
    fresh = made(pytest.importorskip("keras"), name, trained=False)
    happened = observed(lambda other: other.load_weights(path), fresh, model)
    assert (if_it_fits(found), happened) == (DIFFERS if name != "SavedFactors" else LOADS,) * 2


@pytest.mark.parametrize(("own", "outcome"), [("LayerNormalization", DIFFERS), ("Norm", LOADS)])
def test_a_saved_model_with_a_class_named_like_one_of_keras(
    tmp_path: Path, own: str, outcome: LoadOutcome
) -> None:
    keras = pytest.importorskip("tf_keras")
    program = tmp_path / "program.py"
    program.write_text(NORMALIZES.replace("OWN", own), encoding="utf-8")
    names: dict[str, Any] = {"keras": keras, "__name__": "program"}
    exec(compile(program.read_text(encoding="utf-8"), str(program), "exec"), names)
    start = keras.Input((4,))
    model = keras.Model(start, names[own]()(keras.layers.Dense(3)(start)))
    model.save(tmp_path / "sm", save_format="tf")
    code = read_source_code([str(program)])
    asked = [(as_installed(find_profile(TARGETS["tf_keras"])), LoadRequest(LoadCall.LOAD_MODEL))]
    (found,) = predict_calls(read(tmp_path / "sm", Limits()), asked, code)
    again = keras.models.load_model(tmp_path / "sm", compile=False)
    same = np.allclose(np.asarray(again(DATA)), np.asarray(model(DATA)), atol=1e-5)
    assert (if_it_fits(found), same) == (outcome, outcome is LOADS)


def test_weights_of_keras_3_in_a_subclass_of_a_layer_in_keras_2(tmp_path: Path) -> None:
    newer, older = map(pytest.importorskip, ("keras", "tf_keras"))
    path = tmp_path / "w.weights.h5"
    made(newer, "Factors", trained=False).save_weights(path)
    found = predicted(path, TARGETS["tf_keras"], LoadRequest(LoadCall.LOAD_WEIGHTS))
    assert found.predicted is FAILS
    assert [each.code for each in found.because] == ["weights-of-subclass-not-saved"]
    with pytest.raises(ValueError, match="expected 3 variables, but received 2 variables"):
        made(older, "Factors", trained=False).load_weights(path)


def test_a_list_called_layers_in_a_layer_is_no_layout(tmp_path: Path) -> None:
    """Keras 2.14 reads it, though `layers` is the group of a later layout (measured there)."""
    path = tmp_path / "w.weights.h5"
    made(pytest.importorskip("keras"), "Staged", trained=False).save_weights(path)
    asked = LoadRequest(LoadCall.LOAD_WEIGHTS)
    reasons = predicted(path, "tf==2.14", asked).because
    assert not [each for each in reasons if "in layers/stage/" in each.text]


def test_a_sum_in_the_call_of_a_model_is_that_of_tensorflow(tmp_path: Path) -> None:
    tf, keras = pytest.importorskip("tensorflow"), pytest.importorskip("keras")
    model = made(keras, "Duelling", trained=False)
    model.export(str(tmp_path / "m"), verbose=False)
    found = predicted(tmp_path / "m", "tf==2.21.0", LoadRequest(LoadCall.SAVED_MODEL))
    assert found.predicted is LOADS
    loaded = tf.saved_model.load(str(tmp_path / "m"))
    assert np.allclose(np.asarray(loaded.serve(DATA)), np.asarray(model(DATA)), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "outcome", "code"),
    [
        ("Called", FAILS, "weights-layout"),
        ("PartsOfTuple", FAILS, "weights-layout"),
        ("OneNet", FAILS, "weights-layout"),
        ("BeforeLayers", FAILS, "weights-layout"),
        ("Hiding", LOADS, ""),
        ("by_base", LOADS, ""),
    ],
)
def test_weights_of_keras_3_in_keras_2(
    tmp_path: Path, name: str, outcome: LoadOutcome, code: str
) -> None:
    """By the alphabet `layers` comes before or behind the attributes of a subclass."""
    newer, older = map(pytest.importorskip, ("keras", "tf_keras"))
    path = tmp_path / "w.weights.h5"
    saved = made(newer, name, trained=False)
    saved.save_weights(path)
    found = predicted(path, TARGETS["tf_keras"], LoadRequest(LoadCall.LOAD_WEIGHTS))
    assert if_it_fits(found) is outcome
    assert code in {each.code for each in found.because} | {""}
    fresh = made(older, name, trained=False)
    assert observed(lambda other: other.load_weights(path), fresh, saved) is outcome


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("BeforeLayers", []),
        ("PartsOfTuple", []),
        ("Hiding", ["weights-layout"]),
        ("KeepsTracker", ["metrics-not-in-file"]),
    ],
)
def test_weights_of_keras_3_in_2_14(tmp_path: Path, name: str, codes: list[str]) -> None:
    """As Keras 2.14 was seen to read them: it looks for a metric that the model keeps."""
    path = tmp_path / "w.weights.h5"
    made(pytest.importorskip("keras"), name, trained=False).save_weights(path)
    found = predicted(path, "tf==2.14.1", LoadRequest(LoadCall.LOAD_WEIGHTS))
    assert [each.code for each in found.because] == codes
