"""One trained network of the population, and the cases that are made of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binom

from benchmarks.feeds.forms import Feed
from benchmarks.population import faults, nets
from benchmarks.population import session as sessions
from benchmarks.population.data import drawn

MODES = ("labelled", "unlabelled", "built-in")
COST = 0.05  # accuracy or R2 that a fault costs at least, and that a training gains


def score(outputs: np.ndarray, y: np.ndarray, n: nets.Net) -> float:
    """Accuracy, for several labels over all of them; R2 of numbers."""
    if not np.isfinite(outputs).all():
        return 0.0
    if n.task == "classes":
        return float(np.mean(outputs.argmax(1) == y))
    if n.task == "multi-label":
        return float(np.mean((outputs > 0.5) == (y > 0.5)))
    return float(1 - np.mean((outputs - y) ** 2) / np.var(y))


def learnt(value: float, y: np.ndarray, n: nets.Net) -> bool:
    """Whether a score is beyond chance."""
    if n.task == "regression":
        return value > 0.05
    if n.task == "multi-label":
        return value > 0.6
    return bool(binom.sf(round(value * len(y)) - 1, len(y), np.bincount(y).max() / len(y)) < 1e-3)


class Made:
    """A trained network, and what its faulty copies need."""

    def __init__(self, n: nets.Net, folder: Path, before: Made | None) -> None:
        import keras

        keras.utils.set_random_seed(n.number)
        self.keras, self.n, self.folder = keras, n, folder
        self.rng = np.random.default_rng(n.number)
        alike = before and before.n.number // 3 == n.number // 3
        if before and alike and before.n.mirrored == n.mirrored:
            self.model, self.live = before.model, before.live
        else:
            keras.backend.clear_session()
            self.model = nets.compiled(keras, n)
            self.live = sessions.adapter(self.model)
            if n.number % 3:  # as where the model of the one before is used again
                keras.utils.set_random_seed(n.number)
        nets.renew(keras, self.model, n)
        if n.fault != "untouched":
            nets.train(self.model, n, n.number)
        self.x, self.y = drawn(
            n.data, nets.TESTED, n.shape, n.classes, n.channels, 10_000 + n.number
        )
        self.given, self.answers = drawn(
            n.data, 112, n.shape, n.classes, n.channels, 20_000 + n.number
        )
        self.weights = self.model.get_weights()
        self.optimizer = self.rng.random() < 0.5
        self.bench = faults.Bench(
            self.rng, nets.fed(self.x[:200], n), lambda: nets.build(keras, n), self.foreign
        )
        self.sound = self.score()
        self.unsettled = self._recomputed() >= self.sound + COST

    @property
    def weak(self) -> bool:
        """Whether the training gained too little."""
        known = self.n.task == "classes"
        return known and self.sound < np.bincount(self.y).max() / len(self.y) + COST

    def _recomputed(self) -> float:
        """The score with batch statistics recomputed from half of the inputs."""
        norms = [
            layer
            for layer in self.model._flatten_layers()
            if isinstance(layer, self.keras.layers.BatchNormalization)
        ]
        if not norms:
            return self.sound
        for norm in norms:
            norm.momentum = 0.0
        self.model(nets.fed(self.x[: len(self.x) // 2], self.n), training=True)
        for norm in norms:
            norm.momentum = self.n.momentum
        found = self.score()
        self.model.set_weights(self.weights)
        return found

    def unclear(self, causes: str) -> bool:
        """Whether a case is neither sound nor has just these causes, whatever is done to it.

        So it is if the training gained too little, or if the network's own statistics cost
        accuracy, unless what is done replaces them.
        """
        replaced = {"untouched", "statistics"} & set(causes.split(" + "))
        return self.weak or (self.unsettled and not replaced)

    def foreign(self) -> Any:
        """The network of another training, of half the length."""
        weights = self.model.get_weights()
        state = [np.array(variable) for variable in self.model.optimizer.variables]
        other = nets.build(self.keras, self.n)
        nets.renew(self.keras, self.model, self.n)
        nets.train(self.model, self.n, 40_000 + self.n.number, 0.5)
        other.set_weights(self.model.get_weights())
        self.model.set_weights(weights)
        for variable, value in zip(self.model.optimizer.variables, state, strict=True):
            variable.assign(value)
        return other

    def score(self, feed: Feed | None = None) -> float:
        """The score on other inputs, in the form of a feed."""
        x = feed.images(self.x, self.n.convention) if feed else nets.fed(self.x, self.n)
        y = feed.labels(self.y, self.n.number) if feed else self.y
        return score(np.asarray(self.live.infer([x])[self.live.output_names[0]]), y, self.n)

    def saved(self, name: str, *, optimizer: bool) -> Path:
        """The file of the network as it is now."""
        stem = self.folder / f"{self.n.number}_{name}"
        if self.n.saver == "export":
            self.model.export(str(stem), verbose=False)
            return stem
        if self.n.saver == "weights":
            path = stem.with_suffix(".weights.h5")
            self.model.save_weights(path)
            stem.with_suffix(".json").write_text(self.model.to_json(), encoding="utf-8")
            return path
        path = stem.with_suffix(f".{self.n.saver}")
        self.model.save(path, include_optimizer=optimizer)
        return path

    def inputs(
        self, mode: str, feed: Feed | None, least: int, path: Path
    ) -> tuple[Path | None, int]:
        """Write the inputs of one case; labels are those that the feed brings."""
        if mode == "built-in":
            return None, 0
        count = int(self.rng.integers(least, len(self.given) + 1))
        some = self.given[:count], self.answers[:count]
        x = feed.images(some[0], self.n.convention) if feed else nets.fed(some[0], self.n)
        if mode == "unlabelled":
            np.savez(path, x=x)
        else:
            np.savez(path, x=x, y=feed.labels(some[1], self.n.number) if feed else some[1])
        return path, count


def cases(made: Made) -> Iterator[tuple[str, str, str, Feed | None, faults.Fault | None]]:
    """(condition, causes, mode, feed, fault of weights) of each case of a network."""
    n, rng = made.n, made.rng
    poor = n.fault == "untouched" or not learnt(made.sound, made.y, n)
    if poor:
        bad = "untouched" if n.fault in {"untouched", "tiny rate"} else "training"
        for mode in MODES:
            yield f"training: {n.fault or 'too short'}", bad, mode, None, None
        return
    for mode in MODES[: 2 + (rng.random() < 0.5)]:
        yield "sound", "sound", mode, None, None
    feeds = list(faults.feeds(n, rng))
    for place, feed in enumerate(feeds[:3]):
        yield feed.name, faults.cause_of(feed), "labelled", feed, None
        if place == 0 and not feed.renumbered:
            yield feed.name, faults.cause_of(feed), "unlabelled", feed, None
    usual = faults.harms(n)
    chosen = [usual[place] for place in rng.permutation(len(usual))[:3]]
    for fault in chosen:
        mode = MODES[int(rng.choice(3, p=(0.5, 0.3, 0.2)))]
        yield fault.name, fault.cause, mode, None, fault
    if not feeds or rng.random() < 0.4:
        return
    others = [each for each in feeds[1:] if faults.cause_of(each) != faults.cause_of(feeds[0])]
    if others and rng.random() < 0.6:
        both = faults.joined(feeds[0], others[0])
        causes = " + ".join(sorted({faults.cause_of(feeds[0]), faults.cause_of(others[0])}))
        yield both.name, causes, "labelled", both, None
        return
    fault = next((each for each in usual if each.name == faults.JOINED[rng.integers(4)]), None)
    if fault:
        causes = " + ".join(sorted({faults.cause_of(feeds[0]), fault.cause}))
        yield f"{feeds[0].name}, {fault.name}", causes, "labelled", feeds[0], fault
