"""Cases of the causes in `modelaudit/runtimes/checks/silent_differences.py`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.runtimes.checks.cases.case import K2, K3, Case
from tests.runtimes.checks.cases.shared import archive, functional, h5, in_keras2, layer
from tests.runtimes.checks.making import Keras, changed, new, old, setting, stack


def words(k: Keras) -> Any:
    lookup = k.layers.StringLookup()
    lookup.adapt(np.array(["a", "b"]))
    value = k.Input((1,), dtype="string")
    return k.Model(value, lookup(value))


def table(folder: Path) -> Path:
    path = folder / "m.h5"
    words(new()).save(path)
    return changed(path, setting("StringLookup", vocabulary=None))


def table_of_keras2(folder: Path) -> Path:
    """What a save that raised an error left behind: Keras 2 writes the config first."""
    path = folder / "m.h5"
    lookup = old().layers.StringLookup()
    lookup.adapt(np.array(["a", "b"]))
    with pytest.raises(NotImplementedError):
        stack(old(), (1,), lookup).save(path)
    return path


def adapted(axis: int | tuple[int, ...] | None) -> Callable[[Keras], Any]:
    def build(k: Keras) -> Any:
        value = k.Input((3, 4))
        layer = k.layers.Normalization(axis=axis)
        layer.adapt(np.linspace(0, 9, 24).reshape(2, 3, 4))
        return k.Model(value, layer(value))

    return build


def weighed(name: str) -> Callable[[Keras], Any]:
    """Weights of words, as many as `max_tokens`."""

    def build(k: Keras) -> Any:
        lookup = getattr(k.layers, name)(
            max_tokens=20, pad_to_max_tokens=True, output_mode="tf_idf"
        )
        lookup.adapt(np.array([["a"], ["b"], ["a"]]))
        value = k.Input((1,), dtype="string")
        return k.Model(value, lookup(value))

    return build


def counted(folder: Path) -> Path:
    """Weights of words that are given with the words."""
    k, path = old(), folder / "m.h5"
    lookup = k.layers.StringLookup(
        vocabulary=["a", "b"], idf_weights=[0.1, 0.2], output_mode="tf_idf"
    )
    value = k.Input((1,), dtype="string")
    k.Model(value, lookup(value)).save(path)
    return path


CASES = (
    Case("counted-weights-of-words", K3, counted, {"tf-keras": in_keras2}),
    Case(
        "axes-dropped",
        K3,
        h5(functional(layer("LayerNormalization", axis=[1, 2]), (3, 4)), plain=True),
        {"tf-keras": in_keras2},
    ),
    Case(
        "axes-dropped",
        K3,
        h5(adapted(None), plain=True),
        {"tf-keras": in_keras2},
        note="statistics of all values",
    ),
    Case(
        "axes-dropped",
        K3,
        h5(adapted((1, 2)), plain=True),
        {"tf-keras": in_keras2},
        note="statistics of two axes",
    ),
    Case("padded-weights-of-words", K3, archive(weighed("StringLookup"), keras2=False)),
    Case(
        "padded-weights-of-words",
        K3,
        archive(weighed("TextVectorization"), keras2=False),
        note="of texts",
    ),
    Case("table-not-restored", K3, table, {}, later=(-1,)),
    Case("table-not-restored", K2, table_of_keras2, {}),
)
