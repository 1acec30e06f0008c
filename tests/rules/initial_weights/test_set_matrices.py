"""Recurrent kernels that an initializer sets and draws nothing for: identities, and one value.

The networks are trained by Keras itself, and one weight of each is set back to its initial value.
"""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.audit_types.kernels import KernelInitialization
from modelaudit.facts import TensorStats
from modelaudit.findings import Severity
from modelaudit.pipeline import static_facts
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.initial_weights.drawn_weights import trained
from modelaudit.rules.initial_weights.moving_averages import stale_averages
from modelaudit.settings import Settings
from modelaudit.structs import replace
from tests.rules.initial_kernels import model, moved, severities

STEPS = 5


def trained_net(keras, initializer, units=6, **config):
    """A small recurrent network that learned the sums of sequences, and its recurrent layer."""
    keras.utils.set_random_seed(3)
    config = {"unroll": True} | config  # a third of the cost of a loop
    layer = keras.layers.SimpleRNN(units, recurrent_initializer=initializer, name="keep", **config)
    dense = keras.layers.Dense(8, activation="relu")
    net = keras.Sequential([keras.Input((STEPS, 3)), dense, layer, keras.layers.Dense(12)])
    net.compile(keras.optimizers.Adam(0.004), "mse")  # few steps, which are not traced, and long
    x = np.random.default_rng(0).normal(size=(256, STEPS, 3)).astype("float32")
    net.fit(x, np.repeat(x.sum((1, 2))[:, None], 12, 1), 128, epochs=4, verbose=0)
    return net, layer


def told(net, path, code="MA405"):
    net.save(path)
    found = run_rule(rule(code), static_facts(path, Settings())).findings
    return [each.severity.value for each in found if "keep" in each.detail]


@pytest.mark.slow
@pytest.mark.parametrize("package", ["keras", "tf_keras"])
@pytest.mark.parametrize(
    ("name", "config"),
    [("Identity", {"gain": 0.5}), ("Zeros", {}), ("Ones", {}), ("Constant", {"value": 0.01})],
)
def test_a_recurrent_kernel_as_it_was_set_beside_trained_weights(tmp_path, package, name, config):
    keras = pytest.importorskip(package)
    net, layer = trained_net(keras, getattr(keras.initializers, name)(**config))
    assert told(net, tmp_path / "trained.keras") == []
    kernel, recurrent, bias = layer.get_weights()
    first = np.asarray(getattr(keras.initializers, name)(**config)(recurrent.shape))
    assert not np.array_equal(recurrent, first)
    layer.set_weights([kernel, first, bias])
    assert told(net, tmp_path / "reset.keras") == ["high"]
    assert told(net, tmp_path / "reset.h5") == ["high"]


@pytest.mark.slow
@pytest.mark.parametrize("initializer", ["identity", "zeros", "ones"])
def test_one_that_is_meant_to_stay_is_no_fault(tmp_path, initializer):
    keras = pytest.importorskip("keras")
    frozen, _ = trained_net(keras, initializer, trainable=False)
    kept, _ = trained_net(keras, initializer, recurrent_constraint=Fixed(initializer))
    for number, net in enumerate((frozen, kept)):
        worst = told(net, tmp_path / f"{number}.weights.keras".replace(".weights", ""))
        assert set(worst) <= {"low", "info"}


class Fixed:
    """A constraint that puts a matrix back after each step."""

    def __init__(self, initializer):
        self.initializer = initializer

    def __call__(self, w):
        import keras

        return keras.initializers.get(self.initializer)(w.shape)

    def get_config(self):
        return {}


@pytest.mark.slow
@pytest.mark.parametrize("reset", [False, True])
def test_an_identity_in_an_export_which_names_no_initializer(tmp_path, reset):
    keras = pytest.importorskip("keras")
    net, layer = trained_net(keras, "identity", units=8, unroll=False)
    if reset:
        kernel, recurrent, bias = layer.get_weights()
        layer.set_weights([kernel, np.eye(len(recurrent)), bias])
    net.export(tmp_path / "export", verbose=False)
    facts = static_facts(tmp_path / "export", Settings())
    found = run_rule(rule("MA405"), facts).findings
    assert [each.severity.value for each in found] == ["high"] * reset


def test_averages_of_one_value_beside_a_matrix_that_has_others_are_stale():
    name = "a/kernel/ExponentialMovingAverage"
    flat, other = TensorStats(0.3, 0.3, 0.3, 0.0, 0, 0), TensorStats(-1.0, 1.0, 0.0, 0.5, 0, 0)
    for weight, found in ((other, [name]), (flat, [])):
        tensors = (
            examples.tensor("a/kernel", (9, 9), weight),
            examples.tensor(name, (9, 9), flat),
        )
        artifact = replace(model(), architecture=None, tensors=tensors)
        assert stale_averages(artifact, (moved("b"),))[0] == found


@pytest.mark.parametrize(
    ("exactly", "weight", "found"), [(True, False, 1), (False, False, 0), (True, True, 0)]
)
def test_an_average_of_draws_alone_is_stale_if_its_weight_has_moved(exactly, weight, found):
    name = "a/kernel/ExponentialMovingAverage"
    own = {"fits": True, "law": "normal", "draws": exactly}
    average = KernelInitialization(name, name, "RandomNormal", "fresh", "", 90, own, True)
    first = moved("a")
    first = replace(first, tests=dict(first.tests) | {"fits": weight})
    bare = replace(model(), architecture=None)
    others = [
        replace(average, tensor=f"{x}/kernel/ExponentialMovingAverage", tests={"fits": False})
        for x in "bc"
    ]
    assert len(stale_averages(bare, (first, moved("b"), average, *others))[0]) == found


def test_trained_kernels_of_a_guess_are_told_by_their_bits():
    """What fits a guess beside a trained bias and is no draw was trained."""

    def guess(name, bias, draws):
        own = {"fits": True, "law": "truncated", "draws": draws, "bias_initial": bias}
        return KernelInitialization(name, name, "HeNormal", "trained", "", 300, own, True)

    others = [guess("a", False, False), guess("b", False, False), guess("c", False, False)]
    assert all(map(trained, others))
    assert not trained(guess("d", True, False))
    assert not trained(guess("d", False, True))
    bare = replace(model(), architecture=None)
    found = severities(*others, guess("d", False, True), artifact=bare)
    assert found == {"d": Severity.HIGH}
    assert severities(*others, artifact=bare) == {}


@pytest.mark.slow
@pytest.mark.parametrize("reset", [False, True])
def test_a_recurrent_kernel_of_one_value_in_an_export(tmp_path, reset):
    keras = pytest.importorskip("keras")
    first = keras.initializers.Constant(0.02)
    net, layer = trained_net(keras, first, units=8, unroll=False)
    if reset:
        kernel, recurrent, bias = layer.get_weights()
        layer.set_weights([kernel, np.full(recurrent.shape, 0.02), bias])
    net.export(tmp_path / "export", verbose=False)
    found = run_rule(rule("MA406"), static_facts(tmp_path / "export", Settings())).findings
    assert [each.severity.value for each in found] == ["high"] * reset


@pytest.mark.slow
def test_a_small_kernel_of_draws_and_an_orthogonal_one_of_any_gain_in_an_export(tmp_path):
    keras = pytest.importorskip("keras")
    net, _ = trained_net(keras, "orthogonal", units=8, unroll=False)
    dense = net.layers[0]
    uniform = np.asarray(keras.initializers.LecunUniform(seed=1)((3, 8)))
    rotated = np.asarray(keras.initializers.Orthogonal(gain=1.7, seed=1)((8, 12)))
    for layer, first in ((dense, uniform), (net.layers[-1], rotated)):
        kept = layer.get_weights()
        layer.set_weights([first, np.zeros_like(kept[1])])
        path = tmp_path / layer.name
        net.export(path, verbose=False)
        layer.set_weights(kept)
        (found,) = run_rule(rule("MA405"), static_facts(path, Settings())).findings
        assert found.severity is Severity.HIGH
        assert layer.name in found.location.route
