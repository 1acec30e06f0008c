"""Networks as people write them, and their files: what a look at repairs starts from.

    PYTHON benchmarks/repair/nets.py FOLDER LABEL

builds every network in the runtime of PYTHON (TensorFlow 2.8 or newer; `TF_USE_LEGACY_KERAS` is
heeded), gives its variables values that matter, and saves it as `FOLDER/LABEL/NETWORK/m.h5` and
`m.keras` with its inputs and outputs in `probe.npz`. What a runtime cannot build or save is told.
Python 3.9 syntax, and no other module of this repository.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

k = tf.keras
L = k.layers
K = k.backend
V3 = hasattr(k, "ops")
ops: Any = k.ops if V3 else tf
Shape = tuple[int, ...]
mean = ops.mean if V3 else tf.reduce_mean


def eegnet() -> Any:
    """EEG: depthwise over the electrodes, with the usual constraints."""
    x = L.Input(shape=(8, 32, 1))
    y = L.Conv2D(4, (1, 16), padding="same", use_bias=False)(x)
    y = L.BatchNormalization()(y)
    limit = k.constraints.MaxNorm(1.0)
    y = L.DepthwiseConv2D((8, 1), use_bias=False, depth_multiplier=2, depthwise_constraint=limit)(y)
    y = L.Activation("elu")(L.BatchNormalization()(y))
    y = L.SpatialDropout2D(0.25)(L.AveragePooling2D((1, 4))(y))
    y = L.SeparableConv2D(6, (1, 4), use_bias=False, padding="same")(y)
    y = L.Flatten(name="flatten")(L.Activation("elu")(L.BatchNormalization()(y)))
    y = L.Dense(4, name="dense", kernel_constraint=k.constraints.MaxNorm(0.25))(y)
    return k.Model(inputs=x, outputs=L.Activation("softmax", name="softmax")(y))


def repeated() -> Any:
    """A recurrent autoencoder of series with missing steps."""
    m = k.models.Sequential()
    m.add(L.Masking(mask_value=-1.0, input_shape=(7, 3)))
    m.add(L.LSTM(6, activation="tanh", dropout=0.1, recurrent_dropout=0.1))
    m.add(L.RepeatVector(7))
    m.add(L.LSTM(5, return_sequences=True, unroll=True))
    m.add(L.TimeDistributed(L.Dense(3)))
    return m


def speech() -> Any:
    """Spoken words, as the tutorial on audio has it."""
    norm = L.Normalization(axis=None, mean=0.4, variance=2.25)
    return k.models.Sequential(
        [
            L.Input(shape=(30, 17, 1)),
            L.Resizing(16, 16),
            norm,
            L.Conv2D(6, 3, activation="relu"),
            L.MaxPooling2D(),
            L.Dropout(0.25),
            L.Flatten(),
            L.Dense(5),
        ]
    )


def ratings() -> Any:
    """Matrix factorisation with biases, scaled to stars."""
    user, film = L.Input(shape=(1,), name="user"), L.Input(shape=(1,), name="film")
    u = L.Embedding(11, 5, embeddings_initializer="he_normal")(user)
    f = L.Embedding(13, 5, embeddings_regularizer=k.regularizers.l2(1e-6))(film)
    bias = L.Add()([L.Flatten()(L.Embedding(11, 1)(user)), L.Flatten()(L.Embedding(13, 1)(film))])
    dot = L.Flatten()(L.Dot(axes=2, normalize=True)([u, f]))
    y = L.Activation("sigmoid")(L.Add()([dot, bias]))
    return k.Model([user, film], L.Lambda(lambda x: x * (5 - 0.5) + 0.5)(y))


def cbam() -> Any:
    """Attention to channels, then to places."""
    x = L.Input((12, 12, 3))
    y = L.Conv2D(8, 3, padding="same", activation="relu")(x)
    shared = [L.Dense(2, activation="relu"), L.Dense(8)]
    pooled = [
        L.Reshape((1, 1, 8))(p()(y)) for p in (L.GlobalAveragePooling2D, L.GlobalMaxPooling2D)
    ]
    both = [shared[1](shared[0](each)) for each in pooled]
    y = L.multiply([y, L.Activation("sigmoid")(L.add(both))])
    if V3:
        average = L.Lambda(lambda t: tf.reduce_mean(t, axis=3, keepdims=True))(y)
        most = L.Lambda(lambda t: tf.reduce_max(t, axis=3, keepdims=True))(y)
    else:
        average = L.Lambda(lambda t: K.mean(t, axis=3, keepdims=True))(y)
        most = L.Lambda(lambda t: K.max(t, axis=3, keepdims=True))(y)
    place = L.Conv2D(1, 7, padding="same", activation="sigmoid", use_bias=False)(
        L.Concatenate(axis=3)([average, most])
    )
    return k.Model(x, L.Dense(3)(L.GlobalAveragePooling2D()(L.multiply([y, place]))))


def channel_groups() -> Any:
    """Groups of channels that are cut out by Lambdas in a loop, then shuffled."""
    x = L.Input((8, 8, 8))
    parts = []
    for i in range(2):
        part = L.Lambda(lambda z, i=i: z[:, :, :, i * 4 : (i + 1) * 4])(x)
        parts.append(L.Conv2D(4, 3, padding="same", use_bias=False)(part))
    y = L.BatchNormalization()(L.concatenate(parts, axis=-1))
    y = L.Permute((1, 2, 4, 3))(L.Reshape((8, 8, 2, 4))(y))
    y = L.Activation("relu")(L.Reshape((8, 8, 8))(y))
    return k.Model(x, L.Dense(2, activation="softmax")(L.GlobalMaxPooling2D()(y)))


def dehaze() -> Any:
    """An equation written with operators on layers' outputs."""
    x = L.Input((10, 10, 3))
    a = L.Conv2D(3, 1, padding="same", activation="relu")(x)
    b = L.Conv2D(3, 3, padding="same", activation="relu")(a)
    c = L.Conv2D(3, 3, padding="same", activation="relu")(
        ops.concatenate([a, b], -1) if V3 else tf.concat([a, b], axis=-1)
    )
    return k.Model(x, ops.maximum(c * x - c + 1.0, 0.0))


def actor_critic() -> Any:
    """A policy and a value on one trunk."""
    seen = L.Input(shape=(6,), name="observations")
    trunk = L.Dense(16, activation="tanh", kernel_initializer=k.initializers.Orthogonal(1.4))(seen)
    logits = L.Dense(3, kernel_initializer=k.initializers.Orthogonal(0.01), name="logits")(trunk)
    value = L.Dense(1, name="value")(L.Dense(8, activation="tanh")(trunk))
    log = k.activations.log_softmax(logits) if V3 else tf.nn.log_softmax(logits)
    return k.Model(seen, [log, ops.squeeze(value, axis=-1)])


def dueling() -> Any:
    """Deep Q with advantages around their mean, on bytes."""
    frames = L.Input((20, 20, 4), dtype="uint8")
    y = L.Lambda(lambda t: tf.cast(t, tf.float32) / 255.0)(frames)
    y = L.Conv2D(4, 8, strides=4, activation="relu", kernel_initializer="he_uniform")(y)
    y = L.Flatten()(y)
    value, advantage = L.Dense(1)(y), L.Dense(4)(y)
    if V3:
        return k.Model(frames, value + (advantage - ops.mean(advantage, axis=1, keepdims=True)))
    return k.Model(frames, value + (advantage - tf.reduce_mean(advantage, axis=1, keepdims=True)))


def generator() -> Any:
    """The generator of a DCGAN."""
    m = k.Sequential(name="generator")
    m.add(L.Dense(4 * 4 * 8, use_bias=False, input_shape=(10,)))
    m.add(L.BatchNormalization(momentum=0.8))
    m.add(L.LeakyReLU(0.2))
    m.add(L.Reshape((4, 4, 8)))
    m.add(L.Conv2DTranspose(6, (5, 5), strides=(2, 2), padding="same", use_bias=False))
    m.add(L.BatchNormalization())
    m.add(L.PReLU(shared_axes=[1, 2]))
    m.add(L.UpSampling2D(interpolation="bilinear"))
    m.add(L.Conv2DTranspose(3, 4, padding="same", activation="tanh"))
    return m


def alexnet() -> Any:
    """Local response normalization, which is no layer."""
    m = k.Sequential()
    m.add(L.Conv2D(6, 5, strides=2, activation="relu", input_shape=(24, 24, 3), name="Conv1"))
    m.add(L.Lambda(tf.nn.local_response_normalization))
    m.add(L.MaxPooling2D(3, strides=2))
    m.add(L.ZeroPadding2D(((1, 0), (2, 1))))
    m.add(L.Conv2D(8, 3, activation="relu", kernel_regularizer=k.regularizers.l2(5e-4)))
    m.add(L.GlobalAveragePooling2D())
    m.add(L.Dense(10, activation=tf.nn.softmax))
    return m


def causal() -> Any:
    """A small decoder of text."""
    tokens = L.Input(shape=(9,), dtype="int32")
    places = ops.arange(0, 9, 1) if V3 else tf.range(start=0, limit=9, delta=1)
    x = L.Embedding(20, 8)(tokens) + L.Embedding(9, 8)(places)
    seen = L.MultiHeadAttention(num_heads=2, key_dim=4)(x, x, use_causal_mask=True)
    y = L.LayerNormalization(epsilon=1e-6)(x + L.Dropout(0.1)(seen))
    fed = L.Dense(8)(L.Dense(16, activation="gelu")(y))
    y = L.LayerNormalization(epsilon=1e-6)(y + fed)
    return k.Model(tokens, L.Dense(20)(y))


def passengers() -> Any:
    """A table with a column of each kind, by name."""
    age = L.Input((1,), name="age")
    deck = L.Input((1,), name="deck", dtype="int64")
    fare = L.Input((1,), name="fare")
    bins = L.Discretization(bin_boundaries=[18.0, 40.0, 65.0])(age)
    ages = L.CategoryEncoding(num_tokens=4, output_mode="one_hot")(bins)
    decks = L.IntegerLookup(vocabulary=[3, 7, 9], output_mode="multi_hot")(deck)
    fares = L.Normalization(mean=[30.0], variance=[400.0])(fare)
    y = L.Dense(6, activation="swish")(L.Concatenate()([ages, decks, fares]))
    return k.Model({"age": age, "deck": deck, "fare": fare}, {"alive": L.Dense(1, "sigmoid")(y)})


def ecg() -> Any:
    """A U-Net of signals."""
    x = L.Input((64, 2))
    a = L.ReLU()(L.BatchNormalization()(L.Conv1D(4, 9, padding="same")(x)))
    b = L.Conv1D(6, 9, strides=2, padding="same", activation="relu", dilation_rate=1)(a)
    c = L.Conv1D(6, 9, padding="causal", activation="selu", dilation_rate=2)(b)
    up = L.Conv1DTranspose(4, 8, strides=2, padding="same")(L.GaussianNoise(0.1)(c))
    y = L.Cropping1D((1, 2))(L.concatenate([a, up]))
    y = L.ZeroPadding1D((1, 2))(L.AlphaDropout(0.1)(y))
    return k.Model(x, L.Conv1D(3, 1, activation="softmax")(y))


def clips_of_frames() -> Any:
    """One network for each frame, then a recurrent one."""
    frame = k.Sequential(name="frame_encoder")
    frame.add(L.Conv2D(4, 3, strides=2, activation="relu", input_shape=(16, 16, 3)))
    frame.add(L.BatchNormalization())
    frame.add(L.GlobalAveragePooling2D())
    x = L.Input((5, 16, 16, 3))
    y = L.TimeDistributed(frame)(x)
    y = L.Bidirectional(L.GRU(4, reset_after=False), merge_mode="sum")(y)
    return k.Model(x, L.Dense(2, activation="softmax")(y))


def boxes() -> Any:
    """The head of a detector: slices, and the exponential of one."""
    x = L.Input((16, 16, 3))
    y = L.Conv2D(2 * 7, 4, strides=4)(L.LeakyReLU(0.1)(L.Conv2D(8, 3, padding="same")(x)))
    y = L.Reshape((4, 4, 2, 7))(y)
    near, size, rest = y[..., 0:2], y[..., 2:4], y[..., 4:]
    if V3:
        return k.Model(
            x, ops.concatenate([ops.sigmoid(near), ops.exp(size), ops.sigmoid(rest)], -1)
        )
    return k.Model(x, tf.concat([tf.sigmoid(near), tf.exp(size), tf.nn.sigmoid(rest)], axis=-1))


def nbeats() -> Any:
    """Blocks that take away what they explain."""
    left = L.Input(shape=(12,), name="history")
    x, forecast = left, None
    for block in range(3):
        y = L.Dense(10, activation="relu", name=f"block{block}_a")(x)
        theta = L.Dense(16, use_bias=False, name=f"block{block}_theta")(y)
        back, ahead = theta[:, :12], theta[:, 12:]
        x = L.subtract([x, back], name=f"residual{block}")
        forecast = ahead if forecast is None else L.add([forecast, ahead])
    return k.Model(left, forecast)


def mixture() -> Any:
    """The parameters of a mixture of densities."""
    x = L.Input(shape=(3,))
    y = L.Dense(12, activation="tanh")(x)
    shares = L.Dense(4, activation=k.activations.softmax, name="pi")(y)
    means = L.Dense(4, name="mu")(y)
    spread = k.activations.elu(L.Dense(4)(y)) + 1 + 1e-7
    return k.Model(x, L.Concatenate(name="output")([shares, means, spread]))


def tutorial() -> Any:
    """The tutorial on transfer learning."""
    augment = k.Sequential([L.RandomFlip("horizontal"), L.RandomRotation(0.2)])
    base = k.applications.MobileNetV3Small(
        input_shape=(32, 32, 3), alpha=0.75, include_top=False, weights=None, minimalistic=True
    )
    base.trainable = False
    x = k.Input(shape=(32, 32, 3))
    y = k.applications.mobilenet_v2.preprocess_input(augment(x))
    y = L.GlobalAveragePooling2D()(base(y, training=False))
    return k.Model(x, L.Dense(1)(L.Dropout(0.2)(y)))


NETS: dict[Callable[[], Any], list[Shape]] = {
    eegnet: [(8, 32, 1)],
    repeated: [(7, 3)],
    speech: [(30, 17, 1)],
    ratings: [(1,), (1,)],
    cbam: [(12, 12, 3)],
    channel_groups: [(8, 8, 8)],
    dehaze: [(10, 10, 3)],
    actor_critic: [(6,)],
    dueling: [(20, 20, 4)],
    generator: [(10,)],
    alexnet: [(24, 24, 3)],
    causal: [(9,)],
    passengers: [(1,), (1,), (1,)],
    ecg: [(64, 2)],
    clips_of_frames: [(5, 16, 16, 3)],
    boxes: [(16, 16, 3)],
    nbeats: [(12,)],
    mixture: [(3,)],
    tutorial: [(32, 32, 3)],
}
WHOLE = {"ratings": 11, "dueling": 256, "causal": 20}  # networks of whole numbers below this


def inputs(name: str, shapes: list[Shape]) -> dict[str, Any]:
    """Inputs of three examples."""
    draw = np.random.default_rng(7)
    if name == "passengers":
        columns = {"age": [[15.0], [40.0], [70.0]], "fare": [[1.0], [30.0], [99.0]]}
        found = {f"x_{key}": np.array(value, "float32") for key, value in columns.items()}
        return found | {"x_deck": np.array([[3], [5], [9]], "int64")}
    values = [draw.normal(size=(3, *shape)).astype("float32") for shape in shapes]
    if name in WHOLE:
        kind = "uint8" if name == "dueling" else "int32"
        values = [draw.integers(0, WHOLE[name], (3, *shape)).astype(kind) for shape in shapes]
    if len(values) == 1:
        return {"x": values[0]}
    return {f"x{i}": each for i, each in enumerate(values)}


def fill(model: Any) -> None:
    """Give every variable values that differ, as training does; variances stay positive."""
    draw = np.random.default_rng(11)
    for weight in model.weights:
        value = weight.numpy()
        if not (weight.trainable or "moving" in weight.name):
            continue
        new = value + draw.normal(0, 0.1, value.shape).astype(value.dtype)
        weight.assign(np.abs(new) + 0.1 if "variance" in weight.name else new)


def save(build: Callable[[], Any], shapes: list[Shape], folder: Path) -> None:
    """Save one network in both formats."""
    k.utils.set_random_seed(5)
    model = build()
    fill(model)
    given = inputs(build.__name__, shapes)
    values: Any = [tf.constant(each) for each in given.values()]
    if "x_age" in given:
        values = {key[2:]: tf.constant(each) for key, each in given.items()}
    wanted = tf.nest.flatten(model(values[0] if len(given) == 1 else values, training=False))
    folder.mkdir(parents=True, exist_ok=True)
    told = {f"y{i}": np.asarray(each) for i, each in enumerate(wanted)}
    arrays: dict[str, Any] = given | told
    np.savez(folder / "probe.npz", **arrays)
    archives = tuple(map(int, tf.__version__.split(".")[:2])) >= (2, 12)
    for name in ("m.h5", "m.keras") if archives else ("m.h5",):
        try:
            model.save(str(folder / name))
        except Exception as error:
            print(f"{folder / name}: {type(error).__name__}: {str(error)[:200]}")


def main() -> None:
    """Save all networks."""
    folder, label = Path(sys.argv[1]), sys.argv[2]
    for build, shapes in NETS.items():
        try:
            save(build, shapes, folder / label / build.__name__)
        except Exception as error:
            print(f"{label}/{build.__name__}: {type(error).__name__}: {str(error)[:300]}")


if __name__ == "__main__":
    main()
