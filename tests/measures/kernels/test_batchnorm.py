import numpy as np
import pytest

from modelaudit.errors import ReadError
from modelaudit.facts import Artifact
from modelaudit.measures.kernels.batchnorm import (
    BatchNormTensors,
    batchnorm_state,
    batchnorm_tensors,
    statistics_convergence,
)
from tests.measures.artifacts import architecture, artifact, layer, tensor

ROLES = {"gamma": 1.0, "beta": 0.0, "moving_mean": 0.0, "moving_variance": 1.0}


def tensors(prefix: str, suffix: str = "", **changes: float) -> dict[str, np.ndarray]:
    return {
        f"{prefix}/{role}{suffix}": np.full(8, changes.get(role, value), np.float32)
        for role, value in ROLES.items()
    }


def states(made: Artifact) -> dict:
    return {found.route: batchnorm_state(found) for found in batchnorm_tensors(made)}


@pytest.mark.parametrize(
    ("changes", "statistics", "affine"),
    [
        ({}, True, True),
        ({"gamma": 1.1}, True, False),
        ({"beta": 1e-9}, True, False),
        ({"moving_mean": 1e-30}, False, True),
        ({"moving_variance": np.nextafter(np.float32(1), np.float32(2))}, False, True),
    ],
)
def test_initial_is_bitwise(changes: dict, statistics: bool, affine: bool) -> None:
    found = states(artifact(tensors("bn", **changes)))["bn"]
    assert (found.statistics_initial, found.affine_initial) == (statistics, affine)
    assert found.channels == 8


def test_names_of_saved_models_checkpoints_and_graphs() -> None:
    made = artifact(
        tensors("block/bn", ":0")
        | tensors("layer_with_weights-1", "/.ATTRIBUTES/VARIABLE_VALUE")
        | {"conv/beta": np.zeros(3, np.float32)}
    )
    assert set(states(made)) == {"block/bn", "layer_with_weights-1"}


def test_the_architecture_names_layers_first() -> None:
    stored = tensors("model_weights/x/y")
    bn = layer("bn", "BatchNormalization", variables={r: f"model_weights/x/y/{r}" for r in ROLES})
    made = artifact(stored, layers=[layer("in", "InputLayer"), bn])
    assert set(states(made)) == {"bn"}


def test_keras1_names_and_absent_affine() -> None:
    made = artifact({"bn/running_mean": np.zeros(4), "bn/running_std": np.full(4, 0.5)})
    found = states(made)["bn"]
    assert found.affine_initial
    assert not found.statistics_initial
    assert found.min_variance == 0.5


def test_one_statistic_alone_is_not_a_layer() -> None:
    assert states(artifact({"bn/moving_mean": np.zeros(4)})) == {}
    dangling = layer(
        "bn", "BatchNormalization", variables={"moving_mean": "no", "moving_variance": "x"}
    )
    assert states(artifact({}, layers=[dangling])) == {}
    assert architecture([dangling]).layers[0].route == "bn"


@pytest.mark.parametrize(
    ("mean", "variance"),
    [
        (np.zeros(3), np.ones(4)),
        (np.zeros((2, 2)), np.ones((2, 2))),
        (np.zeros(3, int), np.ones(3, int)),
        (np.zeros(0), np.zeros(0)),
    ],
)
def test_invalid_statistics_are_rejected(mean: np.ndarray, variance: np.ndarray) -> None:
    with pytest.raises(ReadError):
        batchnorm_state(BatchNormTensors("bn", tensor("m", mean), tensor("v", variance)))


@pytest.mark.parametrize(("momentum", "steps"), [(0.99, 5), (0.99, 120), (0.9, 10), (0.5, 1)])
def test_unconverged_averages_are_recognised_after_any_number_of_steps(momentum, steps) -> None:
    rng = np.random.default_rng(steps)
    mean, variance = rng.normal(2, 3, 32), rng.gamma(2, 3, 32)
    moving = np.zeros(32), np.ones(32)
    for _ in range(steps):  # Keras's update, with batches that vary a little
        near = mean + rng.normal(0, 0.05, 32), variance * rng.uniform(0.95, 1.05, 32)
        moving = tuple(
            momentum * old + (1 - momentum) * new for old, new in zip(moving, near, strict=True)
        )
    share, left = statistics_convergence(mean, variance, moving, 1e-3)
    assert share == pytest.approx(1 - momentum**steps, abs=0.02)
    assert left < 0.03
    if steps > 5:  # before that, they are near the initial values
        strangers = rng.permutation(mean), rng.permutation(variance)
        assert statistics_convergence(*strangers, moving, 1e-3)[1] > 0.2


def _configured(gamma: np.ndarray, beta: float, initializer: object) -> bool:
    stored = tensors("bn", beta=beta) | {"bn/gamma": gamma.astype(np.float32)}
    config = {"gamma_initializer": initializer, "beta_initializer": "zeros"}
    variables = {role: f"bn/{role}" for role in ROLES}
    bn = layer("bn", "BatchNormalization", config=config, variables=variables)
    return states(artifact(stored, layers=[bn]))["bn"].affine_initial


@pytest.mark.parametrize(
    ("gamma", "initializer", "expected"),
    [
        (np.zeros(8), "zeros", True),
        (np.zeros(8), {"class_name": "Zeros", "config": {}}, True),
        (np.zeros(8), "ones", False),  # something set it to 0
        (np.ones(8), "zeros", False),
        (np.full(8, 0.1), {"class_name": "Constant", "config": {"value": 0.1}}, True),
        (np.linspace(0.9, 1.1, 8), {"class_name": "RandomNormal", "config": {"mean": 1.0}}, True),
        (np.linspace(0.9, 1.1, 8), "ones", False),
        (np.ones(8), {"class_name": "Own", "config": {}}, True),
    ],
)
def test_gamma_is_compared_with_what_its_initializer_gives(gamma, initializer, expected) -> None:
    assert _configured(gamma, 0.0, initializer) is expected
    assert not _configured(gamma, 0.01, initializer)  # training moves beta


@pytest.mark.parametrize(("beta", "expected"), [(0.0, True), (0.01, False)])
def test_a_gamma_of_zero_beside_a_beta_of_zero_is_a_start_where_no_config_tells(beta, expected):
    assert states(artifact(tensors("bn", gamma=0.0, beta=beta)))["bn"].affine_initial is expected
