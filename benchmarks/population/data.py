"""Tasks and families of data of the population: images, series and tables, all made or packaged.

Images are uint8 (n, H, W, channels), so that networks can be fed in any convention of values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.diagnosis.images import OBJECTS, TASKS
from benchmarks.diagnosis.series import tables, waves

FONTS = Path(mpl.get_data_path()) / "fonts" / "ttf"
TYPES = ("DejaVuSans", "DejaVuSerif", "DejaVuSansMono-Bold", "STIXGeneralBol", "DejaVuSerif-Italic")
PALETTE = ((200, 40, 40), (40, 60, 200), (30, 150, 60), (220, 180, 40), (150, 40, 160))
PHOTOGRAPH = Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg"


@dataclass(frozen=True)
class Family:
    """One family of data.

    `draw(n, shape, classes, rng)` makes inputs and targets; `classes` are the numbers of classes (0
    for targets that are numbers). `upright`: turns matter. `colours`: red and blue differ in
    meaning.
    """

    task: str
    draw: Callable[..., tuple[np.ndarray, np.ndarray]]
    classes: tuple[int, ...]
    upright: bool = True
    colours: bool = False
    kind: str = "image"


def digits(n: int, shape: tuple[int, int], classes: int, rng: np.random.Generator):
    """Digits of five fonts, tilted and sheared, bright on dark; the class is the digit."""
    x, y = [], rng.permutation(np.arange(n) % classes)
    for label in y:
        size = int(shape[0] * rng.uniform(0.75, 1.0))
        font = ImageFont.truetype(str(FONTS / f"{TYPES[rng.integers(len(TYPES))]}.ttf"), size)
        image = Image.new("L", shape[::-1], int(rng.integers(0, 50)))
        ImageDraw.Draw(image).text(
            (shape[1] / 2 + rng.normal(0, 1), shape[0] / 2 + rng.normal(0, 1)),
            str(label), int(rng.integers(150, 256)), font, anchor="mm",
        )  # fmt: skip
        shear = rng.uniform(-0.25, 0.25)
        image = image.transform(
            image.size, Image.Transform.AFFINE,
            (1, shear, -shear * shape[0] / 2, 0, 1, 0), Image.Resampling.BILINEAR,
        ).rotate(rng.uniform(-10, 10), Image.Resampling.BILINEAR)  # fmt: skip
        values = np.asarray(image, np.float32)[..., None] / 255
        x.append(np.clip(values + rng.normal(0, 0.06, values.shape), 0, 1).repeat(3, -1))
    return np.stack(x).astype(np.float32), y


def signs(n: int, shape: tuple[int, int], classes: int, rng: np.random.Generator):
    """Polygons in one of five colours; the class is the colour and the form together."""
    x, y = [], rng.permutation(np.arange(n) % classes)
    for label in y:
        grey = int(rng.integers(90, 150))
        image = Image.new("RGB", shape[::-1], (grey, grey, grey))
        size = shape[0] * rng.uniform(0.6, 0.95)
        at = (rng.uniform(0, shape[1] - size), rng.uniform(0, shape[0] - size))
        colour = np.array(PALETTE[label % 5]) + rng.integers(-30, 31, 3)
        form = np.array(OBJECTS[label // 2]) * size + at
        points = [tuple(point) for point in form]
        ImageDraw.Draw(image).polygon(points, fill=tuple(map(int, np.clip(colour, 0, 255))))
        values = np.asarray(image, np.float32) / 255
        x.append(np.clip(values + rng.normal(0, 0.05, values.shape), 0, 1))
    return np.stack(x).astype(np.float32), y


def photograph(n: int, shape: tuple[int, int], classes: int, rng: np.random.Generator):
    """Parts of a photograph at several scales; the class is the region of it."""
    with Image.open(PHOTOGRAPH) as opened:
        whole = opened.convert("RGB")
    x, y = [], rng.permutation(np.arange(n) % classes)
    columns = 2
    rows = -(-classes // columns)
    for label in y:
        width, height = whole.width / columns, whole.height / rows
        side = min(width, height) * rng.uniform(0.5, 0.9)
        left = (label % columns) * width + rng.uniform(0, width - side)
        top = (label // columns) * height + rng.uniform(0, height - side)
        part = whole.resize(
            shape[::-1], Image.Resampling.BILINEAR, (left, top, left + side, top + side)
        )
        values = np.asarray(part, np.float32) / 255 * rng.uniform(0.8, 1.1)
        x.append(np.clip(values + rng.normal(0, 0.03, values.shape), 0, 1))
    return np.stack(x).astype(np.float32), y


FAMILIES = {
    "letters": Family("classes", TASKS["letters"], (4, 6, 10)),
    "objects": Family("classes", TASKS["objects"], (3, 5, 6)),
    "textures": Family("classes", TASKS["textures"], (3, 4), upright=False),
    "digits": Family("classes", digits, (5, 10)),
    "signs": Family("classes", signs, (5, 8, 10), colours=True),
    "photograph": Family("classes", photograph, (4, 6), colours=True),
    "roads": Family("regression", TASKS["roads"], (0,)),
    "sizes": Family("regression", TASKS["sizes"], (0,), upright=False),
    "presence": Family("multi-label", TASKS["presence"], (3, 4)),
    "waves": Family("classes", waves, (3, 4, 5), kind="series"),
    "tables": Family("classes", tables, (3, 6), upright=False, kind="table"),
}


def drawn(family: str, n: int, shape: tuple[int, ...], classes: int, channels: int, seed: int):
    """`n` inputs, uint8 for images and float32 otherwise, and their targets."""
    x, y = FAMILIES[family].draw(n, shape, classes, np.random.default_rng(seed))
    if FAMILIES[family].kind != "image":
        return x, y
    if channels == 1:
        x = x.mean(axis=-1, keepdims=True)
    return (x * 255).round().astype(np.uint8), y
