"""Settings of hidden layers in models that Keras saved, and their sound twins."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules import examples
from modelaudit.rules.architecture import layer_settings
from modelaudit.rules.engine import run_rule
from tests.made.training import train
from tests.rules.saved import codes, found, sequential

RULES = [*layer_settings.RULES]
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def k():
    import keras

    return keras


def test_settings_that_keep_values_near_a_constant(k, tmp_path):
    layers, dense = k.layers, k.layers.Dense

    def through(*hidden, shape=(8,)):
        return codes(RULES, sequential(k, shape, *hidden, dense(2)), tmp_path)

    def norm(**options):
        return through(dense(8, use_bias=False), layers.BatchNormalization(**options))

    assert norm(momentum=1.0) == [("MA322", "high")]
    assert norm(epsilon=1.0) == [("MA322", "low")]
    assert norm(momentum=0.9, epsilon=1e-5) == []
    loaded = layers.BatchNormalization(momentum=1.0, moving_mean_initializer="ones")
    assert through(dense(8, use_bias=False), loaded) == [("MA322", "low")]  # as converted weights
    rows = layers.BatchNormalization(axis=1), layers.BatchNormalization()
    for each, expected in zip(rows, ([("MA322", "low")], []), strict=True):
        pixels = layers.Conv2D(4, 3, use_bias=False), each, layers.Flatten()
        assert through(*pixels, shape=(9, 9, 1)) == expected
    regularizers, constraints = k.regularizers, k.constraints
    assert through(dense(8, kernel_regularizer=regularizers.L2(1.0))) == [("MA322", "medium")]
    assert through(dense(8, kernel_regularizer=regularizers.L1L2(2.0, 0.0))) == [
        ("MA322", "medium")
    ]
    assert through(dense(8, kernel_regularizer=regularizers.L2(0.01))) == []
    assert through(dense(8, kernel_constraint=constraints.MaxNorm(0))) == [("MA322", "high")]
    assert through(dense(8, kernel_constraint=constraints.MaxNorm(3))) == []
    scale = layers.Rescaling
    image = {"shape": (9, 9, 3)}
    assert through(scale(1 / 255), scale(1 / 255), layers.Flatten(), **image) == [
        ("MA322", "medium")
    ]
    assert through(scale(1 / 255), layers.RandomFlip(), scale(1 / 255), layers.Flatten(), **image)
    assert through(scale(1 / 255), layers.Flatten(), **image) == []
    assert through(scale(1 / 65535), layers.Flatten(), **image) == []
    both = (scale(1 / 255), scale(1 / 127.5, offset=-1))
    for pair in (both, both[::-1]):
        assert through(*pair, layers.Flatten(), **image) == [("MA322", "medium")]
    assert through(scale(255.0), scale(1 / 127.5, offset=-1), layers.Flatten(), **image) == []


def test_a_bias_before_a_batch_normalization_has_no_effect(k, tmp_path):
    layers = k.layers
    for use_bias, expected in ((True, [("MA326", "info")]), (False, [])):
        hidden = (layers.Dense(8, use_bias=use_bias), layers.BatchNormalization())
        model = sequential(k, (8,), *hidden, layers.ReLU(), layers.Dense(2))
        assert codes(RULES, model, tmp_path) == expected
    active = layers.Dense(8, "relu")
    model = sequential(k, (8,), active, layers.BatchNormalization(), layers.Dense(2))
    assert codes(RULES, model, tmp_path) == []


def test_momentum_1_keeps_the_statistics(k):
    norm = k.layers.BatchNormalization(momentum=1.0)
    model = sequential(k, (4,), norm, k.layers.Dense(1))
    x = np.random.default_rng(0).normal(5, 3, size=(64, 4))
    train(model, x, x[:, :1], epochs=3)
    assert np.all(norm.moving_mean.numpy() == 0) and np.all(norm.moving_variance.numpy() == 1)


def test_applications_scale_once(k, tmp_path):
    model = k.applications.EfficientNetB0(weights=None, input_shape=(64, 64, 3), classes=3)
    assert codes(RULES, model, tmp_path, ("keras",)) == []


@pytest.mark.parametrize(
    ("factor", "severity", "share"),
    [
        (40, "medium", "0.111"),  # degrees
        ((-15, 30), "medium", "0.0833"),
        (5, "medium", "0.0139"),  # few degrees
        (1.57, "medium", "0.25"),  # radians
        (1.0, None, ""),  # every direction
        ((-0.5, 0.5), None, ""),
        (0.1, None, ""),
        (180, None, ""),  # with each unit every direction
        (360.0, None, ""),
        (3.14, None, ""),
        (6.283185, None, ""),
    ],
)
def test_rotations_are_shares_of_a_turn(tmp_path, factor, severity, share):
    """In files of Keras 2; Keras 3 refuses numbers above 1, but not pairs."""
    tf_keras = pytest.importorskip("tf_keras")
    import keras

    for k, suffixes in ((tf_keras, ("keras", "h5")), (keras, ("keras", "h5"))):
        if k is keras and isinstance(factor, (int, float)) and factor > 1:
            with pytest.raises(ValueError, match="factor"):
                k.layers.RandomRotation(factor)
            continue
        hidden = k.layers.RandomRotation(factor), k.layers.Flatten()
        model = sequential(k, (9, 9, 1), *hidden, k.layers.Dense(2))
        expected = [("MA322", severity)] if severity else []
        assert codes(RULES, model, tmp_path, suffixes) == expected
        for finding in found(RULES, tmp_path / "model.h5"):
            assert f"RandomRotation({share}," in finding.fix


def test_degrees_as_turns_give_every_direction():
    """As many images are turned by more than 90 degrees as if any angle were drawn."""
    tf_keras = pytest.importorskip("tf_keras")
    image = np.zeros((1, 9, 9, 1), "float32")
    image[:, :4] = 1.0  # light above
    images = np.repeat(image, 512, axis=0)

    def upside_down(factor):
        turned = tf_keras.layers.RandomRotation(factor, seed=1)(images, training=True).numpy()
        return float(np.mean(turned[:, :4].mean((1, 2, 3)) < turned[:, 5:].mean((1, 2, 3))))

    assert abs(upside_down(40) - 0.5) < 0.1 and upside_down(40 / 360) == 0


@pytest.mark.parametrize(
    ("name", "config", "expected"),
    [
        ("RandomZoom", {"height_factor": 0.2, "width_factor": 20}, ["medium"]),
        ("RandomZoom", {"height_factor": [-0.2, 0.2], "width_factor": [-20, 20]}, ["medium"]),
        ("RandomZoom", {"height_factor": -1.0, "width_factor": None}, []),
        ("RandomTranslation", {"height_factor": 4, "width_factor": 0.1}, ["medium"]),
        ("RandomTranslation", {"height_factor": 1.0, "width_factor": [0.0, 0.1]}, ["low"]),
        ("RandomTranslation", {"height_factor": 0.9, "width_factor": [0.0, 0.1]}, []),
        ("RandomBrightness", {"factor": [-30, 30]}, ["medium"]),
        ("RandomBrightness", {"factor": [-0.3, 0.3]}, []),
        ("RandomHeight", {"factor": 30}, ["medium"]),
        ("RandomHeight", {"factor": "0.3"}, []),
        ("RandomContrast", {"factor": [0.0, 3.0]}, []),
    ],
)
def test_other_changes_are_shares(name, config, expected):
    facts = examples.chain(examples.layer("change", name, {}, config), examples.dense("head"))
    (rule,) = (each for each in RULES if each.code == "MA322")
    result = run_rule(rule, facts)
    assert [each.severity.value for each in result.findings] == expected


@pytest.mark.slow
@pytest.mark.parametrize("factor", [0.1, 0.0001])
def test_a_penalty_of_one_size_for_all_weights(factor, tmp_path):
    """It draws the kernels of a network that could learn to 0."""
    import keras

    keras.utils.set_random_seed(1)
    x = np.random.default_rng(0).normal(size=(320, 8)).astype("float32")
    y = np.argmax(x[:, :3], axis=1)

    def hidden():
        return keras.layers.Dense(16, "relu", kernel_regularizer=keras.regularizers.L1(factor))

    model = sequential(
        keras,
        (8,),
        *(hidden(), hidden(), keras.layers.Dense(3, "softmax")),
        loss="sparse_categorical_crossentropy",
        optimizer=keras.optimizers.Adam(0.003),
    )
    train(model, x, y, epochs=40)
    model.save(tmp_path / "m.keras")
    told = found([x for x in layer_settings.RULES if x.code == "MA322"], tmp_path / "m.keras")
    weak = np.ptp(np.asarray(model(x)), axis=0).max() < 0.1
    assert bool(told) is bool(weak) is (factor > 0.01)
    for each in told:
        assert str(each.severity) == "low" and f"factor of {factor:g}" in each.detail


@pytest.mark.parametrize(
    ("name", "applied", "said"),
    [
        ("z_log_var", "relu", True),
        ("z_mean", "relu", True),
        ("logvar", "sigmoid", True),
        ("z_log_var", "softplus", False),  # as of a variance
        ("z_log_var", "linear", False),
        ("z_mean", "tanh", False),
        ("variance", "softplus", False),
        ("hidden", "relu", False),
    ],
)
def test_codes_without_negative_values(name, applied, said):
    facts = examples.chain(examples.dense(name, applied), examples.dense("head"))
    findings = [x for rule in RULES for x in run_rule(rule, facts).findings if x.code == "MA322"]
    assert [(str(x.severity), x.location.route) for x in findings] == [("low", name)] * said
