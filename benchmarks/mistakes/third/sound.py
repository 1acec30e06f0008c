"""The sound heads of the third set of `table.py`: every head with the losses it suits."""

from dataclasses import replace

import numpy as np

from benchmarks.mistakes.third.bodies import ALL
from benchmarks.mistakes.third.build import Third, dense, loss, nothing, optimizer
from benchmarks.mistakes.third.sound_whole import WHOLE


def pinball(true, predicted):
    """The quantile loss of the deciles 1, 5 and 9."""
    error, total = true - predicted, 0.0
    for number, quantile in enumerate((0.1, 0.5, 0.9)):
        part = error[:, number]
        total += quantile * part + abs(part) / 2 - part / 2
    return total


def gaussian(true, predicted):
    """The negative log likelihood of a mean and the logarithm of a variance."""
    mean, spread = predicted[:, 0], predicted[:, 1]
    return spread / 2 + (true[:, 0] - mean) ** 2 / (2 * 2.718281828459045**spread)


def wasserstein(true, predicted):
    """The loss of a WGAN's critic."""
    return true * predicted


def gradient(true, predicted):
    """The loss of REINFORCE is made outside of the model."""
    return -true * predicted


def shared(*metrics):
    """Metric objects, by class name and settings."""

    def make(keras):
        return [
            getattr(keras.metrics, each)() if isinstance(each, str)
            else getattr(keras.metrics, each[0])(**each[1]) for each in metrics
        ]  # fmt: skip

    return make


def _unit(kl):
    return kl.UnitNormalization()


def head(name, units, activation, loss_, metrics=None, *behind, **options):
    return Third(
        name, head=dense(units, activation, *behind), loss=loss_, metrics=metrics, **options
    )


BCE, CCE = "binary_crossentropy", "categorical_crossentropy"
SCCE = "sparse_categorical_crossentropy"
BL = loss("BinaryCrossentropy", from_logits=True)
SL = loss("SparseCategoricalCrossentropy", from_logits=True)
ZERO = ("BinaryAccuracy", {"threshold": 0.0})
HEADS = (
    head("binary", 1, "sigmoid", BCE, ["accuracy"]),
    head("binary-many-metrics", 1, "sigmoid", loss("BinaryCrossentropy"),
         shared("AUC", "Precision", "Recall", "TruePositives", "BinaryAccuracy")),
    head("binary-logits", 1, None, BL, shared(ZERO)),
    head("binary-logits-auc", 1, None, BL, shared(("AUC", {"from_logits": True}))),
    head("binary-logits-layer", 1, None, BCE, ["accuracy"], lambda kl: kl.Activation("sigmoid")),
    head("binary-hard-sigmoid", 1, "hard_sigmoid", BCE),
    head("binary-focal", 1, "sigmoid", loss("BinaryFocalCrossentropy")),
    head("two-softmax-binary", 2, "softmax", SCCE, ["accuracy"]),
    head("two-softmax-one-hot", 2, "softmax", CCE, ["accuracy"]),
    head("classes-one-hot", 5, "softmax", CCE, ["accuracy", "top_k_categorical_accuracy"]),
    head("classes-sparse", 5, "softmax", SCCE, ["sparse_categorical_accuracy"]),
    head("classes-logits", 5, None, SL, shared("SparseCategoricalAccuracy")),
    head("classes-logits-smoothed", 5, None,
         loss("CategoricalCrossentropy", from_logits=True, label_smoothing=0.1), ["accuracy"]),
    head("classes-smoothed", 5, "softmax", loss("CategoricalCrossentropy", label_smoothing=0.1)),
    head("classes-focal", 5, "softmax", loss("CategoricalFocalCrossentropy")),
    head("classes-layer", 5, None, SCCE, ["accuracy"], lambda kl: kl.Softmax()),
    head("classes-temperature", 5, None, SCCE, ["accuracy"], lambda kl: kl.Rescaling(0.5),
         lambda kl: kl.Softmax()),
    head("classes-half-precision", 5, None, SCCE, ["accuracy"],
         lambda kl: kl.Activation("softmax", dtype="float32")),
    head("classes-kl", 5, "softmax", "kl_divergence"),
    head("classes-brier", 5, "softmax", CCE, ["accuracy", "mse"]),
    head("classes-thousand", 1000, "softmax", SCCE, ["sparse_top_k_categorical_accuracy"]),
    head("classes-arcface", 5, "softmax", SCCE, None, hidden=lambda kl: [
        kl.Dense(16), kl.BatchNormalization(), kl.UnitNormalization(), kl.Rescaling(16.0)]),
    head("labels", 6, "sigmoid", BCE, shared(("AUC", {"multi_label": True}))),
    head("labels-logits", 6, None, BL),
    head("labels-focal", 6, "sigmoid", loss("BinaryFocalCrossentropy"), ["binary_accuracy"]),
    head("ordinal-cumulative", 4, "sigmoid", BCE, ["mae"]),
    head("poisson-exponential", 1, "exponential", "poisson"),
    head("poisson-softplus", 1, "softplus", loss("Poisson")),
    head("number", 1, None, "mse", ["mae"]),
    head("number-spelled", 1, "linear", "mean_squared_error", ["mae", "mse"]),
    head("number-mae", 1, None, "mae", ["mse"]),
    head("number-huber", 1, None, loss("Huber", delta=2.0)),
    head("number-log-cosh", 1, None, "log_cosh"),
    head("number-percent", 1, None, "mean_absolute_percentage_error"),
    head("number-msle", 1, "softplus", "mean_squared_logarithmic_error"),
    head("number-msle-linear", 1, None, "mean_squared_logarithmic_error"),
    head("number-rmse", 1, None, "mse", shared("RootMeanSquaredError", "R2Score")),
    head("numbers", 7, None, "mse", ["mae"]),
    head("quantiles", 3, None, lambda _: pinball),
    head("gaussian", 2, None, lambda _: gaussian),
    head("hinge", 1, "tanh", "hinge"),
    head("hinge-linear", 1, None, loss("Hinge")),
    head("squared-hinge", 1, "tanh", "squared_hinge"),
    head("categorical-hinge", 5, None, "categorical_hinge", ["accuracy"]),
    head("cosine", 8, None, loss("CosineSimilarity")),
    head("cosine-unit", 8, None, loss("CosineSimilarity", axis=-1), None, _unit),
    head("triplet", 12, None, lambda _: gaussian, None, _unit),
    head("embedding", 12, None, None, None, _unit),
    head("logits-served", 5, None, None),
    head("policy-tanh", 3, "tanh", "mse"),
    head("policy-softmax", 4, "softmax", lambda _: gradient),
    head("policy-softmax-served", 4, "softmax", None),
    head("q-values", 4, None, loss("Huber")),
    head("critic", 1, None, lambda _: wasserstein),
    head("box", 4, "sigmoid", "mse"),
    head("box-linear", 4, None, "huber"),
    head("forecast", 12, None, "mae"),
    head("bias-before", 1, "sigmoid", BCE, ["accuracy"], weights=lambda m, _: m.get_layer(
        "head").set_weights([m.get_layer("head").get_weights()[0], np.float32([-5.5])])),
    head("adam-fine-tuning", 5, "softmax", SCCE, optimizer=optimizer(learning_rate=1e-5)),
    head("adadelta-1", 5, "softmax", CCE, optimizer=optimizer("Adadelta", learning_rate=1.0)),
    head("sgd-momentum", 5, "softmax", SCCE, optimizer=optimizer(
        "SGD", learning_rate=0.1, momentum=0.9, nesterov=True)),
    head("rmsprop", 1, None, "mse", optimizer=optimizer("RMSprop")),
    head("nadam-clipped", 5, "softmax", SCCE, optimizer=optimizer("Nadam", clipnorm=1.0)),
    head("adamw", 5, None, SL, optimizer=optimizer("AdamW", weight_decay=0.004)),
    head("ftrl", 1, "sigmoid", BCE, optimizer=optimizer("Ftrl", learning_rate=0.05)),
    head("cosine-decay", 5, "softmax", SCCE, optimizer=optimizer(
        "SGD", learning_rate=lambda k: k.optimizers.schedules.CosineDecay(0.1, 10_000))),
    head("steps-decay", 5, "softmax", SCCE, optimizer=optimizer(
        learning_rate=lambda k: k.optimizers.schedules.ExponentialDecay(0.01, 1000, 0.9))),
    head("dropouts", 5, "softmax", SCCE, hidden=lambda kl: [
        layer for _ in "ab" for layer in (kl.Dense(24, activation="relu"), kl.Dropout(0.5))]),
    head("normalized", 5, "softmax", SCCE, hidden=lambda kl: [
        kl.Dense(16, use_bias=False), kl.BatchNormalization(), kl.Activation("swish")]),
    head("group-normalized", 5, "softmax", SCCE, hidden=lambda kl: [
        kl.Dense(16), kl.GroupNormalization(4), kl.PReLU()]),
    head("no-hidden", 5, "softmax", SCCE, ["accuracy"], hidden=nothing),
    head("noise", 5, "softmax", SCCE, hidden=lambda kl: [
        kl.GaussianNoise(0.1), kl.Dense(16, activation="gelu"), kl.LayerNormalization()]),
    head("bottleneck-two", 5, "softmax", SCCE, hidden=lambda kl: [
        kl.Dense(16, activation="relu"), kl.Dense(2), kl.Dense(16, activation="relu")]),
    head("sequence-of-features", 5, "softmax", SCCE, bodies=("selu", "maxout", "highway"),
         hidden=lambda kl: [kl.Reshape((-1, 1)), kl.LSTM(8, dropout=0.2, recurrent_dropout=0.2)]),
    head("tags", 5, "softmax", SCCE, ["accuracy"], bodies=("tagging",), hidden=nothing),
    head("tags-ignoring", 5, None, loss("SparseCategoricalCrossentropy", from_logits=True,
         ignore_class=0), bodies=("tagging",), hidden=nothing),
    head("spans", 2, None, BL, bodies=("tagging",), hidden=nothing),
    head("speech", 9, None, loss("CTC"), bodies=("tagging",), hidden=nothing,
         generations=("keras",)),
    head("steps-numbers", 1, None, "mse", bodies=("tagging",), hidden=nothing),
    head("pixels", 3, "sigmoid", BCE, bodies=("autoenc",), hidden=nothing),
    head("pixels-mse", 3, "sigmoid", "mse", bodies=("autoenc",), hidden=nothing),
    head("pixels-tanh", 3, "tanh", "mae", bodies=("autoenc",), hidden=nothing),
    head("pixels-linear", 3, None, "mse", bodies=("autoenc",), hidden=nothing),
    head("segments", 4, "softmax", SCCE, shared("SparseCategoricalAccuracy"),
         bodies=("autoenc",), hidden=nothing),
    head("segments-logits", 4, None, SL, bodies=("autoenc",), hidden=nothing),
    head("mask", 1, "sigmoid", BCE, shared(("BinaryIoU", {"target_class_ids": [1]})),
         bodies=("autoenc",), hidden=nothing),
    head("mask-dice", 1, "sigmoid", loss("Dice"), bodies=("autoenc",), hidden=nothing,
         generations=("keras",)),
    head("mask-tversky", 1, "sigmoid", loss("Tversky"), bodies=("autoenc",),
         hidden=nothing, generations=("keras",)),
    head("depth", 1, "softplus", "mae", bodies=("autoenc",), hidden=nothing),
)  # fmt: skip


def _placed():
    """Every sound head on one body, then the whole models."""
    for number, kind in enumerate(HEADS):
        room = kind.bodies or ALL
        yield replace(kind, name=f"sound-{kind.name}", bodies=(room[5 * number % len(room)],))
    for name, (make, loss_) in WHOLE.items():
        yield Third(f"sound-{name}", whole=make, loss=loss_, bodies=("whole",))


TWINS = tuple(_placed())
