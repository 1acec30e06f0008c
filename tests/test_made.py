"""The generated models are valid: each is opened by its own library."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.made import files, keras_models

KERAS3_WHOLE = (
    "keras3_sequential.keras",
    "keras3_branches.keras",
    "keras3_nested.keras",
    "keras3_sequential.h5",
    "keras3_nested.h5",
)
KERAS2_WHOLE = (
    "keras2_sequential.h5",
    "keras2_nested.h5",
    "keras2_sequential.keras",
    "keras2_savedmodel",
)
SAVED_MODELS = ("keras2_savedmodel", "keras3_export", "module_savedmodel", "tf1_savedmodel")


@pytest.fixture(scope="module")
def golden(made: Path) -> dict[str, np.ndarray]:
    with np.load(made / "golden.npz") as arrays:
        return dict(arrays)


def softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def serve(directory: Path, x: np.ndarray) -> np.ndarray:
    import tensorflow as tf

    loaded = tf.saved_model.load(os.fspath(directory))  # kept: a signature alone loses variables
    signature = loaded.signatures["serving_default"]
    (name,) = signature.structured_input_signature[1]
    (scores,) = signature(**{name: tf.constant(x)}).values()
    return scores.numpy()


@pytest.mark.parametrize("builder", files.ALONE, ids=lambda builder: builder.__name__)
def test_file_builder_stays_in_its_folder(builder, tmp_path):
    path = builder(tmp_path)
    assert path.parent == tmp_path
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_names_that_mislead(tmp_path):
    assert h5py.is_hdf5(files.h5_named_keras(tmp_path))
    assert zipfile.is_zipfile(files.zip_named_h5(tmp_path))


@pytest.mark.parametrize("builder", [files.truncated_h5, files.text_mangled_h5, files.empty_file])
def test_damaged_hdf5_is_refused_by_h5py(builder, tmp_path):
    with pytest.raises(OSError, match="Unable to"):
        h5py.File(builder(tmp_path))


def test_damage_looks_realistic(tmp_path):
    assert files.truncated_h5(tmp_path).read_bytes().startswith(b"\x89HDF\r\n\x1a\n")
    mangled = files.text_mangled_h5(tmp_path).read_bytes()
    assert mangled.startswith(b"\xef\xbf\xbdHDF\r\n\x1a\n")
    assert files.empty_file(tmp_path).stat().st_size == 0
    assert files.lfs_pointer(tmp_path).stat().st_size in range(125, 140)


def test_noise_zip_is_valid_outside_and_noise_inside(tmp_path):
    with zipfile.ZipFile(files.noise_zip(tmp_path)) as archive:
        assert archive.testzip() is None
        with pytest.raises(UnicodeDecodeError):
            json.loads(archive.read("config.json"))


def test_symlink_loop_loops(tmp_path):
    loop = files.symlink_loop(tmp_path)
    assert (loop / "again" / "again" / "model.h5").samefile(loop / "model.h5")
    with pytest.raises(OSError, match="symbolic links"):
        (loop / "self.h5").stat()


@pytest.mark.slow
def test_chunked_attributes_are_read_by_keras(tmp_path):
    from tf_keras.src.saving.legacy.hdf5_format import load_attributes_from_hdf5_group

    with h5py.File(files.chunked_attributes_h5(tmp_path, layers=1200)) as file:
        assert "layer_names" not in file.attrs
        assert {"layer_names0", "layer_names1"} <= set(file.attrs)
        names = load_attributes_from_hdf5_group(file, "layer_names")
    assert [name.split("_")[1] for name in names] == [str(index) for index in range(1200)]


@pytest.mark.slow
def test_minimal_models_compute_their_dense_layer(tmp_path):
    import keras
    import tf_keras

    x = np.random.default_rng(0).normal(size=(5, files.IN)).astype("float32")
    kernel, bias = files.dense_weights()
    expected = softmax(x @ kernel + bias)
    old = tf_keras.models.load_model(files.minimal_h5(tmp_path / "m.h5"), compile=False)
    new = keras.models.load_model(files.minimal_keras(tmp_path / "m.keras"))
    np.testing.assert_allclose(old(x), expected, rtol=1e-5)
    np.testing.assert_allclose(new(x), expected, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", KERAS3_WHOLE)
def test_keras3_loads_its_own(made, golden, name):
    import keras

    model = keras.models.load_model(made / name, compile=False)
    np.testing.assert_allclose(model(golden["x"], training=False), golden[name], atol=1e-6)


@pytest.mark.slow
def test_keras3_loads_shared_layer_and_bare_weights(made, golden):
    import keras

    x = golden["x"]
    shared = keras.models.load_model(made / "keras3_shared.keras")
    np.testing.assert_allclose(shared([x, x[::-1]]), golden["keras3_shared.keras"], atol=1e-6)
    bare = keras_models.sequential_for_weights(keras)
    bare.load_weights(made / "keras3_sequential.weights.h5")
    np.testing.assert_allclose(
        bare(x, training=False), golden["keras3_sequential.weights.h5"], atol=1e-6
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", KERAS2_WHOLE)
def test_keras2_loads_its_own(made, golden, name):
    import tf_keras

    model = tf_keras.models.load_model(os.fspath(made / name), compile=False)
    np.testing.assert_allclose(model(golden["x"], training=False), golden[name], atol=1e-6)


@pytest.mark.slow
def test_keras2_weights_fit_their_architecture(made, golden):
    import tf_keras

    bare = keras_models.sequential_for_weights(tf_keras)
    bare.load_weights(made / "keras2_weights.h5")
    scores = bare(golden["x"], training=False)
    np.testing.assert_allclose(scores, golden["keras2_weights.h5"], atol=1e-6)


@pytest.mark.slow
def test_keras3_refuses_the_depthwise_option_of_keras2(made):
    import keras

    with pytest.raises((TypeError, ValueError), match="groups"):
        keras.models.load_model(made / "keras2_nested.h5", compile=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", SAVED_MODELS)
def test_saved_models_serve(made, golden, name):
    np.testing.assert_allclose(serve(made / name, golden["x"]), golden[name], atol=1e-5)


@pytest.mark.slow
def test_saved_models_have_the_parts_of_their_dialect(made):
    assert (made / "keras2_savedmodel" / "keras_metadata.pb").is_file()
    assert not (made / "keras3_export" / "keras_metadata.pb").exists()


@pytest.mark.slow
@pytest.mark.parametrize("layout", [files.serving_tree, files.nested_saved_models])
def test_copied_saved_models_serve_from_every_place(layout, made, golden, tmp_path):
    root = layout(tmp_path, made / "module_savedmodel")
    places = [found.parent for found in root.rglob("saved_model.pb")]
    assert len(places) == (2 if layout is files.serving_tree else 3)
    for place in places:
        scores = serve(place, golden["x"])
        np.testing.assert_allclose(scores, golden["module_savedmodel"], atol=1e-5)


@pytest.mark.slow
def test_tf1_checkpoint_and_frozen_graph_compute_the_scores(made, golden):
    import tensorflow as tf

    v1 = tf.compat.v1
    prefix = os.fspath(made / "tf1_checkpoint" / "model.ckpt")
    with tf.Graph().as_default(), v1.Session() as session:
        v1.train.import_meta_graph(f"{prefix}.meta").restore(session, prefix)
        scores = session.run("scores:0", {"image:0": golden["x"]})
    np.testing.assert_allclose(scores, golden["tf1_checkpoint"], atol=1e-5)

    frozen = v1.GraphDef.FromString((made / "frozen_graph.pb").read_bytes())
    with tf.Graph().as_default() as graph, v1.Session() as session:
        tf.import_graph_def(frozen, name="")
        assert not any("Variable" in node.type for node in graph.get_operations())
        scores = session.run("scores:0", {"image:0": golden["x"]})
    np.testing.assert_allclose(scores, golden["frozen_graph.pb"], atol=1e-5)


@pytest.mark.slow
def test_leftovers_are_next_to_the_tf1_checkpoint(made):
    names = {entry.name for entry in (made / "tf1_checkpoint").iterdir()}
    assert {"model.ckpt", "model.png"} < names
    assert any(".tempstate" in name for name in names)


@pytest.mark.slow
def test_tf2_checkpoint_holds_the_module(made, golden):
    import tensorflow as tf

    reader = tf.train.load_checkpoint(os.fspath(made / "tf2_checkpoint" / "ckpt-1"))
    kernel, bias = (
        reader.get_tensor(f"model/{name}/.ATTRIBUTES/VARIABLE_VALUE") for name in ("kernel", "bias")
    )
    scores = golden["x"].reshape(4, -1) @ kernel + bias
    np.testing.assert_allclose(scores, golden["tf2_checkpoint"], rtol=1e-4, atol=1e-5)
