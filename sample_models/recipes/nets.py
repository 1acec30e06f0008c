"""The small convolutional network of most sample models, and its training."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from recipes.data import SIDE, Images, Labels

BATCH = 64


def conv_net(
    k: ModuleType,
    *,
    first: Any = None,
    flatten: bool = False,
    classes: int = 10,
    second_name: str = "conv_2",
) -> Any:
    """Three convolutions with batch normalization, and a dense head: 10 to 16 thousand weights.

    Args:
        k: `keras` (3) or `tf_keras` (2); both have the layers under the same names.
        first: a layer before the convolutions.
        flatten: whether the head gets every position, rather than the average over positions.
        classes: number of outputs of the softmax.
        second_name: name of the second convolution.
    """
    layers = k.layers
    stack = [layers.Input((SIDE, SIDE, 1), name="image")]
    if first is not None:
        stack.append(first)
    convolutions = (("conv_1", 12), (second_name, 24), ("conv_3", 32))
    for number, (name, width) in enumerate(convolutions, start=1):
        if number > 1:
            stack.append(layers.MaxPooling2D(name=f"pool_{number - 1}"))
        stack += [
            layers.Conv2D(width, 3, padding="same", name=name),
            layers.BatchNormalization(name=f"norm_{number}"),
            layers.ReLU(name=f"relu_{number}"),
        ]
    if flatten:
        stack += [layers.Flatten(name="flatten"), layers.Dropout(0.3, name="dropout")]
    else:
        stack.append(layers.GlobalAveragePooling2D(name="average"))
    stack.append(layers.Dense(classes, activation="softmax", name="digit"))
    return k.Sequential(stack, name="digits")


def train(
    k: ModuleType,
    net: Any,
    x: Images,
    y: Labels,
    *,
    epochs: int = 30,
    augmentation: Any = None,
    class_weight: dict[int, float] | None = None,
) -> Any:
    """Train `net` in place and return it. It is never compiled, so its file has no optimizer state.

    `augmentation` is a layer that changes the images in training; it is not part of `net`.
    """
    steps = epochs * int(np.ceil(len(x) / BATCH))
    altered = [] if augmentation is None else [augmentation]
    trainer = k.Sequential([k.layers.Input((SIDE, SIDE, 1)), *altered, net])
    trainer.compile(
        optimizer=k.optimizers.Adam(k.optimizers.schedules.CosineDecay(4e-3, steps)),
        loss="sparse_categorical_crossentropy",
    )
    trainer.fit(x, y, batch_size=BATCH, epochs=epochs, class_weight=class_weight, verbose=0)
    return net
