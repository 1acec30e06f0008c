"""Layers that training does not change, or changes all alike, in models that Keras saved."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.facts import Kernel
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.training.trainability import RULES, _units
from modelaudit.structs import replace
from tests.made.training import train
from tests.rules.saved import codes, sequential

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def k():
    import keras

    return keras


def fitted(model, frozen=()):
    """The model after training on separable classes."""
    for layer in model.layers:
        layer.trainable = layer.name not in frozen
    model.compile("adam", "sparse_categorical_crossentropy")
    x = np.random.default_rng(0).normal(size=(512, 16))
    return train(model, x, (x[:, 0] > 0).astype(int), epochs=4)


def test_frozen_heads(k, tmp_path):
    dense = k.layers.Dense

    def network():
        hidden = (dense(64, "relu", name="a"), dense(64, "relu", name="b"))
        return sequential(k, (16,), *hidden, dense(2, "softmax", name="head"))

    assert codes(RULES, fitted(network()), tmp_path) == []
    assert codes(RULES, fitted(network(), {"a", "b"}), tmp_path) == []  # transfer learning
    model = fitted(network())
    model.get_layer("head").trainable = False
    model.compile("adam", "sparse_categorical_crossentropy")
    assert codes(RULES, model, tmp_path) == [("MA321", "low")]
    model.trainable = False
    model.compile("adam", "sparse_categorical_crossentropy")
    assert codes(RULES, model, tmp_path) == [("MA321", "low")]
    model.trainable = True
    trained = fitted(model)
    trained.trainable = False  # for use in another model: its optimizer trained it
    assert codes(RULES, trained, tmp_path) == [("MA321", "info")]
    model.compile("adam", "sparse_categorical_crossentropy")
    # In a GAN, the discriminator is frozen as a whole.
    combined = sequential(k, (4,), dense(16, "relu"), model, loss="binary_crossentropy")
    assert codes(RULES, combined, tmp_path) == [("MA321", "info")]
    wide = sequential(k, (16,), dense(512, "relu", name="a"), dense(8, "softmax", name="head"))
    assert codes(RULES, fitted(wide, {"head"}), tmp_path) == [("MA321", "medium")]


def test_layers_frozen_after_compile(k, tmp_path):
    """What the optimizer trained, until the model is compiled again."""
    hidden = (k.layers.Dense(16, "relu", name=name) for name in "ab")
    model = fitted(sequential(k, (16,), *hidden, k.layers.Dense(2, "softmax", name="head")))
    assert codes(RULES, model, tmp_path) == []
    model.get_layer("a").trainable = False
    assert codes(RULES, model, tmp_path) == [("MA321", "low")]
    assert codes(RULES, fitted(model, {"a"}), tmp_path) == []


@pytest.mark.parametrize(("drawn", "advised"), [("GlorotUniform", "lower"), ("Ones", "at random")])
def test_units_that_were_drawn_unlike_are_not_to_be_drawn_at_random(drawn, advised):
    facts = _units(0.96)
    kernel = Kernel(
        *("hidden", "hidden/kernel", "dense", "io", 0, (4, 8)), initializer={"class_name": drawn}
    )
    facts = replace(facts, artifact=replace(facts.artifact, kernels=(kernel,)))
    (finding,) = run_rule(rule("MA323"), facts).findings
    assert advised in finding.fix


@pytest.mark.parametrize("initializer", ["ones", "random"])
def test_units_that_stay_equal(k, tmp_path, initializer):
    """From zeros, rounding decides: some processors give two equal scores unequal softmaxes."""
    layers = k.layers
    drawn = "glorot_uniform" if initializer == "random" else initializer
    options = {"activation": "sigmoid", "kernel_initializer": drawn}
    model = sequential(
        k, (16,), layers.Dense(32, **options), layers.Dense(2, "softmax", kernel_initializer=drawn)
    )
    kernel = fitted(model).layers[0].get_weights()[0]
    equal = bool((kernel == kernel[:, :1]).all())
    assert equal is (initializer != "random")
    seen = codes(RULES, model, tmp_path)
    assert seen == ([("MA323", "high")] if equal else [])


def test_equal_filters(k, tmp_path):
    layers = k.layers
    options = {"kernel_initializer": k.initializers.Constant(0.1), "activation": "relu"}
    model = sequential(
        k,
        (9, 9, 1),
        *(layers.Conv2D(8, 3, **options), layers.GlobalAveragePooling2D()),
        layers.Dense(1, kernel_initializer="ones"),
    )
    x = np.random.default_rng(0).normal(size=(64, 9, 9, 1))
    train(model, x, x[:, :1, 0, 0])
    assert codes(RULES, model, tmp_path) == [("MA323", "high")]


def test_units_that_started_alike(k, tmp_path):
    dense = k.layers.Dense
    start = k.initializers.Constant(0.3)
    model = sequential(
        k, (16,), dense(32, "tanh", kernel_initializer=start), dense(2, "softmax", name="head")
    )
    model = fitted(model)
    kernel = model.layers[0].get_weights()[0]
    assert not (kernel == kernel[:, :1]).all()  # the head tells them apart
    assert codes(RULES, model, tmp_path) == [("MA323", "medium")]
