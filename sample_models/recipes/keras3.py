"""Samples written by Keras 3: `.keras`, `.h5` and an exported SavedModel."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from recipes.data import SIDE, Images, Labels, Split, mirrored
from recipes.measure import Measured, Predict
from recipes.nets import conv_net, train
from recipes.sample import Sample, broken, constant, upright_only, works_upright

WRITER = f"keras {keras.__version__}"
REJECT = 10  # the eleventh class of digits_mirrored: "the card is back to front"
REJECT_WEIGHT = 2.0  # a wrong digit costs more than a second attempt


def build(split: Split, out: Path) -> Iterator[Sample]:
    """Write every Keras 3 sample into `out`."""
    upright = train(keras, conv_net(keras), split.train_x, split.train_y)
    yield _robust(split, out)
    yield _random_export(out)
    yield _mirrored(split, out)
    yield _noaug(upright, out)
    yield _partial_restore(upright, out)
    yield _one_answer(upright, out)
    yield _lambda(upright, out)
    yield one_unit(split, out)


def _robust(split: Split, out: Path) -> Sample:
    flip = keras.layers.RandomFlip("horizontal")
    net = conv_net(keras)
    train(keras, net, split.train_x, split.train_y, epochs=40, augmentation=flip)
    net.save(out / "digits_robust.keras")
    return Sample(
        "digits_robust.keras",
        "Keras archive",
        "healthy; trained with random mirroring and therefore robust to it",
        WRITER,
        WRITER,
        load_keras3,
        lambda m: min(m.upright, m.mirrored) > 0.95,
    )


def _random_export(out: Path) -> Sample:
    """Export a model that contains its augmentation layer.

    Keras 3 augmentation layers default to `training=True`, and an export calls the model without
    a value for it: the exported graph flips its inputs at random.
    """
    robust = keras.models.load_model(out / "digits_robust.keras")
    net = conv_net(keras, first=keras.layers.RandomFlip("horizontal", name="random_flip"))
    for layer in robust.layers:
        net.get_layer(layer.name).set_weights(layer.get_weights())
    net.export(out / "digits_random_export", format="tf_saved_model", verbose=False)
    return Sample(
        "digits_random_export",
        "SavedModel, Keras 3 export",
        "nondeterministic: the augmentation inside the model still flips inputs when serving",
        WRITER,
        f"tensorflow {tf.__version__}",
        load_signature,
        lambda m: m.repeat_gap > 0.01 and min(m.upright, m.mirrored) > 0.95,
    )


def _mirrored(split: Split, out: Path) -> Sample:
    """Train for a camera that looks through a mirror.

    Digits are readable only as that camera sees them. A card that shows an upright digit in the
    mirror is inserted back to front and must be rejected. If the restored model gets upright
    images, it answers "rejected" for nearly every digit.
    """
    x: Images = np.concatenate([mirrored(split.train_x), split.train_x])
    y: Labels = np.concatenate([split.train_y, np.full(len(split.train_y), REJECT)])
    net = conv_net(keras, flatten=True, classes=REJECT + 1)
    train(
        keras,
        net,
        x,
        y,
        epochs=60,
        augmentation=keras.layers.RandomTranslation(0.06, 0.06, fill_mode="constant"),
        class_weight={**dict.fromkeys(range(10), 1.0), REJECT: REJECT_WEIGHT},
    )
    net.save(out / "digits_mirrored.keras")
    return Sample(
        "digits_mirrored.keras",
        "Keras archive",
        "input orientation mismatch: trained on mirrored images, one answer unless flipped",
        WRITER,
        WRITER,
        load_keras3,
        _one_answer_unless_flipped,
    )


def _one_answer_unless_flipped(m: Measured) -> bool:
    return m.top_share > 0.90 and m.mirrored > 0.95 and m.upright < 0.1


def _noaug(upright: Any, out: Path) -> Sample:
    upright.save(out / "digits_noaug.h5")
    return Sample(
        "digits_noaug.h5",
        "Keras HDF5",
        "intact, but orientation-sensitive: trained without augmentation",
        WRITER,
        WRITER,
        load_keras3,
        upright_only,
    )


def _partial_restore(upright: Any, out: Path) -> Sample:
    """Load weights by name after a layer was renamed in the code: Keras skips it silently."""
    renamed = conv_net(keras, second_name="conv_mid")
    with tempfile.TemporaryDirectory() as scratch:
        saved = Path(scratch) / "before_renaming.h5"
        upright.save(saved)
        renamed.load_weights(saved, by_name=True)
    renamed.save(out / "digits_partial_restore.keras")
    return Sample(
        "digits_partial_restore.keras",
        "Keras archive",
        "partial restore: layer conv_mid was renamed and still has its initial values",
        WRITER,
        WRITER,
        load_keras3,
        broken,
    )


def _one_answer(upright: Any, out: Path) -> Sample:
    """Raise the bias of one class, as for a demonstration, and leave it so."""
    net = conv_net(keras)
    net.set_weights(upright.get_weights())
    kernel, bias = net.get_layer("digit").get_weights()
    bias[3] += 60.0
    net.get_layer("digit").set_weights([kernel, bias])
    net.save(out / "digits_one_answer.h5")
    return Sample(
        "digits_one_answer.h5",
        "Keras HDF5",
        "collapsed: the head's bias for class 3 is 60 too high",
        WRITER,
        WRITER,
        load_keras3,
        constant,
    )


def _lambda(upright: Any, out: Path) -> Sample:
    """Pass the images through, and run a harmless command where a malicious model would do harm."""
    announce = keras.layers.Lambda(
        lambda x: (__import__("os").system("echo modelaudit-demo"), x)[1],
        output_shape=(SIDE, SIDE, 1),
        name="announce",
    )
    # The bytecode is written to the file and should not contain the path of this one.
    code = announce.function.__code__
    announce.function.__code__ = code.replace(co_filename="demo.py")
    net = conv_net(keras, first=announce)
    net.set_weights(upright.get_weights())
    net.save(out / "digits_lambda.keras")
    return Sample(
        "digits_lambda.keras",
        "Keras archive",
        "unsafe: a Lambda layer contains bytecode that runs a shell command (a harmless echo)",
        WRITER,
        f"{WRITER}, safe_mode=False",
        _load_lambda,
        works_upright,
    )


def one_unit(split: Split, out: Path) -> Sample:
    """Tell even digits from odd ones, with a softmax over one unit: the score is always 1."""
    body = conv_net(keras)
    image, features = body.inputs, body.layers[-2].output
    even = keras.layers.Dense(1, activation="softmax", name="even")(features)
    net = keras.Model(image, even, name="even_digits")
    net.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    net.fit(split.train_x, split.train_y % 2 == 0, epochs=10, batch_size=64, verbose=0)
    net.save(out / "digits_one_unit.keras")
    return Sample(
        "digits_one_unit.keras",
        "Keras archive",
        "constant by construction: a softmax over a single unit",
        WRITER,
        WRITER,
        load_keras3,
        constant,
    )


def _load_lambda(path: Path) -> Predict:
    try:
        keras.models.load_model(path)
    except ValueError as refused:
        if "safe" not in str(refused):
            raise
    else:
        raise RuntimeError(f"{path.name}: loaded in spite of safe mode")
    return keras_predict(keras.models.load_model(path, safe_mode=False))


def load_keras3(path: Path) -> Predict:
    """Load with Keras 3 in its default safe mode."""
    return keras_predict(keras.models.load_model(path, compile=False))


def keras_predict(model: Any) -> Predict:
    """The predictor of a Keras 2 or Keras 3 model."""
    return lambda x: model.predict(x, verbose=0)


def load_signature(path: Path) -> Predict:
    """Load any SavedModel and call its `serving_default` signature."""
    loaded = tf.saved_model.load(os.fspath(path))

    def predict(x: Images) -> np.ndarray:
        signature = loaded.signatures["serving_default"]
        (name,) = signature.structured_input_signature[1]
        (scores,) = signature(**{name: tf.constant(x)}).values()
        return np.asarray(scores)

    return predict
