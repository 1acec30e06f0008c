"""What is done to a trained network, or to what it is fed, and the causes that are then present.

A *cause* of the population is one of those of `modelaudit.odds`; two faults at once have both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.diagnosis import faults as weights
from benchmarks.diagnosis.faults import Bench, Unsuited
from benchmarks.feeds.forms import CONVENTIONS, Feed
from benchmarks.population.data import FAMILIES
from benchmarks.population.nets import Net

Harm = Callable[[Any, Bench], None]


def _kernels(model: Any) -> list[Any]:
    return weights._kernels(model)


def _changed(layer: Any, value: np.ndarray) -> None:
    layer.set_weights([value, *layer.get_weights()[1:]])


def exploded(model: Any, bench: Bench) -> None:
    """Every kernel as large as after a training that diverged."""
    for layer in _kernels(model):
        _changed(layer, layer.get_weights()[0] * float(10 ** bench.rng.uniform(3, 5)))


def zeroed(model: Any, bench: Bench) -> None:
    """All weights of one layer are zeros, as where a copy ended early."""
    layers = _kernels(model)
    layer = layers[int(bench.rng.integers(len(layers)))]
    layer.set_weights([np.zeros_like(each) for each in layer.get_weights()])


def not_finite(model: Any, bench: Bench) -> None:
    """Some weights of one layer are NaN, or all are, as after a training that diverged."""
    layers = _kernels(model)
    for layer in layers if bench.rng.random() < 0.5 else layers[:1]:
        value = layer.get_weights()[0]
        _changed(layer, np.where(bench.rng.random(value.shape) < 0.3, np.nan, value))


def stale(model: Any, bench: Bench) -> None:
    """Statistics of an earlier moment: part of the way from their initial values."""
    if not weights._norms(model):
        raise Unsuited
    share = float(bench.rng.uniform(0.05, 0.4))
    for norm in weights._norms(model):
        mean, variance = norm.get_weights()[2:]
        weights._set(norm, w2=share * mean, w3=1 - share + share * variance)


def _normed(harm: Harm) -> Harm:
    def applied(model: Any, bench: Bench) -> None:
        if len(weights._norms(model)) < 2:
            raise Unsuited
        harm(model, bench)

    return applied


def redrawn_inner(model: Any, bench: Bench) -> None:
    """One layer but the head has initial values, with what normalizes it."""
    layers, anew = _kernels(model), _kernels(bench.untrained())
    place = int(bench.rng.integers(len(layers) - 1))
    layers[place].set_weights(anew[place].get_weights())


@dataclass(frozen=True)
class Fault:
    """A fault of the weights: `cause` is present after `harm`; of classes only if `classes`."""

    name: str
    cause: str
    harm: Harm
    classes: bool = False


WEIGHTS = (
    Fault("never loaded", "untouched", weights.never_loaded),
    Fault("layer redrawn", "partial", redrawn_inner),
    Fault("head redrawn", "partial", weights.redrawn_head),
    Fault("statistics lost", "statistics", _normed(weights.statistics_lost)),
    Fault("one layer's statistics lost", "statistics", _normed(weights.one_statistic_lost)),
    Fault("statistics stale", "statistics", stale),
    Fault("head bias +60", "head", weights.head_bias, classes=True),
    Fault("head bias, moderate", "head", weights.moderate_bias, classes=True),
    Fault("dead layer", "dead", weights.dead),
    Fault("weights exploded", "exploded", exploded),
    Fault("layer of zeros", "damaged", zeroed),
    Fault("NaN", "damaged", not_finite),
    Fault("filters permuted", "misplaced", weights.permuted),
    Fault("layers exchanged", "misplaced", weights.exchanged),
    Fault("foreign layer", "misplaced", weights.foreign_layer),
    Fault("flatten order", "misplaced", weights.channels_first),
)
# Weight faults that are also tried together with a fault of the feed.
JOINED = ("head redrawn", "layer redrawn", "statistics lost", "head bias +60")


def harms(n: Net) -> list[Fault]:
    """The faults of weights to choose from; rectified layers die, others do not."""
    return [
        fault
        for fault in WEIGHTS
        if ((n.task == "classes" and n.classes > 2) or not fault.classes)
        and (n.activation == "relu" or fault.name != "dead layer")
    ]


def feeds(n: Net, rng: np.random.Generator) -> Iterator[Feed]:
    """Feeds with one fault, in random order. Those that cost nothing count as neither."""
    if not n.image:
        return
    family = FAMILIES[n.data]
    found = []
    if family.upright:
        turns = ["H", "V", "r180"] + ["r90", "r270", "T"] * (n.shape[0] == n.shape[1])
        found += [Feed(turn, turn=turn) for turn in rng.permutation(turns)[:2].tolist()]
    others = [c for c in CONVENTIONS if c != n.convention and (n.channels == 3 or c != "caffe")]
    found += [Feed(each, convention=each) for each in rng.permutation(others)[:2].tolist()]
    if n.channels == 3:
        found.append(Feed("red and blue exchanged", swapped=True))
    if n.task == "classes":
        found.append(Feed("renumbered", renumbered=True))
    yield from (found[place] for place in rng.permutation(len(found)))


def cause_of(feed: Feed) -> str:
    """The cause that a feed with one fault has."""
    if feed.turn:
        return "orientation"
    return "numbering" if feed.renumbered else "values"


def joined(a: Feed, b: Feed) -> Feed:
    """Both faults at once; of two causes."""
    return Feed(
        f"{a.name}, {b.name}",
        a.turn or b.turn,
        a.convention or b.convention,
        a.swapped or b.swapped,
        a.renumbered or b.renumbered,
    )
