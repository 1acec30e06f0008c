"""Symmetrised kernels are the nearest symmetric ones, and the head is found."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest

from modelaudit.facts import Kernel
from modelaudit.measures.dihedral import elements
from modelaudit.probe.host.variable_pairing import variable_paths
from modelaudit.probe.study.interventions import (
    exchanged,
    generated,
    head_of,
    symmetrised,
    unmet,
    with_recalibrated_statistics,
)
from modelaudit.probe.study.runner import MeasurementUnavailable
from modelaudit.rules import examples
from modelaudit.structs import replace
from tests.diagnosis.cases import output
from tests.probe.fake_session import FakeSession, Source, artifact_of, linear, softmax

BY_NAME = {element.name: element for element in elements((1, 1))}
CONV = Kernel("conv", "k", "conv", "hwio", 2, (3, 3, 2, 4))


@pytest.mark.parametrize("name", ["H", "V", "r90", "r180", "r270", "T"])
def test_a_symmetrised_kernel_is_a_fixed_point_and_the_nearest_one(name):
    element = BY_NAME[name]
    values = np.random.default_rng(0).normal(size=(3, 3, 2, 4))
    group = generated(element)
    made = symmetrised(CONV, values, group)
    np.testing.assert_allclose(element.apply(made), made, atol=1e-12)
    # A projection is orthogonal: the removed part is orthogonal to the remaining one.
    assert np.vdot(values - made, made) == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(symmetrised(CONV, made, group), made, atol=1e-12)


def test_a_dense_kernel_is_symmetrised_on_its_grid():
    kernel = Kernel("d", "k", "dense", "io", 0, (6, 1), grid=(2, 3, 1))
    values = np.arange(6, dtype="float32").reshape(6, 1)
    made = symmetrised(kernel, values, generated(BY_NAME["H"]))
    np.testing.assert_array_equal(made.ravel(), [1, 1, 1, 4, 4, 4])


def test_the_head_is_the_last_kernel_with_a_bias():
    kernel, bias = np.ones((4, 2), "float32"), np.array([1, 2], "float32")
    artifact = artifact_of(kernel, bias, side=2)
    session = FakeSession(linear, {"head/k": kernel, "head/b": bias}, [(None, 2, 2, 1)])
    paths = variable_paths(artifact, session.observation)
    assert paths == {"kernel": "head/k", "bias": "head/b"}
    head = head_of(artifact, paths)
    assert (head.route, head.variable) == ("head", "head/b")
    np.testing.assert_array_equal(head.bias, bias)
    with pytest.raises(MeasurementUnavailable, match="is not in the restored model"):
        head_of(artifact, {})
    bare = replace(artifact, kernels=(replace(artifact.kernels[0], bias=None),))
    with pytest.raises(MeasurementUnavailable, match="no kernel has a bias"):
        head_of(bare, paths)


def test_tensors_of_equal_bytes_are_distinguished_or_excluded():
    same = np.zeros(2, "float32")
    artifact = artifact_of(np.ones((4, 2), "float32"), same, side=2)
    session = FakeSession(linear, {"a/bias": same, "b/bias": same}, [(None, 2, 2, 1)])
    assert variable_paths(artifact, session.observation) == {}


@pytest.mark.parametrize(("only", "changed"), [("", ["a", "b"]), ("b", ["b"])])
def test_statistics_are_recomputed_in_all_layers_or_in_one(only, changed):
    roles = ("moving_mean", "moving_variance")
    tensors = tuple(examples.tensor(f"{layer}/{role}", (2,)) for layer in "ab" for role in roles)
    paths = {tensor.name: f"model/{tensor.name}" for tensor in tensors}

    @contextmanager
    def refitted(layers, name):
        assert layers == {each: tuple(f"model/{each}/{role}" for role in roles) for each in changed}
        yield

    runner = SimpleNamespace(refitted=refitted, predict=lambda: {"head": np.ones(3)})
    artifact = examples.model(tensors=tensors)
    assert set(with_recalibrated_statistics(runner, artifact, paths, "few", only)) == {"head"}


def rows_of(values, x):
    """A network of three hidden layers with tanh, and four classes."""
    for name in "abc":
        x = np.tanh(x @ values[f"{name}/kernel"] + values[f"{name}/bias"])
    return softmax(4 * x @ values["head/kernel"])


@pytest.mark.parametrize("fault", ["exchanged", "redrawn", "other sizes"])
def test_two_layers_with_each_others_weights_are_found(fault):
    """The labels are what the network answers with its weights in their places."""
    rng, width = np.random.default_rng(3), 8 if fault == "other sizes" else 6
    sizes = {"a": (6, width), "b": (width, 6), "c": (6, 6), "head": (6, 4)}
    right = {f"{name}/kernel": rng.normal(size=size) for name, size in sizes.items()}
    right |= {f"{name}/bias": rng.normal(size=sizes[name][1]) for name in "abc"}
    x = rng.normal(size=(200, 6))
    y = rows_of(right, x).argmax(axis=1)
    stored = dict(right)
    for part in ("kernel", "bias"):
        if fault == "exchanged":
            stored[f"a/{part}"], stored[f"c/{part}"] = right[f"c/{part}"], right[f"a/{part}"]
        else:
            stored[f"a/{part}"] = rng.normal(size=right[f"a/{part}"].shape)
    live = dict(stored)

    @contextmanager
    def assigned(values):
        live.update(values)
        yield
        live.update(stored)

    tensors = tuple(
        replace(examples.tensor(name, values.shape), source=Source(values))
        for name, values in stored.items()
    )
    kernels = tuple(
        Kernel(
            name, f"{name}/kernel", "dense", "io", 0, sizes[name],
            bias=None if name == "head" else f"{name}/bias",
        )
        for name in sizes
    )  # fmt: skip
    artifact = replace(examples.model(tensors=tensors), kernels=kernels)
    runner = SimpleNamespace(assigned=assigned, predict=lambda: {"digit": rows_of(live, x)})
    given = rows_of(stored, x)
    seen = output(accuracy={"e": float((given.argmax(axis=1) == y).mean())})
    assert unmet(seen)
    found = exchanged(runner, artifact, {name: name for name in stored}, given, seen, y)
    assert not any((live[name] != stored[name]).any() for name in stored)
    if fault == "exchanged":
        assert (found.layer, found.other, found.responsible) == ("a", "c", True)
        assert found.score == 1.0
    else:
        assert found is None or not found.responsible


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({}, False),
        ({"accuracy": {"e": 0.2}}, True),
        ({"accuracy": {"e": 0.6}}, False),
        ({"accuracy": {"e": 0.2, "H": 0.9}}, False),
        ({"fit": {"e": -3.0}}, True),
        ({"fit": {"e": 0.1}}, False),
    ],
)
def test_layers_are_exchanged_only_where_labels_are_not_met(changes, wrong):
    assert unmet(output(**changes)) is wrong
