"""Models of words, bacteria and brains, for `models.py`."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.loading.inputs import floats, integers, trained


def bacteria_names(_):
    """A model of a class that has the name of its base."""
    import customs_24 as own

    model = own.Model()
    model(tf.constant(floats(3, 12)))
    return model


def skipped_words(k):
    """A word and those around it, by a layer whose output is its loss."""
    import customs_24 as own

    context = k.Input(shape=(1,), dtype=tf.int32, name="context")
    target = k.Input(shape=(4,), dtype=tf.int32, name="target")
    loss = own.SkipGram(12, 5, 2)([context, target])
    model = k.Model(inputs=[context, target], outputs=loss)
    model.compile(optimizer="adam")
    model.fit([integers(12, 3, 1), integers(12, 3, 4)], verbose=0)
    return model


def grouped_brains(k):
    """Waves of channels with a regularizer of groups, constraints and a policy of a dtype."""
    import customs_24 as own

    layers = k.layers
    max_norm = k.constraints.max_norm
    _input_s = k.Input(shape=(4, 16, 1), dtype=tf.float32)
    s = layers.Conv2D(3, (1, 8), padding="same", use_bias=False, name="tfconv")(_input_s)
    s = layers.BatchNormalization(axis=-1)(s)
    s = layers.DepthwiseConv2D(
        (4, 1),
        use_bias=False,
        depth_multiplier=2,
        depthwise_constraint=max_norm(1.0),
        name="sconv",
    )(s)
    s = layers.BatchNormalization(axis=-1)(s)
    s = layers.Activation("elu")(s)
    s = layers.AveragePooling2D((1, 4))(s)
    s = layers.Dropout(0.5)(s)
    s = layers.Conv2D(
        5,
        (1, 4),
        use_bias=False,
        padding="same",
        kernel_regularizer=own.sgl(1e-4, 1e-4),
        activity_regularizer=own.tsc(1e-5),
        name="fs",
    )(s)
    s = layers.BatchNormalization(axis=-1)(s)
    s = layers.Activation("elu")(s)
    s = layers.Dropout(0.5)(s)
    flatten = layers.Flatten(name="flatten")(s)
    dense = layers.Dense(3, kernel_constraint=max_norm(0.25))(flatten)
    _output_s = layers.Activation("softmax", name="softmax")(dense)
    model = k.Model(inputs=_input_s, outputs=_output_s, name="TSGLEEGNet")
    model.compile(
        optimizer=k.optimizers.Adam(1e-3),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return trained(model, [floats(2, 4, 16, 1)], np.array([0, 2]))


MODELS = {
    "bacteria_names": (bacteria_names, [floats(3, 12)]),
    "skipped_words": (skipped_words, [integers(12, 3, 1), integers(12, 3, 4)]),
    "grouped_brains": (grouped_brains, [floats(2, 4, 16, 1)]),
}
CUSTOM = frozenset(MODELS)
INPUTS = {"skipped_words": ("context", "target")}
