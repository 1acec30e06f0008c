"""Inputs of a study: the user's data if they fit, else built-in inputs with a note."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from modelaudit.audit_types.loading import Port, Status
from modelaudit.facts import Architecture, Artifact, Format, Layer
from modelaudit.probe.protocol import Observation
from modelaudit.probe.study.feeding import prepare_inputs
from modelaudit.probe.study.inputs import Unprobeable
from modelaudit.rules import examples
from modelaudit.settings import ProbeSettings
from modelaudit.structs import replace

ARTIFACT = Artifact(Path("m.keras"), Format.KERAS_ARCHIVE)
SETTINGS = ProbeSettings(samples=16)


def restored(*shapes):
    ports = tuple(Port(f"x{i}", "float32", shape) for i, shape in enumerate(shapes))
    return Observation("here", "load_model", Status.LOADED, inputs=ports)


def data(tmp_path, shape, **more):
    x = np.random.default_rng(0).random(shape, dtype=np.float32)
    np.savez(tmp_path / "data.npz", x=x, **more)
    return tmp_path / "data.npz", x


def test_the_user_s_images_are_used_unchanged(tmp_path):
    path, x = data(tmp_path, (10, 8, 8, 3), y=np.arange(10) % 5)
    fed = prepare_inputs(restored((None, 8, 8, 3)), ARTIFACT, SETTINGS, path)
    np.testing.assert_array_equal(fed.arrays[0], x)
    np.testing.assert_array_equal(fed.y, np.arange(10) % 5)
    assert (fed.info.kind, fed.info.labelled, fed.info.largest_class) == ("user", True, 0.2)
    assert fed.mix is not None
    assert next(iter(fed.moves[0])) == "H"  # studies begin with the mirror


def test_what_a_preset_s_converter_leaves_is_fed_and_told(tmp_path):
    converter = {"scale": 1 / 127.5, "offset": -1.0}
    extra = {"preset": {"converter": converter}}
    preset = Artifact(Path("preset"), Format.KERASHUB_PRESET, extra=extra)
    made = prepare_inputs(restored((None, 8, 8, 3)), preset, SETTINGS, None)
    assert made.arrays[0].min() < -0.5
    assert made.info.stated_range is None
    assert "range -1…1 that the image converter of the preset leaves" in made.info.notes
    path, x = data(tmp_path, (10, 8, 8, 3))
    fed = prepare_inputs(restored((None, 8, 8, 3)), preset, SETTINGS, path)
    np.testing.assert_array_equal(fed.arrays[0], x)
    assert fed.info.stated_range == (-1.0, 1.0)
    pixels = np.random.default_rng(1).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    (tmp_path / "images").mkdir()
    Image.fromarray(pixels).resize((8, 8)).save(tmp_path / "images" / "a.png")
    fed = prepare_inputs(restored((None, 8, 8, 3)), preset, SETTINGS, tmp_path / "images")
    with Image.open(tmp_path / "images" / "a.png") as image:
        np.testing.assert_allclose(fed.arrays[0][0], np.asarray(image) / 127.5 - 1, atol=1e-6)


def test_data_that_do_not_fit_are_reported_and_replaced(tmp_path):
    path, _ = data(tmp_path, (10, 8, 8, 3))
    fed = prepare_inputs(restored((None, 9, 9, 3)), ARTIFACT, SETTINGS, path)
    assert (fed.info.kind, fed.mix, fed.y) == ("synthetic", None, None)
    assert fed.arrays[0].shape[1:] == (9, 9, 3)
    assert "do not match" in fed.info.notes[0]


def test_several_inputs_have_as_many_samples_each(tmp_path):
    path, _ = data(tmp_path, (10, 8, 8, 3))
    fed = prepare_inputs(restored((None, 8, 8, 3), (None, 4)), ARTIFACT, SETTINGS, path)
    assert len(fed.arrays[0]) == len(fed.arrays[1]) == fed.info.n
    assert "2 inputs" in fed.info.notes[0]
    assert fed.moves[0]
    assert not fed.moves[1]  # a vector has no mirror image


def test_the_same_seed_gives_the_same_inputs():
    first, second, other = (
        prepare_inputs(
            restored((None, 8, 8, 3)), ARTIFACT, ProbeSettings(samples=16, seed=seed), None
        )
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.arrays[0], second.arrays[0])
    assert not np.array_equal(first.arrays[0], other.arrays[0])


def test_a_model_without_inputs_cannot_be_studied():
    assert isinstance(prepare_inputs(restored(), ARTIFACT, SETTINGS, None), Unprobeable)


def test_notes_on_the_loaded_model_come_first_and_a_mismatch_before_them(tmp_path):
    seen = replace(restored((None, 8)), notes=("input 'keep' was set to 1.0",))
    fed = prepare_inputs(seen, ARTIFACT, SETTINGS, None)
    assert fed.info.notes[0] == "input 'keep' was set to 1.0"
    path, _ = data(tmp_path, (10, 9))
    fed = prepare_inputs(seen, ARTIFACT, SETTINGS, path)
    assert "do not match" in fed.info.notes[0]
    assert fed.info.notes[1] == "input 'keep' was set to 1.0"


def test_integers_stay_below_the_rows_of_the_table_that_they_index():
    port = Port("ids", "int32", (None, 20), 300)
    seen = Observation("here", "session", Status.LOADED, inputs=(port,))
    fed = prepare_inputs(seen, ARTIFACT, SETTINGS, None)
    assert fed.arrays[0].dtype == np.int32
    assert 250 < fed.arrays[0].max() < 300
    assert fed.info.notes == ("integers below 300, the rows of the table that 'ids' indexes",)
    unlimited = replace(seen, inputs=(replace(port, below=None),))
    fed = prepare_inputs(unlimited, ARTIFACT, SETTINGS, None)
    assert fed.info.notes == ("integers below 2: the model does not contain its vocabulary size",)


def saved(*shapes):
    """A model whose architecture declares these inputs."""
    layers = tuple(
        Layer(f"x{i}", f"x{i}", "InputLayer", output_shape=shape) for i, shape in enumerate(shapes)
    )
    routes = tuple(layer.route for layer in layers)
    architecture = Architecture("Functional", "m", "keras2", layers, routes, ())
    return replace(ARTIFACT, architecture=architecture)


def test_a_model_is_called_with_the_shape_that_was_saved():
    fed = prepare_inputs(restored((None, 20, 8, 1)), saved((None, 20, 8)), SETTINGS, None)
    assert fed.arrays[0].shape == (16, 20, 8)
    assert fed.info.notes[0].startswith(
        "input 'x0' was saved with shape (None, 20, 8) and restored"
    )


def test_the_shape_of_a_first_layer_that_is_no_input_layer():
    """Keras 1 and 2 keep it in the first layer, whose output has another shape."""
    first = replace(examples.layer("dense"), input_shapes=((None, 9),), output_shape=(None, 50))
    artifact = examples.model(first)
    architecture = replace(artifact.architecture, inputs=("dense",))
    artifact = replace(artifact, architecture=architecture)
    fed = prepare_inputs(restored((None, None, 9)), artifact, SETTINGS, None)
    assert fed.arrays[0].shape == (16, 9)


def test_shapes_that_agree_are_those_of_the_restored_model():
    fed = prepare_inputs(restored((None, 20, 8)), saved((None, None, 8)), SETTINGS, None)
    assert fed.arrays[0].shape == (16, 20, 8)
    assert not any("restored with" in note for note in fed.info.notes)
