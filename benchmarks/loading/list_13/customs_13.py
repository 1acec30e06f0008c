"""Custom objects of the models of images in `images.py`; copied as `customs_13.py` beside
the models.

None is registered. One has a config of its own, which leaves out an argument, as its authors left
it; the others have none.
"""

from __future__ import annotations

import functools
import sys

import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers


class FramePositions(layers.Layer):
    """Adds an embedding of the place to the features of each frame; frames of zeros are masked in
    Keras 2."""

    def __init__(self, sequence_length, output_dim, **kwargs):
        super().__init__(**kwargs)
        self.position_embeddings = layers.Embedding(
            input_dim=sequence_length, output_dim=output_dim
        )
        self.sequence_length = sequence_length
        self.output_dim = output_dim

    def call(self, inputs):
        positions = tf.range(start=0, limit=tf.shape(inputs)[1], delta=1)
        return inputs + self.position_embeddings(positions)

    if not hasattr(keras, "ops"):  # the example for Keras 3 has no mask

        def compute_mask(self, inputs, mask=None):
            return tf.reduce_any(tf.cast(inputs, "bool"), axis=-1)


class FrameEncoder(layers.Layer):
    """Attention over frames under a mask, then two dense layers in a model of their own."""

    def __init__(self, embed_dim, dense_dim, num_heads, **kwargs):
        super().__init__(**kwargs)
        self.embed_dim = embed_dim
        self.dense_dim = dense_dim
        self.num_heads = num_heads
        self.attention = layers.MultiHeadAttention(
            num_heads=num_heads, key_dim=embed_dim, dropout=0.3
        )
        self.dense_proj = keras.Sequential(
            [layers.Dense(dense_dim, activation=tf.nn.gelu), layers.Dense(embed_dim)]
        )
        self.layernorm_1 = layers.LayerNormalization()
        self.layernorm_2 = layers.LayerNormalization()

    def call(self, inputs, mask=None):
        if mask is not None:
            mask = mask[:, tf.newaxis, :]
        attended = self.attention(inputs, inputs, attention_mask=mask)
        seen = self.layernorm_1(inputs + attended)
        return self.layernorm_2(seen + self.dense_proj(seen))


class BagAttention(layers.Layer):
    """Scores of the pieces of a bag, which add up to one: a list in, a list out."""

    def __init__(
        self,
        weight_params_dim,
        kernel_initializer="glorot_uniform",
        kernel_regularizer=None,
        use_gated=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.weight_params_dim = weight_params_dim
        self.use_gated = use_gated
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, input_shape):
        wide = input_shape[0][1]
        given = {"initializer": self.kernel_initializer, "regularizer": self.kernel_regularizer}
        shape = (wide, self.weight_params_dim)
        self.v = self.add_weight(shape=shape, name="v", trainable=True, **given)
        shape = (self.weight_params_dim, 1)
        self.w = self.add_weight(shape=shape, name="w", trainable=True, **given)
        self.u = None
        if self.use_gated:
            shape = (wide, self.weight_params_dim)
            self.u = self.add_weight(shape=shape, name="u", trainable=True, **given)
        self.input_built = True

    def call(self, inputs):
        alpha = tf.nn.softmax(tf.stack([self.score(each) for each in inputs]), axis=0)
        return [alpha[place] for place in range(alpha.shape[0])]

    def score(self, piece):
        found = tf.math.tanh(tf.tensordot(piece, self.v, axes=1))
        if self.use_gated:
            found = found * tf.math.sigmoid(tf.tensordot(piece, self.u, axes=1))
        return tf.tensordot(found, self.w, axes=1)


def peak_to_noise(super_resolution, high_resolution):
    """A metric; not registered."""
    return tf.image.psnr(high_resolution, super_resolution, max_val=255)[0]


class SharpModel(keras.Model):
    """A Functional model with a step of its own, written for Keras 2."""

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compiled_loss(y, y_pred, regularization_losses=self.losses)
        variables = self.trainable_variables
        gradients = tape.gradient(loss, variables)
        self.optimizer.apply_gradients([(g, variables[n]) for n, g in enumerate(gradients)])
        self.compiled_metrics.update_state(y, y_pred)
        return {each.name: each.result() for each in self.metrics}


class PlacedPatches(layers.Layer):
    """Adds places; its config has one of its two arguments, and it takes no name."""

    def __init__(self, num_patches, projection_dim):
        super().__init__()
        self.num_patches = num_patches
        self.position_embedding = layers.Embedding(input_dim=num_patches, output_dim=projection_dim)

    def call(self, patch):
        positions = tf.range(start=0, limit=self.num_patches, delta=1)[tf.newaxis]
        return patch + self.position_embedding(positions)

    def get_config(self):
        config = super().get_config()
        config.update({"num_patches": self.num_patches})
        return config


class NormedConv(layers.Layer):
    """A convolution, normalization and a rectifier, made when it is built."""

    def __init__(self, filters, kernel_size=(3, 3), *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.filters = filters
        self.kernel_size = kernel_size

    def build(self, input_shape):
        self.conv1 = layers.Conv2D(
            self.filters,
            self.kernel_size,
            padding="same",
            kernel_initializer=keras.initializers.HeNormal(),
        )
        self.bn1 = layers.BatchNormalization()

    def call(self, inputs, training):
        return tf.nn.relu(self.bn1(self.conv1(inputs), training=training))


class DownBlock(layers.Layer):
    """Two convolutions: what they found, and a smaller one."""

    def __init__(self, filters, kernel_size=(3, 3), *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.filters = filters
        self.kernel_size = kernel_size

    def build(self, input_shape):
        self.conv1 = NormedConv(self.filters, self.kernel_size)
        self.conv2 = NormedConv(self.filters, self.kernel_size)
        self.max_pool1 = layers.MaxPool2D((2, 2))

    def call(self, inputs, training):
        x = self.conv2(self.conv1(inputs, training=training), training=training)
        return x, self.max_pool1(x)


class UpBlock(layers.Layer):
    """Two convolutions over one input, or over two that are joined: what was found, and larger."""

    def __init__(self, filters, kernel_size=(3, 3), *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.filters = filters
        self.kernel_size = kernel_size

    def build(self, input_shape):
        self.cropping1 = None
        if isinstance(input_shape, list) and len(input_shape) == 2:
            size = [input_shape[1][1], input_shape[1][2]]
            self.cropping1 = functools.partial(tf.image.resize, size=size)
        self.conv1 = NormedConv(self.filters, self.kernel_size)
        self.conv2 = NormedConv(self.filters, self.kernel_size)
        self.larger = layers.UpSampling2D(size=(2, 2))
        self.bn1 = layers.BatchNormalization()

    def call(self, inputs, training):
        x = inputs
        if self.cropping1:
            p, x = inputs
            x = tf.concat([self.cropping1(p), x], axis=-1)
        x = self.conv2(self.conv1(x, training=training), training=training)
        return x, tf.nn.sigmoid(self.bn1(self.larger(x), training=training))


class SoftLabels(keras.Model):
    """Segmentation with skips, of layers in lists that are made when it is built."""

    def __init__(self, depth=4, filters_base=64, output_filters=1, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.depth = depth
        self.output_filters = output_filters
        self.filters_base = filters_base

    def build(self, input_shape):
        wide = [self.filters_base * 2**each for each in range(self.depth + 1)]
        self.downsample_layers = [DownBlock(each) for each in wide[:-1]]
        self.upsample_layers = [UpBlock(each) for each in wide[:-1]][::-1]
        self.upsample_layer_last = UpBlock(wide[-1])
        self.conv_last = layers.Conv2D(self.output_filters, (1, 1), padding="same")

    def call(self, inputs, training):
        x, found = inputs, []
        for layer in self.downsample_layers:
            p, x = layer(x, training=training)
            found.append(p)
        p, x = self.upsample_layer_last(x, training=training)
        for place, layer in enumerate(self.upsample_layers):
            p, x = layer([found[-1 - place], x], training=training)
        return tf.nn.sigmoid(self.conv_last(p))
