"""The forms that a weight can have in an export, on arrays."""

from __future__ import annotations

import numpy as np

from modelaudit.restore.exports import EQUAL, FOLDED, PARTS, compare_export
from tests.measures import artifacts


def test_gates_of_a_fused_recurrent_layer_are_split():
    rng = np.random.default_rng(2)
    kernel, bias = rng.normal(size=(6, 20)), rng.normal(size=20)
    source = artifacts.artifact({"lstm/kernel": kernel, "lstm/bias": bias})
    parts = {f"gate_{i}": part.T.copy() for i, part in enumerate(np.split(kernel, 4, axis=1))}
    biases = {f"bias_{i}": part for i, part in enumerate(np.split(bias, 4))}
    assert compare_export(source, artifacts.artifact({**parts, **biases})).forms == {PARTS: 2}
    del biases["bias_2"]
    assert compare_export(source, artifacts.artifact({**parts, **biases})).missing == ("lstm/bias",)


def before_dense(tensors, kernel, layer):
    """A model of one layer before a Dense layer."""
    layers = (artifacts.layer("x", "InputLayer"), layer, artifacts.layer("dense", "Dense"))
    return artifacts.artifact(tensors, [kernel], artifacts.chain(*layers))


def test_what_is_before_a_layer_is_folded_into_it():
    """A normalization behind an activation, and a rescaling; another normalization is seen."""
    rng = np.random.default_rng(4)
    gamma, beta, mean, variance = rng.uniform(0.5, 2, (4, 6))
    kernel, bias = rng.normal(size=(6, 3)), rng.normal(size=3)
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    weights = dict(zip(names, (gamma, beta, mean, variance), strict=True))
    norm = artifacts.layer(
        *("norm", "BatchNormalization"),
        config={"epsilon": 1e-3},
        variables={name: f"norm/{name}" for name in names},
    )
    dense = artifacts.kernel("dense", kernel.shape, bias="dense/bias")
    held = {f"norm/{name}": value for name, value in weights.items()}
    held |= {"dense/kernel": kernel, "dense/bias": bias}
    source = before_dense(held, dense, norm)
    scale = gamma / np.sqrt(variance + 1e-3)
    folded = {
        "dense/kernel": kernel * scale[:, None],
        "dense/bias": bias + (beta - mean * scale) @ kernel,
    }
    assert compare_export(source, artifacts.artifact(folded, [dense])).forms == {FOLDED: 6}
    folded["dense/kernel"][0] *= 1.5
    found = compare_export(source, artifacts.artifact(folded, [dense]))
    assert [each.tensor for each in found.differing] == ["dense/kernel"]
    rescaling = artifacts.layer("scale", "Rescaling", config={"scale": 1 / 255, "offset": 0.0})
    source = before_dense({"dense/kernel": kernel}, dense, rescaling)
    export = artifacts.artifact({"dense/kernel": kernel / 255}, [dense])
    assert compare_export(source, export).forms == {FOLDED: 1}
    other = artifacts.artifact({"dense/kernel": kernel / 127.5}, [dense])
    assert compare_export(source, other).differing


def test_kernels_of_one_axis_have_two_in_an_export():
    values = np.random.default_rng(5).normal(size=(3, 4, 5))
    source = artifacts.artifact({"c/kernel": values}, [artifacts.kernel("c", values.shape)])
    export = artifacts.artifact({"c/kernel": values[None]}, [artifacts.kernel("c", (1, 3, 4, 5))])
    assert compare_export(source, export).forms == {EQUAL: 1}


def test_two_rows_of_biases_are_two_constants():
    values = np.random.default_rng(6).normal(size=(2, 20))
    source = artifacts.artifact({"gru/bias": values})
    assert compare_export(source, artifacts.artifact({"a": values[0], "b": values[1]})).forms == {
        PARTS: 1
    }
    assert compare_export(source, artifacts.artifact({"a": values[0]})).missing == ("gru/bias",)


def test_a_kernel_that_the_export_lacks_and_one_that_the_source_lacks():
    rng = np.random.default_rng(0)
    small, large = rng.normal(size=(3, 3, 1, 2)), rng.normal(size=(3, 3, 1, 4))
    sides = []
    for values in (small, large):
        kernel = artifacts.kernel("c", values.shape)
        sides.append(artifacts.artifact({kernel.tensor: values}, [kernel]))
    found = compare_export(*sides)
    assert (found.missing, found.unexpected) == (("c/kernel",), ("c/kernel",))
    assert compare_export(sides[0], sides[0]).forms == {EQUAL: 1}


def test_a_kernel_that_differs_is_not_held_against_an_equal_of_another():
    """The first is ten times as large in the export, which the second is nearer to."""
    rng = np.random.default_rng(7)
    one, two = rng.normal(size=(2, 6, 3))
    kernels = [artifacts.kernel(name, one.shape) for name in ("one", "two")]
    source = artifacts.artifact({"one/kernel": one, "two/kernel": two}, kernels)
    export = artifacts.artifact({"one/kernel": two, "two/kernel": 10 * one}, kernels)
    (found,) = compare_export(source, export).differing
    assert found.tensor == "one/kernel"
    assert found.factor == 10


def test_a_rescaling_before_and_a_normalization_behind_are_folded_together():
    """Also in steps of 8 bits; other statistics are named, unlike another kernel."""
    rng = np.random.default_rng(6)
    gamma, beta, mean, variance = rng.uniform(0.5, 2, (4, 5))
    kernel = rng.normal(size=(9, 5))
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    layers = (
        artifacts.layer("x", "InputLayer"),
        artifacts.layer("scale", "Rescaling", config={"scale": 1 / 255, "offset": -0.5}),
        artifacts.layer("dense", "Dense"),
        artifacts.layer(
            *("norm", "BatchNormalization"),
            config={"epsilon": 1e-3},
            variables={name: f"norm/{name}" for name in names},
        ),
    )
    plain = artifacts.kernel("dense", kernel.shape)
    values = (gamma, beta, mean, variance)
    held = {f"norm/{name}": each for name, each in zip(names, values, strict=True)}
    chain = artifacts.chain(*layers)
    source = artifacts.artifact({**held, "dense/kernel": kernel}, [plain], chain)

    def exported(variance, kernel):
        scale = gamma / np.sqrt(variance + 1e-3)
        bias = (-0.5 * kernel.sum(axis=0) - mean) * scale + beta
        folded = {"dense/kernel": kernel * scale / 255, "dense/bias": bias}
        biased = artifacts.kernel("dense", kernel.shape, bias="dense/bias")
        return compare_export(source, artifacts.artifact(folded, [biased]))

    assert exported(variance, kernel).forms == {FOLDED: 5}
    assert exported(variance, kernel).refolded == ()
    found = exported(rng.uniform(0.5, 2, 5), kernel)
    assert (found.refolded, found.differing[0].tensor) == (("dense",), "dense/kernel")
    found = exported(variance, rng.normal(size=kernel.shape))
    assert (found.refolded, found.differing[0].tensor) == ((), "dense/kernel")


def test_a_normalization_without_a_kernel_is_a_product_and_a_sum():
    rng = np.random.default_rng(7)
    gamma, beta, mean, variance = rng.uniform(0.5, 2, (4, 5))
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    layers = (
        artifacts.layer("x", "InputLayer"),
        artifacts.layer(
            *("norm", "BatchNormalization"),
            config={"epsilon": 1e-3},
            variables={name: f"norm/{name}" for name in names},
        ),
        artifacts.layer("relu", "ReLU"),
    )
    values = (gamma, beta, mean, variance)
    held = {f"norm/{name}": each for name, each in zip(names, values, strict=True)}
    source = artifacts.artifact(held, [], artifacts.chain(*layers))
    scale = gamma / np.sqrt(variance + 1e-3)
    constants = {"mul": scale, "add": beta - mean * scale}
    found = compare_export(source, artifacts.artifact(constants))
    assert (found.forms, found.refolded) == ({FOLDED: 4}, ())
    found = compare_export(source, artifacts.artifact({**constants, "mul": 1.1 * scale}))
    assert (found.missing, found.refolded) == (tuple(held), ("norm",))


def test_kernels_of_attention_have_their_heads_joined():
    """(features, heads, sizes) becomes (heads · sizes, features), (heads, sizes, features) too."""
    rng = np.random.default_rng(6)
    query, output = rng.normal(size=(6, 2, 5)), rng.normal(size=(2, 5, 6))
    source = artifacts.artifact({"query/kernel": query, "output/kernel": output})
    export = {"a": query.reshape(6, 10).T.copy(), "b": output.reshape(10, 6).T.copy()}
    assert compare_export(source, artifacts.artifact(export)).forms == {EQUAL: 2}
    export["b"][0, 0] += 1
    found = compare_export(source, artifacts.artifact(export))
    assert (found.identical, found.missing) == (1, ("output/kernel",))


def test_a_number_without_an_axis_is_a_whole():
    """Optimiser steps and scales are such; other weights are found beside them."""
    kernel = np.random.default_rng(5).normal(size=(6, 4))
    held = {"dense/kernel": kernel, "scale": np.array(0.25), "other": np.array(0.5)}
    source = artifacts.artifact(held)
    export = artifacts.artifact({"scale": np.array(0.25), "w": kernel, "foreign": np.array(7.0)})
    found = compare_export(source, export)
    assert found.missing == ("other",)
    assert found.forms == {EQUAL: 2}
