"""The networks of the third set of `table.py`; none is a body of the first two sets.

Each takes a `Ground` and returns the inputs and the features: one row for each example, or a map
(`autoenc`) or a row for each step (`tagging`) for the heads that answer so.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Ground:
    """What a kind asks of a body: `act` of its hidden layers, layers in front, an input shape."""

    keras: object
    act: str | None = "relu"
    front: object = None
    shape: tuple | None = None

    @property
    def kl(self):
        return self.keras.layers

    def start(self, shape, dtype="float32"):
        """The input and what the layers in front make of it."""
        given = self.keras.Input(self.shape or shape, dtype=dtype)
        x = given
        for layer in self.front(self.kl) if self.front else ():
            x = layer(x)
        return given, x


def inception(g):
    """Two blocks of parallel windows of several sizes."""
    kl, (given, x) = g.kl, g.start((32, 32, 3))
    for filters in (4, 6):
        pooled = kl.MaxPooling2D(3, strides=1, padding="same")(x)
        x = kl.Concatenate()(
            [kl.Conv2D(filters, 1, activation=g.act, padding="same")(x)]
            + [kl.Conv2D(filters, size, activation=g.act, padding="same")(x) for size in (3, 5)]
            + [kl.Conv2D(filters, 1, activation=g.act)(pooled)]
        )
        x = kl.MaxPooling2D(2, padding="same")(x)
    return [given], kl.GlobalAveragePooling2D()(x)


def densenet(g):
    """Each layer takes all maps before it."""
    kl, (given, x) = g.kl, g.start((32, 32, 3))
    x = kl.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
    for _ in range(3):
        new = kl.BatchNormalization()(x)
        new = kl.Activation(g.act or "linear")(new)
        new = kl.Conv2D(4, 3, padding="same", use_bias=False)(new)
        x = kl.Concatenate()([x, new])
    return [given], kl.Flatten()(kl.AveragePooling2D(4, padding="same")(x))


def mobile(g):
    """Inverted residual blocks of depthwise convolutions."""
    kl, (given, x) = g.kl, g.start((32, 32, 3))
    x = kl.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
    for _ in range(2):
        new = kl.Conv2D(16, 1, use_bias=False)(x)
        new = kl.BatchNormalization()(new)
        new = kl.ReLU(6.0)(new) if g.act else new
        new = kl.DepthwiseConv2D(3, padding="same", use_bias=False)(new)
        new = kl.BatchNormalization()(new)
        new = kl.ReLU(6.0)(new) if g.act else new
        new = kl.BatchNormalization()(kl.Conv2D(8, 1, use_bias=False)(new))
        x = kl.Add()([x, new])
    return [given], kl.GlobalAveragePooling2D()(x)


def squeeze(g):
    """A residual network with squeeze-and-excitation."""
    kl, (given, x) = g.kl, g.start((32, 32, 3))
    x = kl.Conv2D(8, 3, strides=2, padding="same")(x)
    for _ in range(2):
        new = kl.Conv2D(8, 3, padding="same", use_bias=False)(kl.Activation(g.act)(x))
        new = kl.BatchNormalization()(new)
        gate = kl.Dense(4, activation="relu")(kl.GlobalAveragePooling2D()(new))
        gate = kl.Reshape((1, 1, 8))(kl.Dense(8, activation="sigmoid")(gate))
        x = kl.Add()([x, kl.Multiply()([new, gate])])
    return [given], kl.GlobalMaxPooling2D()(x)


def voxels(g):
    """Convolutions over volumes."""
    kl, (given, x) = g.kl, g.start((12, 12, 12, 1))
    x = kl.Conv3D(4, 3, activation=g.act)(x)
    x = kl.AveragePooling3D(2)(x)
    x = kl.Conv3D(8, 3, activation=g.act)(x)
    return [given], kl.Flatten()(x)


def critic(g):
    """The discriminator of a DCGAN: strided windows, leaky ReLU as a layer, dropout."""
    kl, (given, x) = g.kl, g.start((28, 28, 1))
    for filters in (8, 12):
        x = kl.Conv2D(filters, 5, strides=2, padding="same")(x)
        x = kl.LeakyReLU()(x) if g.act else x
        x = kl.Dropout(0.3)(x)
    return [given], kl.Flatten()(x)


def capsules(g):
    """Groups of eight channels normalized to unit length, then transformed together."""
    kl, (given, x) = g.kl, g.start((28, 28, 1))
    x = kl.Conv2D(16, 9, strides=2, activation=g.act)(x)
    x = kl.Conv2D(16, 5, strides=2)(x)
    x = kl.UnitNormalization()(kl.Reshape((-1, 8))(x))
    x = kl.Dense(12, use_bias=False)(x)
    return [given], kl.Flatten()(x)


def mixer(g):
    """An MLP-mixer: dense layers over patches, then over channels."""
    kl, (given, x) = g.kl, g.start((32, 32, 3))
    x = kl.Reshape((16, 12))(kl.Conv2D(12, 8, strides=8)(x))
    for _ in range(2):
        new = kl.Permute((2, 1))(kl.LayerNormalization()(x))
        new = kl.Dense(16)(kl.Dense(24, activation="gelu")(new))
        x = kl.Add()([x, kl.Permute((2, 1))(new)])
        new = kl.Dense(24, activation="gelu")(kl.LayerNormalization()(x))
        x = kl.Add()([x, kl.Dense(12)(new)])
    return [given], kl.GlobalAveragePooling1D()(kl.LayerNormalization()(x))


def applied(g):
    """`keras.applications.MobileNetV2` without its top, as one nested layer."""
    given, x = g.start((32, 32, 3))
    base = g.keras.applications.MobileNetV2(
        input_shape=(32, 32, 3), include_top=False, weights=None, alpha=0.35
    )
    return [given], g.kl.GlobalAveragePooling2D()(base(x))


def tcn(g):
    """Dilated causal convolutions in residual blocks, and the last step."""
    kl, (given, x) = g.kl, g.start((24, 4))
    x = kl.Conv1D(8, 1)(x)
    for dilation in (1, 2, 4):
        new = kl.Conv1D(8, 3, padding="causal", dilation_rate=dilation, activation=g.act)(x)
        new = kl.SpatialDropout1D(0.1)(new)
        x = kl.Add()([x, kl.Conv1D(8, 3, padding="causal", dilation_rate=dilation)(new)])
    return [given], kl.Flatten()(kl.Cropping1D((23, 0))(x))


def gruattention(g):
    """A GRU whose states are weighted by additive attention with its last state."""
    kl, (given, x) = g.kl, g.start((12, 6))
    states, last = kl.GRU(10, return_sequences=True, return_state=True)(x)
    query = kl.Reshape((1, 10))(kl.Dense(10)(last))
    context = kl.AdditiveAttention()([query, states])
    return [given], kl.Concatenate()([kl.Flatten()(context), last])


def convlstm(g):
    """A ConvLSTM over frames."""
    kl, (given, x) = g.kl, g.start((4, 12, 12, 1))
    x = kl.ConvLSTM2D(4, 3, padding="same", return_sequences=True)(x)
    x = kl.ConvLSTM2D(4, 3, padding="same")(x)
    return [given], kl.Flatten()(kl.MaxPooling2D(3)(x))


def _spectrogram(g):
    kl, (given, x) = g.kl, g.start((24, 16, 1))
    x = kl.MaxPooling2D((1, 2))(kl.Conv2D(6, 3, padding="same", activation=g.act)(x))
    return given, kl.Dense(12, activation=g.act)(kl.Reshape((24, 48))(x))


def crnn(g):
    """Convolutions over a spectrogram, then a bidirectional LSTM."""
    given, x = _spectrogram(g)
    return [given], g.kl.Bidirectional(g.kl.LSTM(8))(x)


def tagging(g):
    """The same, with an answer for each step."""
    given, x = _spectrogram(g)
    return [given], g.kl.Bidirectional(g.kl.LSTM(8, return_sequences=True))(x)


def fasttext(g):
    """The mean of embeddings."""
    kl, (given, x) = g.kl, g.start((14,), "int32")
    x = kl.Embedding(60, 8, mask_zero=True)(x)
    return [given], kl.GlobalAveragePooling1D()(x)


def textcnn(g):
    """Windows of three widths over embeddings, the maximum of each."""
    kl, (given, x) = g.kl, g.start((14,), "int32")
    x = kl.Embedding(60, 8)(x)
    found = [kl.Conv1D(6, size, activation=g.act)(x) for size in (2, 3, 4)]
    return [given], kl.Concatenate()([kl.GlobalMaxPooling1D()(each) for each in found])


def causal(g):
    """A decoder-only Transformer with normalization first."""
    kl, (given, x) = g.kl, g.start((14,), "int32")
    x = kl.Conv1D(8, 3, padding="causal")(kl.Embedding(60, 8)(x))
    for _ in range(2):
        new = kl.LayerNormalization(epsilon=1e-6)(x)
        new = kl.MultiHeadAttention(2, 4, dropout=0.1)(new, new, use_causal_mask=True)
        x = kl.Add()([x, new])
        new = kl.Dense(16, activation=g.act)(kl.LayerNormalization(epsilon=1e-6)(x))
        x = kl.Add()([x, kl.Dense(8)(new)])
    return [given], kl.GlobalMaxPooling1D()(kl.LayerNormalization(epsilon=1e-6)(x))


def selu(g):
    """A self-normalizing network."""
    kl, (given, x) = g.kl, g.start((11,))
    for _ in range(3):
        x = kl.Dense(12, activation="selu", kernel_initializer="lecun_normal")(x)
        x = kl.AlphaDropout(0.05)(x)
    return [given], x


def maxout(g):
    """Layers of maxima of two linear maps."""
    kl, (given, x) = g.kl, g.start((11,))
    for _ in range(2):
        x = kl.Maximum()([kl.Dense(10)(x), kl.Dense(10)(x)])
    return [given], x


def highway(g):
    """Highway layers: a gate mixes the new values with the old."""
    kl, (given, x) = g.kl, g.start((11,))
    for _ in range(2):
        gate = kl.Dense(11, activation="sigmoid", bias_initializer="zeros")(x)
        new = kl.Dense(11, activation="tanh")(x)
        x = kl.Add()([x, kl.Multiply()([gate, kl.Subtract()([new, x])])])
    return [given], x


def widedeep(g):
    """Categories through embeddings and numbers through dense layers, beside the raw numbers."""
    kl, (given, x) = g.kl, g.start((7,))
    ids = g.keras.Input((2,), dtype="int32")
    deep = kl.Concatenate()([kl.Flatten()(kl.Embedding(20, 4)(ids)), x])
    deep = kl.Dense(12, activation=g.act)(kl.BatchNormalization()(deep))
    return [given, ids], kl.Concatenate()([deep, x])


def towers(g):
    """Two towers over features of a user and of a thing, compared."""
    kl, (given, x) = g.kl, g.start((9,))
    other = g.keras.Input((5,))
    one = kl.Dense(8)(kl.Dense(12, activation=g.act)(x))
    two = kl.Dense(8)(kl.Dense(12, activation=g.act)(other))
    alike = kl.Dot(1, normalize=True)([one, two])
    return [given, other], kl.Concatenate()([one, two, alike])


def autoenc(g):
    """A convolutional encoder and decoder; its features are a map."""
    kl, (given, x) = g.kl, g.start((16, 16, 3))
    for filters in (8, 12):
        x = kl.Conv2D(filters, 3, strides=2, padding="same", activation=g.act)(x)
    for filters in (12, 8):
        x = kl.Conv2DTranspose(filters, 3, strides=2, padding="same", activation=g.act)(x)
    return [given], x


IMAGES = ("inception", "densenet", "mobile", "squeeze", "critic", "capsules", "mixer", "applied")
SERIES = ("tcn", "gruattention", "convlstm", "crnn")
TEXTS = ("fasttext", "textcnn", "causal")
TABLES = ("selu", "maxout", "highway", "widedeep", "towers")
ALL = (*IMAGES, "voxels", *SERIES, *TEXTS, *TABLES)
FEATURES = {name: globals()[name] for name in (*ALL, "tagging", "autoenc")}
