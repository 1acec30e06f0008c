"""Generated colour images for the diagnosis benchmark: letters, objects, textures, roads and so on.

Each task gives images (n, H, W, 3) float32 in [0, 1] and their targets. Mirroring affects the
targets in different ways on purpose: letters and objects keep their class, left and right pointers
swap, a road's direction changes its sign, a mask is mirrored too, a size stays the same.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw, ImageFont

LETTERS = "FGJLPQR257Ka4s"  # none is symmetric left to right
FONT = Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans-Bold.ttf"
OBJECTS = (  # polygons in the unit square, none symmetric left to right
    ((0.3, 0.1), (0.3, 0.9), (0.4, 0.9), (0.4, 0.5), (0.8, 0.3), (0.4, 0.1)),  # flag
    ((0.2, 0.1), (0.5, 0.1), (0.5, 0.6), (0.9, 0.75), (0.9, 0.9), (0.2, 0.9)),  # boot
    (
        (0.1, 0.7),
        (0.45, 0.7),
        (0.45, 0.2),
        (0.75, 0.7),
        (0.9, 0.7),
        (0.7, 0.9),
        (0.25, 0.9),
    ),  # sail
    ((0.1, 0.5), (0.6, 0.2), (0.6, 0.4), (0.95, 0.4), (0.95, 0.6), (0.6, 0.6), (0.6, 0.8)),  # arrow
    ((0.2, 0.2), (0.8, 0.2), (0.3, 0.5), (0.6, 0.5), (0.2, 0.9), (0.35, 0.6), (0.15, 0.6)),  # bolt
    ((0.1, 0.9), (0.1, 0.6), (0.5, 0.6), (0.5, 0.3), (0.9, 0.3), (0.9, 0.9)),  # steps
)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONT), size)


def _canvas(shape: tuple[int, int], rng: np.random.Generator) -> tuple[Image.Image, tuple, tuple]:
    """A plain background, its colour, and a contrasting colour."""
    dark, bright = rng.integers(0, 90, 3), rng.integers(150, 256, 3)
    back, front = (dark, bright) if rng.random() < 0.8 else (bright, dark)
    return Image.new("RGB", shape[::-1], tuple(map(int, back))), tuple(back), tuple(map(int, front))


def _finished(image: Image.Image, rng: np.random.Generator) -> np.ndarray:
    values = np.asarray(image, np.float32) / 255
    return np.clip(values + rng.normal(0, 0.04, values.shape), 0, 1).astype(np.float32)


def letters(n: int, shape: tuple[int, int], classes: int, rng: np.random.Generator):
    """Letters of many sizes at many positions; the class is the letter."""
    x, y = [], rng.permutation(np.arange(n) % classes)
    for label in y:
        image, _, colour = _canvas(shape, rng)
        size = int(shape[0] * rng.uniform(0.65, 0.9))
        box = _font(size).getbbox(LETTERS[label])
        width, height = box[2] - box[0], box[3] - box[1]
        left = rng.uniform(0, max(1, shape[1] - width)) - box[0]
        top = rng.uniform(0, max(1, shape[0] - height)) - box[1]
        ImageDraw.Draw(image).text((left, top), LETTERS[label], font=_font(size), fill=colour)
        x.append(_finished(image, rng))
    return np.stack(x), y


def _polygon(points, shape: tuple[int, int], rng: np.random.Generator) -> list[tuple[float, float]]:
    size = shape[0] * rng.uniform(0.7, 0.95)
    left = rng.uniform(0, shape[1] - size)
    top = rng.uniform(0, shape[0] - size)
    angle = rng.uniform(-0.15, 0.15)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    placed = (np.array(points) - 0.5) @ turn * size + size / 2 + (left, top)
    return [tuple(point) for point in placed]


def objects(n: int, shape: tuple[int, int], classes: int, rng: np.random.Generator):
    """Filled polygons; the class is the shape."""
    x, y = [], rng.permutation(np.arange(n) % classes)
    for label in y:
        image, _, colour = _canvas(shape, rng)
        ImageDraw.Draw(image).polygon(_polygon(OBJECTS[label], shape, rng), fill=colour)
        x.append(_finished(image, rng))
    return np.stack(x), y


def pointers(n: int, shape: tuple[int, int], _classes: int, rng: np.random.Generator):
    """Arrows that point left (0) or right (1): mirroring swaps the classes."""
    x, y = [], rng.permutation(np.arange(n) % 2)
    for label in y:
        image, _, colour = _canvas(shape, rng)
        points = np.array(OBJECTS[3])
        if label:
            points = points * (-1, 1) + (1, 0)
        ImageDraw.Draw(image).polygon(_polygon(points, shape, rng), fill=colour)
        x.append(_finished(image, rng))
    return np.stack(x), y


def roads(n: int, shape: tuple[int, int], _classes: int, rng: np.random.Generator):
    """A road that leads left (-1) to right (+1): mirroring changes the sign."""
    x, y = [], rng.uniform(-1, 1, (n, 1)).astype(np.float32)
    height, width = shape
    for (turn,) in y:
        image, _, colour = _canvas(shape, rng)
        pen = ImageDraw.Draw(image)
        horizon = int(height * rng.uniform(0.25, 0.4))
        pen.rectangle((0, 0, width, horizon), fill=tuple(map(int, rng.integers(80, 200, 3))))
        middle = width / 2 * (1 + 0.8 * turn)
        base, top = width * rng.uniform(0.2, 0.3), width * 0.04
        pen.polygon(
            [(width / 2 - base, height), (middle - top, horizon), (middle + top, horizon),
             (width / 2 + base, height)],
            fill=colour,
        )  # fmt: skip
        x.append(_finished(image, rng))
    return np.stack(x), y


def blobs(n: int, shape: tuple[int, int], _classes: int, rng: np.random.Generator):
    """An object on a background; the target is its mask (n, H, W, 1)."""
    x, y = [], []
    for _ in range(n):
        image, _, colour = _canvas(shape, rng)
        mask = Image.new("L", shape[::-1])
        size = shape[0] * rng.uniform(0.3, 0.5)
        left, top = rng.uniform(0, shape[1] - size), rng.uniform(0, shape[0] - size)
        points = np.array(OBJECTS[int(rng.integers(len(OBJECTS)))]) * size + (left, top)
        for target, fill in ((image, colour), (mask, 255)):
            ImageDraw.Draw(target).polygon([tuple(point) for point in points], fill=fill)
        x.append(_finished(image, rng))
        y.append(np.asarray(mask, np.float32)[..., None] / 255)
    return np.stack(x), np.stack(y)


def sizes(n: int, shape: tuple[int, int], _classes: int, rng: np.random.Generator):
    """The size of a letter, from 0 to 1: mirroring does not change it."""
    x, y = [], rng.uniform(0, 1, (n, 1)).astype(np.float32)
    for (share,) in y:
        image, _, colour = _canvas(shape, rng)
        size = int(shape[0] * (0.3 + 0.6 * share))
        letter = LETTERS[int(rng.integers(6))]
        place = rng.uniform(0, 0.2, 2) * shape[0]
        ImageDraw.Draw(image).text(tuple(place), letter, font=_font(size), fill=colour, anchor="lt")
        x.append(_finished(image, rng))
    return np.stack(x), y


def textures(n: int, shape: tuple[int, int], classes: int, rng: np.random.Generator):
    """Stripes and dots all over the image; the class is the pattern. Mirroring keeps it."""
    x, y = [], rng.permutation(np.arange(n) % classes)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    for label in y:
        _, back, colour = _canvas(shape, rng)
        pitch, shift = rng.uniform(4, 5), rng.uniform(0, 2 * np.pi, 2)
        down = np.sin(2 * np.pi * rows / pitch + shift[0])
        along = np.sin(2 * np.pi * columns / pitch + shift[1])
        form = (down, along, down * along, np.maximum(down, along))[label]
        ink = np.clip(0.5 + form, 0, 1)[..., None]
        mixed = (1 - ink) * np.array(back) + ink * np.array(colour)
        x.append(_finished(Image.fromarray(mixed.astype(np.uint8)), rng))
    return np.stack(x), y


def presence(n: int, shape: tuple[int, int], classes: int, rng: np.random.Generator):
    """Several small objects side by side; targets (n, classes), 1 for each object present."""
    x, y = [], (rng.random((n, classes)) < 0.5).astype(np.float32)
    for row in y:
        image, _, colour = _canvas(shape, rng)
        places = rng.permutation(classes)
        cell = shape[1] / classes
        size = min(shape[0], cell) * 0.95
        for label in np.flatnonzero(row):
            top = rng.uniform(0, shape[0] - size)
            points = np.array(OBJECTS[label]) * size + (places[label] * cell, top)
            ImageDraw.Draw(image).polygon([tuple(point) for point in points], fill=colour)
        x.append(_finished(image, rng))
    return np.stack(x), y


TASKS = {
    "letters": letters, "objects": objects, "pointers": pointers, "roads": roads,
    "blobs": blobs, "sizes": sizes, "textures": textures, "presence": presence,
}  # fmt: skip
