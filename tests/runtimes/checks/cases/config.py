"""Cases of the causes in `modelaudit/runtimes/checks/config.py`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from modelaudit.runtimes.model import LoadCall
from tests.runtimes.checks.cases.case import K2, K3, Case, Way
from tests.runtimes.checks.cases.shared import (
    archive,
    dense,
    functional,
    given,
    h5,
    in_keras2,
    in_keras3,
    layer,
    layer_of_its_own,
    tensorflow,
)
from tests.runtimes.checks.making import Keras, new, old, stack, without_modules


def wrapped(k: Keras) -> Any:
    return stack(k, (5, 3), k.layers.TimeDistributed(k.layers.Dense(2)))


def saved_again(path: Path) -> Any:
    """Loaded by Keras 2, and saved there as HDF5, which Keras 3 loads."""
    in_keras2(path).save(path.with_suffix(".h5"))
    return in_keras3(path.with_suffix(".h5"))


def json_of_keras2(folder: Path) -> Path:
    """Weights beside an architecture in JSON."""
    model = dense(old())
    path = folder / "m.weights.h5"
    model.save_weights(folder / "part.h5")
    (folder / "part.h5").rename(path)
    config = json.loads(model.to_json())
    without_modules(config)
    (folder / "m.json").write_text(json.dumps(config))
    return path


def from_json(k: Callable[[], Keras]) -> Way:
    return lambda path: k().models.model_from_json((path.parent / "m.json").read_text())


def own_layer(name: str) -> Callable[[Keras], Any]:
    return lambda k: stack(k, (4,), layer_of_its_own(k, name)(name="own"), k.layers.Dense(2))


CASES = (
    Case("wrapped-without-module", K3, h5(wrapped, plain=True), {"tf-keras": in_keras2}),
    Case(
        "wrapped-without-module",
        K3,
        h5(lambda k: stack(k, (5, 3), k.layers.Bidirectional(k.layers.LSTM(2))), plain=True),
        {"tf-keras": in_keras2},
        note="Bidirectional",
    ),
    Case(
        "json-of-keras-2",
        K3,
        json_of_keras2,
        {"tf_keras.models.model_from_json": from_json(old)},
        LoadCall.FROM_JSON,
        from_json(new),
    ),
    Case(
        "unknown-class",
        K3,
        h5(own_layer("OwnLayer"), keras2=False),
        {"custom_objects": given(in_keras3, "OwnLayer")},
    ),
    Case(
        "unknown-class",
        K3,
        archive(own_layer("OwnLayer"), keras2=False),
        {"custom_objects": given(in_keras3, "OwnLayer")},
        note="archive",
    ),
    Case(
        "unknown-class",
        K2,
        h5(own_layer("OldLayer")),
        {"custom_objects": given(in_keras2, "OldLayer")},
    ),
    Case(
        "unknown-class",
        K2,
        archive(own_layer("OldLayer")),
        {"custom_objects": given(in_keras2, "OldLayer")},
        note="archive",
    ),
    Case(
        "unknown-class",
        K3,
        h5(functional(lambda k, v: tensorflow().nn.relu(v))),
        {"tf-keras": in_keras2},
        note="operation",
    ),
    Case(
        "unknown-class",
        K3,
        h5(lambda k: stack(k, (4, 4, 2), k.layers.LocallyConnected2D(2, 2), k.layers.Flatten())),
        {"tf-keras": in_keras2},
        note="removed layer",
    ),
    Case(
        "module-moved",
        K3,
        archive(functional(layer("Dense", units=2))),
        {"save it there as .h5": saved_again},
    ),
    Case(
        "module-moved",
        K2,
        archive(functional(layer("Dense", units=2)), keras2=False),
        {K3: in_keras3},
    ),
)
