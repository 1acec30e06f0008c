"""Layers that Keras drew anew after training, and the same model as it was trained."""

from __future__ import annotations

import re

import numpy as np
import pytest

from modelaudit.findings import Severity
from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.settings import Settings
from tests.made.training import train

pytestmark = pytest.mark.slow

HIGH, MEDIUM, LOW, INFO = (Severity.HIGH, Severity.MEDIUM, Severity.LOW, Severity.INFO)


def build(keras, *, frozen=(), words="uniform"):
    of = keras.layers
    layers = [
        keras.Input((12,), dtype="int32"),
        of.Embedding(50, 16, embeddings_initializer=words, name="words"),
        of.LSTM(16, return_sequences=True, name="reader"),
        of.LayerNormalization(name="middle"),
        of.LSTM(16, name="writer"),
        of.LayerNormalization(name="norm"),
        of.Dense(32, activation="relu", name="mix"),
        of.Dense(4, name="head"),
    ]
    model = keras.Sequential(layers)
    for layer in model.layers:
        layer.trainable = layer.name not in frozen
    return model


def fit(keras, model):
    """A few steps at a high rate: every weight moves by a tenth of its bound or more."""
    rng = np.random.default_rng(0)
    model.compile(keras.optimizers.Adam(0.01), "mse")
    x = rng.integers(0, 50, (512, 12))
    y = np.stack([np.cos(x[:, :3]).sum(axis=1), np.sin(x).sum(axis=1), x[:, 0] / 50, x[:, 5] / 50])
    train(model, x, y.T, epochs=8)


@pytest.fixture(scope="module")
def trained(keras):
    keras.utils.set_random_seed(5)
    model = build(keras)
    fit(keras, model)
    return model


def found(model, path, code="MA405"):
    """Severity by layer; an export does not know the layers."""
    if path.suffix:
        model.save_weights(path) if path.name.endswith(".weights.h5") else model.save(path)
    else:
        model.export(path, verbose=False)
    result = run_rule(rule(code), static_facts(path, Settings()))
    return {
        route: each.severity
        for each in result.findings
        for route in each.evidence.get("places", [each.location.route])
    }


def copy(keras, model, *redrawn, only=None):
    """The model with some layers as a new one has them, or only some weights of these layers."""
    keras.utils.set_random_seed(6)
    fresh = build(keras)
    for new, old in zip(fresh.layers, model.layers, strict=True):
        weights = old.get_weights()
        if new.name in redrawn:
            keep = range(len(weights)) if only is None else only
            weights = [
                n if i in keep else o
                for i, (n, o) in enumerate(zip(new.get_weights(), weights, strict=True))
            ]
        new.set_weights(weights)
    return fresh


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "model.weights.h5", "export"])
def test_a_trained_model_is_silent(keras, trained, tmp_path, name):
    assert found(trained, tmp_path / name) == {}


@pytest.mark.parametrize(
    ("layer", "only", "routes", "name"),
    [
        ("reader", None, {"reader/kernel", "reader/recurrent_kernel"}, "model.keras"),
        ("reader", None, {"reader/kernel", "reader/recurrent_kernel"}, "export"),
        ("reader", (0,), {"reader/kernel"}, "model.keras"),
        ("reader", (1,), {"reader/recurrent_kernel"}, "model.keras"),
        ("words", None, {"words/embeddings"}, "model.keras"),
        ("words", None, {"words/embeddings"}, "export"),
        ("mix", None, {"mix"}, "model.keras"),
        ("norm", None, {"norm"}, "model.keras"),
        ("norm", None, {"norm"}, "export"),
    ],
)
def test_a_redrawn_layer_is_named(keras, trained, tmp_path, layer, only, routes, name):
    said = found(copy(keras, trained, layer, only=only), tmp_path / name)
    said = {
        re.sub(r"^sequential\w*/|/lstm_cell", "", route): severity
        for route, severity in said.items()
    }
    said = {("reader/kernel" if r == "reader" else r): severity for r, severity in said.items()}
    assert said == dict.fromkeys(routes, HIGH)


def test_a_layer_with_gradients_was_trained_or_is_another(keras, trained, tmp_path):
    layer = trained.get_layer("mix")
    kept = layer.get_weights()
    layer.set_weights(build(keras).get_layer("mix").get_weights())
    trained.save(tmp_path / "model.keras")
    copy(keras, trained).save(tmp_path / "without.keras")
    layer.set_weights(kept)
    for name, word in (("model", "its gradients were not 0"), ("without", "not trained")):
        facts = static_facts(tmp_path / f"{name}.keras", Settings())
        (only,) = run_rule(rule("MA405"), facts).findings
        assert only.location.route == "mix" and word in only.detail


def test_a_redrawn_export_was_never_trained(keras, trained, tmp_path):
    names = [layer.name for layer in trained.layers]
    redrawn = copy(keras, trained, *names)
    assert [*found(redrawn, tmp_path / "export", "MA404").values()] == [HIGH]
    assert found(trained, tmp_path / "trained", "MA404") == {}


@pytest.mark.parametrize(
    "words", ["uniform", {"class_name": "TruncatedNormal", "config": {"stddev": 0.1}}]
)
def test_random_features_are_no_fault(keras, tmp_path, words):
    keras.utils.set_random_seed(7)
    frozen = ("words", "reader", "middle", "writer", "norm", "mix")
    model = build(keras, frozen=frozen, words=words)
    fit(keras, model)
    for name in ("model.keras", "export"):
        said = found(model, tmp_path / name)
        # Several layers may as well be a base without its pretrained weights.
        assert set(said.values()) <= {INFO, LOW}


@pytest.mark.parametrize("redrawn", [False, True])
def test_kernels_before_a_normalization_hardly_move(keras, tmp_path, redrawn):
    """Their scale has no effect: after training they can have the distribution of first values."""
    keras.utils.set_random_seed(8)
    rng = np.random.default_rng(8)
    of = keras.layers
    model = keras.Sequential([keras.Input((8, 8, 16))])
    for name, width in (("expand", 96), ("project", 24), ("wide", 96), ("narrow", 24)):
        model.add(of.Conv2D(width, 1, use_bias=False, kernel_initializer="he_normal", name=name))
        model.add(of.BatchNormalization(name=f"{name}_norm"))
    model.add(of.Conv2D(96, 3, use_bias=False, name="last"))  # glorot_uniform
    model.add(of.BatchNormalization(name="last_norm"))
    model.add(of.GlobalAveragePooling2D())
    model.add(of.Dense(4, name="head"))
    share = {"expand": 0.1, "project": 0.1, "wide": 0.7, "narrow": 0.7, "last": 0.5, "head": 0.5}
    share["last"] *= not redrawn
    for layer in model.layers:
        weights = layer.get_weights()
        scale = share.get(layer.name, 0.3)
        layer.set_weights(
            [w + scale * (w.std() or 0.3) * rng.uniform(-1, 1, w.shape) for w in weights]
        )
    said = found(model, tmp_path / "model.keras")
    high = {route: severity for route, severity in said.items() if severity is not Severity.LOW}
    assert high == ({"last": HIGH} if redrawn else {})


def test_a_small_head_among_kernels_that_keep_their_law(keras, tmp_path):
    """Kernels drawn without a bound can look as drawn after training; their biases do not."""
    keras.utils.set_random_seed(9)
    model = keras.Sequential([keras.Input((16,))])
    for unit in range(4):
        model.add(
            keras.layers.Dense(32, "relu", kernel_initializer="glorot_normal", name=f"unit{unit}")
        )
    model.add(keras.layers.Dense(4, name="head"))
    first = model.layers[-1].get_weights()
    x = np.random.default_rng(9).normal(size=(512, 16))
    model.compile(keras.optimizers.Adam(0.003), "mse")
    train(model, x, np.stack([x[:, i] * x[:, i + 1] for i in range(4)], axis=-1), epochs=10)
    for name in ("model.keras", "model.h5"):
        assert found(model, tmp_path / name) == {}
    model.layers[-1].set_weights(first)
    for name in ("model.keras", "model.h5"):
        assert found(model, tmp_path / name) == {"head": HIGH}


@pytest.mark.parametrize(
    ("frozen", "reset", "said"), [(True, False, [LOW]), (False, False, []), (False, True, [HIGH])]
)
def test_an_export_tells_that_batch_normalization_was_frozen(keras, tmp_path, frozen, reset, said):
    keras.utils.set_random_seed(10)
    of = keras.layers
    model = keras.Sequential(
        [keras.Input((8,)), of.Dense(16), of.BatchNormalization(), of.Dense(4)]
    )
    norm = model.layers[1]
    first = norm.get_weights()
    for layer in model.layers[:2]:
        layer.trainable = not frozen
    x = np.random.default_rng(10).normal(size=(256, 8))
    model.compile(keras.optimizers.Adam(0.01), "mse")
    train(model, x, np.cos(x[:, :4]), epochs=4)
    if reset:
        norm.set_weights(first)
    assert [*found(model, tmp_path / "export", "MA402").values()] == said


def test_an_export_of_initializers_that_it_does_not_name(keras, tmp_path):
    """No step was made where every bias and batch normalization is as Keras makes it."""
    keras.utils.set_random_seed(11)
    of = keras.layers
    odd = {"class_name": "RandomNormal", "config": {"stddev": 0.02}}
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            of.Conv2D(16, 3, kernel_initializer="he_normal", name="first"),
            of.BatchNormalization(name="norm"),
            of.Conv2D(32, 3, kernel_initializer=odd, name="second"),
            of.GlobalAveragePooling2D(),
            of.Dense(4, kernel_initializer="he_normal", name="head"),
        ]
    )
    first = model.get_weights()
    x = np.random.default_rng(11).normal(size=(128, 8, 8, 3))
    model.compile(keras.optimizers.Adam(0.003), "mse")
    train(model, x, x[:, 0, :4, 0], epochs=2)
    assert found(model, tmp_path / "trained", "MA404") == {}
    model.set_weights(first)
    assert [*found(model, tmp_path / "redrawn", "MA404").values()] == [HIGH]


def test_small_matrices_with_a_bound(keras, tmp_path):
    """An embedding of 360 weights, and the kernel of a recurrent layer of 432."""
    keras.utils.set_random_seed(12)
    of = keras.layers
    model = keras.Sequential([keras.Input((6,), dtype="int32"), of.Embedding(30, 12, name="words")])
    model.add(of.GRU(12, name="reader"))
    model.add(of.Dense(32, activation="tanh", name="mix"))
    model.add(of.Dense(3, name="head"))
    first = [layer.get_weights() for layer in model.layers[:2]]
    x = np.random.default_rng(12).integers(0, 30, (512, 6))
    model.compile(keras.optimizers.Adam(0.02), "mse")
    train(model, x, np.stack([x[:, i] % 2 * 5.0 for i in range(3)], axis=-1), epochs=12)
    trained = [layer.get_weights() for layer in model.layers[:2]]
    for redrawn, expected in ((None, {}), (0, {"embeddings": HIGH}), (1, {"kernel": HIGH})):
        for number, (layer, weights) in enumerate(zip(model.layers, trained, strict=False)):
            kept = weights[0] if number != redrawn else first[number][0]
            layer.set_weights([kept, *weights[1:]])
        for name in ("model.keras", "model.h5"):
            said = found(model, tmp_path / name)
            said = {route.rpartition("/")[2]: sure for route, sure in said.items()}
            assert said == expected, name
