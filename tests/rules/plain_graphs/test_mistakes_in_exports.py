"""Mistakes that the rules see in exports, and sound twins that they do not accuse."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.plain_graphs.architecture import graph_architecture
from modelaudit.settings import Settings
from tests.made.training import train
from tests.rules.plain_graphs.exports import CLASSES, exported, found, head, network

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def _images(keras, *layers):
    return network(keras, (16, 16, 3), *layers)


def _trained(keras, frozen: str, of, penalty=None):
    last = of.Dense(CLASSES, activation="softmax", kernel_regularizer=penalty, name="head")
    model = network(keras, (12,), of.Dense(48, activation="relu", name="body"), last)
    for layer in model.layers:
        layer.trainable = layer.name != frozen
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    x = np.random.default_rng(0).normal(size=(256, 12))
    return train(model, x, (x[:, 0] > 0) + 2 * (x[:, 1] > 0), epochs=10)


def _adapted(of, adapt: bool):
    layer = of.Normalization()
    layer.build((None, 12)) if not adapt else layer.adapt(
        np.random.default_rng(0).normal(3, 2, (64, 12))
    )
    return layer


def _one_step(k, of, steps):
    return network(k, (steps, 12), of.LSTM(8), head(of))


def _attends(k, of, positions):
    x = k.Input((positions, 12))
    y = of.Flatten()(of.MultiHeadAttention(2, 4)(x, x))
    return k.Model(x, head(of)(y))


# A mistake, its severity, and its sound twin.
def _of_each_step(of):
    each = (of.Rescaling(0.1), of.Conv2D(6, 3, activation="relu"), of.Flatten())
    return [*map(of.TimeDistributed, each), of.LSTM(8)]


PAIRS = {
    "linear stack": (
        lambda k, of: network(k, (12,), of.Dense(24), of.Dense(24), of.Dense(24), head(of)),
        {"MA309": "medium"},
        lambda k, of: network(k, (12,), *[of.Dense(24, activation="relu")] * 1, head(of)),
    ),
    "linear pair behind a ReLU": (
        lambda k, of: network(k, (12,), of.Dense(24, "relu"), of.Dense(24), head(of)),
        {"MA309": "low"},
        lambda k, of: network(k, (12,), of.Dense(24, "relu"), of.Dense(24, "gelu"), head(of)),
    ),
    "bare convolution": (
        lambda k, of: _images(
            k, of.Conv2D(8, 3), of.Conv2D(8, 3, activation="relu"), of.Flatten(), head(of)
        ),
        {"MA309": "low"},
        lambda k, of: _images(k, of.Conv2D(8, 3), of.Activation("relu"), of.Flatten(), head(of)),
    ),
    "bias before a normalization": (
        lambda k, of: network(k, (12,), of.Dense(24), of.BatchNormalization(), of.ReLU(), head(of)),
        {"MA326": "info"},
        lambda k, of: network(
            k, (12,), of.Dense(24, use_bias=False), of.BatchNormalization(), of.ReLU(), head(of)
        ),
    ),
    "stride beyond the window": (
        lambda k, of: _images(
            k, of.Conv2D(8, 2, strides=5, activation="relu"), of.Flatten(), head(of)
        ),
        {"MA304": "medium"},
        lambda k, of: _images(
            k, of.Conv2D(8, 4, strides=4, activation="relu"), of.Flatten(), head(of)
        ),
    ),
    "pooling to one pixel": (
        lambda k, of: _images(
            k,
            of.Conv2D(8, 3, padding="same", activation="relu"),
            of.MaxPooling2D(16),
            of.Conv2D(8, 3, padding="same", activation="relu"),
            of.Flatten(),
            head(of),
        ),
        {"MA316": "medium"},
        lambda k, of: _images(
            k, of.Conv2D(8, 3, padding="same", activation="relu"), of.GlobalMaxPooling2D(), head(of)
        ),
    ),
    "one step": (
        lambda k, of: _one_step(k, of, 1),
        {"MA316": "low"},
        lambda k, of: _one_step(k, of, 6),
    ),
    "one position": (
        lambda k, of: _attends(k, of, 1),
        {"MA316": "medium"},
        lambda k, of: _attends(k, of, 6),
    ),
    "bottleneck": (
        lambda k, of: network(k, (12,), of.Dense(24, "relu"), of.Dense(1, "relu"), head(of)),
        {"MA312": "medium"},
        lambda k, of: network(k, (12,), of.Dense(24, "relu"), of.Dense(1, "sigmoid")),
    ),
    "softmax over the steps": (
        lambda k, of: network(
            k, (9, 12), of.Dense(24, "relu"), of.Dense(CLASSES), of.Softmax(axis=1)
        ),
        {"MA322": "low"},
        lambda k, of: network(k, (9, 12), of.Dense(24, "relu"), of.Dense(CLASSES), of.Softmax()),
    ),
    "where an answer starts and ends": (
        lambda k, of: network(
            k, (9, 12), of.Dense(24, "relu"), of.Dense(CLASSES), of.Softmax(axis=-2)
        ),
        {"MA322": "low"},
        lambda k, of: network(k, (9, 12), of.Dense(24, "relu"), of.Dense(2), of.Softmax(axis=1)),
    ),
    "channels first": (
        lambda k, of: network(
            k,
            (3, 32, 32),
            of.Conv2D(8, 3, padding="same", activation="relu"),
            of.Flatten(),
            head(of),
        ),
        {"MA311": "medium"},
        lambda k, of: network(
            k,
            (32, 32, 3),
            of.Conv2D(8, 3, padding="same", activation="relu"),
            of.Flatten(),
            head(of),
        ),
    ),
    "channels first in each step": (
        lambda k, of: network(k, (4, 3, 32, 32), *_of_each_step(of), head(of)),
        {"MA311": "medium"},
        lambda k, of: network(k, (4, 32, 32, 3), *_of_each_step(of), head(of)),
    ),
    "not adapted": (
        lambda k, of: network(k, (12,), _adapted(of, False), of.Dense(24, "relu"), head(of)),
        {"MA313": "medium"},
        lambda k, of: network(k, (12,), _adapted(of, True), of.Dense(24, "relu"), head(of)),
    ),
    "frozen head": (
        lambda k, of: _trained(k, "head", of),
        {"MA321": "medium"},
        lambda k, of: _trained(k, "", of),
    ),
    "class prior": (
        lambda k, of: _trained(k, "", of, k.regularizers.L2(3.0)),
        {"MA436": "low"},
        lambda k, of: _trained(k, "", of, k.regularizers.L2(1e-3)),
    ),
    "frozen body": (
        lambda k, of: _trained(k, "head", of),
        {"MA321": "medium"},
        lambda k, of: _trained(k, "body", of),
    ),
}


@pytest.mark.parametrize("kind", PAIRS)
def test_mistakes_are_seen_in_exports_and_sound_twins_are_not(keras, kind, tmp_path) -> None:
    mistake, expected, twin = PAIRS[kind]
    for number, (build, wanted) in enumerate(((mistake, expected), (twin, {}))):
        keras.utils.set_random_seed(3)
        folder = tmp_path / str(number)
        folder.mkdir()
        assert found(exported(build(keras, keras.layers), folder)) == wanted


@pytest.mark.parametrize(("words", "expected"), [(80, "medium"), (50, None)])
def test_an_embedding_is_compared_with_the_vocabulary_beside_it(
    keras, words, expected, tmp_path
) -> None:
    of = keras.layers
    layers = [of.Embedding(50, 8), of.GlobalAveragePooling1D(), head(of)]
    model = network(keras, (9,), *layers, dtype="int32")
    (tmp_path / "vocab.txt").write_text("\n".join(f"word{n}" for n in range(words)))
    facts = exported(model, tmp_path)
    shown = graph_architecture(facts.artifact)
    assert [x.class_name for x in shown.layers if x.custom] == []
    assert found(facts).get("MA318") == expected


@pytest.mark.parametrize(("axis", "expected"), [(1, ["high"]), (2, [])])
def test_a_softmax_over_the_only_step_is_constant(keras, axis, expected, tmp_path) -> None:
    of = keras.layers
    layers = [of.Dense(24, "relu"), of.Dense(CLASSES), of.Softmax(axis=axis)]
    facts = exported(network(keras, (1, 12), *layers), tmp_path)
    findings = run_rule(rule("MA305"), facts).findings
    assert [each.severity.value for each in findings] == expected


def test_the_code_that_replaces_a_head_has_a_name_that_keras_takes(keras, tmp_path) -> None:
    of = keras.layers
    model = network(keras, (12,), of.Dense(24, "relu"), head(of, units=1))
    (seen,) = run_rule(rule("MA305"), exported(model, tmp_path)).findings
    code = seen.fix[seen.fix.index("keras.layers.Dense") :].splitlines()[0]
    layer = eval(code, {"keras": keras})
    assert layer.units == 1


def test_what_a_graph_cannot_show_is_no_pass(keras, tmp_path) -> None:
    """Dropout is in no graph for inference, and an operation of one's own is no layer of Keras."""
    of = keras.layers
    sums = of.Lambda(lambda x: keras.ops.cumsum(x, axis=-1))
    layers = [of.Dense(24, "relu"), of.Dropout(0.99), sums, head(of)]
    facts = exported(network(keras, (12,), *layers), tmp_path)
    for code, said in (
        ("MA310", "does not show dropout"),
        ("MA309", "no layers of Keras (Cumsum)"),
    ):
        result = run_rule(rule(code), facts)
        assert result.outcome.value == "not-applicable"
        assert said in result.reason


@pytest.mark.parametrize(("factor", "expected"), [(3.0, "high"), (1e-3, None)])
def test_a_penalty_that_leaves_the_class_prior_is_certain(
    keras, factor, expected, tmp_path
) -> None:
    """With the config, the penalty is known; with a small one, the head learns."""
    keras.utils.set_random_seed(4)
    model = _trained(keras, "", keras.layers, keras.regularizers.L2(factor))
    model.save(tmp_path / "model.keras")
    facts = static_facts(tmp_path / "model.keras", Settings())
    assert found(facts).get("MA436") == expected


def test_frozen_features_are_told_how_to_learn(keras, tmp_path) -> None:
    """Not to load weights again: no file has any for them."""
    keras.utils.set_random_seed(5)
    model = _trained(keras, "body", keras.layers)
    model.save(tmp_path / "model.keras")
    findings = run_rule(rule("MA405"), static_facts(tmp_path / "model.keras", Settings())).findings
    assert [each.severity.value for each in findings] == ["info"]
    assert "model.trainable = True" in findings[0].fix


@pytest.mark.parametrize(("momentum", "kept"), [(1.0, True), (0.9, False)])
def test_statistics_that_a_momentum_of_one_keeps(keras, momentum, kept, tmp_path) -> None:
    """An export has no momentum, and no layers that could be recalibrated."""
    of = keras.layers
    norm = of.BatchNormalization(momentum=momentum)
    model = network(keras, (12,), of.Dense(24, "relu"), norm, head(of))
    norm.gamma.assign(np.linspace(0.5, 1.5, 24))
    model(np.random.default_rng(3).normal(size=(40, 12)).astype("float32"), training=True)
    findings = run_rule(rule("MA401"), exported(model, tmp_path)).findings
    assert [each.severity.value for each in findings] == ["low"] * kept
    for each in findings:
        assert "momentum=1" in each.detail
        assert "BatchNormalization(momentum=0.99)" in each.fix
        assert "_flatten_layers" not in each.fix
