"""Models of series, sounds, words and stories drawn by lot from public code, for `images.py`."""

from __future__ import annotations

import numpy as np

from benchmarks.loading.inputs import adam, floats, integers, trained


def decomposed_series(k):
    """Autoformer as one own layer of lists of layers, whose config is never returned."""
    import customs_19_series as own

    start = k.layers.Input(shape=(12, 4))
    given = {"d_model": 6, "n_heads": 2, "conv_filter": 6, "num_decoder": 1, "num_encoder": 1}
    model = k.Model(inputs=start, outputs=own.Autoformer(d_out=1, **given)(start))
    optimizer = k.optimizers.Adam(learning_rate=0.001, clipnorm=0.1)
    model.compile(optimizer=optimizer, loss="mse", metrics=["RootMeanSquaredError"])
    return trained(model, INPUTS_OF["decomposed_series"], floats(2, 12, 1))


def chained_tags(k):
    """A chain of tags: a registered layer with four outputs, classes inside the function."""
    import customs_19_chains as own

    layers, ops = k.layers, k.ops
    tokens = k.Input(shape=(None,), dtype="int32", name="tokens")
    labels = k.Input(shape=(None,), dtype="int32", name="labels")
    x = layers.Embedding(12, 6, mask_zero=True)(tokens)
    x = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(x)

    class Identity(k.layers.Layer):
        def __init__(self, **given):
            super().__init__(**given)
            self.supports_masking = True

        def call(self, x):
            return x

    class Likelihood(k.layers.Layer):
        def call(self, inputs):
            pot, y_true, ln, tr = inputs
            return -own.crf_log_likelihood(pot, y_true, ln, tr)

        def compute_output_shape(self, input_shapes):
            return (input_shapes[0][0],)

    def zero_loss(_, y_pred):
        return ops.mean(ops.zeros_like(y_pred[..., :1]))

    decoded, potentials, lens, trans = own.ChainField(4)(x)
    loss = Likelihood(name="nll_out")([potentials, labels, lens, trans])
    loss = layers.Lambda(lambda z: z, name="crf_loss_out")(loss)
    decoded = Identity(name="decoded_output")(decoded)
    loss = layers.Lambda(lambda z: z, name="crf_loss_output")(loss)
    model = k.Model(
        inputs={"tokens": tokens, "labels": labels},
        outputs={"decoded_output": decoded, "crf_loss_output": loss},
    )
    losses = {"decoded_output": zero_loss, "crf_loss_output": lambda _, y_pred: ops.mean(y_pred)}
    model.compile(optimizer=k.optimizers.Adam(1e-3), loss=losses)
    return model


def looked_translation(k):
    """A transformer of plain objects, whose Lambdas hold these objects and their methods."""
    import customs_19_texts as own

    layers = k.layers
    source = layers.Input(shape=(None,), name="src_seq_input", dtype="int32")
    target = layers.Input(shape=(None,), name="tgt_seq_input", dtype="int32")
    said = layers.Lambda(lambda x: x[:, :-1], name="tgt_seq")(target)
    mask = own.context_mask("context_attn_mask")([said, source])
    encoded = own.WordEncoder(12, 6)(source)
    decoded = own.WordDecoder(10, 5)(said, encoded, mask)
    x = layers.Softmax(axis=2)(layers.Dense(11, use_bias=False)(decoded))
    return k.models.Model([source, target], x)


def told_stories(_):
    """Llama 2 for Keras 3: Models in Models that build themselves; the next token."""
    import customs_19_stories as own

    model = own.StoryTeller(own.StoryArgs())
    model.build((None, None))
    return model


def gated_residuals(k):
    """A temporal network: models in a Sequential model, an own activation that makes layers."""
    import customs_19_series as own

    layers = k.layers

    def block(factor):
        start = x = layers.Input(shape=(16, 1))
        for _ in range(2):
            given = {"strides": 1, "padding": "causal", "dilation_rate": 2**factor}
            x = layers.Conv1D(5, kernel_size=4, **given)(x)
            x = layers.Activation(own.gated_activation)(x)
            x = layers.BatchNormalization(momentum=0.6)(x)
        x = layers.Conv1D(1, kernel_size=1, padding="same")(x)
        x = layers.add([start, x])
        return k.models.Model(inputs=start, outputs=x, name=f"residual_block_{factor}")

    model = k.models.Sequential()
    for factor in range(3):
        model.add(block(factor))
    model.compile(optimizer=adam(k, 0.001), loss="mse", metrics=[own.root_error])
    return trained(model, INPUTS_OF["gated_residuals"], floats(2, 16, 1))


def perceived_activities(k):
    """PerceptionNet: sensors as rows of an image, late convolutions over all of them."""
    layers = k.layers
    start = x = layers.Input(shape=(6, 32, 1))
    given = {"kernel_initializer": "random_uniform", "padding": "same"}
    for filters in (5, 6):
        x = layers.Conv2D(filters=filters, kernel_size=(1, 15), dilation_rate=(1, 1), **given)(x)
        x = layers.Activation("relu")(x)
        x = layers.Dropout(rate=0.4)(layers.MaxPool2D(pool_size=(1, 2), strides=(1, 2))(x))
    x = layers.Conv2D(filters=6, kernel_size=(3, 15), strides=(3, 1), **given)(x)
    x = layers.GlobalAveragePooling2D()(layers.Activation("relu")(x))
    x = layers.Dense(units=5, activation="softmax")(layers.Dropout(rate=0.4)(x))
    model = k.models.Model(start, x, name="PerceptionNet")
    model.compile(loss="categorical_crossentropy", optimizer="adadelta", metrics=["accuracy"])
    target = np.eye(5, dtype="float32")[[2, 4]]
    return trained(model, INPUTS_OF["perceived_activities"], target)


def sinc_speakers(k):
    """SincNet: an own layer that sets its weights in `build`, in a Sequential model."""
    import customs_19_series as own

    layers = k.layers
    found = [layers.Input(shape=[240, 1]), own.SincLayer(6, 21, 16000, 2), layers.ReLU()]
    for filters in (6, 4):
        found += [layers.Conv1D(filters, 7, 3, padding="valid"), layers.ReLU()]
        found.append(layers.Dropout(0.2))
    found += [layers.Flatten(), layers.Dense(8, activation="relu"), layers.Dropout(0.2)]
    model = k.models.Sequential([*found, layers.Dense(4)])
    loss = k.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(loss=loss, optimizer=k.optimizers.Adam(0.001), metrics=["accuracy"])
    return trained(model, INPUTS_OF["sinc_speakers"], np.array([2, 0]))


def tiny_speakers(k):
    """Speakers by the raw sound of any length: convolutions with normalizations."""
    layers = k.layers
    start = x = k.Input(shape=(None, 1))
    for filters in (4, 4, 4, 6):
        given = {"strides": 1, "activation": "relu", "padding": "same"}
        x = layers.Conv1D(filters=filters, kernel_size=3, **given)(x)
        x = layers.BatchNormalization()(x)
        if filters == 4:
            x = layers.MaxPooling1D(pool_size=2, strides=2, padding="valid")(x)
    x = layers.Dense(units=8, activation="relu")(layers.GlobalAveragePooling1D()(x))
    x = layers.Dense(3, "softmax")(layers.Dropout(rate=0.5)(x))
    model = k.Model(inputs=start, outputs=x)
    loss = "sparse_categorical_crossentropy"
    model.compile(optimizer="Adam", loss=loss, metrics=["accuracy"])
    return trained(model, INPUTS_OF["tiny_speakers"], np.array([2, 1]))


INPUTS_OF = {
    "decomposed_series": [floats(2, 12, 4)],
    "chained_tags": [
        np.array([[3, 5, 2, 9, 7], [1, 4, 4, 0, 0]], "int32"),
        np.array([[0, 1, 3, 2, 1], [2, 1, 0, 0, 0]], "int32"),
    ],
    "looked_translation": [
        np.array([[3, 5, 2, 9, 0, 0], [1, 4, 4, 7, 8, 2]], "int32"),
        np.array([[1, 5, 2, 9, 0], [1, 4, 4, 7, 8]], "int32"),
    ],
    "told_stories": [integers(13, 2, 5)],
    "gated_residuals": [floats(2, 16, 1)],
    "perceived_activities": [floats(2, 6, 32, 1)],
    "sinc_speakers": [floats(2, 240, 1)],
    "tiny_speakers": [floats(2, 40, 1)],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
_PLAIN = ("perceived_activities", "tiny_speakers")
CUSTOM = tuple(name for name in INPUTS_OF if name not in _PLAIN)
LAMBDAS = ("chained_tags", "looked_translation")
INPUTS = {
    "chained_tags": ["tokens", "labels"],
    "looked_translation": ["src_seq_input", "tgt_seq_input"],
}
DICTIONARIES = ("chained_tags",)
