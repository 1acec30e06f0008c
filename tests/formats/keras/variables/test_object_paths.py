"""Binding of variables that checkpoints and SavedModels name by their path from the root object."""

from __future__ import annotations

import pytest

from modelaudit.formats.keras.config import parse_architecture
from modelaudit.formats.keras.variables.matching import bind
from modelaudit.settings import Limits
from tests.formats.bindings import PLAIN, SHAPES, faults, weight

OBJECT_PATHS = (
    "layer_with_weights-1/kernel",
    "model/layer_with_weights-1/kernel/.ATTRIBUTES/VARIABLE_VALUE",
    "root/layer-1/kernel",
    "_operations/2/_kernel",
    "model/_functional/_operations/2/_kernel",
    "_layers/2/_kernel",
    "conv2d_1/kernel",
)


@pytest.mark.parametrize("path", OBJECT_PATHS)
@pytest.mark.parametrize("layout", ["saved_model", "checkpoint"])
def test_object_paths(path: str, layout: str) -> None:
    architecture = parse_architecture(PLAIN, limits=Limits())
    binding = bind(architecture, [weight(path, 3, 3, 4, 4)], layout)
    assert binding.architecture.layer("conv2d_1").variables == {"kernel": path}
    assert binding.unclaimed == ()


def test_nameless_variables_are_bound_by_a_unique_shape_only() -> None:
    architecture = parse_architecture(PLAIN, limits=Limits())
    shapes = list(SHAPES.values())
    tensors = [weight(f"_all_variables/{i}", *shape) for i, shape in enumerate(shapes)]
    binding = bind(architecture, tensors, "saved_model")
    assert binding.architecture.layer("dense").variables == {
        "kernel": "_all_variables/4",
        "bias": "_all_variables/5",
    }
    assert set(binding.unclaimed) == {f"_all_variables/{i}" for i in range(4)}
    named = dict(zip((t.name for t in tensors), SHAPES, strict=True))
    assert faults(bind(architecture, tensors, "saved_model", var_names=named)) == ((), (), ())


def test_a_second_copy_of_a_variable_is_claimed_too() -> None:
    architecture = parse_architecture(PLAIN, limits=Limits())
    tensors = [weight("_all_variables/0", 256, 2), weight("variables/3", 256, 2)]
    names = {"_all_variables/0": "model/dense/kernel", "variables/3": "model/dense/kernel"}
    binding = bind(architecture, tensors, "saved_model", var_names=names)
    assert binding.unclaimed == ()
    assert binding.architecture.layer("dense").variables == {"kernel": "_all_variables/0"}
