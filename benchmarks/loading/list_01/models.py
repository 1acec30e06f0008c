"""Small models of many kinds, for `models.py`: the first list."""

from __future__ import annotations

import numpy as np

from benchmarks.loading.inputs import floats, integers, words


def sequential_without_input(k):
    """Dense layers whose input shape is only known from the first call."""
    model = k.Sequential([k.layers.Dense(5, activation="relu"), k.layers.Dropout(0.3)])
    model.add(k.layers.Dense(2, activation="softmax"))
    model(floats(4, 3))
    return model


def frames(k):
    """A convolution for each frame, then an LSTM."""
    model = k.Sequential([k.layers.Input((4, 6, 6, 1))])
    model.add(k.layers.TimeDistributed(k.layers.Conv2D(2, 3, activation="relu")))
    model.add(k.layers.TimeDistributed(k.layers.GlobalAveragePooling2D()))
    model.add(k.layers.LSTM(3))
    model.add(k.layers.Dense(2))
    return model


def both_directions(k):
    """Bidirectional layers with several ways of merging."""
    value = start = k.layers.Input((5, 3), name="series")
    value = k.layers.Bidirectional(k.layers.GRU(4, return_sequences=True))(value)
    back = k.layers.LSTM(3, go_backwards=True, activation="relu")
    value = k.layers.Bidirectional(k.layers.LSTM(3), merge_mode="sum", backward_layer=back)(value)
    return k.Model(start, k.layers.Dense(2)(value))


def masked_words(k):
    """An embedding whose mask reaches a recurrent layer and an average."""
    start = k.layers.Input((6,), dtype="int32", name="tokens")
    value = k.layers.Embedding(9, 4, mask_zero=True)(start)
    value = k.layers.GRU(4, return_sequences=True)(value)
    return k.Model(start, k.layers.Dense(2)(k.layers.GlobalAveragePooling1D()(value)))


def stacked_cells(k):
    """An RNN of two cells."""
    start = k.layers.Input((5, 3), name="series")
    value = k.layers.Masking(0.0)(start)
    value = k.layers.RNN([k.layers.GRUCell(4), k.layers.LSTMCell(3)])(value)
    return k.Model(start, k.layers.Dense(2)(value))


def attention_pair(k):
    """Dot-product and additive attention."""
    query = k.layers.Input((4, 3), name="query")
    memory = k.layers.Input((5, 3), name="memory")
    found = k.layers.Attention(use_scale=True)([query, memory])
    added = k.layers.AdditiveAttention()([query, memory])
    value = k.layers.Concatenate()([found, added])
    return k.Model([query, memory], k.layers.Dense(2)(k.layers.Flatten()(value)))


def transformer_block(k):
    """Self-attention, a residual connection and normalization."""
    start = k.layers.Input((5, 4), name="tokens")
    seen = k.layers.MultiHeadAttention(num_heads=2, key_dim=3)(start, start)
    value = k.layers.LayerNormalization()(k.layers.Add()([start, seen]))
    inner = k.layers.Dense(8, activation="gelu")(value)
    value = k.layers.Add()([value, k.layers.Dense(4)(inner)])
    return k.Model(start, k.layers.Dense(2)(k.layers.GlobalMaxPooling1D()(value)))


def siamese(k):
    """One inner model for two inputs, compared by a Lambda."""
    inner = k.Sequential([k.layers.Input((6,)), k.layers.Dense(4, activation="relu")], name="tower")
    left, right = k.layers.Input((6,), name="left"), k.layers.Input((6,), name="right")
    value = k.layers.Lambda(lambda pair: abs(pair[0] - pair[1]), output_shape=(4,))(
        [inner(left), inner(right)]
    )
    return k.Model([left, right], k.layers.Dense(1, activation="sigmoid")(value))


def models_in_models(k):
    """A Functional model in a Sequential one in a Functional one."""
    value = k.layers.Input((4,))
    deepest = k.Model(value, k.layers.Dense(3, activation="elu")(value), name="deepest")
    middle = k.Sequential([k.layers.Input((4,)), deepest, k.layers.Dense(5)], name="middle")
    start = k.layers.Input((4,), name="start")
    return k.Model(start, k.layers.Dense(2)(middle(start)))


def regularized(k):
    """Regularizers, constraints and initializers of all kinds."""
    value = start = k.layers.Input((6,), name="numbers")
    value = k.layers.Dense(
        5,
        kernel_regularizer=k.regularizers.L1L2(0.01, 0.02),
        bias_regularizer=k.regularizers.L2(0.01),
        kernel_constraint=k.constraints.MaxNorm(3.0),
        bias_constraint=k.constraints.NonNeg(),
        kernel_initializer=k.initializers.Orthogonal(gain=0.5),
    )(value)
    value = k.layers.Dense(
        5,
        kernel_constraint=k.constraints.MinMaxNorm(0.1, 2.0),
        kernel_initializer=k.initializers.VarianceScaling(2.0, "fan_out", "uniform"),
        bias_initializer=k.initializers.Constant(0.2),
        activity_regularizer=k.regularizers.L1(0.01),
    )(value)
    value = k.layers.ActivityRegularization(l2=0.1)(value)
    value = k.layers.Dense(
        2,
        kernel_initializer=k.initializers.TruncatedNormal(stddev=0.1),
        kernel_constraint=k.constraints.UnitNorm(),
    )(value)
    return k.Model(start, value)


def many_ends(k):
    """Three inputs and two outputs, with losses by name."""
    one, two = k.layers.Input((4,), name="one"), k.layers.Input((4,), name="two")
    third = k.layers.Input((1,), dtype="int32", name="third")
    code = k.layers.Flatten()(k.layers.Embedding(5, 4)(third))
    value = k.layers.Concatenate()([k.layers.Multiply()([one, two]), code])
    value = k.layers.Dense(4, activation="relu")(value)
    score = k.layers.Dot(axes=1, normalize=True, name="score")([value, one])
    group = k.layers.Dense(3, activation="softmax", name="group")(value)
    model = k.Model([one, two, third], [score, group])
    losses = {"score": "mse", "group": "categorical_crossentropy"}
    model.compile("rmsprop", loss=losses, metrics={"score": ["mae"], "group": ["accuracy"]})
    return model


def mixed_precision(k):
    """Another dtype policy for single layers."""
    policy = getattr(k, "mixed_precision", None) or k.mixed_precision.experimental
    value = start = k.layers.Input((4,), name="numbers")
    value = k.layers.Dense(5, dtype=policy.Policy("mixed_bfloat16"))(value)
    value = k.layers.Dense(4, dtype="float64", activation="relu")(value)
    return k.Model(start, k.layers.Dense(2, dtype="float32")(value))


def separable_images(k):
    """Separable, depthwise and transposed convolutions with padding and resampling."""
    value = start = k.layers.Input((8, 8, 3), name="image")
    value = k.layers.ZeroPadding2D(1)(value)
    value = k.layers.SeparableConv2D(4, 3, depth_multiplier=2, activation="relu")(value)
    value = k.layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(value)
    value = k.layers.AveragePooling2D(2)(value)
    value = k.layers.Conv2DTranspose(3, 3, strides=2, padding="same")(value)
    value = k.layers.UpSampling2D(2, interpolation="bilinear")(value)
    value = k.layers.Cropping2D(((1, 2), (0, 1)))(value)
    return k.Model(start, k.layers.Dense(2)(k.layers.GlobalMaxPooling2D()(value)))


def normalized(k):
    """Normalization over other axes than the last one."""
    value = start = k.layers.Input((3, 4, 5), name="cube")
    value = k.layers.BatchNormalization(axis=1, momentum=0.9)(value)
    value = k.layers.LayerNormalization(axis=[2, 3], epsilon=1e-4)(value)
    value = k.layers.BatchNormalization(scale=False, center=False)(value)
    return k.Model(start, k.layers.Dense(2)(k.layers.Flatten()(value)))


def prepared_numbers(k):
    """Preprocessing layers whose state is given."""
    number = k.layers.Input((2,), name="number")
    scaled = k.layers.Normalization(mean=[0.5, 1.0], variance=[2.0, 3.0])(number)
    bins = k.layers.Discretization(bin_boundaries=[-0.5, 0.0, 0.5])(number)
    code = k.layers.CategoryEncoding(num_tokens=4, output_mode="multi_hot")(bins)
    value = k.layers.Concatenate()([k.layers.Rescaling(2.0, offset=-1.0)(scaled), code])
    return k.Model(number, k.layers.Dense(2)(value))


def prepared_text(k):
    """Text to tokens to a vector."""
    start = k.layers.Input((1,), dtype="string", name="text")
    words = ["red", "green", "blue"]
    value = k.layers.TextVectorization(output_sequence_length=4, vocabulary=words)(start)
    value = k.layers.GlobalAveragePooling1D()(k.layers.Embedding(6, 3)(value))
    return k.Model(start, k.layers.Dense(2)(value))


def looked_up(k):
    """Categories by lookup and by hash."""
    word = k.layers.Input((1,), dtype="string", name="word")
    lookup = k.layers.StringLookup(vocabulary=["red", "green"], output_mode="one_hot")
    bins = k.layers.Flatten()(k.layers.Embedding(4, 2)(k.layers.Hashing(num_bins=4)(word)))
    value = k.layers.Concatenate()([lookup(word), bins])
    return k.Model(word, k.layers.Dense(2)(value))


def added_losses(k):
    """Losses and metrics added to the model (Keras 2), or by a layer."""
    import customs

    value = start = k.layers.Input((4,), name="numbers")
    hidden = k.layers.Dense(3, activation="relu")(customs.Penalized(0.2)(value))
    model = k.Model(start, k.layers.Dense(2)(hidden))
    if hasattr(model, "add_metric"):
        model.add_loss(k.backend.mean(k.backend.abs(hidden)))
        model.add_metric(k.backend.mean(hidden), name="mean_of_hidden", aggregation="mean")
    return model


def subclassed_list(_):
    """A subclassed model with layers in a list."""
    import customs

    model = customs.Blocks(units=4)
    model(floats(4, 3))
    return model


def own_functions(k):
    """A Lambda and an activation of the user's own, and a layer without a config of its own."""
    import customs

    left, right = k.layers.Input((4,), name="left"), k.layers.Input((4,), name="right")
    value = k.layers.Lambda(customs.absolute_difference, output_shape=(4,))([left, right])
    value = k.layers.Dense(3, activation=customs.soft_clip)(customs.Shift()(value))
    return k.Model([left, right], k.layers.Dense(2)(value))


def reshaped_series(k):
    """Dilated and local convolutions over series, and layers that move axes."""
    value = start = k.layers.Input((12, 2), name="series")
    value = k.layers.Conv1D(3, 3, padding="causal", dilation_rate=2, activation="selu")(value)
    if hasattr(k.layers, "LocallyConnected1D"):
        value = k.layers.LocallyConnected1D(2, 3)(value)
    value = k.layers.MaxPooling1D(2)(k.layers.Cropping1D((1, 1))(value))
    value = k.layers.Permute((2, 1))(value)
    value = k.layers.Dense(3)(k.layers.Flatten()(value))
    value = k.layers.Reshape((3, 2))(k.layers.Dense(6)(value))
    return k.Model(start, k.layers.Dense(2)(k.layers.Flatten()(k.layers.UpSampling1D(2)(value))))


def activation_layers(k):
    """Activations and noise as layers."""
    value = start = k.layers.Input((6, 4), name="series")
    for layer in (
        k.layers.PReLU(shared_axes=[1]),
        k.layers.GaussianNoise(0.2),
        k.layers.LeakyReLU(0.2),
        k.layers.SpatialDropout1D(0.2),
        k.layers.ELU(0.5),
        k.layers.GaussianDropout(0.1),
        k.layers.ReLU(max_value=6.0, negative_slope=0.1),
        k.layers.AlphaDropout(0.1),
        k.layers.Softmax(axis=1),
        k.layers.Activation("swish"),
    ):
        value = layer(value)
    return k.Model(start, k.layers.Dense(2, activation="exponential")(k.layers.Flatten()(value)))


def scheduled(k):
    """Trained for a step with a schedule, momentum, and losses and metrics as objects."""
    model = k.Sequential([k.layers.Input((4,)), k.layers.Dense(3, activation="relu")])
    model.add(k.layers.BatchNormalization())
    model.add(k.layers.Dense(2, activation="sigmoid"))
    rate = k.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
    model.compile(
        k.optimizers.SGD(rate, momentum=0.9, nesterov=True),
        loss=k.losses.BinaryCrossentropy(label_smoothing=0.1),
        metrics=[k.metrics.AUC(name="auc"), "mae"],
    )
    model.fit(floats(8, 4), np.ones((8, 2), "float32"), verbose=0)
    return model


MODELS = {
    "sequential_without_input": (sequential_without_input, [floats(4, 3)]),
    "frames": (frames, [floats(2, 4, 6, 6, 1)]),
    "both_directions": (both_directions, [floats(3, 5, 3)]),
    "masked_words": (masked_words, [integers(9, 3, 6) * (integers(3, 3, 6) - 1)]),
    "stacked_cells": (stacked_cells, [floats(3, 5, 3)]),
    "attention_pair": (attention_pair, [floats(2, 4, 3), floats(2, 5, 3)]),
    "transformer_block": (transformer_block, [floats(2, 5, 4)]),
    "siamese": (siamese, [floats(3, 6), floats(3, 6) * 0.5]),
    "models_in_models": (models_in_models, [floats(3, 4)]),
    "regularized": (regularized, [floats(3, 6)]),
    "many_ends": (many_ends, [floats(3, 4), floats(3, 4) * 2, integers(5, 3, 1)]),
    "mixed_precision": (mixed_precision, [floats(3, 4)]),
    "separable_images": (separable_images, [floats(2, 8, 8, 3)]),
    "normalized": (normalized, [floats(2, 3, 4, 5)]),
    "prepared_numbers": (prepared_numbers, [floats(3, 2)]),
    "prepared_text": (prepared_text, [words("red blue", "green", "gray red")]),
    "looked_up": (looked_up, [words("red", "green", "gray")]),
    "added_losses": (added_losses, [floats(3, 4)]),
    "subclassed_list": (subclassed_list, [floats(4, 3)]),
    "own_functions": (own_functions, [floats(3, 4), floats(3, 4) * 0.5]),
    "reshaped_series": (reshaped_series, [floats(2, 12, 2)]),
    "activation_layers": (activation_layers, [floats(2, 6, 4)]),
    "scheduled": (scheduled, [floats(3, 4)]),
}
CUSTOM = frozenset(("added_losses", "own_cell", "own_functions", "subclassed_list"))
# Models whose code differs between versions.
VARYING = frozenset(("added_losses", "reshaped_series"))
LAMBDAS = frozenset(("siamese", "own_functions"))
INPUTS = {
    "attention_pair": ["query", "memory"],
    "siamese": ["left", "right"],
    "many_ends": ["one", "two", "third"],
    "own_functions": ["left", "right"],
    "two_towers": ["left", "right"],
}
