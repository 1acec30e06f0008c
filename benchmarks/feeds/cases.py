"""Each network of the feed benchmark with each of its feeds, and what the feed costs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.feeds.forms import Bytes, Feed, Floats, Images, Labels, feeds, load
from benchmarks.feeds.nets import NETS, save, train

MEASURED, LABELLED, UNLABELLED, SOUND_DRAWS = 1000, 64, 256, 3


@dataclass(frozen=True)
class Case:
    """One network with one feed, and what it costs: accuracies in [0, 1]."""

    net: str
    feed: str
    labelled: bool
    draw: int
    sound: float
    fed: float

    @property
    def cost(self) -> float:
        return self.sound - self.fed

    @property
    def key(self) -> str:
        """A file name for it."""
        words = re.sub(r"\W+", "-", self.feed)
        return f"{self.net}_{words}_{'labelled' if self.labelled else 'unlabelled'}_{self.draw}"


Predict = Callable[[Floats], Floats]


def accuracy(predict: Predict, x: Floats, y: Labels) -> float:
    """The share of images (n, H, W, C) whose most likely class is the label."""
    return float(np.mean(predict(x).argmax(1) == y))


def predictor(path: Path) -> Predict:
    """The saved network as a function from `MEASURED` images to outputs, in batches of 250."""
    import keras
    import tensorflow as tf

    starts = range(0, MEASURED, 250)
    if path.suffix:
        model = keras.models.load_model(path, compile=False)
        return lambda x: model.predict(x, batch_size=250, verbose=0)
    restored = tf.saved_model.load(path)
    return lambda x: np.concatenate([restored.serve(x[i : i + 250]).numpy() for i in starts])


@dataclass(frozen=True)
class Bench:
    """One trained network, its feeds, and the test images in random order."""

    name: str
    path: Path
    own: str
    mirrored: bool
    feeds: tuple[Feed, ...]
    x: Bytes
    y: Labels
    seed: int

    @property
    def measured(self) -> Images:
        """The images on which accuracies are measured; the others are fed."""
        return Images(self.x[MEASURED:], self.y[MEASURED:], self.x[:MEASURED], self.y[:MEASURED])


def benches(data: Path, root: Path, only: str) -> Iterator[Bench]:
    """Every network that `only` matches, trained if it is not yet."""
    held = cache(lambda name: load(data / f"{name}.npz"))
    for seed, net in enumerate(NETS, start=900):
        if not re.search(only, net.name):
            continue
        path = net.path(root)
        if not path.exists():
            save(train(net, held(net.data), seed), path)
        images = held(net.data)
        colour = images.test_x.shape[-1] == 3
        order = np.random.default_rng(seed).permutation(len(images.test_x))
        made = feeds(net.convention, colour=colour, mirrored=net.mirrored, seed=seed)
        yield Bench(
            *(net.name, path, net.convention, net.mirrored, tuple(made)),
            *(images.test_x[order], images.test_y[order], seed),
        )


def write(bench: Bench, root: Path) -> Iterator[Case]:
    """Measure each feed, and write its images."""
    predict, held = predictor(bench.path), bench.measured
    sound = accuracy(predict, bench.feeds[0].images(held.test_x, bench.own), held.test_y)
    rng = np.random.default_rng(bench.seed)
    for feed in bench.feeds:
        x = feed.images(held.test_x, bench.own)
        fed = accuracy(predict, x, feed.labels(held.test_y, bench.seed))
        for labelled in (True, False):
            if not labelled and (feed.faults > 1 or feed.renumbered):
                continue
            for draw in range(SOUND_DRAWS if not feed.faults else 1):
                size = LABELLED if labelled else UNLABELLED
                chosen = rng.permutation(len(held.train_x))[:size]
                images = feed.images(held.train_x[chosen], bench.own)
                labels = feed.labels(held.train_y[chosen], bench.seed)
                case = Case(bench.name, feed.name, labelled, draw, sound, fed)
                path = root / f"{case.key}.npz"
                if labelled:
                    np.savez(path, x=images, y=labels)
                else:
                    np.savez(path, x=images)
                yield case


def cases_of(root: Path, only: str) -> list[Case]:
    """The cases of all networks made so far."""
    files = sorted((root / "cases").glob("*.json"))
    rows = [row for file in files for row in json.loads(file.read_text(encoding="utf-8"))]
    return [case for case in (Case(**row) for row in rows) if re.search(only, case.net)]
