"""Builders of the networks of the restore benchmark: two sets without a common network."""

from __future__ import annotations

from typing import Any

from benchmarks.restore import nets as data
from benchmarks.restore.nets import CLASSES, Net

SOFTMAX = {"units": CLASSES, "activation": "softmax"}


def conv_bn(k: Any) -> Any:
    of, i = k.layers, k.Input((16, 16, 3))
    x = i
    for n, width in enumerate((12, 16, 16, 24)):
        x = of.Conv2D(width, 3, padding="same", use_bias=False, name=f"conv{n}")(x)
        x = of.ReLU()(of.BatchNormalization(momentum=0.9, name=f"bn{n}")(x))
        x = of.MaxPooling2D()(x) if n % 2 == 0 else x
    return k.Model(i, of.Dense(**SOFTMAX, name="head")(of.GlobalAveragePooling2D()(x)))


def depthwise(k: Any) -> Any:
    of, i = k.layers, k.Input((16, 16, 3))
    x = of.Conv2D(16, 3, strides=2, padding="same", activation="relu")(i)
    for width in (24, 32):
        x = of.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
        x = of.ReLU()(of.BatchNormalization(momentum=0.95)(x))
        x = of.Conv2D(width, 1, use_bias=False)(x)
        x = of.ReLU()(of.BatchNormalization(momentum=0.95)(x))
    x = of.SeparableConv2D(32, 3, activation="relu")(x)
    return k.Model(i, of.Dense(**SOFTMAX)(of.GlobalAveragePooling2D()(x)))


def residual(k: Any) -> Any:
    of, i = k.layers, k.Input((16, 16, 3))
    x = of.Conv2D(16, 3, padding="same", activation="relu", name="stem")(i)
    for n in range(3):
        inner = of.Conv2D(16, 3, padding="same", name=f"unit{n}_a")(x)
        inner = of.ReLU()(of.BatchNormalization(name=f"unit{n}_norm", momentum=0.9)(inner))
        inner = of.Conv2D(16, 3, padding="same", name=f"unit{n}_b")(inner)
        x = of.ReLU()(of.Add()([x, inner]))
        x = of.MaxPooling2D()(x) if n == 0 else x
    return k.Model(i, of.Dense(**SOFTMAX, name="classes")(of.GlobalAveragePooling2D()(x)))


def lstm(k: Any) -> Any:
    of, i = k.layers, k.Input((40, 2))
    x = of.LSTM(24, return_sequences=True, name="lower")(i)
    x = of.LSTM(24, name="upper")(x)
    return k.Model(i, of.Dense(**SOFTMAX)(of.Dense(24, activation="tanh")(x)))


def bigru(k: Any) -> Any:
    of, i = k.layers, k.Input((24,), dtype="int32")
    x = of.Embedding(120, 16, name="words")(i)
    x = of.Bidirectional(of.GRU(16), name="reader")(x)
    return k.Model(i, of.Dense(**SOFTMAX, name="topic")(x))


def attention(k: Any) -> Any:
    of, i = k.layers, k.Input((24,), dtype="int32")
    x = of.Embedding(120, 24)(i)
    for n in range(2):
        y = of.LayerNormalization(name=f"pre{n}")(x)
        x = of.Add()([x, of.MultiHeadAttention(3, 8, name=f"attention{n}")(y, y)])
        y = of.Dense(48, activation="relu", name=f"up{n}")(of.LayerNormalization(name=f"mid{n}")(x))
        x = of.Add()([x, of.Dense(24, name=f"down{n}")(y)])
    return k.Model(i, of.Dense(**SOFTMAX)(of.GlobalAveragePooling1D()(x)))


def mlp_ln(k: Any) -> Any:
    of = k.layers
    inner = [of.Dense(40), of.LayerNormalization(), of.Activation("gelu")]
    inner += [of.Dense(40), of.LayerNormalization(), of.Activation("gelu"), of.Dense(40, "relu")]
    return k.Sequential([k.Input((20,)), *inner, of.Dense(**SOFTMAX)])


def text_cnn(k: Any) -> Any:
    of = k.layers
    stack = [of.Embedding(120, 20, name="table"), of.Conv1D(32, 3, activation="relu", name="grams")]
    stack += [of.GlobalMaxPooling1D(), of.Dense(32, activation="relu", name="mix")]
    return k.Sequential([k.Input((24,), dtype="int32"), *stack, of.Dense(**SOFTMAX, name="out")])


def autoencoder(k: Any) -> Any:
    of = k.layers
    i, code = k.Input((16, 16, 3)), k.Input((4, 4, 16))
    x = of.Conv2D(16, 3, strides=2, padding="same", activation="relu")(i)
    encoder = k.Model(i, of.Conv2D(16, 3, strides=2, padding="same")(x), name="encoder")
    x = of.Conv2DTranspose(16, 3, strides=2, padding="same", activation="relu")(code)
    x = of.Conv2DTranspose(16, 3, strides=2, padding="same", activation="relu")(x)
    decoder = k.Model(code, of.Conv2D(3, 3, padding="same")(x), name="decoder")
    return k.Model(i, decoder(encoder(i)))


def two_io(k: Any) -> Any:
    of, image, numbers = k.layers, k.Input((16, 16, 3), name="image"), k.Input((6,), name="numbers")
    x = of.Conv2D(16, 3, activation="relu", name="eye")(image)
    x = of.BatchNormalization(momentum=0.9, name="eye_norm")(of.MaxPooling2D()(x))
    x = of.GlobalAveragePooling2D()(of.Conv2D(24, 3, activation="relu", name="eye2")(x))
    kind = of.Dense(**SOFTMAX, name="kind")(x)
    both = of.Concatenate()([kind, of.Dense(24, activation="relu", name="number")(numbers)])
    both = of.Dense(48, activation="relu", name="joint2")(of.Dense(48, "relu", name="joint")(both))
    return k.Model([image, numbers], [kind, of.Dense(1, name="total")(both)])


def series_bn(k: Any) -> Any:
    of, i = k.layers, k.Input((40, 2))
    x = of.Conv1D(16, 5, padding="causal", name="first")(i)
    for n, dilation in enumerate((2, 4)):
        x = of.ReLU()(of.BatchNormalization(momentum=0.9, name=f"scale{n}")(x))
        x = of.Conv1D(16, 3, padding="causal", dilation_rate=dilation, name=f"wide{n}")(x)
    return k.Model(i, of.Dense(4, name="next")(of.Flatten()(of.ReLU()(x))))


def unet_gn(k: Any) -> Any:
    of, i = k.layers, k.Input((16, 16, 3))

    def unit(x: Any, width: int, name: str) -> Any:
        x = of.Conv2D(width, 3, padding="same", name=name)(x)
        return of.Activation("swish")(of.GroupNormalization(4, name=f"{name}_gn")(x))

    high = unit(i, 16, "enter")
    low = unit(of.AveragePooling2D(2)(high), 24, "deep")
    x = of.Concatenate()([of.UpSampling2D()(unit(low, 24, "deeper")), high])
    return k.Model(i, of.Conv2D(1, 1, name="mask")(unit(x, 16, "leave")))


def inception(k: Any) -> Any:
    of, i = k.layers, k.Input((16, 16, 3))
    x = i
    for _ in range(2):
        ways = [of.Conv2D(8, size, padding="same", use_bias=False)(x) for size in (1, 3, 5)]
        x = of.ReLU()(of.BatchNormalization(momentum=0.9)(of.Concatenate()(ways)))
        x = of.MaxPooling2D()(x)
    x = of.Conv2D(24, 3, activation="relu")(x)
    return k.Model(i, of.Dense(**SOFTMAX)(of.GlobalAveragePooling2D()(x)))


def squeeze(k: Any) -> Any:
    of, i = k.layers, k.Input((16, 16, 3))
    x = of.Conv2D(24, 3, strides=2, padding="same", activation="elu", name="stem")(i)
    for n in range(2):
        x = of.Conv2D(24, 3, padding="same", name=f"body{n}")(x)
        x = of.ELU()(of.BatchNormalization(momentum=0.9, name=f"body{n}_norm")(x))
        gate = of.Dense(8, activation="relu", name=f"down{n}")(of.GlobalAveragePooling2D()(x))
        gate = of.Dense(24, activation="sigmoid", name=f"gate{n}")(gate)
        x = of.Multiply()([x, of.Reshape((1, 1, 24))(gate)])
    return k.Model(i, of.Dense(**SOFTMAX, name="logits")(of.GlobalMaxPooling2D()(x)))


def siamese(k: Any) -> Any:
    of, one = k.layers, k.Input((16, 16, 3))
    x = of.Conv2D(12, 3, activation="relu")(one)
    x = of.BatchNormalization(momentum=0.9)(of.MaxPooling2D()(x))
    x = of.GlobalAveragePooling2D()(of.Conv2D(32, 3, activation="relu")(x))
    tower = k.Model(one, of.Dense(24)(x), name="tower")
    a, b = k.Input((16, 16, 3)), k.Input((16, 16, 3))
    gap = of.Subtract()([tower(a), tower(b)])
    gap = of.Multiply()([gap, gap])
    return k.Model([a, b], of.Dense(2, activation="softmax")(of.Dense(24, activation="relu")(gap)))


def mixer(k: Any) -> Any:
    of, i = k.layers, k.Input((16, 16, 3))
    x = of.Reshape((16, 24))(of.Conv2D(24, 4, strides=4, name="patches")(i))
    for n in range(2):
        y = of.Permute((2, 1))(of.LayerNormalization(name=f"tokens{n}")(x))
        y = of.Dense(16, name=f"across{n}_b")(of.Dense(32, "gelu", name=f"across{n}_a")(y))
        x = of.Add()([x, of.Permute((2, 1))(y)])
        y = of.Dense(48, "gelu", name=f"along{n}_a")(of.LayerNormalization(name=f"wide{n}")(x))
        x = of.Add()([x, of.Dense(24, name=f"along{n}_b")(y)])
    return k.Model(i, of.Dense(**SOFTMAX, name="head")(of.GlobalAveragePooling1D()(x)))


def wavenet(k: Any) -> Any:
    of, i = k.layers, k.Input((40, 2))
    x, skips = of.Conv1D(16, 1)(i), []
    for dilation in (1, 2, 4, 8):
        options = {"padding": "causal", "dilation_rate": dilation}
        wave = of.Conv1D(16, 2, activation="tanh", **options)(x)
        inner = of.Multiply()([wave, of.Conv1D(16, 2, activation="sigmoid", **options)(x)])
        skips.append(of.Conv1D(16, 1)(inner))
        x = of.Add()([x, skips[-1]])
    return k.Model(i, of.Dense(**SOFTMAX)(of.GlobalAveragePooling1D()(of.ReLU()(of.Add()(skips)))))


def tagger(k: Any) -> Any:
    of, i = k.layers, k.Input((40, 2))
    x = of.TimeDistributed(of.Dense(24, activation="tanh"), name="each")(i)
    x = of.GRU(24, return_sequences=True, name="memory")(x)
    x = of.SimpleRNN(24, return_sequences=True, name="plain")(x)
    return k.Model(i, of.TimeDistributed(of.Dense(1), name="value")(x))


def masked_lstm(k: Any) -> Any:
    of = k.layers
    stack = [of.Embedding(120, 16, mask_zero=True), of.Bidirectional(of.LSTM(16), "sum")]
    stack += [of.Dense(32), of.PReLU(), of.Dropout(0.2)]
    return k.Sequential([k.Input((24,), dtype="int32"), *stack, of.Dense(**SOFTMAX)])


_MSE = ("mse",)
FIRST = (
    Net("conv_bn", data.images, conv_bn),
    Net("depthwise", data.images, depthwise),
    Net("residual", data.scenes, residual),
    Net("lstm", data.series, lstm, epochs=20, rate=5e-3),
    Net("bigru", data.tokens, bigru),
    Net("attention", data.tokens, attention),
    Net("mlp_ln", data.table, mlp_ln, epochs=40),
    Net("text_cnn", data.tokens, text_cnn),
    Net("autoencoder", data.copies, autoencoder, _MSE, epochs=25),
    Net("two_io", data.both, two_io, ("sparse_categorical_crossentropy", "mse"), epochs=40),
    Net("series_bn", data.forecast, series_bn, _MSE, epochs=30),
)
SECOND = (
    Net("unet_gn", data.masks, unet_gn, _MSE),
    Net("inception", data.scenes, inception),
    Net("squeeze", data.images, squeeze),
    Net("siamese", data.pairs, siamese, epochs=25),
    Net("mixer", data.scenes, mixer, epochs=25),
    Net("wavenet", data.series, wavenet, epochs=20),
    Net("tagger", data.steps, tagger, _MSE, epochs=20),
    Net("masked_lstm", data.tokens, masked_lstm),
)
