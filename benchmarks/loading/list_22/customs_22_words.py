"""Custom objects of Keras 3: a language model, and images by class and time, in `texts.py`; and
generators of Keras 2; copied beside the models.
"""

from __future__ import annotations

import math
import sys

keras = sys.modules["__main__"].keras
layers = keras.layers
ops = getattr(keras, "ops", None)


def causal_book_mask(batch_size, n_dest, n_src, dtype):
    """Which words a word sees."""
    i = ops.arange(n_dest)[:, None]
    j = ops.arange(n_src)
    m = i >= j - n_src + n_dest
    mask = ops.cast(m, dtype)
    mask = ops.reshape(mask, [1, n_dest, n_src])
    mult = ops.concatenate([ops.expand_dims(batch_size, -1), ops.convert_to_tensor([1, 1])], 0)
    return ops.tile(mask, mult)


class BookBlock(layers.Layer):
    """A block that takes further arguments and drops them."""

    def __init__(self, embed_dim, num_heads, ff_dim, rate=0.1, **kwargs):
        super().__init__()
        self.att = layers.MultiHeadAttention(num_heads, embed_dim)
        self.ffn = keras.Sequential(
            [
                layers.Dense(ff_dim, activation="relu"),
                layers.Dense(embed_dim),
            ]
        )
        self.layernorm1 = layers.LayerNormalization(epsilon=1e-6)
        self.layernorm2 = layers.LayerNormalization(epsilon=1e-6)
        self.dropout1 = layers.Dropout(rate)
        self.dropout2 = layers.Dropout(rate)

    def call(self, inputs):
        input_shape = ops.shape(inputs)
        batch_size = input_shape[0]
        seq_len = input_shape[1]
        causal_mask = causal_book_mask(batch_size, seq_len, seq_len, "bool")
        attention_output = self.att(inputs, inputs, attention_mask=causal_mask)
        attention_output = self.dropout1(attention_output)
        out1 = self.layernorm1(inputs + attention_output)
        ffn_output = self.ffn(out1)
        ffn_output = self.dropout2(ffn_output)
        return self.layernorm2(out1 + ffn_output)


class BookEmbedding(layers.Layer):
    """Words and places; drops further arguments too."""

    def __init__(self, maxlen, vocab_size, embed_dim, **kwargs):
        super().__init__()
        self.token_emb = layers.Embedding(input_dim=vocab_size, output_dim=embed_dim)
        self.pos_emb = layers.Embedding(input_dim=maxlen, output_dim=embed_dim)

    def call(self, x):
        maxlen = ops.shape(x)[-1]
        positions = ops.arange(0, maxlen, 1)
        positions = self.pos_emb(positions)
        x = self.token_emb(x)
        return x + positions


class FilmBlock(layers.Layer):
    """A residual block by times; `build` makes its layers and builds none."""

    def __init__(self, out_channels, **kwargs):
        super().__init__(**kwargs)
        self.out_channels = out_channels

    def build(self, input_shape):
        in_channels = input_shape[-1]
        self.conv1 = layers.Conv2D(self.out_channels, 3, padding="same")
        self.conv2 = layers.Conv2D(self.out_channels, 3, padding="same")
        self.norm1 = layers.GroupNormalization(2)
        self.norm2 = layers.GroupNormalization(2)
        self.time_proj = layers.Dense(self.out_channels * 2)
        self.skip = (
            layers.Conv2D(self.out_channels, 1, padding="same")
            if in_channels != self.out_channels
            else None
        )

    def call(self, x, t_emb=None):
        h = self.norm1(x)
        h = ops.silu(h)
        h = self.conv1(h)
        if t_emb is not None:
            tp = self.time_proj(ops.silu(t_emb))
            scale, shift = ops.split(tp, 2, axis=-1)
            h = h * (1 + scale[:, None, None, :]) + shift[:, None, None, :]
        h = self.norm2(h)
        h = ops.silu(h)
        h = self.conv2(h)
        if self.skip is not None:
            x = self.skip(x)
        return x + h


class FilmAttention(layers.Layer):
    """Attention of one head, with no arguments."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)

    def build(self, input_shape):
        channels = input_shape[-1]
        self.norm = layers.GroupNormalization(2)
        self.qkv = layers.Conv2D(channels * 3, 1, padding="same")
        self.proj = layers.Conv2D(channels, 1, padding="same")
        self.channels = channels

    def call(self, x):
        shape = ops.shape(x)
        B, H, W = shape[0], shape[1], shape[2]
        C = self.channels
        h = self.norm(x)
        qkv = self.qkv(h)
        q, k, v = ops.split(qkv, 3, axis=-1)
        q = ops.reshape(q, (B, H * W, C))
        k = ops.reshape(k, (B, H * W, C))
        v = ops.reshape(v, (B, H * W, C))
        attn = ops.matmul(q, ops.transpose(k, (0, 2, 1))) / ops.sqrt(ops.cast(C, "float32"))
        attn = ops.softmax(attn, axis=-1)
        out = ops.matmul(attn, v)
        out = ops.reshape(out, (B, H, W, C))
        return x + self.proj(out)


class FilmDown(layers.Layer):
    """A convolution of a step of 2."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)

    def build(self, input_shape):
        self.conv = layers.Conv2D(input_shape[-1], 3, strides=2, padding="same")

    def call(self, x):
        return self.conv(x)


class FilmUp(layers.Layer):
    """A transposed convolution."""

    def __init__(self, out_channels, **kwargs):
        super().__init__(**kwargs)
        self.out_channels = out_channels

    def build(self, input_shape):
        self.conv = layers.Conv2DTranspose(self.out_channels, 3, strides=2, padding="same")

    def call(self, x):
        return self.conv(x)


class FilmClasses(layers.Layer):
    """An embedding of classes and of none."""

    def __init__(self, num_classes, embedding_dim, **kwargs):
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.embedding_dim = embedding_dim
        self.embedding = layers.Embedding(num_classes + 1, embedding_dim)

    def call(self, class_ids):
        return self.embedding(class_ids)


@keras.utils.register_keras_serializable()
def registered_sines(x):
    """Sines of rates, by constants of the module."""
    frequencies = ops.exp(
        ops.linspace(ops.log(MIN_FREQUENCY), ops.log(MAX_FREQUENCY), EMBEDDING_DIMS // 2)
    )
    angular_speeds = ops.cast(2.0 * math.pi * frequencies, dtype="float32")
    return ops.concatenate([ops.sin(angular_speeds * x), ops.cos(angular_speeds * x)], axis=3)


MIN_FREQUENCY = 1.0
MAX_FREQUENCY = 1000.0
EMBEDDING_DIMS = 8


class LatentGenerator(keras.Model):
    """Lists of layers in a list; `build` calls `call` with an input of its own."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.blocks = [
            [
                layers.Dense(2 * 2 * 8),
                layers.Reshape((2, 2, 8)),
                layers.BatchNormalization(momentum=0.8),
                layers.LeakyReLU(0.2),
            ],
            [
                layers.Conv2DTranspose(6, 3, strides=2, padding="same"),
                layers.BatchNormalization(momentum=0.8),
                layers.LeakyReLU(0.2),
            ],
            [layers.Conv2DTranspose(3, 3, strides=2, padding="same", activation="tanh")],
        ]

    def call(self, inputs):
        x = inputs
        for block in self.blocks:
            for layer in block:
                x = layer(x)
        return x

    def build(self, input_shape):
        super().build(input_shape)
        self.call(layers.Input(input_shape[1:]))


class LatentDiscriminator(keras.Model):
    """The same for what it makes."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.blocks = [
            [layers.Conv2D(4, 3, 2, padding="same"), layers.LeakyReLU(0.2)],
            [layers.Conv2D(6, 3, 2, padding="same"), layers.LeakyReLU(0.2)],
            [layers.Flatten(), layers.Dense(2, activation="softmax")],
        ]

    def call(self, inputs):
        x = inputs
        for block in self.blocks:
            for layer in block:
                x = layer(x)
        return x

    def build(self, input_shape):
        super().build(input_shape)
        self.call(layers.Input(input_shape[1:]))
