"""Predicting never raises, whatever the config: unexpected types in every position."""

from __future__ import annotations

import base64
import copy
import marshal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, Document, Format, Json, Provenance
from modelaudit.formats.keras.common import ReadNotes, architecture_of
from modelaudit.runtimes.catalogue import find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest
from modelaudit.runtimes.predict import predict_calls
from modelaudit.settings import Limits
from tests.made import keras_configs

FORMATS = (Format.LEGACY_H5_FULL, Format.KERAS_ARCHIVE)
# Keys and values that predictions look for, in wrong positions.
WORDS = (
    ["class_name", "config", "module", "registered_name", "layers", "name", "inbound_nodes"]
    + ["dtype", "axis", "function", "Lambda", "__lambda__", "Policy", "keras", "keras.layers"]
    + ["Sequential", "Functional", "InputLayer", "Dense", "LSTM", "Bidirectional", "cells", "layer"]
    + ["TFOpLambda", "_CONSTANT_VALUE", "Normalization", "hard_sigmoid", "output_layers", "salt"]
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=6)
    | st.sampled_from(WORDS)
)
ANY = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)
RUNTIMES = ("tf==1.15", "tf==2.8", "tf==2.15", "tf==2.16", "tf==2.21", "tf-keras==2.21")


def rich_model() -> dict[str, Json]:
    """A config with one of everything that predictions look for."""
    lstm = {"class_name": "LSTM", "config": {"name": "lstm", "units": 2, "time_major": False}}
    cell = {"module": "keras.layers", "class_name": "GRUCell", "config": {"units": 2}}
    policy = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "mixed_float16"}}
    initializer = {"module": None, "class_name": "Mine", "config": {}, "registered_name": "a>Mine"}
    code = {"class_name": "__lambda__", "config": {"code": "4wAA", "defaults": None}}
    written = base64.b64encode(marshal.dumps(compile("undefined(x)", "", "eval"))).decode()
    real = {"class_name": "__lambda__", "config": {"code": written}}
    layer, entry = keras_configs.layer, ["x", 0, 0, {"mask": ["x", 0, 0]}]
    return keras_configs.functional(
        [
            keras_configs.input_layer("x", 4),
            layer("Dense", "d", inbound=[[entry]], dtype=policy, kernel_initializer=initializer),
            layer("Bidirectional", "b", inbound=[[entry]], layer=lstm, backward_layer=lstm),
            layer("RNN", "r", inbound=[[entry]], cell={"class_name": "StackedRNNCells"}),
            layer("StackedRNNCells", "s", inbound=[[entry]], cells=[cell]),
            layer("Lambda", "l", inbound=[[entry]], function=code, output_shape=[3]),
            layer("Lambda", "g", inbound=[[entry]], function=real, module="m"),
            layer("Lambda", "f", inbound=[[entry]], function="named", module="m"),
            layer("BatchNormalization", "n", inbound=[[["x", 0, 0, {"training": True}]]], axis=[1]),
            layer("Hashing", "h", inbound=[[entry]], salt=[1, 2], num_bins=3),
            layer("CategoryEncoding", "c", inbound=[[entry]], output_mode="one_hot"),
            layer("TFOpLambda", "tf.add", inbound=[["_CONSTANT_VALUE", -1, 2, {"y": entry}]]),
            keras_configs.nested_model(1) | {"name": "inner", "inbound_nodes": [[entry]]},
            layer("Activation", "a", inbound=[[entry]], activation={"class_name": "function"}),
        ],
        [["x", 0, 0]],
        ["a", 0, 0],
    )


def places(value: Json, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of every position in a JSON value, as keys and indices."""
    yield path
    inner = value.items() if isinstance(value, dict) else ()
    inner = enumerate(value) if isinstance(value, list) else inner
    for key, item in inner:
        yield from places(item, (*path, key))


def put(value: Json, path: tuple[str | int, ...], new: Json) -> Json:
    """The value with `new` at the given position."""
    if not path:
        return new
    changed = copy.copy(value)
    changed[path[0]] = put(changed[path[0]], path[1:], new)
    return changed


def artifact_of(config: Json, kind: Format, training: Json = None) -> Artifact:
    notes = ReadNotes()
    architecture = architecture_of(config, "m", "", Limits(), notes)
    return Artifact(
        root=Path("/m.keras"),
        format=kind,
        provenance=Provenance(keras="2.4.0"),
        architecture=architecture,
        training=training if isinstance(training, dict) else None,
        documents=(Document("m", "", config),),
    )


def answers(artifact: Artifact) -> None:
    """Predict for every runtime and option; each prediction other than `loads` has a reason."""
    for runtime in RUNTIMES:
        for request in (
            LoadRequest(LoadCall.LOAD_MODEL, compile=True),
            LoadRequest(LoadCall.LOAD_MODEL, frozenset(("Mine", "Dense")), safe_mode=False),
            LoadRequest(LoadCall.FROM_JSON, modules=frozenset(("m",))),
        ):
            (prediction,) = predict_calls(artifact, [(find_profile(runtime), request)])
            if prediction.predicted is not LoadOutcome.LOADS:
                assert prediction.because[0].predicted is prediction.predicted
            for reason in prediction.because:
                assert reason.code
                assert reason.text
                assert "raised" not in reason.text
                assert reason.text == reason.text.strip()


MODELS = (rich_model(), keras_configs.keras3_model(), keras_configs.shared_model())
PLACES = [(index, path) for index, model in enumerate(MODELS) for path in places(model)]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("model", MODELS)
def test_predictions_for_the_unchanged_models(model, kind):
    answers(artifact_of(model, kind))


@pytest.mark.parametrize("kind", FORMATS)
def test_the_module_of_a_lambda_may_be_anything(kind):
    found = [path for path in places(MODELS[0]) if path[-2:] == ("config", "module")]
    assert len(found) == 2
    for at in found:
        for new in ({}, [], 1, None):
            answers(artifact_of(put(MODELS[0], at, new), kind))


@example((2, ("config", "layers", 3, "config", "units")), {"": "hard_sigmoid"}, FORMATS[0])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.sampled_from(PLACES), new=ANY, kind=st.sampled_from(FORMATS))
def test_any_value_at_any_position_of_a_config(place, new, kind):
    index, path = place
    answers(artifact_of(put(MODELS[index], path, new), kind))


@settings(max_examples=60, deadline=None)
@given(config=ANY, kind=st.sampled_from(FORMATS))
def test_any_value_instead_of_a_config(config, kind):
    answers(artifact_of(config, kind))


TRAINING = {
    "loss": {"a": "mse", "b": {"class_name": "function", "config": "mine"}},
    "metrics": [["accuracy"], {"class_name": "AUC", "config": {}}],
    "optimizer_config": {"class_name": "Custom>Adam", "config": {"jit_compile": True}},
    "optimizer": {"module": "keras.optimizers", "class_name": "Adam", "config": {"decay": 0.0}},
}


@example(path=("metrics",), new="\r", kind=Format.LEGACY_H5_FULL)
@example(path=("loss",), new="\r", kind=Format.LEGACY_H5_FULL)
@example(path=("optimizer_config", "class_name"), new="\r", kind=Format.LEGACY_H5_FULL)
@settings(max_examples=60, deadline=None)
@given(
    path=st.sampled_from([path for path in places(TRAINING) if path]),
    new=ANY,
    kind=st.sampled_from(FORMATS),
)
def test_any_value_in_a_training_config(path, new, kind):
    answers(artifact_of(keras_configs.keras3_model(), kind, put(TRAINING, path, new)))
