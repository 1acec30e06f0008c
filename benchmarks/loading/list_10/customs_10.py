"""Custom objects of the models in `models.py`; copied as `customs_10.py` beside them.

None is registered; only the layers of the recommender have a config of their own.
"""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers


class PatchExtract(layers.Layer):
    """Cuts images into rows of patches."""

    def __init__(self, patch_size, **kwargs):
        super().__init__(**kwargs)
        self.side = patch_size[0]

    def call(self, images):
        window = (1, self.side, self.side, 1)
        rows = tf.image.extract_patches(images, window, window, (1, 1, 1, 1), "VALID")
        return tf.reshape(rows, (-1, rows.shape[1] * rows.shape[2], rows.shape[3]))


class PatchEmbedding(layers.Layer):
    """Projects patches and adds their places."""

    def __init__(self, num_patch, embed_dim, **kwargs):
        super().__init__(**kwargs)
        self.num_patch = num_patch
        self.proj = layers.Dense(embed_dim)
        self.pos_embed = layers.Embedding(input_dim=num_patch, output_dim=embed_dim)

    def call(self, patch):
        return self.proj(patch) + self.pos_embed(tf.range(0, self.num_patch))


class PatchMerging(layers.Layer):
    """Joins four neighbouring patches."""

    def __init__(self, num_patch, embed_dim):
        super().__init__()
        self.num_patch = num_patch
        self.embed_dim = embed_dim
        self.linear_trans = layers.Dense(2 * embed_dim, use_bias=False)

    def call(self, x):
        height, width = self.num_patch
        x = tf.reshape(x, (-1, height, width, self.embed_dim))
        corners = [x[:, row::2, column::2, :] for column in (0, 1) for row in (0, 1)]
        x = tf.concat(corners, axis=-1)
        x = tf.reshape(x, (-1, (height // 2) * (width // 2), 4 * self.embed_dim))
        return self.linear_trans(x)


class DropPath(layers.Layer):
    """Leaves out whole samples while it is trained; all its arguments have defaults."""

    def __init__(self, drop_prob=None, **kwargs):
        super().__init__(**kwargs)
        self.drop_prob = drop_prob

    def call(self, x, training=None):
        if not training or not self.drop_prob:
            return x
        shape = (tf.shape(x)[0],) + (1,) * (len(x.shape) - 1)
        kept = tf.floor(1 - self.drop_prob + tf.random.uniform(shape))
        return x / (1 - self.drop_prob) * kept


class WindowAttention(layers.Layer):
    """Attention in a window, with a table of biases for the distances in it."""

    def __init__(self, dim, window_size, num_heads, qkv_bias=True, dropout_rate=0.0, **kwargs):
        super().__init__(**kwargs)
        self.dim = dim
        self.window_size = window_size
        self.num_heads = num_heads
        self.scale = (dim // num_heads) ** -0.5
        self.qkv = layers.Dense(dim * 3, use_bias=qkv_bias)
        self.dropout = layers.Dropout(dropout_rate)
        self.proj = layers.Dense(dim)

    def build(self, input_shape):
        high, wide = self.window_size
        self.relative_position_bias_table = self.add_weight(
            shape=((2 * high - 1) * (2 * wide - 1), self.num_heads),
            initializer="zeros",
            trainable=True,
            name="relative_position_bias_table",
        )
        coords = np.stack(np.meshgrid(np.arange(high), np.arange(wide), indexing="ij"))
        flat = coords.reshape(2, -1)
        relative = (flat[:, :, None] - flat[:, None, :]).transpose([1, 2, 0])
        relative = relative + [high - 1, wide - 1]
        index = (relative * [2 * wide - 1, 1]).sum(-1)
        self.relative_position_index = tf.Variable(
            initial_value=lambda: tf.convert_to_tensor(index), trainable=False
        )

    def call(self, x, mask=None):
        _, size, channels = x.shape
        head_dim = channels // self.num_heads
        qkv = tf.reshape(self.qkv(x), (-1, size, 3, self.num_heads, head_dim))
        q, k, v = tf.unstack(tf.transpose(qkv, (2, 0, 3, 1, 4)))
        scores = q * self.scale @ tf.transpose(k, (0, 1, 3, 2))
        index = tf.reshape(self.relative_position_index, (-1,))
        bias = tf.gather(tf.convert_to_tensor(self.relative_position_bias_table), index)
        bias = tf.transpose(tf.reshape(bias, (size, size, -1)), (2, 0, 1))
        scores = self.dropout(tf.nn.softmax(scores + tf.expand_dims(bias, axis=0), axis=-1))
        found = tf.reshape(tf.transpose(scores @ v, (0, 2, 1, 3)), (-1, size, channels))
        return self.dropout(self.proj(found))


class SwinTransformer(layers.Layer):
    """Attention in windows, which every other block shifts; it has no config of its own."""

    def __init__(self, dim, num_patch, num_heads, window_size=2, shift_size=0, num_mlp=16):
        super().__init__()
        self.dim = dim
        self.num_patch = num_patch
        self.window_size = window_size
        self.shift_size = shift_size
        self.norm1 = layers.LayerNormalization(epsilon=1e-5)
        self.attn = WindowAttention(dim, (window_size, window_size), num_heads)
        self.drop_path = DropPath(0.03)
        self.norm2 = layers.LayerNormalization(epsilon=1e-5)
        self.mlp = keras.Sequential(
            [
                layers.Dense(num_mlp),
                layers.Activation(keras.activations.gelu),
                layers.Dropout(0.03),
                layers.Dense(dim),
                layers.Dropout(0.03),
            ]
        )

    def windows(self, x, back=False):
        height, width = self.num_patch
        size = self.window_size
        rows, columns = height // size, width // size
        middle = (-1, rows, columns, size, size, self.dim)
        if not back:
            middle = (-1, rows, size, columns, size, self.dim)
        x = tf.transpose(tf.reshape(x, middle), (0, 1, 3, 2, 4, 5))
        return tf.reshape(x, (-1, height, width, self.dim) if back else (-1, size**2, self.dim))

    def call(self, x, training=False):
        height, width = self.num_patch
        skip = x
        x = tf.reshape(self.norm1(x), (-1, height, width, self.dim))
        shift = self.shift_size
        if shift > 0:
            x = tf.roll(x, shift=[-shift, -shift], axis=[1, 2])
        x = self.windows(self.attn(self.windows(x)), back=True)
        if shift > 0:
            x = tf.roll(x, shift=[shift, shift], axis=[1, 2])
        x = skip + self.drop_path(tf.reshape(x, (-1, height * width, self.dim)), training=training)
        return x + self.drop_path(self.mlp(self.norm2(x)), training=training)


class PatchesWithPlaces(layers.Layer):
    """Projects patches and adds their places, in another example."""

    def __init__(self, num_patches, projection_dim):
        super().__init__()
        self.num_patches = num_patches
        self.projection = layers.Dense(units=projection_dim)
        self.position_embedding = layers.Embedding(input_dim=num_patches, output_dim=projection_dim)

    def call(self, patches):
        positions = tf.range(start=0, limit=self.num_patches, delta=1)
        return self.projection(patches) + self.position_embedding(positions)


def create_ffn(hidden_units, dropout_rate):
    """Dense layers with GELU, the last one without."""
    ffn = [layers.Dense(units, activation=keras.activations.gelu) for units in hidden_units[:-1]]
    return keras.Sequential(
        [*ffn, layers.Dense(units=hidden_units[-1]), layers.Dropout(dropout_rate)]
    )


class Perceiver(keras.Model):
    """Latent vectors of its own that look at the data again and again: modules made in `build`."""

    def __init__(self, data_dim, latent_dim, projection_dim, num_heads, num_blocks, num_classes):
        super().__init__()
        self.data_dim = data_dim
        self.latent_dim = latent_dim
        self.projection_dim = projection_dim
        self.num_heads = num_heads
        self.num_blocks = num_blocks
        self.num_classes = num_classes

    def build(self, input_shape):
        wide = self.projection_dim
        self.latent_array = self.add_weight(
            shape=(self.latent_dim, wide),
            initializer="random_normal",
            trainable=True,
            name="latents",
        )
        self.patcher = PatchExtract((4, 4))
        self.patch_encoder = PatchesWithPlaces(self.data_dim, wide)
        inputs = {
            "latent_array": layers.Input(shape=(self.latent_dim, wide), name="latent_array"),
            "data_array": layers.Input(shape=(self.data_dim, wide), name="data_array"),
        }
        latent = layers.LayerNormalization(epsilon=1e-6)(inputs["latent_array"])
        data = layers.LayerNormalization(epsilon=1e-6)(inputs["data_array"])
        query, key, value = (layers.Dense(units=wide)(x) for x in (latent, data, data))
        found = layers.Attention(use_scale=True, dropout=0.1)([query, key, value])
        found = layers.LayerNormalization(epsilon=1e-6)(layers.Add()([found, latent]))
        outputs = layers.Add()([create_ffn([wide, wide], 0.2)(found), found])
        self.cross_attention = keras.Model(inputs=inputs, outputs=outputs)
        start = x = layers.Input(shape=(self.latent_dim, wide))
        for _ in range(self.num_blocks):
            y = layers.LayerNormalization(epsilon=1e-6)(x)
            y = layers.MultiHeadAttention(self.num_heads, key_dim=wide, dropout=0.1)(y, y)
            x = layers.Add()([y, x])
            y = create_ffn([wide, wide], 0.2)(layers.LayerNormalization(epsilon=1e-6)(x))
            x = layers.Add()([y, x])
        self.transformer = keras.Model(inputs=start, outputs=x)
        self.global_average_pooling = layers.GlobalAveragePooling1D()
        self.classification_head = create_ffn([wide, self.num_classes], 0.2)
        super().build(input_shape)

    def call(self, inputs):
        latent = tf.expand_dims(tf.convert_to_tensor(self.latent_array), 0)
        encoded = self.patch_encoder(self.patcher(inputs))
        for _ in range(2):
            latent = self.cross_attention({"latent_array": latent, "data_array": encoded})
            latent = self.transformer(latent)
        return self.classification_head(self.global_average_pooling(latent))


class EqualizedConv(layers.Layer):
    """A convolution that scales its kernel as it is used."""

    def __init__(self, out_channels, kernel=3, gain=2, **kwargs):
        super().__init__(**kwargs)
        self.kernel = kernel
        self.out_channels = out_channels
        self.gain = gain
        self.pad = kernel != 1

    def build(self, input_shape):
        initializer = keras.initializers.RandomNormal(mean=0.0, stddev=1.0)
        shape = [self.kernel, self.kernel, input_shape[-1], self.out_channels]
        self.w = self.add_weight(
            shape=shape, initializer=initializer, trainable=True, name="kernel"
        )
        self.b = self.add_weight(
            shape=(self.out_channels,), initializer="zeros", trainable=True, name="bias"
        )
        self.scale = tf.sqrt(self.gain / (self.kernel * self.kernel * input_shape[-1]))

    def call(self, inputs):
        x = inputs
        if self.pad:
            x = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="REFLECT")
        kernel = self.scale * tf.convert_to_tensor(self.w)
        return tf.nn.conv2d(x, kernel, strides=1, padding="VALID") + self.b


class AddNoise(layers.Layer):
    """Noise of one channel, weighed for each."""

    def build(self, input_shape):
        channels = input_shape[0][-1]
        self.b = self.add_weight(
            shape=[1, 1, 1, channels], initializer="random_normal", trainable=True, name="kernel"
        )

    def call(self, inputs):
        x, noise = inputs
        return x + self.b * noise


class AdaIN(layers.Layer):
    """Sets mean and deviation of each channel from a style; makes layers in `build`."""

    def __init__(self, gain=1, **kwargs):
        super().__init__(**kwargs)
        self.gain = gain

    def build(self, input_shapes):
        self.x_channels = input_shapes[0][-1]
        self.w_channels = input_shapes[1][-1]
        self.dense_1 = layers.Dense(self.x_channels)
        self.dense_2 = layers.Dense(self.x_channels)

    def call(self, inputs):
        x, w = inputs
        scale = tf.reshape(self.dense_1(w), (-1, 1, 1, self.x_channels))
        bias = tf.reshape(self.dense_2(w), (-1, 1, 1, self.x_channels))
        mean, variance = tf.nn.moments(x, axes=[1, 2], keepdims=True)
        return scale * (x - mean) / tf.sqrt(variance + 1e-7) + bias
