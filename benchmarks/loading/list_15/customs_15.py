"""Custom objects of models of talk and of molecules in `series.py`; copied as
`customs_15.py` beside the models. None is registered or has a config, as their authors left
them.
"""

from __future__ import annotations

import sys

import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers


class ReplyMixer(layers.Layer):
    """Mixes words by a Fourier transform in complex numbers."""

    def __init__(self, embed_dim, dense_dim, **kwargs):
        super().__init__(**kwargs)
        self.embed_dim = embed_dim
        self.dense_dim = dense_dim
        self.dense_proj = keras.Sequential(
            [layers.Dense(dense_dim, activation="relu"), layers.Dense(embed_dim)]
        )
        self.layernorm_1 = layers.LayerNormalization()
        self.layernorm_2 = layers.LayerNormalization()

    def call(self, inputs):
        turned = tf.math.real(tf.signal.fft2d(tf.cast(inputs, tf.complex64)))
        x = self.layernorm_1(inputs + turned)
        return self.layernorm_2(x + self.dense_proj(x))


class ReplyPlaces(layers.Layer):
    """Vectors of words and of their places; words that are zero are masked."""

    def __init__(self, sequence_length, vocab_size, embed_dim, **kwargs):
        super().__init__(**kwargs)
        self.token_embeddings = layers.Embedding(input_dim=vocab_size, output_dim=embed_dim)
        self.position_embeddings = layers.Embedding(input_dim=sequence_length, output_dim=embed_dim)
        self.sequence_length = sequence_length
        self.vocab_size = vocab_size
        self.embed_dim = embed_dim

    def call(self, inputs):
        positions = tf.range(start=0, limit=tf.shape(inputs)[-1], delta=1)
        return self.token_embeddings(inputs) + self.position_embeddings(positions)

    def compute_mask(self, inputs, mask=None):
        return tf.math.not_equal(inputs, 0)


class ReplyDecoder(layers.Layer):
    """Attends to the words before and to what was said; it wants a mask."""

    def __init__(self, embed_dim, latent_dim, num_heads, **kwargs):
        super().__init__(**kwargs)
        self.embed_dim = embed_dim
        self.latent_dim = latent_dim
        self.num_heads = num_heads
        self.attention_1 = layers.MultiHeadAttention(num_heads=num_heads, key_dim=embed_dim)
        self.attention_2 = layers.MultiHeadAttention(num_heads=num_heads, key_dim=embed_dim)
        self.dense_proj = keras.Sequential(
            [layers.Dense(latent_dim, activation="relu"), layers.Dense(embed_dim)]
        )
        self.layernorm_1 = layers.LayerNormalization()
        self.layernorm_2 = layers.LayerNormalization()
        self.layernorm_3 = layers.LayerNormalization()
        self.supports_masking = True

    def call(self, inputs, encoder_outputs, mask=None):
        causal_mask = self.get_causal_attention_mask(inputs)
        if mask is not None:
            padding_mask = tf.cast(mask[:, tf.newaxis, :], dtype="int32")
            padding_mask = tf.minimum(padding_mask, causal_mask)
        attended = self.attention_1(
            query=inputs, value=inputs, key=inputs, attention_mask=causal_mask
        )
        first = self.layernorm_1(inputs + attended)
        attended = self.attention_2(
            query=first,
            value=encoder_outputs,
            key=encoder_outputs,
            attention_mask=padding_mask,
        )
        second = self.layernorm_2(first + attended)
        return self.layernorm_3(second + self.dense_proj(second))

    def get_causal_attention_mask(self, inputs):
        shape = tf.shape(inputs)
        rows, length = shape[0], shape[1]
        before = tf.range(length)[:, tf.newaxis] >= tf.range(length)
        mask = tf.reshape(tf.cast(before, dtype="int32"), (1, length, length))
        times = tf.concat([tf.expand_dims(rows, -1), tf.constant([1, 1], dtype=tf.int32)], axis=0)
        return tf.tile(mask, times)


class BondConvolution(layers.Layer):
    """A matrix for each type of bond; what its neighbors are is summed for each atom."""

    def __init__(
        self,
        units=128,
        activation="relu",
        use_bias=False,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.units = units
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)

    def build(self, input_shape):
        bonds, atoms = input_shape[0][1], input_shape[1][2]
        self.kernel = self.add_weight(
            shape=(bonds, atoms, self.units),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            trainable=True,
            name="W",
            dtype=tf.float32,
        )
        if self.use_bias:
            self.bias = self.add_weight(
                shape=(bonds, 1, self.units),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                trainable=True,
                name="b",
                dtype=tf.float32,
            )
        self.built = True

    def call(self, inputs, training=False):
        adjacency, features = inputs
        x = tf.matmul(adjacency, features[:, None, :, :])
        x = tf.matmul(x, self.kernel)
        if self.use_bias:
            x += self.bias
        return self.activation(tf.reduce_sum(x, axis=1))


class MoleculeSampling(layers.Layer):
    """A drawn code."""

    def call(self, inputs):
        mean, log_variance = inputs
        shape = tf.shape(log_variance)
        noise = tf.random.normal(shape=(shape[0], shape[1]))
        return mean + tf.exp(0.5 * log_variance) * noise


class MoleculeMaker(keras.Model):
    """An encoder and a decoder of graphs and what is told of a molecule, trained by own losses."""

    def __init__(self, encoder, decoder, max_len, **kwargs):
        super().__init__(**kwargs)
        self.encoder = encoder
        self.decoder = decoder
        self.property_prediction_layer = layers.Dense(1)
        self.max_len = max_len
        self.train_total_loss_tracker = keras.metrics.Mean(name="train_total_loss")
        self.val_total_loss_tracker = keras.metrics.Mean(name="val_total_loss")

    def train_step(self, data):
        adjacency, features, quality = data[0]
        real = [adjacency, features]
        self.batch_size = tf.shape(quality)[0]
        with tf.GradientTape() as tape:
            mean, log_variance, told, made_adjacency, made_features = self(real, training=True)
            made = [made_adjacency, made_features]
            total = self._compute_loss(log_variance, mean, quality, told, real, made)
        found = tape.gradient(total, self.trainable_weights)
        pairs = [(found[i], weight) for i, weight in enumerate(self.trainable_weights)]
        self.optimizer.apply_gradients(pairs)
        self.train_total_loss_tracker.update_state(total)
        return {"loss": self.train_total_loss_tracker.result()}

    def _compute_loss(self, log_variance, mean, quality, told, real, made):
        crossed = keras.losses.categorical_crossentropy
        adjacency = tf.reduce_mean(tf.reduce_sum(crossed(real[0], made[0]), axis=(1, 2)))
        features = tf.reduce_mean(tf.reduce_sum(crossed(real[1], made[1]), axis=1))
        apart = 1 + log_variance - tf.square(mean) - tf.exp(log_variance)
        apart = tf.reduce_mean(-0.5 * tf.reduce_sum(apart, 1))
        told_loss = tf.reduce_mean(keras.losses.binary_crossentropy(quality, told))
        return apart + told_loss + self._gradient_penalty(real, made) + adjacency + features

    def _gradient_penalty(self, real, made):
        part = tf.reshape(tf.random.uniform([self.batch_size]), (self.batch_size, 1, 1, 1))
        adjacency = real[0] * part + (1 - part) * made[0]
        part = tf.reshape(part, (self.batch_size, 1, 1))
        features = real[1] * part + (1 - part) * made[1]
        with tf.GradientTape() as tape:
            tape.watch(adjacency)
            tape.watch(features)
            _, _, told, _, _ = self([adjacency, features], training=True)
        found = tape.gradient(told, [adjacency, features])
        first = (1 - tf.norm(found[0], axis=1)) ** 2
        second = (1 - tf.norm(found[1], axis=2)) ** 2
        return tf.reduce_mean(
            tf.reduce_mean(first, axis=(-2, -1)) + tf.reduce_mean(second, axis=-1)
        )

    def call(self, inputs):
        mean, log_variance = self.encoder(inputs)
        code = MoleculeSampling()([mean, log_variance])
        adjacency, features = self.decoder(code)
        return mean, log_variance, self.property_prediction_layer(mean), adjacency, features
