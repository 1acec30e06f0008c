"""Images with channels first, and maps of answers, as layers and exports show them."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.structs import replace
from tests.rules.plain_graphs.exports import exported, head, network
from tests.rules.saved import codes, found, sequential
from tests.rules.test_made_designs import layer

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def k():
    import keras

    return keras


def judged(code, facts):
    return [(str(x.severity), x.detail) for x in run_rule(rule(code), facts).findings]


def image(*shape, window=(3, 3), **options):
    given = layer("InputLayer", shape=(None, *shape), name="input")
    window = layer("Conv2D", kernel_size=[*window], name="conv", padding="same", **options)
    return judged("MA311", examples.chain(given, window))


def test_images_that_are_not_square_with_channels_first():
    ((severity, detail),) = image(3, 24, 32)
    assert severity == "low" and "If they are images of 24x32 pixels with 3 channels" in detail
    assert [each for each, _ in image(1, 40, 30)] == ["low"]
    ((_, detail),) = image(30, 40, 1, data_format="channels_first")
    assert "images of 30x40 pixels with 1 channel," in detail
    assert [each for each, _ in image(3, 32, 32)] == ["medium"]


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((24, 32, 3), {}),
        ((3, 24, 32), {"data_format": "channels_first"}),
        ((3, 200, 16), {}),  # three series of 200 steps
        ((4, 24, 32), {}),  # four rows are as likely
        ((2, 24, 32), {}),
        ((1, 24, 32), {"window": (1, 5)}),  # a series as an image of one row
        ((3, 24, 32), {"window": (3, 5)}),  # a window over the three series
        ((3, 8, 10), {}),
        ((None, 24, 32), {}),
    ],
)
def test_inputs_that_are_no_images_with_channels_first(shape, options):
    assert image(*shape, **options) == []


@pytest.mark.slow
def test_images_with_channels_first_in_an_export(k, tmp_path):
    layers = k.layers

    def export(shape):
        window = layers.Conv2D(6, 3, padding="same", activation="relu")
        return exported(network(k, shape, window, layers.Flatten(), head(layers)), tmp_path)

    assert [each for each, _ in judged("MA311", export((3, 18, 20)))] == ["low"]
    assert judged("MA311", export((18, 20, 3))) == []


@pytest.mark.slow
def test_a_map_of_answers_in_an_export(k, tmp_path):
    layers = k.layers

    def export(*hidden, shape=(18, 22, 1), names=5, activation="softmax", last=None):
        last = last or head(layers, activation)
        facts = exported(network(k, shape, *hidden, last), tmp_path)
        labels = {"file": "class_names.txt", "names": [f"class {n}" for n in range(names)]}
        made = replace(facts.artifact, extra={**facts.artifact.extra, "labels": labels})
        return judged("MA327", Facts(made if names else facts.artifact))

    def window():
        return layers.Conv2D(6, 3, padding="same", activation="relu")

    pooling = layers.MaxPooling2D
    ((severity, detail),) = export(window(), pooling(), window(), pooling())
    assert severity == "low" and "one answer for each of 4x5 positions" in detail
    assert export(window(), pooling(), layers.GlobalAveragePooling2D()) == []
    assert export(window(), pooling(), layers.Flatten()) == []
    assert export(window(), pooling(), names=0) == []
    assert export(window(), pooling(), names=6) == []
    assert export(window(), pooling(), activation="linear") == []
    # Segmentation: a class for each pixel, by a decoder or by a convolution.
    assert export(window()) == []
    assert export(window(), pooling(), layers.UpSampling2D()) == []
    up = layers.Conv2DTranspose(6, 3, strides=4, padding="same")
    assert export(window(), pooling(), up) == []
    assert export(window(), pooling(), last=layers.Conv2D(5, 1, activation="softmax")) == []
    # One number for each position, without labels and a loss: a remark.
    ((severity, detail),) = export(window(), pooling(), names=0, last=layers.Dense(1))
    assert severity == "info" and "one answer for each of 9x11 positions" in detail
    assert export(window(), names=0, last=layers.Dense(1)) == []
    assert export(window(), pooling(), names=0, last=layers.Conv2D(1, 1)) == []
    # Events in a sound are named at each of some steps.
    sound = export(layers.Conv1D(6, 3), layers.MaxPooling1D(), shape=(24, 3))
    assert [each for each, _ in sound] == ["info"]


@pytest.mark.slow
def test_code_for_sigmoids_in_an_export_names_the_layers_with_weights(k, tmp_path):
    row = [k.layers.Dense(7, "sigmoid", name=f"hidden_{number}") for number in range(7)]
    facts = exported(network(k, (6,), *row, head(k.layers)), tmp_path)
    (found,) = run_rule(rule("MA315"), facts).findings
    lines = (found.fix or "").splitlines()[1:]
    made = 'keras.layers.Dense(7, activation="relu", name='
    assert len(lines) == 7
    assert all(line.startswith(made) and f"hidden_{n}" in line for n, line in enumerate(lines))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "told"),
    [((6, 35), True), ((6, -1), True), ((35, 6), False), ((5, 42), False), ((210, 1), False)],
)
def test_channels_that_become_steps(k, target, told, tmp_path):
    """A row is a channel, or a place, only where all of its values are of one."""
    channels = np.broadcast_to(np.arange(6), (5, 7, 6)).reshape(target)
    of_one = [len(set(row)) == 1 for row in channels]
    layers = k.layers
    row = layers.Reshape(target, name="rows"), layers.LSTM(4), layers.Dense(2)
    model = sequential(k, (5, 7, 6), layers.Conv2D(6, 3, padding="same"), *row)
    model.save(tmp_path / "model.keras")
    findings = found([rule("MA311")], tmp_path / "model.keras")
    assert [each.location.route for each in findings] == ["rows"] * told
    assert not (told and any(of_one))
    for each in findings:
        assert str(each.severity) == "low"
        moved = np.transpose(np.broadcast_to(np.arange(6), (5, 7, 6)), (2, 0, 1)).reshape(target)
        assert "Permute((3, 1, 2))" in each.fix and all(len(set(row)) == 1 for row in moved)


def test_poolings_of_whole_images_as_they_come(k, tmp_path):
    layers, rules = k.layers, [rule("MA312")]

    def told(*hidden, shape=(9, 9, 3)):
        hidden = (*hidden, layers.Dense(8, activation="relu"))
        return codes(rules, sequential(k, shape, *hidden, layers.Dense(4)), tmp_path)

    mean = layers.GlobalAveragePooling2D
    assert told(mean()) == [("MA312", "low")]
    assert told(layers.Rescaling(1 / 255), layers.GlobalMaxPooling2D()) == [("MA312", "low")]
    (only,) = found(rules, tmp_path / "model.keras")
    assert "3 numbers" in only.detail
    assert told(layers.Conv2D(4, 3), mean()) == []
    assert told(mean(), shape=(9, 9, 60)) == []  # spectra
    assert told(mean(), shape=(1, 1, 3)) == []
    image = np.random.default_rng(0).uniform(size=(1, 9, 9, 3)).astype("float32")
    moved = image.reshape(1, -1, 3)[:, ::-1].reshape(1, 9, 9, 3)  # the same pixels elsewhere
    assert np.allclose(mean()(image), mean()(moved), atol=1e-6)
