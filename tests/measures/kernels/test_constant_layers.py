"""Interval arithmetic against brute force: networks of numpy on many inputs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelaudit.audit_types.kernels import ConstantLayer
from modelaudit.facts import Architecture, Artifact, Format, Tensor, TensorStats
from modelaudit.measures.architecture.layer_graph import layer_graph
from modelaudit.measures.kernels.constant_layers import _kind, constant_layers
from modelaudit.structs import replace
from tests.measures.artifacts import layer, tensor


def stored(name: str, values: np.ndarray) -> Tensor:
    wide = values.astype(float)
    zeros = int((wide == 0).sum())
    stats = TensorStats(wide.min(), wide.max(), wide.mean(), wide.std(), zeros, 0)
    return replace(tensor(name, values.astype("f4")), stats=stats)


def dense(name, before, kernel, bias, activation, **config):
    """A Dense layer and its tensors."""
    names = {"kernel": f"{name}/kernel", "bias": f"{name}/bias"}
    config = {"activation": activation, **config}
    made = layer(name, "Dense", [before], config=config, variables=names)
    return made, (stored(names["kernel"], np.array(kernel)), stored(names["bias"], np.array(bias)))


def found(layers, tensors, outputs=("head",)) -> tuple[ConstantLayer, ...]:
    architecture = Architecture("Functional", "m", "keras3", tuple(layers), ("x",), outputs)
    artifact = Artifact(root="m", format=Format.KERAS_ARCHIVE, tensors=tuple(tensors))
    return constant_layers(artifact, layer_graph(architecture), 1 << 30)


X = layer("x", "InputLayer")
HEAD = dense("head", "b", np.ones((3, 2)), np.zeros(2), "softmax")


def stack(first_activation, kernel, bias, activation="relu"):
    """A layer of three units with ordinary weights, the layer in question, and a head."""
    rng = np.random.default_rng(0)
    a, of_a = dense("a", "x", rng.normal(size=(4, 3)), rng.normal(size=3), first_activation)
    b, of_b = dense("b", "a", kernel, bias, activation)
    return found([X, a, b, HEAD[0]], [*of_a, *of_b, *HEAD[1]]), (of_a, of_b)


def test_a_layer_is_dead_if_no_sum_is_ever_positive():
    shown, _ = stack("relu", -np.ones((3, 3)), np.zeros(3))
    assert shown == (ConstantLayer("b", "dead", False, ("head",)),)
    one_alive = -np.ones((3, 3))
    one_alive[0, 0] = 0.1
    assert stack("relu", one_alive, np.zeros(3))[0] == ()
    assert stack("relu", -np.ones((3, 3)), np.array([0.0, 0.0, 0.1]))[0] == ()


def test_bounded_inputs_prove_more():
    strong = np.full((3, 3), 0.9)
    assert stack("sigmoid", strong, np.full(3, -3.0))[0][0].kind == "dead"
    assert stack("sigmoid", strong, np.full(3, -2.6))[0] == ()
    assert stack("relu", strong, np.full(3, -300.0))[0] == ()  # the input has no limit


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_saturation(activation):
    weights = np.full((3, 3), 1.0)
    far, near = (16.6, 16.0) if activation == "sigmoid" else (8.6, 8.3)
    assert stack("tanh", weights, np.full(3, far + 3), activation)[0][0].kind == "saturated"
    assert stack("tanh", weights, np.full(3, near + 3), activation)[0] == ()
    # Sums of what is never negative add to the bias, with any sign; other weights can end that.
    assert stack("relu", weights, np.full(3, far), activation)[0][0].kind == "saturated"
    assert stack("relu", -weights, np.full(3, -far), activation)[0][0].kind == "saturated"
    signs = np.array([1.0, -1.0, 1.0])
    assert stack("relu", weights * signs, signs * far, activation)[0][0].kind == "saturated"
    assert stack("relu", weights, np.full(3, near), activation)[0] == ()
    assert stack("relu", -weights, np.full(3, far), activation)[0] == ()
    weights[0, 0] = -1e-3
    assert stack("relu", weights, np.full(3, 24.0), activation)[0] == ()


@pytest.mark.parametrize(("bias", "stuck"), [(16.6, True), (16.0, False)])
def test_an_activation_in_a_layer_of_its_own_saturates_too(bias, stuck):
    a, of_a = dense("a", "x", np.ones((4, 3)), np.zeros(3), "relu")
    b, of_b = dense("b", "a", np.ones((3, 1)), np.full(1, bias), "linear")
    last = layer("last", "Activation", ["b"], config={"activation": "sigmoid"})
    shown = found([X, a, b, last], [*of_a, *of_b], ("last",))
    assert shown == (ConstantLayer("last", "saturated", False, ("last",)),) * stuck


def test_a_kernel_of_zeros_and_what_is_behind_it():
    shown, _ = stack("relu", np.zeros((3, 3)), np.ones(3), "gelu")
    assert shown == (ConstantLayer("b", "zero", False, ("head",)),)


def test_inputs_without_negative_values_are_assumed_last():
    a, of_a = dense("a", "x", -np.ones((4, 3)), np.zeros(3), "relu")
    b, of_b = dense("b", "a", np.ones((3, 3)), np.ones(3), "relu")
    shown = found([X, a, b, HEAD[0]], [*of_a, *of_b, *HEAD[1]])
    assert shown == (ConstantLayer("a", "dead", True, ("head",)),)


def test_another_path_carries_the_input():
    a, of_a = dense("a", "x", np.ones((4, 3)), np.zeros(3), "relu")
    b, of_b = dense("b", "a", -np.ones((3, 3)), np.zeros(3), "relu")
    added = layer("added", "Add", ["a", "b"])
    head, of_head = dense("head", "added", np.ones((3, 2)), np.zeros(2), "softmax")
    shown = found([X, a, b, added, head], [*of_a, *of_b, *of_head])
    assert shown == (ConstantLayer("b", "dead", False, ()),)


@pytest.mark.parametrize("live", ["first", "last", ""])
def test_a_layer_is_dead_if_it_is_so_in_each_call(live):
    """One layer of weights -1 for what a ReLU gives, and for the same with its sign changed."""
    a, of_a = dense("a", "x", np.eye(3), np.zeros(3), "relu")
    c, of_c = dense("c", "a", -np.eye(3), np.zeros(3), "linear")
    b, of_b = dense("b", "a", -np.ones((3, 3)), np.zeros(3), "relu")
    calls = {"first": (("c",), ("a",)), "last": (("a",), ("c",)), "": (("a",), ("a",))}[live]
    layers = [X, a, c, replace(b, inbound=calls), HEAD[0]]
    shown = found(layers, [*of_a, *of_b, *of_c, *HEAD[1]])
    assert [each.route for each in shown] == ([] if live else ["b"])


@pytest.mark.parametrize("class_name", ["Lambda", "MyLayer"])
def test_unknown_code_proves_nothing(class_name):
    a = layer("a", class_name, ["x"], custom=class_name == "MyLayer")
    b, of_b = dense("b", "a", -np.ones((3, 3)), np.full(3, -9.0), "relu")
    assert found([X, a, b, HEAD[0]], [*of_b, *HEAD[1]]) == ()


def test_an_activation_of_unknown_form_has_no_limits():
    a, of_a = dense("a", "x", np.ones((4, 3)), np.zeros(3), {"class_name": "Mine", "config": {}})
    b, of_b = dense("b", "a", -np.ones((3, 3)), np.zeros(3), "relu")
    assert found([X, a, b, HEAD[0]], [*of_a, *of_b, *HEAD[1]]) == ()


@given(
    st.sampled_from(["relu", "sigmoid", "tanh", "softmax", "linear"]),
    st.sampled_from(["relu", "sigmoid", "tanh", "softmax"]),
    st.floats(-40, 40),
    st.integers(0, 999),
)
@settings(max_examples=200, deadline=None)
def test_what_is_called_constant_never_changes(first, activation, shift, seed):
    """Soundness: on 300 inputs of all sizes the outputs of the layer agree."""
    rng = np.random.default_rng(seed)
    kernel = rng.normal(size=(3, 3)) - rng.choice([0.0, 2.0])
    shown, (of_a, of_b) = stack(first, kernel, np.full(3, shift) + rng.normal(size=3), activation)
    if not any(each.route == "b" for each in shown):
        return
    x = rng.normal(size=(300, 4)) * 10.0 ** rng.uniform(-2, 3, (300, 1))
    if shown[0].nonnegative:
        x = np.abs(x)
    value = x
    for (w, b), name in zip((of_a, of_b), (first, activation), strict=True):
        value = ACT[name](value @ w.source.array().astype(float) + b.source.array())
    assert np.ptp(value, axis=0).max() < 1e-7


def _softmax(z):
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


ACT = {
    "relu": lambda z: np.maximum(z, 0),
    "sigmoid": lambda z: 1 / (1 + np.exp(np.clip(-z, -700, 700))),
    "tanh": np.tanh,
    "softmax": _softmax,
    "linear": lambda z: z,
}


@pytest.mark.parametrize(("bias", "dead"), [(-23.0, False), (-25.0, True)])
def test_a_normalization_limits_the_values_behind_it(bias, dead):
    """Of 9 normalized values none is above 3; gamma 2 and beta 1 make that 7."""
    gamma, beta = stored("n/gamma", np.full(9, 2.0)), stored("n/beta", np.ones(9))
    norm = replace(
        layer("n", "LayerNormalization", ["x"], variables={"gamma": "n/gamma", "beta": "n/beta"}),
        output_shape=(None, 9),
    )
    kernel = np.zeros((9, 3))
    kernel[0], kernel[1] = 2.0, -2.0
    b, of_b = dense("b", "n", kernel, np.full(3, bias), "relu")
    shown = found([X, norm, b, HEAD[0]], [gamma, beta, *of_b, *HEAD[1]])
    assert [each.kind for each in shown] == ["dead"] * dead
    x = np.random.default_rng(0).normal(size=(2000, 9)) ** 5
    x = (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True) * 2 + 1
    assert np.abs(x).max() < 7


def test_saturation_is_what_float32_does_not_distinguish():
    """Beyond the limit float32 has two numbers, of which one is 1; before it, a third one."""
    for function, limit in ((ACT["sigmoid"], 16.2301), (np.tanh, 8.4617)):
        beyond = function(np.linspace(limit, 50, 10_000)).astype("f4")
        assert set(beyond) == {np.float32(1), np.nextafter(np.float32(1), np.float32(0))}
        assert np.float32(function(limit - 1e-4)) < min(beyond)
    sums = np.zeros((1, 1000))
    sums[0, 0] = 23.2  # with 999 other classes, further than with one
    assert _kind("softmax", sums[0], sums[0]) == "saturated"
    assert np.float32(_softmax(sums)[0, 0]) >= np.nextafter(np.float32(1), np.float32(0))
    sums[0, 0] = 23.1
    assert _kind("softmax", sums[0], sums[0]) is None
    assert np.float32(_softmax(sums)[0, 0]) < np.nextafter(np.float32(1), np.float32(0))
