"""Small classifiers for the feed benchmark: one for each way of feeding values.

Each has an architecture, a convention for its values (see `forms.py`), a format, and either
mirrors its training images inside the model or not. The amount of training spreads the accuracies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import layers

from benchmarks.feeds import later
from benchmarks.feeds.forms import CONVENTIONS, Images


def _normed(x: keras.KerasTensor, act: str = "relu") -> keras.KerasTensor:
    return layers.Activation(act)(layers.BatchNormalization(momentum=0.9)(x))


def _conv(x: keras.KerasTensor, width: int, size: int = 3, stride: int = 1) -> keras.KerasTensor:
    return layers.Conv2D(width, size, stride, "same", use_bias=False)(x)


def vgg(x: keras.KerasTensor) -> keras.KerasTensor:
    """Stages of two convolutions and max pooling, then a wide dense layer."""
    for width in (24, 48, 96):
        x = _normed(_conv(_normed(_conv(x, width)), width))
        x = layers.MaxPooling2D()(x)
    return layers.Dropout(0.3)(layers.Dense(128, "relu")(layers.Flatten()(x)))


def plain(x: keras.KerasTensor) -> keras.KerasTensor:
    """Convolutions with bias and without normalization, as in the first tutorials."""
    for width in (16, 32, 64):
        x = layers.MaxPooling2D()(layers.Conv2D(width, 3, padding="same", activation="relu")(x))
    return layers.Dense(64, "relu")(layers.Flatten()(x))


def densenet(x: keras.KerasTensor) -> keras.KerasTensor:
    """Dense blocks: each convolution receives the outputs of all before it."""
    x = layers.MaxPooling2D()(_normed(_conv(x, 24)))
    for block in range(3):
        for _ in range(4):
            new = _conv(_normed(_conv(_normed(x), 36, 1)), 12)
            x = layers.Concatenate()([x, new])
        if block < 2:
            x = layers.AveragePooling2D(2)(_conv(_normed(x), x.shape[-1] // 2, 1))
    return layers.GlobalAveragePooling2D()(_normed(x))


def _squeezed(x: keras.KerasTensor) -> keras.KerasTensor:
    width = x.shape[-1]
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = layers.Conv2D(max(4, width // 8), 1, activation="swish")(gate)
    return layers.Multiply()([x, layers.Conv2D(width, 1, activation="sigmoid")(gate)])


def efficientnet(x: keras.KerasTensor) -> keras.KerasTensor:
    """Inverted bottlenecks with squeeze and excitation, and swish."""
    x = _normed(_conv(x, 24, stride=2), "swish")
    for width, stride in ((24, 1), (40, 2), (40, 1), (72, 2), (72, 1)):
        inner = _normed(_conv(x, 3 * x.shape[-1], 1), "swish")
        inner = layers.DepthwiseConv2D(3, stride, "same", use_bias=False)(inner)
        inner = layers.BatchNormalization(momentum=0.9)(
            _conv(_squeezed(_normed(inner, "swish")), width, 1)
        )
        x = layers.Add()([x, inner]) if inner.shape == x.shape else inner
    return layers.GlobalAveragePooling2D()(_normed(_conv(x, 192, 1), "swish"))


def group_resnet(x: keras.KerasTensor) -> keras.KerasTensor:
    """Residual blocks with group normalization before each convolution."""
    x = _conv(x, 24)
    for width, stride in ((24, 2), (48, 2), (96, 2)):
        short = _conv(x, width, 1, stride)
        inner = _conv(layers.Activation("relu")(layers.GroupNormalization(8)(x)), width, 3, stride)
        inner = _conv(layers.Activation("relu")(layers.GroupNormalization(8)(inner)), width)
        x = layers.Add()([short, inner])
    x = layers.Activation("relu")(layers.GroupNormalization(8)(x))
    return layers.GlobalAveragePooling2D()(x)


def mixer(x: keras.KerasTensor) -> keras.KerasTensor:
    """MLP-Mixer: dense layers over patches and over channels in turn."""
    x = layers.Conv2D(96, 4, 4)(x)
    patches = x.shape[1] * x.shape[2]
    x = layers.Reshape((patches, 96))(x)
    for _ in range(4):
        inner = layers.Permute((2, 1))(layers.LayerNormalization()(x))
        inner = layers.Dense(patches)(layers.Dense(64, "gelu")(inner))
        x = layers.Add()([x, layers.Permute((2, 1))(inner)])
        inner = layers.Dense(192, "gelu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dense(96)(inner)])
    return layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))


@dataclass(frozen=True)
class FeedNet:
    """One network: `data` names its images, `suffix` the format, `steps` the training batches."""

    name: str
    data: str
    body: Callable[[keras.KerasTensor], keras.KerasTensor]
    convention: str
    mirrored: bool
    suffix: str
    steps: int
    logits: bool = False

    def path(self, root: Path) -> Path:
        return root / "models" / f"{self.name}{self.suffix}"


NETS = (
    FeedNet("fashion-plain", "grey", plain, "unit", False, ".h5", 700),
    FeedNet("fashion-resnet", "grey", group_resnet, "signed", True, ".keras", 300),
    FeedNet("cifar-plain", "colour", plain, "unit", False, ".keras", 450),
    FeedNet("cifar-densenet", "colour", densenet, "caffe", False, ".h5", 500),
    FeedNet("cifar-efficientnet", "colour", efficientnet, "signed", True, ".keras", 600),
    FeedNet("cifar-mixer", "colour", mixer, "standard", False, "", 600),
    FeedNet("cifar-vgg", "colour", vgg, "torch", True, ".keras", 650),
    FeedNet("cifar-groupnorm", "colour", group_resnet, "byte", False, ".keras", 450, logits=True),
    # The sixth look.
    FeedNet("four-network-in-network", "four", later.network_in_network, "unit", False, ".h5", 400),
    FeedNet("vehicles-mobilenetv3", "vehicles", later.mobilenet_v3, "signed", False, ".keras", 400),
    FeedNet("five-swin", "five", later.swin, "torch", False, ".keras", 300),
    FeedNet("animals-cbam", "animals", later.block_attention, "caffe", True, ".keras", 300),
    FeedNet("eight-xception", "eight", later.xception, "byte", False, "", 400),
    FeedNet("small-poolformer", "small", later.poolformer, "standard", False, ".keras", 300, True),
)


def train(net: FeedNet, images: Images, seed: int, batch: int = 64) -> keras.Model:
    """The trained network, compiled as it was trained."""
    keras.utils.set_random_seed(seed)
    x, y = images.train_x, images.train_y
    convert = CONVENTIONS[net.convention]
    inputs = keras.Input(x.shape[1:])
    start = layers.RandomFlip("horizontal")(inputs) if net.mirrored else inputs
    outputs = layers.Dense(int(y.max()) + 1, None if net.logits else "softmax")(net.body(start))
    model = keras.Model(inputs, outputs, name=net.name.replace("-", "_"))
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, net.steps, 0.02, warmup_target=3e-3, warmup_steps=net.steps // 8
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=net.logits)
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    order = np.random.default_rng(seed).permutation(len(x))
    while len(order) < net.steps * batch:
        order = np.concatenate([order, order[: net.steps * batch - len(order)]])
    chosen = order[: net.steps * batch]
    model.fit(convert(x[chosen]), y[chosen], batch, 1, verbose=2, shuffle=False)
    return model


def save(model: keras.Model, path: Path) -> None:
    """Save as the suffix of the path says; without one, as an exported SavedModel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix:
        model.save(path)
    else:
        model.export(path)
