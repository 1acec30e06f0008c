"""Sound models of the second set for `table.py`: nothing of medium severity or more.

Each body with each right pair of head and loss in the body's own spelling, the sound twins of the
kinds, and designs that are unusual but right.
"""

from __future__ import annotations

from benchmarks.mistakes.second.bodies import Change, Layer
from benchmarks.mistakes.second.build import (
    BCE,
    BODIES,
    CCE,
    MSE,
    SCCE,
    Layers,
    Loss,
    Place,
    Second,
    head,
)
from benchmarks.mistakes.second.kinds import IMAGES, NUMBERS, RECURRENT, SEEN, STEPS
from benchmarks.mistakes.second.lookups import LOOKUPS, MASKED
from benchmarks.mistakes.second.parts import after, behind, deep


def _logits(name: str, metric: str = "", threshold: float | None = None, **said: float) -> Loss:
    return Loss(name, (("from_logits", True), *said.items()), metric, threshold)


def _normalized(place: Place) -> list[Layer]:
    """No bias before the normalization."""
    kl = place.keras.layers
    return [
        *place.unit(16, None, "hidden", use_bias=False), kl.BatchNormalization(), kl.ReLU(6.0)
    ]  # fmt: skip


def _dropped(place: Place) -> list[Layer]:
    """A dropout of the kind that fits, right before the head."""
    kl = place.keras.layers
    many = {"map": "SpatialDropout2D", "steps": "SpatialDropout1D"}
    usual = ("GaussianDropout", "AlphaDropout", "Dropout")[place.spelling % 3]
    return [*place.unit(16, "selu", "hidden"), getattr(kl, many.get(place.form, usual))(0.5)]


def _unit_norm(place: Place) -> Layer:
    made: Layer = place.keras.layers.UnitNormalization(name="unit_vector")
    return made


def _layer_act(name: str) -> Layers:
    """A head whose activation is a layer in every spelling."""
    return lambda place: [
        *place.unit(3, None, "head"), getattr(place.keras.layers, name)(name="probabilities")
    ]  # fmt: skip


def _pooled_maps(place: Place) -> list[Layer]:
    """A map for each class, pooled, then the softmax: networks in networks."""
    kl = place.keras.layers
    return [
        kl.Conv2D(3, 1, name="head"), kl.GlobalAveragePooling2D(), kl.Softmax(name="probabilities")
    ]  # fmt: skip


def _one_by_one(place: Place) -> list[Layer]:
    """Pooled to one position, a 1x1 convolution on it, and flattened."""
    kl = place.keras.layers
    return [
        kl.GlobalAveragePooling2D(keepdims=True), kl.Conv2D(3, 1, name="head"), kl.Flatten(),
        kl.Activation("softmax"),
    ]  # fmt: skip


HEADS: tuple[tuple[str, Layers, Loss], ...] = (
    ("sigmoid-1-bce", head(1, "sigmoid"), BCE),
    ("sigmoid-1-focal", head(1, "sigmoid"), Loss("BinaryFocalCrossentropy", metric="AUC")),
    ("sigmoid-4-bce", head(4, "sigmoid"), BCE),
    ("sigmoid-1-dice", head(1, "sigmoid"), Loss("Dice")),
    ("softmax-3-scce", head(3, "softmax"), SCCE),
    ("softmax-3-cce", head(3, "softmax"), CCE),
    ("softmax-layer-cce", _layer_act("Softmax"), CCE),
    ("softmax-2-scce", head(2, "softmax"), SCCE),
    ("softmax-3-kld", head(3, "softmax"), Loss("KLDivergence")),
    ("linear-1-mse", head(1), MSE),
    ("linear-1-huber", head(1, "linear"), Loss("Huber", metric="MeanAbsoluteError")),
    ("linear-2-mae", head(2), Loss("MeanAbsoluteError", metric="MeanSquaredError")),
    ("linear-1-logits", head(1), _logits("BinaryCrossentropy", "BinaryAccuracy", 0.0)),
    ("linear-4-logits", head(4), _logits("BinaryCrossentropy", label_smoothing=0.1)),
    ("linear-3-logits", head(3, "linear"), _logits("CategoricalCrossentropy",
                                                   "CategoricalAccuracy")),
    ("linear-3-sparse-logits", head(3), _logits("SparseCategoricalCrossentropy",
                                                "SparseCategoricalAccuracy")),
    ("linear-3-focal-logits", head(3), _logits("CategoricalFocalCrossentropy")),
    ("tanh-1-hinge", head(1, "tanh"), Loss("Hinge")),
    ("linear-1-squared-hinge", head(1), Loss("SquaredHinge")),
    ("linear-3-categorical-hinge", head(3), Loss("CategoricalHinge")),
    ("tanh-2-mse", head(2, "tanh"), MSE),
    ("exponential-1-poisson", head(1, "exponential"), Loss("Poisson")),
    ("softplus-1-poisson", head(1, "softplus"), Loss("Poisson")),
    ("softplus-1-msle", head(1, "softplus"), Loss("MeanSquaredLogarithmicError")),
    ("linear-4-cosine", head(4), Loss("CosineSimilarity")),
    ("unit-4-cosine", behind(4, None, _unit_norm), Loss("CosineSimilarity")),
)  # fmt: skip


def _autoencoder(units: int, act: str | None, loss: Loss, body: str, size: int) -> Second:
    """Features squeezed to a few units and widened again."""
    return Second(
        f"sound-autoencoder-{units}-{act}-{size}", loss=loss, bodies=(body,),
        hidden=lambda place: [
            *place.unit(12, "relu", "hidden"), *place.unit(units, None, "code"),
            *place.unit(12, "relu", "decoded"),
        ],
        head=head(size, act),
    )  # fmt: skip


def _scaled(name: str, scale: float, offset: float) -> Second:
    return Second(
        name, bodies=IMAGES, front=lambda keras: [keras.layers.Rescaling(scale, offset=offset)]
    )


def _whole(_: Place) -> list[Layer]:
    return []


TWINS: tuple[Second, ...] = (
    Second("sound-trained", drawn=True, steps=400, bodies=BODIES),
    Second("sound-tuned-head", steps=200, bodies=("nested", "borrowed", "sepskip")),
    Second("sound-normalized", hidden=_normalized, bodies=BODIES),
    Second("sound-dropout", hidden=_dropped, bodies=BODIES),
    Second("sound-deep", hidden=deep(4, 16, "elu", kernel_initializer="he_normal"), bodies=BODIES),
    Second(
        "sound-regularized", bodies=BODIES, hidden=deep(
            1, 16, "relu",
            kernel_regularizer={"class_name": "L1L2", "config": {"l1": 1e-5, "l2": 1e-4}},
        ),
    ),
    Second("sound-layer-norm", hidden=after(lambda kl: kl.LayerNormalization()), bodies=BODIES),
    Second(
        "sound-adapted", bodies=NUMBERS, change=Change(adapt=True),
        front=lambda keras: [keras.layers.Normalization()],
    ),
    _scaled("sound-scaled", 1 / 255, 0.0),
    _scaled("sound-centered", 1 / 127.5, -1.0),
    Second("sound-stride-of-window", change=Change(stride=4, window=4), bodies=SEEN),
    Second(
        "sound-each-step", change=Change(keep=True), bodies=STEPS, head=head(3, "softmax"),
        loss=CCE,
    ),
    Second("sound-words", bodies=LOOKUPS),
    Second("sound-masked", bodies=MASKED),
    Second("sound-recurrent", head=head(1), loss=MSE, hidden=_whole, bodies=RECURRENT),
    Second("sound-named", names=("cat", "dog", "cow"), bodies=BODIES),
    Second(
        "sound-class-maps", change=Change(keep=True), hidden=_whole, head=_pooled_maps,
        bodies=("sepskip", "plain", "unet"),
    ),
    Second(
        "sound-one-by-one", change=Change(keep=True), hidden=_whole, head=_one_by_one, loss=CCE,
        bodies=("sepskip", "plain", "unet"),
    ),
    _autoencoder(2, None, MSE, "mlp", 11),
    _autoencoder(2, None, MSE, "siamese", 10),
    _autoencoder(2, "sigmoid", BCE, "tabular", 24),
    _autoencoder(2, "sigmoid", BCE, "unet", 3),
    _autoencoder(2, None, Loss("MeanAbsoluteError"), "convgru", 72),
    *(
        Second(f"sound-{name}", head=made, loss=loss, bodies=BODIES) for name, made, loss in HEADS
    ),
)  # fmt: skip
