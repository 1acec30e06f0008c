"""What the table says of losses and activations, against Keras' own losses."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.formats.keras.compiled_losses import BINARY, SPARSE
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.structs import replace

pytestmark = pytest.mark.slow

# A score for one sample of class 0, of one unit or three classes.
TARGETS = {"one": [[1.0]], "sparse": [0], "classes": [[1.0, 0.0, 0.0]]}


@pytest.fixture(scope="module")
def gradient():
    """The gradient of a loss with respect to the first output."""
    import keras
    import tensorflow as tf

    def of(name, output, **options):
        loss = getattr(keras.losses, name)
        target = TARGETS["sparse" if name in SPARSE else "one" if name in BINARY else "classes"]
        given = tf.Variable([output])
        with tf.GradientTape() as tape:
            value = loss(tf.constant(target), given, **options)
        return float(tape.gradient(value, given)[0, 0])

    return of


LOSSES = ("binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy")


def test_logarithms_of_shares_are_learnt_the_wrong_way():
    """Steps along the gradient make the right class less likely; sparse losses take none."""
    import keras
    import tensorflow as tf

    start = [0.3, -0.2, 0.5]
    for name, target, expected in (
        ("categorical_crossentropy", TARGETS["classes"], True),
        ("categorical_focal_crossentropy", TARGETS["classes"], True),
        ("sparse_categorical_crossentropy", TARGETS["sparse"], False),
        ("kl_divergence", TARGETS["classes"], False),
    ):
        scores = tf.Variable([start])
        for _ in range(50):
            with tf.GradientTape() as tape:
                value = getattr(keras.losses, name)(tf.constant(target), tf.nn.log_softmax(scores))
            scores.assign_sub(tape.gradient(value, scores))
        share = float(tf.nn.softmax(scores)[0, 0])
        before = float(tf.nn.softmax(tf.constant([start]))[0, 0])
        assert (share < before - 0.1) is expected, name
        assert expected or share == pytest.approx(before), name


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("score", [0.0, -0.5, -3.0])
def test_values_that_are_no_probabilities_give_no_gradient(gradient, name, score):
    output = [score] if name in BINARY else [score, 0.2, 0.1]
    assert gradient(name, output) == 0
    assert gradient(name, output, from_logits=True) != 0


@pytest.mark.parametrize("name", ["categorical_crossentropy", "categorical_focal_crossentropy"])
@pytest.mark.parametrize("options", [{}, {"from_logits": True}])
@pytest.mark.parametrize("target", [0.0, 1.0])
def test_a_loss_over_one_class_does_not_depend_on_the_prediction(name, options, target):
    import keras

    loss = getattr(keras.losses, name)
    with pytest.warns(SyntaxWarning):
        values = [
            float(loss(np.array([[target]]), np.array([[s]]), **options)[0]) for s in (0.1, 0.9)
        ]
    assert values == pytest.approx([0, 0], abs=1e-6)


@pytest.mark.parametrize("name", ["dice", "tversky"])
def test_an_overlap_with_values_that_are_no_probabilities(name):
    """Larger values than those of the mask are rewarded."""
    import keras

    loss, mask = getattr(keras.losses, name), np.array([[0.0, 1.0, 1.0, 0.0]], "float32")
    values = [float(loss(mask, factor * mask)) for factor in (1, 2, 10)]
    assert values[0] == pytest.approx(0, abs=1e-6) and values[2] < values[1] < -0.1
    shares = np.random.default_rng(0).uniform(size=(100, 1, 4)).astype("float32")
    assert all(0 <= float(loss(mask, each)) <= 1 for each in shares)


@pytest.mark.parametrize(("last", "told"), [("sigmoid", ["low"]), ("linear", [])])
def test_a_sigmoid_behind_a_distance_with_a_margin(last, told):
    """A function of the program, of which the file holds the name."""
    loss = {"class_name": "function", "config": "contrastive_loss"}
    head = examples.layer("head", config={"units": 1, "activation": last})
    head = replace(head, output_shape=(None, 1))
    facts = examples.chain(examples.layer("hidden"), head, training={"loss": loss})
    findings = run_rule(rule("MA306"), facts).findings
    assert [str(each.severity) for each in findings] == told
    assert all("the distance itself" in each.fix for each in findings)
