"""Inputs that a graph decodes, against feeding encoded data by hand."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.probe.child.graph_adapters import SessionModel, SignatureModel
from modelaudit.probe.child.loading import _endpoints
from tests.probe.child.training_graphs import NONE_ASKED

pytestmark = pytest.mark.slow
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (3, 12, 12, 3), "uint8")


def saved(tf, folder, function, spec) -> SignatureModel:
    """The signature of `function`, saved and loaded."""
    module = tf.Module()
    module.w = tf.Variable(RNG.normal(size=(5, 2)), dtype=tf.float32)
    module.f = tf.function(lambda x: {"y": function(module, x)}, input_signature=[spec])
    tf.saved_model.save(module, str(folder), signatures=module.f)
    root = tf.saved_model.load(str(folder))
    return SignatureModel(tf, root, root.signatures["serving_default"])


@pytest.mark.parametrize("decode", ["decode_jpeg", "decode_png", "decode_image"])
def test_a_signature_of_encoded_images_is_called_with_pixels(tf, tmp_path, decode) -> None:
    options = {"expand_animations": False} if decode == "decode_image" else {}

    def means(module, x):
        def one(text):
            image = getattr(tf.io, decode)(text, channels=3, **options)
            return tf.reduce_mean(tf.cast(image, tf.float32), (0, 1))

        return tf.map_fn(one, x, fn_output_signature=tf.float32)

    model = saved(tf, tmp_path, means, tf.TensorSpec([None], tf.string, "image_bytes"))
    (entry,) = model.inputs
    assert (entry["dtype"], entry["shape"]) == ("uint8", [None, None, None, 3])
    value = model.run([IMAGES], False)["y"]
    np.testing.assert_allclose(value, IMAGES.mean((1, 2)), rtol=1e-5)


def test_a_session_of_one_encoded_image_at_a_time(tf) -> None:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        text = tf.compat.v1.placeholder(tf.string, [], "text")
        image = tf.image.decode_png(text, channels=1)
        tf.reduce_mean(tf.cast(image, tf.float32)[None], (1, 2), name="mean")
        inputs, outputs = _endpoints(NONE_ASKED, session.graph)
        model = SessionModel(tf, session, inputs, outputs)
        assert model.inputs[0]["shape"] == [1, None, None, 1]
        (value,) = model.run([IMAGES[:1, ..., :1]], False).values()
    np.testing.assert_allclose(value, IMAGES[:1, ..., :1].mean((1, 2)), rtol=1e-5)


def test_the_features_of_examples_are_inputs(tf, tmp_path) -> None:
    parsed = {
        "age": tf.io.FixedLenFeature([], tf.float32),
        "count": tf.io.FixedLenFeature([], tf.int64),
        "more": tf.io.FixedLenFeature([3], tf.float32),
        "word": tf.io.FixedLenFeature([], tf.string, ""),
        "any": tf.io.VarLenFeature(tf.float32),
    }

    def scores(module, x):
        found = tf.io.parse_example(x, parsed)
        columns = [found["age"][:, None], tf.cast(found["count"], tf.float32)[:, None]]
        return tf.concat([*columns, found["more"]], 1) @ module.w

    model = saved(tf, tmp_path, scores, tf.TensorSpec([None], tf.string, "examples"))
    shapes = {entry["name"]: (entry["dtype"], entry["shape"]) for entry in model.inputs}
    assert shapes == {
        "age": ("float32", [None]),
        "count": ("int64", [None]),
        "more": ("float32", [None, 3]),
    }
    assert any("2 features of text" in note for note in model.notes)
    columns = {
        "age": RNG.normal(size=4).astype("float32"),
        "count": np.arange(4),
        "more": RNG.normal(size=(4, 3)).astype("float32"),
    }
    value = model.run([columns[entry["name"]] for entry in model.inputs], False)["y"]
    joined = np.column_stack([columns["age"], columns["count"], columns["more"]])
    np.testing.assert_allclose(value, joined @ model.root.w.numpy(), rtol=1e-4)


def test_text_remains_text(tf, tmp_path) -> None:
    def lengths(module, x):
        return tf.cast(tf.strings.length(x), tf.float32)[:, None]

    model = saved(tf, tmp_path, lengths, tf.TensorSpec([None], tf.string, "words"))
    assert [(entry["name"], entry["dtype"]) for entry in model.inputs] == [("words", "string")]


@pytest.mark.parametrize("side", [30, 41, 64])
def test_the_side_of_flattened_images_follows_from_the_length(tf, side) -> None:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        v1 = tf.compat.v1
        x = v1.placeholder(tf.float32, [None, None, None, 3], "x")
        kernel = tf.constant(RNG.normal(size=(3, 3, 3, 2)), tf.float32)
        y = tf.nn.max_pool2d(tf.nn.conv2d(x, kernel, 1, "VALID"), 2, 2, "VALID")
        length = ((side - 2) // 2) ** 2 * 2
        flat = tf.reshape(y, [tf.shape(y)[0], tf.reduce_prod(tf.shape(y)[1:])])
        tf.matmul(flat, tf.constant(RNG.normal(size=(length, 4)), tf.float32), name="scores")
        inputs, outputs = _endpoints(NONE_ASKED, session.graph)
        model = SessionModel(tf, session, inputs, outputs)
        found = model.inputs[0]["shape"][1]
        assert found is None if side == 64 else (found - 2) // 2 == (side - 2) // 2
        run = np.zeros((2, found or 64, found or 64, 3), "float32")
        assert model.run([run], False)["scores"].shape == (2, 4)
