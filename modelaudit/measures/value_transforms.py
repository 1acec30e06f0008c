"""Changes of the values of inputs: those that undo common mistakes of preprocessing.

`ImageNet` stands for the statistics that Keras' `preprocess_input` uses: in its mode `torch`,
images from 0 to 1 less a mean per channel, divided by a standard deviation per channel; in its
mode `caffe`, images from 0 to 255 with channels in the order blue, green, red, less their mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from modelaudit.facts import Shape
from modelaudit.measures.transforms import Transform
from modelaudit.thresholds.answers import BYTES, CENTRED, NORMALISED, SAME_MEAN, USUAL

Factors = tuple[float, ...]  # one for all channels, or one for each

JOIN = " + "  # between the transforms in the name of a form of the inputs
# Forms that only exchange red and blue: as they are, or before they were normalised.
SWAPS = ("BGR", "imagenet>BGR", "caffe>BGR")
EACH = ("each", "each-grey")  # ranges of inputs that are standardised one by one

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # of red, green and blue, for values from 0 to 1
IMAGENET_STD = (0.229, 0.224, 0.225)
CAFFE_MEAN = (103.939, 116.779, 123.68)  # of blue, green and red, for values from 0 to 255

# Ranges that images are scaled to, as (scale, offset) from 0…1, by the smallest value.
RANGES = {"0-1": (1.0, 0.0), "0-255": (255.0, 0.0), "-1-1": (2.0, -1.0)}


class DomainTransform(Struct, frozen=True):
    """Reverses the axes in `flip`, then computes `scale * x + offset`.

    Attributes:
        name: as in `measures.input_corrections`.
        scale, offset: one value, or one for each channel (on axis `channels`).
        flip: axes to reverse, such as that of the colours.
        channels: axis of the channels.
        each: whether to standardise each input afterwards: mean 0, standard deviation 1.
    """

    name: str
    scale: Factors = (1.0,)
    offset: Factors = (0.0,)
    flip: tuple[int, ...] = ()
    channels: int = -1
    each: bool = False

    def apply(self, x: NDArray[np.generic]) -> NDArray[np.float32]:
        """The transformed array, as float32."""
        values = np.flip(x, axis=self.flip).astype(np.float64)
        shape = [1] * x.ndim
        shape[self.channels] = -1
        values = values * np.reshape(self.scale, shape) + np.reshape(self.offset, shape)
        if self.each:
            axes = tuple(range(1, x.ndim))
            deviation = values.std(axis=axes, keepdims=True)
            values = (values - values.mean(axis=axes, keepdims=True)) / np.maximum(deviation, 1e-6)
        return np.ascontiguousarray(values, dtype=np.float32)

    def swapped(self, colours: int) -> DomainTransform:
        """The same with red and blue exchanged, between undoing one normalization and another.

        Not for `SWAPS`.
        """
        name = f"{self.name}{JOIN}BGR"
        if ">" not in self.name:
            return DomainTransform(
                name, self.scale, self.offset, (colours,), self.channels, self.each
            )
        source, target = self.name.split(">")
        return _TO_UNIT[source].then(_SWAP).then(_FROM_UNIT[target]).named(name, colours)


def changes(name: str) -> int:
    """How many things a form of the inputs changes; to or from `caffe` also reorders channels."""
    return sum(1 + ("caffe" in part and part not in SWAPS) for part in name.split(JOIN))


def domain_transforms(x: NDArray[np.generic], channels: int | None) -> tuple[DomainTransform, ...]:
    """Value transforms that undo common mistakes of preprocessing, depending on the range of `x`.

    Values from 0 to 1, from 0 to 255 and from -1 to 1 are mapped to each other, and colour images
    also to ImageNet's normalizations; from those they are mapped back. Inversion stays in the
    range: 1 - x for [0, 1], 255 - x for [0, 255]. Standardised values have mean 0 and standard
    deviation 1, over all inputs or for each input.

    Args:
        x: the original inputs.
        channels: axis of red, green and blue, or of the only channel; None for other inputs.
    """
    low, high = (float(x.min()), float(x.max())) if x.size else (0.0, 0.0)
    given = given_range(x)
    colours = channels if channels is not None and x.shape[channels] == 3 else None
    found = _between(given, value_range(low, high), channels, colours)
    found.append(DomainTransform("1-x", (-1.0,), (low + high,)))
    mean, deviation = (float(x.mean()), float(x.std())) if x.size else (0.0, 0.0)
    if deviation > 0:
        found.append(DomainTransform("standardised", (1 / deviation,), (-mean / deviation,)))
        found.append(DomainTransform("standardised each", each=True))
    if colours is not None:
        found.append(DomainTransform("BGR", flip=(colours,)))
        if f"{given}>BGR" in SWAPS:
            step = _TO_UNIT[given].then(_SWAP).then(_FROM_UNIT[given])
            found.append(step.named(f"{given}>BGR", colours))
    return tuple(found)


def paired_transforms(x: NDArray[np.generic], channels: int | None) -> tuple[DomainTransform, ...]:
    """`domain_transforms`, and those from all other ranges, as if `x` were already normalised.

    If one of two models normalises its inputs once more than the other, the inverse of the
    normalization makes their answers equal, whatever the range of `x`. Arguments as there.
    """
    colours = channels if channels is not None and x.shape[channels] == 3 else None
    found = [*domain_transforms(x, channels)]
    for given in (*RANGES, "imagenet", "caffe"):
        if given == given_range(x):
            continue
        found += _between(given, given, channels, colours)
    kept = {
        (*map(_rounded, (each.scale, each.offset)), each.flip, each.each): each
        for each in found[::-1]
    }
    return tuple([*kept.values()][::-1])


def _rounded(factors: Factors) -> Factors:
    return tuple(float(f"{factor:.6g}") for factor in factors)


def reached_range(transform: DomainTransform, given: str) -> str:
    """The usual range that a value transform maps the range `given` to; "" if it is none.

    Both are as in `value_range`.
    """
    values = transform.name.partition(JOIN)[0]
    source, _, target = values.rpartition(">")
    if target in {*RANGES, "imagenet", "imagenet-grey", "caffe"} and source:
        return target if source.removesuffix("-grey") in {given, "each"} else ""
    if given not in RANGES or len(transform.scale) != 1:
        return ""
    scale, offset = RANGES[given]
    ends = [transform.scale[0] * end + transform.offset[0] for end in (offset, scale + offset)]
    for name, (other, start) in RANGES.items():
        if np.allclose(ends, (start, other + start), rtol=1e-6, atol=1e-6):
            return name
    return ""


def transform_to(given: str, ends: tuple[float, float], colours: bool) -> str:
    """Name of the value transform from the range `given` to values between `ends`.

    `given` is as in `value_range`. "" if there is none, if `ends` are those of no usual range, and
    for `caffe`, which reorders the colours too.
    """
    wanted = value_range(*ends)
    usual = _FROM_UNIT[wanted]
    low, high = float(usual.offset.min()), float((usual.scale + usual.offset).max())
    apart = max(abs(ends[0] - low), abs(ends[1] - high))
    if wanted == "caffe" or apart > USUAL.value * (high - low):
        return ""
    found = _between(given, given, -1, -1 if colours else None)
    return next((each.name for each in found if reached_range(each, given) == wanted), "")


def given_range(x: NDArray[np.generic]) -> str:
    """`value_range` of inputs (n, ...), or `each` if they were standardised one by one."""
    low, high = (float(x.min()), float(x.max())) if x.size else (0.0, 0.0)
    return "each" if standardised_each(x) else value_range(low, high)


def _between(
    given: str, values: str, channels: int | None, colours: int | None
) -> list[DomainTransform]:
    found = list(_ranges(values))
    if colours is not None:
        found += _imagenet(given, colours)
    elif channels is not None:
        found += _grey_imagenet(given, channels)
    return found


def value_range(low: float, high: float) -> str:
    """The usual range that values between `low` and `high` belong to.

    A key of `RANGES`; `imagenet` for values around 0 with a deviation of about 1, `caffe` for
    values around 0 that are as large as bytes.
    """
    if low >= 0:
        return "0-255" if high > BYTES.value else "0-1"
    if max(-low, high) <= CENTRED.value:
        return "-1-1"
    return "imagenet" if max(-low, high) <= NORMALISED.value else "caffe"


def _ranges(given: str) -> Iterator[DomainTransform]:
    if given == "0-255":
        yield DomainTransform("/255", (1 / 255,))
        yield DomainTransform("x/127.5-1", (1 / 127.5,), (-1.0,))
    elif given == "0-1":
        yield DomainTransform("/255", (1 / 255,))
        yield DomainTransform("*255", (255.0,))
        yield DomainTransform("2x-1", (2.0,), (-1.0,))
    elif given == "-1-1":
        yield DomainTransform("*255", (255.0,))
        yield DomainTransform("(x+1)/2", (0.5,), (0.5,))
        yield DomainTransform("127.5(x+1)", (127.5,), (127.5,))
    elif given == "caffe":
        yield DomainTransform("/255", (1 / 255,))


def standardised_each(x: NDArray[np.generic]) -> bool:
    """Whether each input (n, ...) has mean 0 and standard deviation 1 by itself."""
    values = x.reshape(len(x), -1).astype(np.float64)
    if len(x) < 2 or values.shape[1] < 2:
        return False
    mean, deviation = np.abs(values.mean(axis=1)), np.abs(values.std(axis=1) - 1)
    return bool((mean < SAME_MEAN.value).all() and np.median(deviation) < SAME_MEAN.value)


def _grey_imagenet(given: str, axis: int) -> Iterator[DomainTransform]:
    """As `_imagenet`, with the averages over the colours."""
    mean, std = np.array([np.mean(IMAGENET_MEAN)]), np.array([np.mean(IMAGENET_STD)])
    if given in RANGES:
        scale, offset = RANGES[given]
        factors = 1 / (scale * std), -(offset / scale + mean) / std
        yield _affine(f"{given}>imagenet-grey", factors, axis)
    elif given != "caffe":
        source = "each-grey" if given == "each" else "imagenet-grey"
        for name, (scale, offset) in RANGES.items():
            yield _affine(f"{source}>{name}", (scale * std, scale * mean + offset), axis)


class _Affine(Struct, frozen=True):
    """Reverses the order of the three channels or not, then computes `scale * x + offset`."""

    scale: NDArray[np.float64]
    offset: NDArray[np.float64]
    flip: bool = False

    def then(self, after: _Affine) -> _Affine:
        """Both steps as one."""
        turn = -1 if after.flip else 1
        scale, offset = self.scale[::turn], self.offset[::turn]
        return _Affine(
            scale * after.scale, offset * after.scale + after.offset, self.flip != after.flip
        )

    def named(self, name: str, colours: int) -> DomainTransform:
        """As a transform of inputs with red, green and blue on axis `colours`."""
        scale, offset = tuple(map(float, self.scale)), tuple(map(float, self.offset))
        return DomainTransform(name, scale, offset, (colours,) if self.flip else (), colours)


_ONES, _MEAN, _STD, _CAFFE = map(np.array, ((1.0,) * 3, IMAGENET_MEAN, IMAGENET_STD, CAFFE_MEAN))
_SWAP = _Affine(_ONES, 0 * _ONES, flip=True)
# From 0…1, with channels in the order red, green, blue, and back to it.
_FROM_UNIT = {
    **{name: _Affine(scale * _ONES, offset * _ONES) for name, (scale, offset) in RANGES.items()},
    "imagenet": _Affine(1 / _STD, -_MEAN / _STD),
    "caffe": _Affine(255 * _ONES, -_CAFFE, flip=True),
}
_TO_UNIT = {
    **{
        name: _Affine(_ONES / scale, -offset / scale * _ONES)
        for name, (scale, offset) in RANGES.items()
    },
    "imagenet": _Affine(_STD, _MEAN),
    "caffe": _Affine(_ONES / 255, _CAFFE[::-1] / 255, flip=True),
}
# Inputs that were standardised one by one have lost their brightness and contrast; ImageNet's
# statistics are then the best guess.
_TO_UNIT["each"] = _TO_UNIT["imagenet"]


def _imagenet(given: str, colours: int) -> Iterator[DomainTransform]:
    """To ImageNet's normalizations, or back from the one that the values seem to have."""
    same = {given, "imagenet"} if given == "each" else {given}
    targets = ("imagenet", "caffe") if given in RANGES else tuple(_FROM_UNIT)
    for target in targets:
        if target not in same:
            step = _TO_UNIT[given].then(_FROM_UNIT[target])
            yield step.named(f"{given}>{target}", colours)


def _affine(
    name: str, factors: tuple[NDArray[np.float64], NDArray[np.float64]], axis: int
) -> DomainTransform:
    scale, offset = (tuple(map(float, each)) for each in factors)
    return DomainTransform(name, scale, offset, channels=axis)


def channel_axis(shape: Shape, moves: Iterable[Transform]) -> int | None:
    """Axis of the three colours, or of the one channel, of images (n, ...) with these transforms.

    None for inputs with another number of channels, and for others than images.
    """
    first = next((move.first_axis for move in moves if len(move.element.perm) == 2), None)
    axis = {1: 3, 2: 1}.get(first or 0)
    return axis if axis is not None and len(shape) == 4 and shape[axis] in {1, 3} else None
