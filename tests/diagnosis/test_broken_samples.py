"""Sample models with one injected fault are diagnosed with that fault."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest

from modelaudit.diagnosis import diagnose
from modelaudit.pipeline import add_probe, static_facts
from modelaudit.probe.run import local_probe
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.rules.engine import run_rules
from modelaudit.settings import Settings
from modelaudit.structs import replace
from tests.made.training import train

pytestmark = pytest.mark.slow
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
SAMPLES = Path(__file__).resolve().parents[2] / "sample_models"


@pytest.fixture(scope="module")
def probe():
    with local_probe(Settings()) as running:
        yield running


@pytest.fixture(scope="module")
def digits():
    with np.load(SAMPLES / "digits_probe.npz") as held:
        return held["x"], held["y"]


def sound():
    """The digits classifier that was trained without augmentation."""
    import keras

    return keras.models.load_model(SAMPLES / "digits_noaug.h5", compile=False)


def causes(model, images, folder, probe, **labels):
    """Diagnosed causes of a model on images, and on labels `y` if there are any, from its file."""
    path, data = folder / "model.keras", folder / "images.npz"
    if model is not None:
        model.save(path)
    np.savez(data, x=images, **labels)
    settings = Settings()
    settings = replace(settings, probe=replace(settings.probe, data=str(data)))
    facts = add_probe(static_facts(path, settings), probe)
    return diagnose(facts, run_rules(CATALOGUE, facts)).causes


def raised_bias(model, images):
    """Raise the bias of class 3 until most images get this class, but not all."""
    head = model.layers[-1]
    kernel, bias = head.get_weights()
    scores = np.log(np.asarray(model(images)))  # up to a number for each image
    for by in np.arange(1.0, 60.0, 0.5):
        raised = by * (np.arange(10) == 3)
        if 0.75 <= np.mean((scores + raised).argmax(axis=1) == 3) <= 0.95:
            head.set_weights([kernel, bias + raised])
            return
    raise AssertionError("no bias does this")


def test_a_moderate_bias_of_the_head_is_found(digits, tmp_path, probe):
    model = sound()
    raised_bias(model, digits[0])
    first = causes(model, digits[0], tmp_path, probe)[0]
    assert (first.cause, first.where) == ("head-bias", "digit")


def test_images_of_one_class_are_not_a_collapse(digits, tmp_path, probe):
    x, y = digits
    rng = np.random.default_rng(0)
    threes = np.concatenate([np.roll(x[y == 3], s, axis=(1, 2)) for s in ((0, 0), (0, 1), (1, 0))])
    threes = np.concatenate([threes, threes])
    threes = np.clip(threes + rng.normal(0, 0.02, threes.shape), 0, 1).astype("float32")
    found = causes(sound(), threes, tmp_path, probe)
    assert {cause.cause for cause in found} <= {"healthy", "little-information"}


def test_a_trunk_called_twice_and_a_biased_head_after_it(digits, tmp_path, probe):
    import keras

    model = sound()
    trunk = keras.Sequential([keras.Input((16, 16, 1)), *model.layers[:-1]], name="trunk")
    image = keras.Input((16, 16, 1))
    both = keras.layers.Average()([trunk(image), trunk(keras.ops.flip(image, axis=2))])
    twice = keras.Model(image, keras.layers.Dense(10, activation="softmax", name="digit")(both))
    kernel, bias = model.layers[-1].get_weights()
    twice.get_layer("digit").set_weights([kernel, bias])
    first = causes(twice, digits[0], tmp_path, probe)[0]
    assert (first.cause, first.transform) == ("invariant-by-construction", "H")
    twice.get_layer("digit").set_weights([kernel, bias + 60.0 * (np.arange(10) == 3)])
    first = causes(twice, digits[0], tmp_path, probe)[0]
    assert (first.cause, first.where) == ("head-bias", "digit")


@pytest.mark.parametrize(
    ("fed", "undone"),
    [
        (lambda x: 2 * x - 1, "(x+1)/2"),
        (lambda x: 255 * x, "/255"),
        (lambda x: 3 - 3 * x, "1-x"),
    ],
)
def test_statistics_identify_the_scale_of_the_images(fed, undone, digits, tmp_path, probe):
    model = sound()
    if undone == "1-x":  # keeps the range of the images
        model = scaled(model, 1 / 3)
    first = causes(model, fed(digits[0]), tmp_path, probe)[0]
    assert (first.cause, first.transform) == ("input-domain", undone)


@pytest.mark.parametrize(
    ("scale", "offset", "undone"),
    [(0.5, 0.5, "x/127.5-1"), (1.0, 0.0, "/255")],
)
def test_a_model_of_values_around_0_is_fed_bytes(scale, offset, undone, digits, tmp_path, probe):
    """Dividing bytes by 255 gives a usual range, but not that of the training."""
    first = causes(scaled(sound(), scale, offset), 255 * digits[0], tmp_path, probe)[0]
    assert (first.cause, first.transform) == ("input-domain", undone)


def scaled(model, scale, offset=0.0):
    """The model after a layer that does not show its input range."""
    import keras

    image = keras.Input((16, 16, 1))
    first = keras.layers.Conv2D(1, 1, name="first")
    both = keras.Model(image, model(first(image)))
    first.set_weights([np.full((1, 1, 1, 1), scale), np.full(1, offset)])
    return both


def test_swapped_red_and_blue_are_identified_with_labels(digits, tmp_path, probe):
    import keras

    x, y = digits
    image = keras.Input((16, 16, 3))
    red = keras.layers.Conv2D(1, 1, use_bias=False, name="red")
    model = keras.Model(image, sound()(red(image)))
    red.set_weights([np.array([1.0, 0.0, 0.0]).reshape(1, 1, 3, 1)])
    colours = np.concatenate([np.roll(x, 7, axis=0), np.zeros_like(x), x], axis=3)
    first = causes(model, colours, tmp_path, probe, y=y)[0]
    assert (first.cause, first.transform) == ("input-domain", "BGR")
    unlabelled = causes(model, colours, tmp_path, probe)[0]
    assert unlabelled.cause == "orientation-sensitive-data"  # equally confident either way


def test_labels_in_another_order_are_distinguished_from_a_failing_model(digits, tmp_path, probe):
    x, y = digits
    order = np.array([0, 1, 9, 2, 3, 4, 5, 6, 7, 8])  # as sorted by name, one of two digits
    first = causes(sound(), x, tmp_path, probe, y=order[y])[0]
    assert first.cause == "labels-renumbered"
    shuffled = np.random.default_rng(0).permutation(y)
    assert causes(sound(), x, tmp_path, probe, y=shuffled)[0].cause == "not-understood"


def test_a_logarithm_of_0_is_identified(digits, tmp_path, probe):
    import keras

    image = keras.Input((16, 16, 1))
    model = keras.Model(image, sound()(keras.ops.log(image)))
    found = causes(model, digits[0], tmp_path, probe, y=digits[1])
    assert [cause.cause for cause in found] == ["nonfinite-output"]
    for step in found[0].next_steps:  # the code to paste finds the operation
        if step.code:
            code = step.code.replace('"MODEL"', repr(str(tmp_path / "model.keras")))
            with pytest.raises(Exception, match=r"(?i)log"):
                exec(code, {"images": digits[0]})
    import tensorflow as tf

    tf.debugging.disable_check_numerics()


def test_a_normalization_that_was_not_restored(digits, tmp_path, probe):
    """Renamed, so skipped when loading by name: initial values, including gamma and beta."""
    model = sound()
    gamma, beta, mean, variance = model.get_layer("norm_2").get_weights()
    created = [np.ones_like(gamma), np.zeros_like(beta), np.zeros_like(mean)]
    model.get_layer("norm_2").set_weights([*created, np.ones_like(variance)])
    first = causes(model, digits[0], tmp_path, probe)[0]
    assert (first.cause, first.where) == ("bn-statistics-lost", "norm_2")


@pytest.mark.parametrize("name", ["digit", "odd"])
def test_of_several_heads_the_biased_one_is_found(name, digits, tmp_path, probe):
    """Heads of equal width; the file does not show which output belongs to which."""
    import keras

    model = sound()
    trunk = keras.Sequential([keras.Input((16, 16, 1)), *model.layers[:-1]], name="trunk")
    image = keras.Input((16, 16, 1))
    heads = [keras.layers.Dense(10, activation="softmax", name=each) for each in ("digit", "odd")]
    both = keras.Model(image, {f"out_{head.name}": head(trunk(image)) for head in heads})
    kernel, bias = model.layers[-1].get_weights()
    for head in heads:
        head.set_weights([kernel, bias + 60.0 * (np.arange(10) == 3) * (head.name == name)])
    first = causes(both, digits[0], tmp_path, probe)[0]
    assert (first.cause, first.where) == ("head-bias", name)


def test_a_call_that_was_saved_with_training_set_is_random(digits, tmp_path, probe):
    import keras

    model = sound()
    features = keras.Sequential([keras.Input((16, 16, 1)), *model.layers[:-1]], name="features")
    image = keras.Input((16, 16, 1))
    dropped = keras.layers.Dropout(0.5)(features(image), training=True)
    random = keras.Model(image, keras.layers.Dense(10, activation="softmax")(dropped))
    random.layers[-1].set_weights(model.layers[-1].get_weights())
    assert causes(random, digits[0], tmp_path, probe)[0].cause == "nondeterministic"


def test_permuted_channels_and_rotated_kernels(digits, tmp_path, probe):
    model = sound()
    for layer in model.layers:
        if layer.name.startswith("conv"):
            kernel, *bias = layer.get_weights()
            layer.set_weights([kernel[::-1, ::-1], *bias])
    first = causes(model, digits[0], tmp_path, probe)[0]
    assert (first.cause, first.transform) == ("orientation-mismatch", "r180")
    model = sound()
    kernel, *bias = model.get_layer("conv_2").get_weights()
    order = np.random.default_rng(0).permutation(kernel.shape[2])
    model.get_layer("conv_2").set_weights([kernel[:, :, order], *bias])
    first = causes(model, digits[0], tmp_path, probe)[0]
    assert (first.cause, first.where) == ("wrong-weights-upstream", "norm_3")


def test_after_short_training_statistics_have_not_converged(probe, digits, tmp_path):
    import keras

    keras.utils.set_random_seed(0)
    x, y = (each[:128] for each in digits)
    taught, steps = [keras.Input(x.shape[1:])], 40
    for filters in (8, 16):
        taught += [
            keras.layers.Conv2D(filters, 3, use_bias=False),
            keras.layers.BatchNormalization(momentum=0.98),
            keras.layers.ReLU(),
        ]
    taught += [keras.layers.GlobalMaxPooling2D(), keras.layers.Dense(10, "softmax")]
    model = keras.Sequential(taught)
    model.compile("sgd", "sparse_categorical_crossentropy")
    train(model, x, y, steps=steps, batch=128)
    first, *_ = causes(model, x, tmp_path, probe)
    assert first.cause == "bn-statistics-unsettled"
    said = re.search(r"about (\d+) steps with a momentum of 0\.98", first.evidence[0].text)
    assert said is not None
    assert abs(int(said[1]) - steps) <= 3
