"""The user's probe data: arrays, or a directory of images.

The model should get these data exactly as in production, so nothing is changed silently: images
are resized only on request, and all conversions are listed in the notes.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from modelaudit.errors import UsageError
from modelaudit.facts import Shape, fits

Array = NDArray[Any]

MAX_BYTES = 4 << 30
MAX_PIXELS = 64_000_000  # per image; checked before decoding
IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm"}
IMAGE_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
DEEP_MODES = ("I", "F")  # first letter of Pillow's modes with more than 8 bits per channel
EXIF_ORIENTATION = 0x0112
_SHOWN = 5  # classes in a note


class ProbeData(Struct, frozen=True):
    """Data for one input of a model.

    Attributes:
        x: inputs of shape (n, ...), in the range that the model is given.
        y: labels of shape (n, ...), or None.
        labels: names of the classes that integers in `y` refer to; empty without names.
        source: `synthetic`, or the path of the data.
        value_range: minimum and maximum of the values that `x` may have.
        notes: all assumptions about and changes to the data.
        kinds: for synthetic data, the kind of each sample.
    """

    x: Array
    y: Array | None = None
    labels: tuple[str, ...] = ()
    source: str = "synthetic"
    value_range: tuple[float, float] = (0.0, 1.0)
    notes: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()


def load_probe_data(
    path: Path,
    input_shape: Shape,
    *,
    resize: bool = False,
    max_images: int = 1000,
    pixels: Sequence[tuple[float, float]] = ((0.0, 1.0),),
    classes: Sequence[str] = (),
) -> ProbeData:
    """Read probe data that match `input_shape`, whose first axis is the batch axis.

    `.npy` files contain the inputs; `.npz` files contain them as `x`, and optionally labels as `y`.
    Arrays are used as stored. A directory contains images, or one folder of images per class;
    pixel values 0…255 are mapped to `pixels`, the range that the model expects. EXIF
    orientation is not applied, as in training pipelines. Classes that are given as texts, also as
    names of folders, are numbered as in `classes`, or else in alphabetical order, as Keras does.

    Args:
        max_images: maximum number of inputs.
        pixels: what the model expects for 0 and 255, once or for each channel.
        classes: names of the model's classes in the order of its outputs, if they are known.

    Raises:
        UsageError: no usable data, or the sizes do not match; the message says what to do.
    """
    if path.is_dir():
        return _from_images(path, input_shape, resize, max_images, pixels, classes)
    if not path.is_file():
        raise UsageError(f"{path}: no such file or directory")
    try:
        if path.suffix == ".npz":
            x, y = _from_npz(path)
        else:
            with path.open("rb") as handle:
                x, y = _array(handle, str(path)), None
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise UsageError(f"{path}: not a readable .npy or .npz file: {error}") from error
    return _checked_arrays(path, x, y, input_shape, max_images, classes)


def _from_npz(path: Path) -> tuple[Array, Array | None]:
    arrays: dict[str, Array] = {}
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        if "x.npy" not in names:
            held = ", ".join(sorted(name.removesuffix(".npy") for name in names)[:20])
            raise UsageError(f"{path}: contains no array x, only {held or 'nothing'}")
        for name in ("x", "y"):
            if f"{name}.npy" in names:
                with archive.open(f"{name}.npy") as handle:
                    arrays[name] = _array(handle, f"{path}[{name}]")
    return arrays["x"], arrays.get("y")


def _array(handle: IO[bytes], name: str) -> Array:
    """Read one array of the .npy format after checking its header; no object arrays."""
    version = np.lib.format.read_magic(handle)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(handle)
    elif version == (2, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(handle)
    else:
        raise UsageError(f"{name}: version {version} of the .npy format is not supported")
    nbytes = math.prod(shape) * dtype.itemsize
    if dtype.hasobject or dtype.kind not in "biufSU":
        raise UsageError(f"{name}: an array of {dtype} cannot be an input of a model")
    if nbytes > MAX_BYTES:
        raise UsageError(f"{name}: {nbytes:,} bytes, more than {MAX_BYTES:,}; use fewer samples")
    buffer = handle.read(nbytes)
    if len(buffer) < nbytes:
        raise UsageError(f"{name}: truncated, has {len(buffer):,} of {nbytes:,} bytes")
    flat = np.frombuffer(buffer, dtype=dtype)
    array: Array = flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)
    return array


def _checked_arrays(
    path: Path,
    x: Array,
    y: Array | None,
    shape: Shape,
    max_images: int,
    classes: Sequence[str],
) -> ProbeData:
    notes = []
    if x.dtype.kind not in "biuf":
        raise UsageError(f"{path}: x contains {x.dtype}, not numbers")
    if x.ndim == len(shape) - 1 and shape[-1] == 1:
        x = x[..., None]
        notes.append("x has no channel axis; one channel was added")
    if x.ndim != len(shape) or not fits(x.shape[1:], shape[1:]):
        raise UsageError(
            f"{path}: x has shape {x.shape}, the model expects {_spelled(shape)}; "
            "arrays are never resized, so save them in the size of the model"
        )
    if len(x) == 0:
        raise UsageError(f"{path}: x contains no samples")
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        raise UsageError(f"{path}: x contains NaN or infinite values")
    if y is not None and (y.ndim == 0 or len(y) != len(x)):
        raise UsageError(f"{path}: y has shape {y.shape} for {len(x)} samples")
    labels: tuple[str, ...] = ()
    if y is not None and y.dtype.kind in "SU":
        names, places = np.unique(y, return_inverse=True)
        labels, numbers, note = _numbered([str(name) for name in names], classes)
        y = np.array(numbers)[places.reshape(-1)]
        notes.append(f"text labels were numbered {note}")
    if len(x) > max_images:
        pick = np.linspace(0, len(x) - 1, max_images).round().astype(int)
        notes.append(f"{max_images} of {len(x)} samples, evenly spaced")
        x, y = x[pick], None if y is None else y[pick]
    bounds = (float(x.min()), float(x.max()))
    return ProbeData(np.ascontiguousarray(x), y, labels, str(path), bounds, tuple(notes))


def _from_images(
    path: Path,
    shape: Shape,
    resize: bool,
    max_images: int,
    ends: Sequence[tuple[float, float]],
    classes: Sequence[str],
) -> ProbeData:
    if len(shape) != 4:
        raise UsageError(f"{path}: images for a model that expects {_spelled(shape)}; pass a .npy")
    first = shape[1] in MODES and shape[3] not in MODES  # channels before height and width
    height, width, channels = (shape[2], shape[3], shape[1]) if first else shape[1:]
    if channels not in MODES:
        raise UsageError(f"{path}: images have 1, 3 or 4 channels, the model expects {channels}")
    folders = sorted(entry for entry in path.iterdir() if entry.is_dir() and any(_images(entry)))
    groups = [sorted(_images(folder)) for folder in folders] or [sorted(_images(path))]
    found = sum(map(len, groups))
    if not found:
        raise UsageError(f"{path}: no images ({', '.join(sorted(IMAGE_SUFFIXES))})")
    notes = _CountedNotes()
    if folders and any(_images(path)):
        notes.add("images outside the class folders were skipped")
    each = max(1, max_images // len(groups))
    chosen = [(file, i) for i, group in enumerate(groups) for file in group[:each]]
    where = "each folder"
    if len(chosen) > max_images:
        where = f"{max_images} of {len(groups)} folders, evenly spaced"
        pick = np.linspace(0, len(chosen) - 1, max_images).round().astype(int)
        chosen = [chosen[i] for i in pick]
    if len(chosen) < found:
        notes.add(f"{len(chosen)} of {found} images, the first {each} of {where}, by name")
    pixels = [_image(file, (height, width), channels, resize, notes) for file, _ in chosen]
    if len({image.shape for image in pixels}) > 1:
        raise UsageError(f"{path}: images have different sizes, but the model sets no size")
    bounds = (float(np.min(ends)), float(np.max(ends)))
    ends = ends if len(ends) in {1, channels} else (bounds,)
    start, end = np.asarray(ends, np.float32).T
    x = start + np.stack(pixels).astype(np.float32) * ((end - start) / np.float32(255))
    notes.add("pixel values 0…255 mapped to " + ", ".join(f"{a:g}…{b:g}" for a, b in ends))
    if first:
        x = np.ascontiguousarray(np.moveaxis(x, 3, 1))
    labels, numbers, note = _numbered([folder.name for folder in folders], classes)
    y = np.array([numbers[i] for _, i in chosen]) if folders else None
    if folders:
        notes.add(f"class folders were numbered {note}")
    return ProbeData(x, y, labels, str(path), bounds, notes.spoken())


def _numbered(
    names: Sequence[str], classes: Sequence[str]
) -> tuple[tuple[str, ...], list[int], str]:
    """All class names, the number of each of `names` among them, and how they were numbered.

    Args:
        names: what the user's classes are called, in alphabetical order.
        classes: what the model's classes are called, in the order of its outputs.
    """
    order = {name: number for number, name in enumerate(classes)}
    known = bool(names) and len(order) == len(classes) and all(name in order for name in names)
    numbers = [order[name] for name in names] if known else [*range(len(names))]
    listed = ", ".join(
        f"{name} = {number}" for name, number in zip(names[:_SHOWN], numbers, strict=False)
    )
    more = ", …" if len(names) > _SHOWN else ""
    how = "as the class names beside the model say" if known else "in alphabetical order"
    return tuple(classes if known else names), numbers, f"{how}: {listed}{more}"


def _images(folder: Path) -> Iterator[Path]:
    return (file for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)


def _image(
    file: Path,
    size: tuple[int | None, int | None],
    channels: int,
    resize: bool,
    notes: _CountedNotes,
) -> Array:
    """One image as uint8 (height, width, channels)."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file, formats=IMAGE_FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise UsageError(f"{file}: too many pixels ({image.width} x {image.height})")
            if image.mode.startswith(DEEP_MODES):
                raise UsageError(f"{file}: more than 8 bits per channel; pass a .npy")
            if image.getexif().get(EXIF_ORIENTATION, 1) != 1:
                notes.count("images have an EXIF orientation, which was not applied")
            wanted = MODES[channels]
            if image.mode != wanted:
                notes.count(f"images of mode {image.mode} were converted to {wanted}")
            pixels = image.convert(wanted)
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise UsageError(f"{file}: not a readable image: {error}") from error
    if not fits((pixels.height, pixels.width), size):
        if not resize or None in size:
            raise UsageError(
                f"{file}: {pixels.height} x {pixels.width} pixels, the model expects "
                f"{_spelled(size)} (height x width); pass images of that size, or add --resize"
            )
        notes.count(f"images were resized to {_spelled(size)} (bilinear)")
        pixels = pixels.resize((size[1] or 1, size[0] or 1), Image.Resampling.BILINEAR)
    array = np.asarray(pixels, dtype=np.uint8)
    return array if array.ndim == 3 else array[..., None]


class _CountedNotes:
    """Notes, with counts for repeated ones."""

    def __init__(self) -> None:
        self._said: dict[str, int | None] = {}

    def add(self, sentence: str) -> None:
        self._said[sentence] = None

    def count(self, sentence: str) -> None:
        self._said[sentence] = (self._said.get(sentence) or 0) + 1

    def spoken(self) -> tuple[str, ...]:
        return tuple(text if n is None else f"{n} {text}" for text, n in self._said.items())


def _spelled(shape: Shape) -> str:
    return " x ".join("any" if n is None else str(n) for n in shape)
