"""Kinds of mistakes of the second set for `table.py`, in other spellings than the first.

The kinds of the first set keep their names, codes and remedies (`kinds.py`). The kinds in
`NEW` are not in it: `says` and `remedy` were written, like all of this, by someone who had not seen
the rules, before any of these models was scanned.
"""

from __future__ import annotations

from dataclasses import replace

from benchmarks.mistakes.first.kinds import MISTAKES as FIRST
from benchmarks.mistakes.second.bodies import Change
from benchmarks.mistakes.second.build import BCE, CCE, MSE, Loss, Second, head
from benchmarks.mistakes.second.lookups import LOOKUPS, MASKED
from benchmarks.mistakes.second.parts import (
    activation,
    after,
    behind,
    biased,
    changed,
    dead,
    decaying,
    deep,
    endless,
    equal,
    erased,
    fitted,
    freeze,
    freeze_all,
    freeze_body,
    initial,
    melt,
    nearly_equal,
    noisy,
    normed,
    one_element,
    prior,
    rated,
    softmax,
    squeezed,
)

EVEN = ("sepskip", "unet", "tabular", "bigru", "encoder", "nested", "multi")
ODD = ("plain", "wavenet", "mlp", "tagger", "vit", "borrowed", "siamese")
IMAGES = ("sepskip", "unet", "plain", "nested", "frames")
SEEN = ("sepskip", "plain", "nested", "frames", "wavenet")  # these take a window or a stride
NUMBERS = ("sepskip", "wavenet", "tabular", "siamese", "nested", "plain", "convgru", "frames")
RECURRENT = ("bigru", "tagger", "frames", "cells", "convgru")
STEPS = ("wavenet", "encoder", "bigru", "cells", "convgru")
_OF = {kind.name: kind for kind in FIRST}


def _logits(name: str) -> Loss:
    return Loss(name, (("from_logits", True),))


HEADS = (
    Second("softmax-one-unit-bce", head=head(1, "softmax"), loss=BCE),
    Second("softmax-one-unit-mse", head=head(1, "softmax"), loss=MSE),
    Second("relu-bce", head=head(1, "relu"), loss=BCE),
    Second("linear-bce", head=head(1), loss=BCE),
    Second("tanh-bce", head=head(1, "tanh"), loss=BCE),
    Second("linear-cce", head=head(3), loss=CCE),
    Second("linear-scce", head=head(3, "linear")),
    Second("relu-scce", head=head(3, "relu")),
    Second("tanh-cce", head=head(3, "tanh"), loss=CCE),
    Second("sigmoid-cce", head=head(3, "sigmoid"), loss=CCE),
    Second("softmax-logits", loss=_logits("CategoricalCrossentropy")),
    Second("relu-logits", head=head(1, "relu"), loss=_logits("BinaryCrossentropy")),
    Second("softmax-bce", loss=BCE),
    Second("softmax-mse", loss=MSE),
    Second("sigmoid-mse", head=head(1, "sigmoid"), loss=MSE),
    Second("relu-mse", head=head(1, "relu"), loss=Loss("Huber")),
    Second("one-unit-scce", head=head(1, "sigmoid")),
    Second("one-unit-cce", head=head(1, "sigmoid"), loss=CCE),
    Second("sigmoid-hinge", head=head(1, "sigmoid"), loss=Loss("SquaredHinge")),
    Second("linear-poisson", head=head(1), loss=Loss("Poisson")),
    Second("linear-dice", head=head(3), loss=Loss("Tversky")),
    Second("cosine-one-unit", head=head(1), loss=Loss("CosineSimilarity")),
    Second("softmax-twice", head=behind(3, "softmax", activation("softmax"))),
    Second("softmax-of-relu", head=behind(3, "relu", activation("softmax")), loss=CCE),
    Second("sigmoid-of-relu", head=behind(1, "relu", activation("sigmoid")), loss=BCE),
    Second("softmax-over-batch", head=behind(3, None, softmax(0)), loss=CCE),
    Second("dropout-behind", head=behind(3, "softmax", noisy)),
    Second("batchnorm-behind", head=behind(3, "softmax", normed), loss=CCE),
)
HIDDEN = (
    Second(
        "linear-stack", hidden=deep(2, 16, "linear"), change=Change(act="linear"),
        bodies=("sepskip", "wavenet", "tabular", "siamese", "nested", "plain", "mlp"),
    ),
    Second("erasing-dropout", hidden=erased),
    Second("bottleneck", hidden=squeezed),
    Second("hidden-softmax", hidden=deep(1, 16, "softmax")),
    Second("deep-sigmoids", hidden=deep(8, 16, "sigmoid")),
    Second("deep-relus", hidden=deep(36, 12, "relu")),
    Second("bias-before-norm", hidden=biased),
    Second(
        "norm-momentum", hidden=after(lambda kl: kl.BatchNormalization(momentum=1.0, scale=False))
    ),
    Second(
        "huge-l2", remedy="L1|L2|smaller",
        hidden=deep(1, 16, "relu", kernel_regularizer=initial("L1L2", l1=0.0, l2=25.0)),
    ),
    Second(
        "zero-kernel", weights=changed(lambda value, _: 0 * value),
        hidden=deep(1, 16, "relu", kernel_initializer=initial("Constant", value=0.0)),
    ),
    Second(
        "equal-units", weights=changed(equal),
        hidden=deep(1, 16, "elu", kernel_initializer=initial("Constant", value=0.1)),
    ),
    Second("nearly-equal-units", weights=changed(nearly_equal)),
    Second("not-adapted", front=lambda keras: [keras.layers.Normalization()], bodies=NUMBERS),
    Second(
        "scaled-twice", bodies=IMAGES,
        front=lambda keras: [
            keras.layers.Rescaling(1 / 255), keras.layers.Rescaling(1 / 127.5, offset=-1)
        ],
    ),
    Second("channels-first", change=Change(shape=(3, 40, 40)), bodies=IMAGES),
    Second("one-pixel", change=Change(shrink=True), bodies=SEEN),
    Second("stride-skips", change=Change(stride=5), bodies=SEEN),
    Second("window-beyond-input", change=Change(window=45), bodies=SEEN),
    Second("recurrent-relu", change=Change(act="relu"), bodies=RECURRENT),
    Second(
        "position-outputs", head=head(1), loss=MSE, change=Change(keep=True),
        bodies=("sepskip", "wavenet", "encoder", "bigru", "convgru"),
    ),
    Second("lost-mask", change=Change(loose=True), bodies=MASKED),
    Second("small-embedding", change=Change(room=7), bodies=LOOKUPS),
    Second("class-names", names=("cat", "dog", "cow", "hen")),
    Second("frozen-head", before=freeze),
    Second("constant-gate", change=Change(gate=True), bodies=STEPS),
)  # fmt: skip
SETTINGS = (
    Second("rate-0", optimizer=rated("RMSprop", rate=0.0)),
    Second("rate-10", optimizer=rated("Nadam", rate=12.0)),
    Second("rate-negative", optimizer=rated("SGD", rate=-0.05, momentum=0.9)),
    Second("rate-tiny", optimizer=rated("RMSprop", rate=1e-11)),
    Second("clipped-to-0", remedy="clip", optimizer=rated("RMSprop", clipvalue=0.0)),
    Second("weight-0", compiled=lambda _: {"loss_weights": 0.0}),
    Second(
        "smoothed-away", head=head(1, "sigmoid"),
        loss=Loss("BinaryCrossentropy", (("label_smoothing", 1.0),)),
    ),
    Second(
        "accuracy-of-numbers", head=head(1), loss=Loss("MeanAbsoluteError"), bodies=ODD,
        compiled=lambda _: {"metrics": ["mae", "acc"]},
    ),
    Second(
        "thresholded", head=head(1), loss=_logits("BinaryCrossentropy"), bodies=ODD,
        compiled=fitted("BinaryAccuracy"),
    ),
)  # fmt: skip
TRACES = (
    Second("nan", weights=changed(one_element)),
    Second("exploded", steps=6, weights=changed(lambda value, _: value * 3e6)),
    Second("dead-units", hidden=deep(1, 16, "relu"), steps=6, weights=changed(dead)),
    Second("shrunk", steps=6, weights=changed(lambda value, _: value * 1e-8)),
    Second("few-steps", drawn=True, steps=4),
    Second("no-step", drawn=True, steps=0),
)
NEW = (
    Second(
        "only-head-moved", says="initial|frozen|never trained|untrained|did not move|not moved",
        remedy="pretrained|imagenet|weights|trainable ?= ?True|unfreeze", drawn=True, steps=200,
        before=freeze_body, weights=melt,
        bodies=("sepskip", "plain", "wavenet", "bigru", "encoder", "nested", "borrowed"),
    ),
    Second(
        "softmax-over-positions", says="axis|position", remedy="axis=-1|over the classes|last axis",
        head=behind(3, None, softmax(1)), change=Change(keep=True),
        bodies=("unet", "tagger", "wavenet", "encoder", "sepskip"),
    ),
    Second(
        "norm-of-one-unit", says="constant|same|one unit|one value", remedy="remove|move|Batch",
        loss=BCE, head=behind(
            1, None, lambda place: place.keras.layers.LayerNormalization(), activation("sigmoid")
        ),
    ),
    Second(
        "prior-only", says="frequenc|prior|same|constant|only the bias|ignore|not depend|vanish",
        remedy="learning rate|regulariz|scal|initializ|train", steps=8, weights=prior,
    ),
    Second(
        "vanished-slots", says="vanish|gradient|moment|slot", drawn=True, steps=30,
        remedy="initializ|glorot|he_|normaliz|residual|relu", optimizer=rated("Adam", rate=1e-4),
        hidden=deep(
            9, 16, "tanh", kernel_initializer=initial("RandomNormal", mean=0.0, stddev=0.02)
        ),
        bodies=("tabular", "mlp", "siamese", "nested", "convgru", "plain"),
    ),
    Second(
        "inf-slots", says="inf|finite|overflow", remedy="learning rate|clip|reset|train",
        optimizer=rated("Adam", rate=1e-3), steps=8, weights=endless,
    ),
    Second(
        "saturated-hidden", says="saturat|explod|large", hidden=deep(1, 16, "tanh"), steps=8,
        weights=changed(lambda value, _: value * 400), remedy="learning rate|scal|normaliz|clip",
    ),
    Second("all-frozen", says="frozen|trainable", remedy="trainable ?= ?True", before=freeze_all),
    Second(
        "binary-metric-of-softmax", says="binary_?accuracy|metric", info=True, loss=CCE,
        remedy="categorical_?accuracy|.accuracy", compiled=fitted("BinaryAccuracy"), bodies=ODD,
    ),
    Second(
        "sparse-metric-of-onehot", says="sparse|metric", info=True, loss=CCE, bodies=ODD,
        remedy="[^e]categorical_?accuracy|.accuracy",
        compiled=fitted("SparseCategoricalAccuracy"),
    ),
    Second(
        "decayed-away", says="schedule|decay|learning rate", remedy="decay_steps|schedule|slower",
        optimizer=decaying,
    ),
    Second(
        "epsilon-huge", says="epsilon", remedy="epsilon",
        optimizer=rated("Adam", rate=1e-3, epsilon=1e6),
    ),
    Second(
        "self-difference", says="itself|constant|zero|same", remedy="different|other|remove|two",
        change=Change(itself=True),
        bodies=("siamese", "tabular", "bigru", "encoder", "wavenet", "nested"),
    ),
    Second(
        "scaled-to-0", says="scal|constant|zero", remedy="1 ?/ ?255|scale", bodies=IMAGES,
        front=lambda keras: [keras.layers.Rescaling(1 // 255)],
    ),
)  # fmt: skip


def _known(number: int, kind: Second) -> Second:
    """The kind with its bodies, and with codes and remedy of the first set where it has it."""
    made = replace(kind, bodies=kind.bodies or (EVEN, ODD)[number % 2])
    first = _OF.get(kind.name)
    if first is None:
        return made
    return replace(made, codes=first.codes, remedy=kind.remedy or first.remedy, info=first.info)


MISTAKES: tuple[Second, ...] = tuple(
    _known(number, kind) for number, kind in enumerate((*HEADS, *HIDDEN, *SETTINGS, *TRACES, *NEW))
)
