"""Models as people build them, for `matrix.py`: a third list, unlike the first two."""

from __future__ import annotations

import numpy as np

from benchmarks.loading.inputs import floats, integers, trained, words
from benchmarks.loading.list_03 import series


def recommender(k):
    """Matrix factorization with biases, from two columns of ids."""
    user = k.layers.Input((1,), dtype="int32", name="user")
    item = k.layers.Input((1,), dtype="int32", name="item")
    draw = {
        "embeddings_initializer": "he_normal",
        "embeddings_regularizer": k.regularizers.L2(1e-4),
    }
    one = k.layers.Flatten()(k.layers.Embedding(9, 4, name="user_factors", **draw)(user))
    two = k.layers.Flatten()(k.layers.Embedding(9, 4, name="item_factors", **draw)(item))
    bias = k.layers.Flatten()(k.layers.Embedding(9, 1, name="item_bias")(item))
    score = k.layers.Add()([k.layers.Dot(axes=1)([one, two]), bias])
    model = k.Model([user, item], k.layers.Activation("sigmoid", name="score")(score))
    metrics = [k.metrics.RootMeanSquaredError(), k.metrics.MeanAbsoluteError(name="mae")]
    model.compile(k.optimizers.Adagrad(0.05), loss="mse", metrics=metrics)
    return trained(model, INPUTS_OF["recommender"], np.ones((3, 1), "float32"))


def columns(k):
    """Adapted numbers, looked-up strings and looked-up integers."""
    price = k.layers.Input((2,), name="price")
    kind = k.layers.Input((1,), dtype="string", name="kind")
    year = k.layers.Input((1,), dtype="int64", name="year")
    scaled = k.layers.Normalization(axis=-1)
    scaled.adapt(floats(30, 2) * 3)
    kinds = k.layers.StringLookup(vocabulary=["red", "green", "blue"], num_oov_indices=2)
    years = k.layers.IntegerLookup(vocabulary=[1990, 2000, 2010], output_mode="one_hot")
    code = k.layers.Flatten()(k.layers.Embedding(5, 3)(kinds(kind)))
    value = k.layers.Concatenate()([scaled(price), code, years(year)])
    value = k.layers.Dropout(0.2)(k.layers.Dense(6, activation="relu")(value))
    return k.Model([price, kind, year], k.layers.Dense(1, activation="sigmoid")(value))


def resnet(k):
    """Two residual units with a projection, momentum and a cosine schedule."""
    decay = k.regularizers.L2(1e-4)

    def unit(value, width, stride):
        options = {"kernel_initializer": "he_normal", "kernel_regularizer": decay}
        inner = k.layers.Activation("relu")(k.layers.BatchNormalization()(value))
        short = value
        if stride > 1:
            short = k.layers.Conv2D(width, 1, strides=stride, **options)(inner)
        inner = k.layers.ZeroPadding2D(((1, 1), (1, 1)))(inner)
        inner = k.layers.Conv2D(width, 3, strides=stride, use_bias=False, **options)(inner)
        inner = k.layers.ReLU()(k.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(inner))
        inner = k.layers.Conv2D(width, 3, padding="same", **options)(inner)
        return k.layers.Add()([short, inner])

    start = k.layers.Input((8, 8, 3), name="image")
    value = unit(unit(k.layers.Conv2D(4, 3, padding="same")(start), 4, 1), 6, 2)
    value = k.layers.GlobalAveragePooling2D()(k.layers.MaxPooling2D(2, padding="same")(value))
    model = k.Model(start, k.layers.Dense(3, activation="softmax", name="classes")(value))
    cosine = getattr(k.optimizers.schedules, "CosineDecay", None) or k.experimental.CosineDecay
    model.compile(
        k.optimizers.SGD(cosine(0.1, 100), momentum=0.9),
        loss=k.losses.CategoricalCrossentropy(label_smoothing=0.1),
        metrics=["accuracy", k.metrics.TopKCategoricalAccuracy(2)],
    )
    return trained(model, INPUTS_OF["resnet"], np.eye(3, dtype="float32")[:2])


def mobile_v3(k):
    """Hard swish and hard sigmoid by arithmetic on tensors, and squeeze and excitation."""
    start = k.layers.Input((8, 8, 3), name="image")
    value = k.layers.Rescaling(1 / 127.5, offset=-1.0)(start)
    value = k.layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False)(value)
    value = k.layers.BatchNormalization(epsilon=1e-3, momentum=0.999)(value)
    value = value * (k.layers.ReLU(6.0)(value + 3.0) * (1.0 / 6.0))
    value = k.layers.DepthwiseConv2D(3, padding="same", use_bias=False)(value)
    gate = k.layers.Reshape((1, 1, 6))(k.layers.GlobalAveragePooling2D()(value))
    gate = k.layers.Conv2D(2, 1, activation="relu")(gate)
    gate = k.layers.ReLU(6.0)(k.layers.Conv2D(6, 1)(gate) + 3.0) / 6.0
    value = k.layers.Multiply()([value, gate])
    value = k.layers.Flatten()(k.layers.GlobalAveragePooling2D(keepdims=True)(value))
    return k.Model(start, k.layers.Dense(3)(value))


def unet(k):
    """Segmentation with skips, logits, and a metric over classes."""
    start = k.layers.Input((8, 8, 2), name="image")
    high = k.layers.Conv2D(4, 3, padding="same", activation="relu")(start)
    low = k.layers.MaxPooling2D()(k.layers.Dropout(0.1)(high))
    low = k.layers.Conv2D(6, 3, padding="same", dilation_rate=2, activation="relu")(low)
    up = k.layers.Conv2DTranspose(4, 3, strides=2, padding="same", output_padding=1)(low)
    value = k.layers.concatenate([up, high, k.layers.UpSampling2D()(low)], axis=3)
    value = k.layers.LeakyReLU()(k.layers.Conv2D(4, 3, padding="same")(value))
    model = k.Model(start, k.layers.Conv2D(1, 1, name="mask")(value))
    model.compile(
        k.optimizers.Adam(1e-3, amsgrad=True, clipnorm=1.0),
        loss=k.losses.BinaryCrossentropy(from_logits=True),
        metrics=[k.metrics.MeanIoU(num_classes=2)],
    )
    return trained(model, INPUTS_OF["unet"], np.ones((2, 8, 8, 1), "float32"))


def channels_first(k):
    """Layers for which the channels come first."""
    first = {"data_format": "channels_first"}
    start = k.layers.Input((3, 8, 8), name="image")
    value = k.layers.BatchNormalization(axis=1)(start)
    value = k.layers.ZeroPadding2D(1, **first)(value)
    value = k.layers.Cropping2D(1, **first)(value)
    value = k.layers.UpSampling2D(2, **first)(value)
    pooled = k.layers.GlobalMaxPooling2D(**first)(value)
    value = k.layers.Permute((2, 3, 1))(value)
    value = k.layers.Conv2D(4, 3, strides=4, groups=1, activation="tanh")(value)
    value = k.layers.Flatten(**first)(value)
    return k.Model(start, k.layers.Dense(2)(k.layers.Concatenate()([value, pooled])))


def registered_parts(k):
    """Registered classes and functions: a layer, an activation and a loss."""
    import customs

    inner = k.Sequential([k.layers.Input((4,)), customs.Gain(0.5)], name="inner")
    start = k.layers.Input((4,), name="numbers")
    value = k.layers.Dense(4, activation=customs.gentle)(inner(start))
    model = k.Model(start, k.layers.Dense(2)(customs.Gain(2.0, name="outer")(value)))
    model.compile("adam", loss=customs.cubed_error)
    return trained(model, INPUTS_OF["registered_parts"], floats(3, 2))


def residual_subclass(_):
    """A registered subclass of Model with layers that have layers."""
    import customs

    model = customs.ResidualNet(width=4, depth=2)
    model(floats(2, 8, 8, 3))
    return model


def transfer_head(k):
    """Augmentation and resizing, a frozen Functional base, and a Sequential head."""
    image = k.layers.Input((6, 6, 3))
    seen = k.layers.Conv2D(4, 3, activation="relu")(image)
    base = k.Model(image, k.layers.BatchNormalization()(seen), name="base")
    base.trainable = False
    turned = [k.layers.Input((8, 8, 3)), k.layers.RandomRotation(0.1)]
    turned += [k.layers.RandomZoom(0.1), k.layers.RandomTranslation(0.1, 0.1)]
    head = [k.layers.Input((4, 4, 4)), k.layers.GlobalAveragePooling2D(), k.layers.Dense(1)]
    start = k.layers.Input((8, 8, 3), name="photo")
    value = k.layers.Resizing(6, 6)(k.Sequential(turned, name="augmentation")(start))
    value = base(k.layers.Rescaling(1 / 255)(value), training=False)
    model = k.Model(start, k.Sequential(head, name="head")(value))
    model.compile(
        k.optimizers.Adam(1e-4),
        loss=k.losses.BinaryCrossentropy(from_logits=True),
        metrics=[k.metrics.BinaryAccuracy(threshold=0.0)],
    )
    return trained(model, INPUTS_OF["transfer_head"], np.ones((2, 1), "float32"))


def mixed_global(k):
    """Built under the policy mixed_float16, with a head in float32."""
    policy = getattr(k, "mixed_precision", None) or k.mixed_precision.experimental
    policy.set_global_policy("mixed_float16")
    try:
        start = k.layers.Input((6, 6, 2), name="image")
        value = k.layers.Conv2D(4, 3, activation="relu")(start)
        value = k.layers.GlobalAveragePooling2D()(k.layers.BatchNormalization()(value))
        value = k.layers.Dense(3)(value)
        model = k.Model(start, k.layers.Activation("softmax", dtype="float32")(value))
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return trained(model, INPUTS_OF["mixed_global"], np.array([0, 1]))
    finally:
        policy.set_global_policy("float32")


def constrained(k):
    """Constraints, regularizers and initializers of convolutions and recurrent layers."""
    start = k.layers.Input((6, 6, 2), name="image")
    value = k.layers.DepthwiseConv2D(
        3,
        depthwise_constraint=k.constraints.MaxNorm(2.0, axis=[0, 1, 2]),
        depthwise_initializer=k.initializers.RandomNormal(0.0, 0.1, seed=3),
        depthwise_regularizer=k.regularizers.L1(0.01),
    )(start)
    value = k.layers.SeparableConv2D(
        3, 2,
        pointwise_constraint=k.constraints.NonNeg(),
        pointwise_initializer=k.initializers.HeUniform(seed=1),
        activity_regularizer=k.regularizers.L1L2(0.01, 0.02),
    )(value)  # fmt: skip
    value = k.layers.Reshape((9, 3))(value)
    value = k.layers.SimpleRNN(
        4,
        return_sequences=True,
        recurrent_initializer=k.initializers.Identity(gain=0.9),
        recurrent_constraint=k.constraints.MinMaxNorm(0.2, 1.5, rate=0.9, axis=[0]),
        kernel_initializer=k.initializers.GlorotNormal(seed=2),
    )(value)
    value = k.layers.LSTM(
        3, recurrent_regularizer="l2", bias_initializer=k.initializers.RandomUniform(-0.1, 0.1)
    )(value)
    model = k.Model(
        start, k.layers.Dense(2, kernel_initializer=k.initializers.LecunUniform())(value)
    )
    model.compile(
        k.optimizers.RMSprop(1e-3, momentum=0.9, centered=True),
        loss=k.losses.CategoricalHinge(),
        metrics=[k.metrics.Precision(), k.metrics.Recall()],
    )
    return trained(model, INPUTS_OF["constrained"], np.eye(2, dtype="float32"))


def adversarial(k):
    """A generator followed by a frozen discriminator, both Sequential and compiled."""
    made = [k.layers.Input((4,)), k.layers.Dense(32, use_bias=False), k.layers.LeakyReLU(0.2)]
    made += [k.layers.Reshape((4, 4, 2)), k.layers.BatchNormalization(momentum=0.8)]
    made += [k.layers.Conv2DTranspose(1, 4, strides=2, padding="same", activation="tanh")]
    judged = [k.layers.Input((8, 8, 1)), k.layers.Conv2D(3, 5, strides=2, padding="same")]
    judged += [k.layers.LeakyReLU(0.2), k.layers.Dropout(0.3), k.layers.Flatten()]
    judge = k.Sequential([*judged, k.layers.Dense(1, activation="sigmoid")], name="discriminator")
    judge.trainable = False
    noise = k.layers.Input((4,), name="noise")
    model = k.Model(noise, judge(k.Sequential(made, name="generator")(noise)))
    model.compile(k.optimizers.Adam(2e-4, beta_1=0.5), loss="binary_crossentropy")
    return trained(model, INPUTS_OF["adversarial"], np.ones((3, 1), "float32"))


def normalized_groups(k):
    """Normalization over groups, of vectors, and of convolutions with groups."""
    start = k.layers.Input((6, 6, 4), name="image")
    value = k.layers.Conv2D(4, 3, groups=2, activation="swish")(start)
    value = k.layers.GroupNormalization(groups=2, epsilon=1e-4)(value)
    value = k.layers.DepthwiseConv1D(2)(k.layers.Reshape((16, 4))(value))
    value = k.layers.UnitNormalization(axis=-1)(value)
    value = k.layers.GlobalAveragePooling1D(keepdims=True)(value)
    model = k.Model(start, k.layers.Dense(2)(k.layers.Flatten()(value)))
    model.compile(k.optimizers.AdamW(1e-3, weight_decay=0.01), loss="log_cosh", metrics=["mae"])
    return trained(model, INPUTS_OF["normalized_groups"], floats(2, 2))


INPUTS_OF = {
    "recommender": [integers(9, 3, 1), integers(8, 3, 1)],
    "columns": [
        floats(3, 2),
        words("red", "gray", "blue"),
        np.array([[1990], [2010], [1985]], dtype="int64"),
    ],
    "resnet": [floats(2, 8, 8, 3)],
    "mobile_v3": [floats(2, 8, 8, 3) * 100],
    "unet": [floats(2, 8, 8, 2)],
    "channels_first": [floats(2, 3, 8, 8)],
    "registered_parts": [floats(3, 4)],
    "residual_subclass": [floats(2, 8, 8, 3)],
    "transfer_head": [floats(2, 8, 8, 3) * 100 + 100],
    "mixed_global": [floats(2, 6, 6, 2)],
    "constrained": [floats(2, 6, 6, 2)],
    "adversarial": [floats(3, 4)],
    "normalized_groups": [floats(2, 6, 6, 4)],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
MODELS |= series.MODELS
CUSTOM = ("registered_parts", "residual_subclass", *series.CUSTOM)
INPUTS = {"recommender": ["user", "item"], "columns": ["price", "kind", "year"], **series.INPUTS}
