"""Images in the forms in which pipelines feed them: values, orientation, channel order, labels.

A `Feed` says how a pipeline differs from the one that the network was trained with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Images:
    """Images (n, H, W, C) uint8 and their labels (n,), for training and for tests."""

    train_x: Bytes
    train_y: Labels
    test_x: Bytes
    test_y: Labels


def load(path: Path) -> Images:
    """Read an .npz file with the arrays of `Images`."""
    with np.load(path, allow_pickle=False) as held:
        return Images(held["train_x"], held["train_y"], held["test_x"], held["test_y"])


def _floats(x: npt.ArrayLike) -> Floats:
    return np.ascontiguousarray(x, np.float32)


def _torch(x: Bytes) -> Floats:
    """ImageNet's mean and standard deviation of each channel, as in torchvision; grey: averages."""
    grey = x.shape[-1] == 1
    mean = np.array([0.449] if grey else [0.485, 0.456, 0.406])
    spread = np.array([0.226] if grey else [0.229, 0.224, 0.225])
    return _floats((x / 255 - mean) / spread)


def _caffe(x: Bytes) -> Floats:
    """Blue, green, red, minus ImageNet's mean, as `preprocess_input` of VGG16 and ResNet50."""
    return _floats(x[..., ::-1] - np.array((103.939, 116.779, 123.68)))


def _standard(x: Bytes) -> Floats:
    """Mean 0 and standard deviation 1 of each image: `tf.image.per_image_standardization`."""
    values = x.reshape(len(x), -1).astype(np.float64)
    spread = np.maximum(values.std(1, keepdims=True), 1 / np.sqrt(values.shape[1]))
    return _floats(((values - values.mean(1, keepdims=True)) / spread).reshape(x.shape))


CONVENTIONS: dict[str, Callable[[Bytes], Floats]] = {
    "unit": lambda x: _floats(x / 255),
    "signed": lambda x: _floats(x / 127.5 - 1),
    "byte": _floats,
    "torch": _torch,
    "caffe": _caffe,
    "standard": _standard,
}

# Of images (n, H, W, C), by the names that causes use.
TURNS: dict[str, Callable[[Floats], Floats]] = {
    "H": lambda x: x[:, :, ::-1],
    "V": lambda x: x[:, ::-1],
    "r90": lambda x: _floats(np.rot90(x, 1, (1, 2))),
    "r180": lambda x: x[:, ::-1, ::-1],
    "r270": lambda x: _floats(np.rot90(x, -1, (1, 2))),
    "T": lambda x: _floats(x.swapaxes(1, 2)),
    "AT": lambda x: _floats(x[:, ::-1, ::-1].swapaxes(1, 2)),
}


@dataclass(frozen=True)
class Feed:
    """What a pipeline does otherwise than training did: nothing (`sound`), one thing or two.

    `turn` is a key of `TURNS` that is applied to the images, `convention` one of `CONVENTIONS` if
    it is not the network's own. `swapped`: red and blue are exchanged before the convention.
    `renumbered`: the labels are those of a permutation of the classes.
    """

    name: str
    turn: str = ""
    convention: str = ""
    swapped: bool = False
    renumbered: bool = False

    @property
    def faults(self) -> int:
        """The number of things that differ."""
        return sum(map(bool, (self.turn, self.convention, self.swapped, self.renumbered)))

    def images(self, x: Bytes, own: str) -> Floats:
        """What the network gets for the images (n, H, W, C); `own` is its own convention."""
        if self.turn:
            x = TURNS[self.turn](_floats(x)).astype(np.uint8)
        if self.swapped:
            x = x[..., ::-1]
        return np.ascontiguousarray(CONVENTIONS[self.convention or own](x))

    def labels(self, y: Labels, seed: int) -> Labels:
        """The labels (n,) that come with the images."""
        if not self.renumbered:
            return y
        classes = int(y.max()) + 1
        order = np.random.default_rng(seed).permutation(classes)
        return order[y]


def feeds(own: str, *, colour: bool, mirrored: bool, seed: int) -> Iterator[Feed]:
    """All feeds for a network with the convention `own`; those with two faults name both.

    Mirrored images are no fault for a network that was trained with them, and nearly none for
    natural images (`colour`). The two wrong conventions are drawn at random.
    """
    others = [name for name in CONVENTIONS if name != own and (colour or name != "caffe")]
    first, second = np.random.default_rng(seed).permutation(others)[:2].tolist()
    yield Feed("sound")
    yield Feed("upside down", turn="V")
    yield Feed("rotated 90", turn="r90")
    yield Feed("rotated 180", turn="r180")
    yield Feed("transposed", turn="T")
    if not mirrored:
        yield Feed("mirrored", turn="H")
    yield Feed(f"values {first}", convention=first)
    yield Feed(f"values {second}", convention=second)
    if colour:
        yield Feed("red and blue exchanged", swapped=True)
    yield Feed("labels renumbered", renumbered=True)
    if colour:
        yield Feed("upside down, red and blue exchanged", turn="V", swapped=True)
    yield Feed(f"rotated 90, values {first}", turn="r90", convention=first)
    turn, name = ("V", "upside down") if mirrored or colour else ("H", "mirrored")
    yield Feed(f"{name}, labels renumbered", turn=turn, renumbered=True)
    if colour:
        yield Feed(f"red and blue exchanged, values {second}", convention=second, swapped=True)
