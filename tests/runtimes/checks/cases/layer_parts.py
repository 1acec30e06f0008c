"""Cases of the causes in `modelaudit/runtimes/checks/layer_parts.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.runtimes.checks.cases.case import K2, K3, Case
from tests.runtimes.checks.cases.shared import archive, dense, given, h5, in_keras2, in_keras3
from tests.runtimes.checks.making import Keras, changed, setting, stack


def by_name(path: Path) -> Any:
    """The activation by its name in the config, and given."""
    change = setting("Dense", activation="twice")
    return given(in_keras2, "twice")(changed(path, change))


def own_activation(k: Keras) -> Any:
    def twice(x: Any) -> Any:
        return x * 2

    return stack(k, (4,), k.layers.Dense(2, activation=twice))


def from_matrix(k: Keras) -> Any:
    matrix = k.initializers.Constant(np.arange(12, dtype="float32").reshape(4, 3))
    return stack(k, (4,), k.layers.Dense(3, kernel_initializer=matrix))


def one_number(path: Path) -> Any:
    value = {"class_name": "Constant", "config": {"value": 0.5}}
    return in_keras2(changed(path, setting("Dense", kernel_initializer=value)))


CASES = (
    Case("array-in-hdf5", K2, h5(from_matrix), {"with a number": one_number}),
    Case("unknown-object", K3, h5(dense, setting("Dense", activation="odd")), {}),
    Case("unknown-object", K2, h5(dense, setting("Dense", activation="odd")), {}),
    Case(
        "unknown-object",
        K3,
        h5(dense, setting("Dense", activation={"class_name": "LeakyReLU", "config": {}})),
        {},
        note="layer as an activation",
    ),
    Case(
        "unknown-object",
        K3,
        h5(dense, setting("Dense", kernel_initializer={"class_name": "Odd", "config": {}})),
        {},
        note="initializer",
    ),
    Case(
        "unknown-object",
        K2,
        h5(dense, setting("Dense", kernel_initializer={"class_name": "Odd", "config": {}})),
        {},
        note="initializer",
    ),
    Case(
        "unknown-object",
        K3,
        archive(own_activation, keras2=False),
        {"custom_objects": given(in_keras3, "twice")},
        note="function in an archive",
    ),
    Case(
        "unknown-object",
        K3,
        h5(own_activation, keras2=False),
        {"custom_objects": given(in_keras3, "twice")},
        note="function in HDF5",
    ),
    Case(
        "unknown-object",
        K2,
        archive(own_activation),
        {"custom_objects": given(in_keras2, "twice")},
        note="function in an archive",
    ),
    Case(
        "unknown-object",
        K2,
        h5(own_activation),
        {"the plain string": by_name},
        note="function in HDF5",
    ),
    Case(
        "unknown-object",
        K3,
        h5(dense, setting("Dense", kernel_regularizer={"class_name": "Odd", "config": {}})),
        {},
        note="regularizer",
    ),
    Case(
        "unknown-object",
        K2,
        h5(dense, setting("Dense", kernel_constraint={"class_name": "Odd", "config": {}})),
        {},
        note="constraint",
    ),
    Case(
        "unknown-object",
        K3,
        h5(dense, setting("Dense", kernel_constraint={"class_name": "Odd", "config": {}})),
        {},
        note="constraint",
    ),
)
