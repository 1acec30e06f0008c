"""Compile settings that Keras saved, with which nothing can be learned or judged."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from modelaudit.rules.training import metric_mismatches, settings
from tests.made.training import train
from tests.rules.saved import codes, sequential

RULES = (*settings.RULES, *metric_mismatches.RULES)
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def faults(k):
    """Name -> findings, head, and what it is compiled with."""
    sgd, adam, schedules = k.optimizers.SGD, k.optimizers.Adam, k.optimizers.schedules
    smooth = k.losses.CategoricalCrossentropy
    classes, score = {"units": 3, "activation": "softmax"}, {"units": 1}
    sparse = "sparse_categorical_crossentropy"
    logits = {"loss": k.losses.BinaryCrossentropy(from_logits=True)}
    return {
        "uphill": ([("MA319", "high")], score, {"optimizer": adam(-0.001)}),
        "huge steps": ([("MA319", "medium")], score, {"optimizer": adam(1.0)}),
        "huge schedule": (
            [("MA319", "medium")],
            score,
            {"optimizer": k.optimizers.RMSprop(schedules.ExponentialDecay(10.0, 9, 0.9))},
        ),
        "no steps by a schedule": (
            [("MA319", "low")],
            score,
            {"optimizer": sgd(schedules.PiecewiseConstantDecay([2000], [0.0, 0.0]))},
        ),
        "soon at 0": (
            [("MA319", "medium")],
            score,
            {"optimizer": adam(schedules.PolynomialDecay(0.001, 9, end_learning_rate=0.0))},
        ),
        "halved at each step": (
            [("MA319", "medium")],
            score,
            {"optimizer": adam(schedules.ExponentialDecay(0.001, 1, 0.5))},
        ),
        "stops": (
            [("MA319", "medium")],
            score,
            {"optimizer": sgd(schedules.PiecewiseConstantDecay([3], [0.1, 0.0]))},
        ),
        "epsilon": ([("MA319", "medium")], score, {"optimizer": adam(0.001, epsilon=1e6)}),
        "takes a tenth of each weight": (
            [("MA319", "medium")],
            score,
            {"optimizer": sgd(0.05, weight_decay=2.0)},
        ),
        "epsilon of sums": (
            [("MA319", "medium")],
            score,
            {"optimizer": k.optimizers.Adagrad(0.01, epsilon=1e4)},
        ),
        "large steps": ([("MA319", "low")], score, {"optimizer": adam(0.5)}),
        "tiny steps": ([("MA319", "low")], score, {"optimizer": sgd(1e-9)}),
        "no steps": ([("MA319", "low")], score, {"optimizer": sgd(0.0)}),
        "endless momentum": ([("MA319", "high")], score, {"optimizer": sgd(0.1, momentum=1.0)}),
        "no mean": ([("MA319", "high")], score, {"optimizer": adam(0.001, beta_1=1.0)}),
        "first weights": (
            [("MA319", "high")],
            score,
            {"optimizer": adam(0.001, use_ema=True, ema_momentum=1.0)},
        ),
        "no loss": ([("MA319", "high")], score, {"loss_weights": [0.0]}),
        "gain": ([("MA319", "medium")], score, {"loss_weights": [-1.0]}),
        "one target": ([("MA319", "high")], classes, {"loss": smooth(label_smoothing=1.0)}),
        "faint": ([("MA319", "medium")], classes, {"loss": smooth(label_smoothing=0.6)}),
        "equal numbers": ([("MA320", "low")], score, {"metrics": ["accuracy"]}),
        "equal and rectified": (
            [("MA320", "low")],
            {"units": 1, "activation": "softplus"},
            {"metrics": ["accuracy"]},
        ),
        "exactly a label": (
            [("MA320", "low")],
            classes,
            {"loss": "categorical_crossentropy", "metrics": [k.metrics.Accuracy()]},
        ),
        "a text, which stands for what suits the loss": (
            [],
            classes,
            {"loss": "categorical_crossentropy", "metrics": ["Accuracy"]},
        ),
        "largest number": ([("MA320", "low")], {"units": 3}, {"metrics": ["accuracy"]}),
        "largest share": (
            [("MA320", "low")],
            {"units": 3, "activation": "sigmoid"},
            {"loss": "mae", "metrics": [k.metrics.CategoricalAccuracy()]},
        ),
        "half a score": ([("MA320", "low")], score, {**logits, "metrics": ["accuracy"]}),
        "one hot": (
            [("MA320", "low")],
            classes,
            {"loss": sparse, "metrics": [k.metrics.CategoricalAccuracy()]},
        ),
        "largest of one hot": (
            [("MA320", "low")],
            classes,
            {"loss": sparse, "metrics": [k.metrics.TopKCategoricalAccuracy(2)]},
        ),
        "entropy of one hot": (
            [("MA320", "low")],
            classes,
            {"loss": sparse, "metrics": [k.metrics.CategoricalCrossentropy()]},
        ),
        "union of one hot": (
            [("MA320", "low")],
            classes,
            {"loss": sparse, "metrics": [k.metrics.OneHotMeanIoU(3)]},
        ),
        "entropy of numbers": (
            [("MA320", "low")],
            classes,
            {
                "loss": "categorical_crossentropy",
                "metrics": [k.metrics.SparseCategoricalCrossentropy()],
            },
        ),
        "zeros": (
            [("MA320", "low")],
            classes,
            {"loss": smooth(), "metrics": [k.metrics.BinaryAccuracy()]},
        ),
        "a share for a number": (
            [("MA320", "low")],
            {"units": 1, "activation": "sigmoid"},
            {"loss": "binary_crossentropy", "metrics": [k.metrics.MeanIoU(2)]},
        ),
        "shares for numbers": (
            [("MA320", "low")],
            classes,
            {"loss": sparse, "metrics": [k.metrics.IoU(3, [0, 2])]},
        ),
        "scores for numbers": (
            [("MA320", "low")],
            {"units": 3},
            {
                "loss": k.losses.SparseCategoricalCrossentropy(from_logits=True),
                "metrics": [k.metrics.MeanIoU(3)],
            },
        ),
    }


def sound(k):
    """Heads and settings of Keras' documentation."""
    schedules = k.optimizers.schedules
    classes, chance = {"units": 3, "activation": "softmax"}, {"units": 1, "activation": "sigmoid"}
    sparse = "sparse_categorical_crossentropy"
    logits = k.losses.BinaryCrossentropy(from_logits=True)
    above = k.metrics.BinaryAccuracy(threshold=0.0)
    return [
        (classes, {"loss": sparse, "metrics": ["accuracy"]}),
        (classes, {"loss": sparse, "optimizer": k.optimizers.Adam(use_ema=True)}),
        (classes, {"loss": sparse, "optimizer": k.optimizers.Adam(ema_momentum=1.0)}),
        (classes, {"loss": sparse, "metrics": ["acc", k.metrics.SparseCategoricalAccuracy()]}),
        (classes, {"loss": "categorical_crossentropy", "metrics": ["accuracy", k.metrics.AUC()]}),
        (
            classes,
            {"loss": sparse, "metrics": [k.metrics.SparseTopKCategoricalAccuracy(2)]},
        ),
        (
            classes,
            {
                "loss": "categorical_crossentropy",
                "metrics": [
                    k.metrics.TopKCategoricalAccuracy(2),
                    k.metrics.CategoricalCrossentropy(),
                ],
            },
        ),
        (chance, {"loss": "binary_crossentropy", "metrics": ["accuracy"]}),
        (chance, {"loss": "mse", "metrics": ["accuracy"]}),
        (classes, {"loss": "mse", "metrics": ["accuracy"]}),  # MA306 tells of the loss
        ({"units": 3, "activation": "sigmoid"}, {"loss": "mse", "metrics": ["mae"]}),
        ({"units": 3, "activation": "sigmoid"}, {"loss": "mse", "metrics": ["binary_accuracy"]}),
        ({"units": 1}, {"loss": logits, "metrics": [above]}),
        (chance, {"loss": "binary_crossentropy", "metrics": [k.metrics.BinaryIoU()]}),
        (classes, {"loss": sparse, "metrics": [k.metrics.MeanIoU(3, sparse_y_pred=False)]}),
        (
            classes,
            {"loss": "categorical_crossentropy", "metrics": [k.metrics.OneHotMeanIoU(3)]},
        ),
        ({"units": 1}, {"loss": "mse", "metrics": [k.metrics.MeanIoU(3)]}),  # rounded by design
        ({"units": 1}, {"metrics": ["mae"], "optimizer": "rmsprop"}),
        ({"units": 1}, {"loss_weights": [0.5], "optimizer": k.optimizers.Adadelta(1.0)}),
        ({"units": 1}, {"optimizer": k.optimizers.SGD(0.1, momentum=0.9, nesterov=True)}),
        ({"units": 1}, {"optimizer": k.optimizers.SGD(schedules.CosineDecay(0.1, 100))}),
        ({"units": 1}, {"optimizer": k.optimizers.SGD(0.1, weight_decay=5e-4)}),
        (
            classes,
            {
                "loss": k.losses.CategoricalCrossentropy(label_smoothing=0.1),
                "optimizer": k.optimizers.Adam(
                    schedules.CosineDecay(0.0, 9, warmup_target=0.01, warmup_steps=3), clipnorm=1.0
                ),
            },
        ),
        ({"units": 4}, {"loss": lambda y, p: p}),
        ({"units": 1}, {"optimizer": k.optimizers.Adam(0.001, epsilon=1.0)}),
        ({"units": 1}, {"optimizer": k.optimizers.SGD(schedules.PolynomialDecay(0.1, 900, 0.0))}),
        ({"units": 1}, {"optimizer": k.optimizers.SGD(schedules.ExponentialDecay(0.1, 9, 0.9))}),
    ]


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_settings_that_cannot_train_or_judge(library, tmp_path):
    k = importlib.import_module(library)
    wrong = {}
    for name, (expected, head, options) in faults(k).items():
        seen = codes(RULES, sequential(k, (6,), k.layers.Dense(**head), **options), tmp_path)
        if seen != expected:
            wrong[name] = seen
    for number, (head, options) in enumerate(sound(k)):
        model = sequential(k, (6,), k.layers.Dense(**head), **options)
        if seen := codes(RULES, model, tmp_path):
            wrong[number] = seen
    assert not wrong


def test_an_output_without_a_loss_is_not_trained(tmp_path):
    import keras

    given = keras.layers.Input((6,))
    hidden = keras.layers.Dense(8, "relu", name="hidden")(given)
    first = keras.layers.Dense(1, name="first")(hidden)
    second = keras.layers.Dense(1, name="second")(hidden)
    for outputs, loss, expected in (
        ([first, second], {"first": "mse"}, [("MA319", "low")]),
        ([first, second], ["mse", None], [("MA319", "low")]),
        ([first, second], {"first": "mse", "second": "mae"}, []),
        ([first, hidden], {"first": "mse"}, []),  # shown, but the other output trains it
    ):
        model = keras.Model(given, outputs)
        model.compile("adam", loss)
        assert codes(RULES, model, tmp_path) == expected


def test_each_output_has_its_own_weight(tmp_path):
    import keras

    given = keras.layers.Input((6,))
    model = keras.Model(given, [keras.layers.Dense(1, name=name)(given) for name in "ab"])
    for weights, expected in (
        ([0.0, 0.0], [("MA319", "high")]),
        ({"a": 0.0, "b": 1.0}, [("MA319", "low")]),
        ([1.0, -0.1], [("MA319", "low")]),  # of an adversary
        ([1.0, 0.5], []),
    ):
        model.compile("adam", ["mse", "mse"], loss_weights=weights)
        assert codes(RULES, model, tmp_path) == expected


@pytest.mark.parametrize("name", ["uphill", "no steps", "no loss", "one target"])
def test_what_is_reported_as_untrainable_does_not_learn(name):
    import keras

    keras.utils.set_random_seed(1)
    _, head, options = faults(keras)[name]
    x = np.random.default_rng(0).normal(size=(256, 6)).astype("float32")
    y = (x[:, 0] > 0).astype("float32")
    y = np.eye(3)[y.astype(int)] if head["units"] == 3 else y
    model = sequential(keras, (6,), keras.layers.Dense(**head), **options)

    def error():
        return np.square(np.asarray(model(x)).reshape(y.shape) - y).mean()

    before = error()
    train(model, x, y.reshape(256, -1), epochs=8)
    assert error() > before * 0.8
