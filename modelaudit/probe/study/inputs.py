"""Synthetic probe inputs for a model; for the user's data see `load_probe_data`.

Synthetic inputs show exact invariance, noise, dead units, saturation and collapse. They cannot show
learned invariance, which holds only near the training images (Azulay and Weiss, 2019).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from modelaudit.audit_types.loading import Port
from modelaudit.audit_types.values import number
from modelaudit.facts import Architecture, Artifact, Json, Layer, Shape
from modelaudit.findings import Confidence
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.modality import input_modality
from modelaudit.measures.architecture.modality_words import Modality
from modelaudit.measures.architecture.stated_range import stated_range
from modelaudit.probe.study import synthetic as textures
from modelaudit.probe.study.user_data import ProbeData, load_probe_data
from modelaudit.structs import replace

__all__ = ["InputSpec", "ProbeData", "Unprobeable", "input_spec", "load_probe_data", "synthetic"]

OPEN_IMAGE, OPEN_STEPS, OPEN_VOLUME, OPEN_OTHER = 64, 32, 16, 8
MAX_BYTES = 512 << 20
KEPT_BYTES = 4 << 20  # maximum size of inputs that are cached for the next model
UNKNOWN_VOCABULARY = 2
UNKNOWN_INTEGERS = (
    f"integers below {UNKNOWN_VOCABULARY}: the model does not contain its vocabulary size"
)
LOOKAHEAD = 12  # maximum number of layers after the input that are searched for a rescaling


class Unprobeable(Struct, frozen=True):
    """Why no inputs can be created for a model."""

    reason: str


class Uncallable(Unprobeable, frozen=True):
    """Why a loaded model could not be called with inputs as it was saved for."""


class InputSpec(Struct, frozen=True):
    """Requirements of one input.

    Attributes:
        name: name of the input.
        shape: shape with the batch axis; undefined axes are None.
        dtype: numpy or TensorFlow name.
        value_range: range of the values before preprocessing layers of the model.
        vocabulary: number of valid integers from 0, for inputs of an embedding.
        notes: where range and vocabulary come from.
        modality: the kind of data.
        assumed: whether nothing in the file shows the range.
        pixels: what files of the model say is made of 0 and 255, once or for each channel.
    """

    name: str
    shape: Shape
    dtype: str
    value_range: tuple[float, float] = (0.0, 1.0)
    vocabulary: int | None = None
    notes: tuple[str, ...] = ()
    modality: Modality = Modality.UNKNOWN
    assumed: bool = False
    pixels: tuple[tuple[float, float], ...] = ()

    @property
    def unknown_integers(self) -> bool:
        """Whether it takes integers, of which the file does not show how large they are."""
        whole = self.dtype.startswith(("int", "uint")) and self.dtype != "uint8"
        return whole and self.vocabulary is None


def input_spec(port: Port, artifact: Artifact) -> InputSpec | Unprobeable:
    """Requirements of the input `port` of a restored model, as far as the config has them."""
    found = _spec(port, artifact.architecture)
    if isinstance(found, InputSpec) and found.dtype == "float32":
        told = stated_range(artifact, port)
        if told is not None:
            note = f"range {told.low:.4g}…{told.high:.4g} {told.because}"
            ends = (told.low, told.high)
            found = replace(found, value_range=ends, pixels=told.pixels, notes=(note,))
    if isinstance(found, Unprobeable):
        return found
    kind = input_modality(artifact, port)
    modality = Modality(kind.kind)
    found = replace(found, modality=modality)
    if found.notes or found.dtype.startswith(("int", "uint")):
        return found
    sure = kind.confidence is not Confidence.LOW or modality is Modality.SERIES
    low, high = _RANGES.get(modality, (0.0, 1.0)) if sure else (0.0, 1.0)
    note = f"range {low:g}…{high:g} assumed: the model does not contain its value range"
    return replace(found, value_range=(low, high), notes=(note,), assumed=True)


# Ranges of values as training scripts usually scale them; others are scaled to 0…1.
_RANGES = {
    Modality.TABLE: (-2.0, 2.0),
    Modality.SERIES: (-2.0, 2.0),
    Modality.AUDIO: (-1.0, 1.0),
}


def _spec(port: Port, architecture: Architecture | None) -> InputSpec | Unprobeable:
    """The spec without notes if nothing in the file shows the range."""
    if port.dtype == "string":
        return Unprobeable(
            f"input {port.name!r} takes text, or strings that are neither encoded images nor "
            "tf.train.Example"
        )
    if not port.shape:
        why = "has an unknown rank, which no operation implies"
        why = why if port.shape is None else "is one number, not one for each sample"
        return Unprobeable(f"input {port.name!r} {why}")
    if port.dtype.startswith("complex") or port.dtype in {"resource", "variant"}:
        return Unprobeable(f"input {port.name!r} takes {port.dtype}")
    if port.below is not None:
        note = f"integers below {port.below}, the rows of the table that {port.name!r} indexes"
        values = (0.0, port.below - 1.0)
        return InputSpec(port.name, port.shape, port.dtype, values, port.below, (note,))
    behind = list(_behind(architecture, port.name)) if architecture else []
    for layer in behind:
        if layer.class_name == "Embedding":
            size = layer.config.get("input_dim")
            if isinstance(size, int) and size > 0:
                note = f"integers below {size}, the vocabulary size of {layer.route}"
                spec = InputSpec(port.name, port.shape, port.dtype, (0.0, size - 1.0), size)
                return replace(spec, notes=(note,))
    spec = InputSpec(port.name, port.shape, port.dtype)
    if port.dtype.startswith(("int", "uint")) and port.dtype != "uint8":
        return spec  # `synthetic` notes which integers it chose
    if port.dtype == "uint8":
        return replace(spec, value_range=(0.0, 255.0), notes=("range of uint8",))
    for layer in behind:
        bounds = _range_before(layer)
        if bounds is not None:
            note = f"range {bounds[0]:g}…{bounds[1]:g} from {layer.route}"
            return replace(spec, value_range=bounds, notes=(note,))
        if not (has(layer.class_name, Trait.KEEPS_RANGE) or layer.is_model):
            break
    return spec


def synthetic(spec: InputSpec, n: int, seed: int) -> ProbeData | Unprobeable:
    """`n` inputs, with equal shares of all kinds that suit the shape; reproducible by seed.

    Images are uniform and Gaussian noise, 1/f noise, dead leaves, gratings and strokes; sequences
    are noise, sums of sinusoids and random walks.
    """
    fixed, notes = _closed(spec.shape)
    if any(size == 0 for size in fixed):
        return Unprobeable(f"input {spec.name!r} has an empty axis: {spec.shape}")
    each = 8 * math.prod(fixed)
    if each > MAX_BYTES:
        return Unprobeable(f"a sample of input {spec.name!r} has {each:,} bytes")
    if n * each > MAX_BYTES:
        n = MAX_BYTES // each
        notes.append(f"only {n} samples, to limit memory")
    rng = np.random.default_rng(seed)
    dtype = np.dtype(spec.dtype if spec.dtype in _NUMPY else "float32")
    whole = (*spec.notes, *notes)
    if spec.vocabulary is not None or (dtype.kind in "iu" and spec.dtype != "uint8"):
        return _integers(spec, n, fixed, dtype, rng, whole)
    if dtype.kind == "b":
        x = rng.random((n, *fixed)) < 0.5
        return ProbeData(x, value_range=(0.0, 1.0), notes=whole, kinds=("coin",) * n)
    # Many models in a registry have the same shape.
    pictureless = spec.modality is not Modality.IMAGE and spec.modality is not Modality.UNKNOWN
    make = _recalled if n * each <= KEPT_BYTES else _mixture
    values, kinds = make(n, fixed, seed, pictureless)
    low, high = spec.value_range
    values = low + values * (high - low)
    if dtype.kind in "iu":
        values = np.rint(values)
    return ProbeData(
        np.ascontiguousarray(values, dtype=dtype),
        value_range=spec.value_range,
        notes=whole,
        kinds=kinds,
    )


_NUMPY = frozenset(
    {
        *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
        *("float16", "float32", "float64"),
    }
)


def _integers(
    spec: InputSpec,
    n: int,
    fixed: tuple[int, ...],
    dtype: np.dtype[Any],
    rng: np.random.Generator,
    notes: tuple[str, ...],
) -> ProbeData:
    size = spec.vocabulary
    if size is None:
        size = UNKNOWN_VOCABULARY
        notes += (UNKNOWN_INTEGERS,)
    if dtype.kind in "iu":
        size = min(size, int(np.iinfo(dtype).max) + 1)
    x = rng.integers(0, size, (n, *fixed)).astype(dtype)
    return ProbeData(x, value_range=(0.0, size - 1.0), notes=notes, kinds=("tokens",) * n)


def sample_shape(shape: Shape) -> tuple[int, ...]:
    """Shape of one sample, with a size for every undefined axis."""
    return _closed(shape)[0]


def _closed(shape: Shape) -> tuple[tuple[int, ...], list[str]]:
    """Shape of a sample with a size for every undefined axis, and notes on these sizes."""
    inner, notes = list(shape[1:]), []
    shift = 1 if _channels_first(shape) else 0
    for axis, size in enumerate(shape[1:]):
        if size is None:
            inner[axis] = _open_size(len(inner), axis - shift)
            notes.append(f"undefined axis {axis + 1} set to {inner[axis]}")
    return tuple(size or 0 for size in inner), notes


def open_axes(shape: Shape) -> list[int]:
    """Undefined axes of a batch of inputs, except axis 0 and that of the channels."""
    several, first = len(shape) > 2, _channels_first(shape)
    return [
        axis
        for axis in range(1, len(shape) - (several and not first))
        if shape[axis] is None and not (first and axis == 1)
    ]


def _channels_first(shape: Shape) -> bool:
    """Whether the first of several axes has a size, but the last has none."""
    return len(shape) > 3 and shape[1] is not None and shape[-1] is None


def _open_size(rank: int, axis: int) -> int:
    if rank == 3:
        return OPEN_IMAGE if axis < 2 else 3
    if rank == 4:
        return OPEN_VOLUME if axis < 3 else 1
    if rank in {1, 2} and axis == 0:
        return OPEN_STEPS
    return OPEN_OTHER


def _mixture(
    n: int, fixed: tuple[int, ...], seed: int, pictureless: bool
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Read-only values in [0, 1] of shape (n, *fixed), with alternating kinds.

    If `pictureless`, three axes get noise and waves, as in a spectrogram, but no pictures.
    """
    rng = np.random.default_rng(seed)
    first = len(fixed) == 3 and fixed[0] in {1, 3} and fixed[2] not in {1, 3}
    *size, channels = (*fixed[1:], fixed[0]) if first else (fixed or (1,))
    images = textures.VOLUMES if pictureless else textures.IMAGES
    kinds = {3: images, 4: textures.VOLUMES, 2: textures.SEQUENCES}.get(
        len(fixed), textures.VECTORS
    )
    if len(fixed) in {2, 3, 4} and min(size) < 2:
        kinds = textures.VECTORS
    values = np.empty((n, *size, channels))
    names = [""] * n
    for turn, kind in enumerate(kinds):
        mine = slice(turn, n, len(kinds))
        count = len(range(n)[mine])
        if count:
            values[mine] = kind(rng, count, tuple(size), channels)
            names[mine] = [kind.__name__] * count
    if first:
        values = np.moveaxis(values, -1, 1)
    values.setflags(write=False)
    return values.reshape(n, *fixed), tuple(names)


_recalled = functools.lru_cache(maxsize=4)(_mixture)


def _behind(architecture: Architecture, name: str) -> Iterator[Layer]:
    """The layer of the input, and the layers after it up to the first branch."""
    by_route = {layer.route: layer for layer in architecture.layers}
    named = [route for route in architecture.inputs if route.rpartition("/")[2] == name]
    start = named or (list(architecture.inputs) if len(architecture.inputs) == 1 else [])
    route = start[0] if start else None
    for _ in range(LOOKAHEAD):
        if route is None or route not in by_route:
            return
        layer = by_route[route]
        yield layer
        if layer.is_model:  # continue with its first inner layer
            inner = [r for r in by_route if r.startswith(f"{route}/")]
            route = inner[0] if inner else None
            continue
        takers = [
            other.route
            for other in architecture.layers
            if any(route in sources for sources in other.inbound)
        ]
        route = takers[0] if len(takers) == 1 else None


def _range_before(layer: Layer) -> tuple[float, float] | None:
    """Input range that a preprocessing layer is made for; None if it does not determine one."""
    config = layer.config
    if layer.class_name == "Rescaling":
        scale, offset = _number(config.get("scale")), _number(config.get("offset", 0.0))
        if scale and offset is not None:
            low, high = (-1.0, 1.0) if offset < 0 else (0.0, 1.0)
            ends = sorted(((low - offset) / scale, (high - offset) / scale))
            return round(ends[0], 6) + 0.0, round(ends[1], 6) + 0.0
    if layer.class_name == "Normalization":
        mean, variance = _mean(config.get("mean")), _mean(config.get("variance"))
        if mean is not None and variance is not None and variance > 0:
            spread = 2 * math.sqrt(variance)
            return mean - spread, mean + spread
    if layer.class_name == "TFOpLambda" and str(config.get("function")).endswith("truediv"):
        divisors = [_number(kwargs.get("y")) for kwargs in layer.call_kwargs]
        if divisors and divisors[0]:  # x/127.5 (then - 1) or x/255
            return 0.0, 255.0 if divisors[0] > 1 else 1.0
    return None


def _number(value: Json) -> float | None:
    found = number(value)
    return found if found is not None and math.isfinite(found) else None


def _mean(value: Json) -> float | None:
    """Mean of a number or of nested lists of numbers."""
    if isinstance(value, list):
        parts = [_mean(item) for item in value]
        known = [part for part in parts if part is not None]
        return sum(known) / len(known) if known and len(known) == len(parts) else None
    return _number(value)
