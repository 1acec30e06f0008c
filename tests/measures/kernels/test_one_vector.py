"""Layers that got one vector from every input, against Adam's averages of made gradients."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.facts import TensorStats
from modelaudit.measures.kernels.one_vector import one_vector
from modelaudit.rules import examples
from modelaudit.structs import replace
from tests.measures.artifacts import tensor

ROW = np.array([0.5, -2.0, 0.0, 3.0, 1.0])


def averages(gradients: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The m and v of Adam (arXiv:1412.6980, algorithm 1) after these gradients."""
    first, second = np.zeros_like(gradients[0]), np.zeros_like(gradients[0])
    for each in gradients:
        first, second = 0.9 * first + 0.1 * each, 0.999 * second + 0.001 * each**2
    return first, second


def stats_of(values: np.ndarray) -> TensorStats:
    numbers = (values.min(), values.max(), values.mean(), values.std())
    return TensorStats(*map(float, numbers), int((values == 0).sum()), 0)


def saved(layer, gradients):
    """The layer with Adam's averages of these gradients of each of its weights."""
    made, slots = examples.model(layer), []
    for role, of in gradients.items():
        for name, values in zip(("momentum", "velocity"), averages(of), strict=True):
            path = f"optimizer_weights/adam/{layer.name}_{role}_{name}"
            stored = tensor(path, values.astype("float32"))
            slots.append(replace(stored, role="optimizer", stats=stats_of(values)))
    made = replace(made, tensors=(*made.tensors, *slots))
    return replace(made, training={"optimizer": {"class_name": "Adam"}})


def named(inputs, sums, units=6, activation="relu"):
    """The layer that is told, of one with these batches of inputs and gradients of its sums."""
    variables = {role: f"dense/{role}" for role in ("kernel", "bias")}
    layer = examples.layer("dense", "Dense", variables, {"units": units, "activation": activation})
    gradients = {
        "kernel": [x.T @ z for x, z in zip(inputs, sums, strict=True)],
        "bias": [z.sum(axis=0) for z in sums],
    }
    return one_vector(saved(layer, gradients), 1 << 20)


def batches(steps=40, units=6, seed=0):
    """Gradients of sums of 8 samples, some units without one, as behind ReLUs."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(8, units)) * (rng.random((8, units)) > 0.4) for _ in range(steps)]


def test_one_vector_is_told_from_many():
    rng = np.random.default_rng(1)
    sums = batches()
    alike = [np.tile(ROW, (8, 1)) for _ in sums]
    assert named(alike, sums) == "dense"
    once = [x.copy() for x in alike]
    once[-1][3] += 0.01 * rng.normal(size=5)  # a single sample of the last batch
    assert named(once, sums) == ""
    assert named([rng.normal(size=(8, 5)) for _ in sums], sums) == ""
    signs = [np.abs(ROW) * rng.choice([-1.0, 1.0], size=(8, 5)) for _ in sums]
    assert named(signs, sums) == ""


def test_units_whose_gradients_are_multiples_of_each_other_tell_nothing():
    """As of a softmax over two classes, or of a layer without activation before one unit."""
    rng = np.random.default_rng(2)
    one = [rng.normal(size=(8, 1)) for _ in range(40)]
    sums = [z * np.array([1.0, -1.0]) for z in one]
    assert named([rng.normal(size=(8, 5)) for _ in sums], sums, 2, "softmax") == ""
    assert named([np.tile(ROW, (8, 1)) for _ in sums], sums, 2, "softmax") == ""


def test_a_single_input_with_a_gradient_tells_nothing():
    """As of a hinge, whose other samples keep their margin."""
    rng = np.random.default_rng(3)
    sums = [np.zeros((8, 6)) for _ in range(40)]
    sums[30][2] = rng.normal(size=6)
    assert named([rng.normal(size=(8, 5)) for _ in sums], sums) == ""


@pytest.mark.parametrize("differ", [False, True])
def test_a_convolution_that_sees_no_border_is_told(differ):
    """Of images of one colour, the same for all, the middle of a window always sees that colour."""
    rng = np.random.default_rng(4)
    maps = [rng.normal(size=(8, 5, 5, 6)) for _ in range(40)]
    colour = np.array([0.2, 0.7, -1.0])
    gradients = {"kernel": [], "bias": []}
    for z in maps:
        x = np.broadcast_to(colour, (8, 5, 5, 3)).copy()
        if differ:
            x[0, 2, 2, 0] = 0.4
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        kernel = np.zeros((3, 3, 3, 6))
        for i in range(3):
            for j in range(3):
                kernel[i, j] = np.einsum("bhwc,bhwk->ck", padded[:, i : i + 5, j : j + 5], z)
        gradients["kernel"].append(kernel)
        gradients["bias"].append(z.sum(axis=(0, 1, 2)))
    config = {"filters": 6, "activation": "relu", "padding": "same", "strides": [1, 1]}
    variables = {role: f"conv/{role}" for role in gradients}
    made = saved(examples.layer("conv", "Conv2D", variables, config), gradients)
    assert one_vector(made, 1 << 20) == ("" if differ else "conv")
