"""Custom objects of models of texts in `texts.py`; copied as `customs_17_texts.py` beside
the models.
"""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers
K = keras.backend


@keras.utils.register_keras_serializable()
class WordDropout(layers.Layer):
    """Leaves whole words out while it trains."""

    def __init__(self, encoder_dp_rate, **kwargs):
        super().__init__(**kwargs)
        self.trainable = False
        self.encoder_dp_rate = encoder_dp_rate
        self.supports_masking = True
        self.bsize = None

    def build(self, input_shape):
        self.bsize = input_shape[0]

    def call(self, inputs, training=None):
        if training is None:
            training = keras.backend.learning_phase()
        if training:
            ones = tf.ones((tf.shape(inputs)[0], tf.shape(inputs)[1]), dtype=tf.float32)
            kept = tf.nn.dropout(ones, rate=self.encoder_dp_rate)
            return inputs * tf.expand_dims(tf.cast(tf.cast(kept, tf.bool), tf.float32), axis=2)
        return tf.identity(inputs)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        cfg = super().get_config()
        cfg.update({"encoder_dp_rate": self.encoder_dp_rate})
        return cfg

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@keras.utils.register_keras_serializable()
class TiedWords(layers.Layer):
    """Scores of words by the weights of another layer, which is in the config."""

    def __init__(self, reference_layer, activation, **kwargs):
        super().__init__(**kwargs)
        self.ref_layer = reference_layer
        self.biases = None
        self.activation_fn = keras.activations.get(activation)
        self.supports_masking = True

    def build(self, input_shape):
        shape = [self.ref_layer.variables[0].shape[0]]
        self.biases = self.add_weight(name="tied_bias", shape=shape, initializer="zeros")
        super().build(input_shape)

    def call(self, inputs):
        scores = tf.matmul(inputs, self.ref_layer.variables[0], transpose_b=True)
        return self.activation_fn(scores + self.biases)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.ref_layer.variables[0].shape[0])

    def get_config(self):
        cfg = super().get_config()
        cfg.update({"reference_layer": self.ref_layer, "activation": self.activation_fn})
        return cfg

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@keras.utils.register_keras_serializable()
class MaskableEmbedding(layers.Embedding):
    """An embedding whose mask is another number than zero."""

    def __init__(
        self,
        input_dim,
        output_dim,
        embeddings_initializer="uniform",
        embeddings_regularizer=None,
        activity_regularizer=None,
        embeddings_constraint=None,
        mask_value=None,
        input_length=None,
        **kwargs,
    ):
        super().__init__(
            input_dim=input_dim,
            output_dim=output_dim,
            embeddings_initializer=embeddings_initializer,
            embeddings_regularizer=embeddings_regularizer,
            activity_regularizer=activity_regularizer,
            embeddings_constraint=embeddings_constraint,
            input_length=input_length,
            **kwargs,
        )
        self.mask_value = mask_value
        if self.mask_value is not None:
            self.supports_masking = True

    def compute_mask(self, inputs, mask=None):
        return tf.not_equal(inputs, self.mask_value) if self.mask_value else None

    def get_config(self):
        cfg = super().get_config()
        cfg.update({"mask_value": self.mask_value})
        return cfg

    @classmethod
    def from_config(cls, config):
        return cls(**config)


class DecayingDropout(layers.Layer):
    """Dropout by a rate that changes with a weight of its own."""

    def __init__(
        self,
        initial_keep_rate=1.0,
        decay_interval=10000,
        decay_rate=0.977,
        noise_shape=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.iterations = None
        self.initial_keep_rate = initial_keep_rate
        self.decay_interval = decay_interval
        self.decay_rate = min(1.0, max(0.0, decay_rate))
        self.noise_shape = noise_shape
        self.seed = seed
        self.supports_masking = True

    def build(self, input_shape):
        given = {"shape": (1,), "initializer": "zeros", "trainable": False}
        self.iterations = self.add_weight(name="iterations", **given)
        super().build(input_shape)

    def call(self, inputs, training=None):
        if not training:
            return inputs
        part = (tf.cast(self.iterations, tf.float32) + 1) / float(self.decay_interval)
        keep = self.initial_keep_rate * tf.pow(self.decay_rate, part)
        self.iterations.assign_add([1.0])
        return tf.nn.dropout(inputs, 1 - keep[0], seed=self.seed)

    def get_config(self):
        config = {
            "initial_keep_rate": self.initial_keep_rate,
            "decay_interval": self.decay_interval,
            "decay_rate": self.decay_rate,
            "noise_shape": self.noise_shape,
            "seed": self.seed,
        }
        return dict(list(super().get_config().items()) + list(config.items()))


class Encoding(layers.Layer):
    """Attention to oneself and a gate; its call makes layers of dropout."""

    def __init__(self, **kwargs):
        self.w_itr_att = None
        self.w1 = None
        self.b1 = None
        super().__init__(**kwargs)

    def build(self, input_shape):
        d = input_shape[-1]
        given = {"initializer": "glorot_uniform"}
        self.w_itr_att = self.add_weight(name="w_itr_att", shape=(3 * d,), initializer="ones")
        self.w1 = self.add_weight(name="W1", shape=(2 * d, d), **given)
        self.w2 = self.add_weight(name="W2", shape=(2 * d, d), **given)
        self.b1 = self.add_weight(name="b1", shape=(d,), initializer="zeros")
        self.b2 = self.add_weight(name="b2", shape=(d,), initializer="zeros")
        super().build(input_shape)

    def call(self, premise, **kwargs):
        middle = tf.tile(tf.expand_dims(premise, -1), [1, 1, 1, premise.shape[1]])
        middle = tf.transpose(middle, [0, 3, 2, 1])
        up = tf.transpose(middle, [0, 3, 2, 1])
        alpha = tf.concat([up, middle, up * middle], axis=2)
        scores = tf.tensordot(alpha, self.w_itr_att, axes=[[2], [0]])
        found = tf.matmul(tf.nn.softmax(scores, axis=2), premise)
        joined = tf.concat([premise, found], axis=2)
        z = tf.tanh(tf.tensordot(DecayingDropout()(joined), self.w1, 1) + self.b1)
        f = tf.sigmoid(tf.tensordot(DecayingDropout()(joined), self.w2, 1) + self.b2)
        return premise + f * z


class Interaction(layers.Layer):
    """Products of all pairs of words."""

    def call(self, inputs, **kwargs):
        assert len(inputs) == 2
        premise, hypothesis = inputs
        return tf.expand_dims(premise, axis=2) * tf.expand_dims(hypothesis, axis=1)

    def compute_output_shape(self, input_shape):
        premise, hypothesis = input_shape
        return premise[0], premise[1], hypothesis[1], premise[2]


def dense_net(start, blocks=2):
    """Features by blocks whose layers are all joined, as a model of its own."""
    x = start
    for block in range(blocks):
        for _ in range(2):
            y = layers.Conv2D(3, (3, 3), padding="same", activation="relu")(x)
            x = layers.Concatenate(axis=-1)([x, y])
        if block < blocks - 1:
            x = layers.Conv2D(4, (1, 1), padding="same", use_bias=False)(x)
            x = layers.MaxPooling2D(strides=(2, 2))(x)
    return keras.Model(start, layers.GlobalAveragePooling2D()(x), name="DenseNet")


class DIIN(keras.Model):
    """A Functional model that its constructor makes, with defaults for most arguments."""

    def __init__(self, p, h, word_embedding_weights, chars_per_word=4, nb_labels=3, name="DIIN"):
        words = [layers.Input(shape=(n,), dtype="int64", name=f"Word{n}") for n in (p, h)]
        embedding = layers.Embedding(
            input_dim=word_embedding_weights.shape[0],
            output_dim=word_embedding_weights.shape[1],
            weights=[word_embedding_weights],
            trainable=True,
            name="WordEmbedding",
        )
        chars = [layers.Input(shape=(n, chars_per_word), name=f"Char{n}") for n in (p, h)]
        given = {"input_dim": 20, "output_dim": 3}
        inner = [layers.Embedding(**given), layers.Conv1D(filters=4, kernel_size=2)]
        letters = keras.Sequential([*inner, layers.GlobalMaxPooling1D()])
        letters = layers.TimeDistributed(letters, name="CharEmbedding")
        marks = [layers.Input(shape=(n, 2), name=f"Syntactical{n}") for n in (p, h)]
        found = []
        for i in range(2):
            dropped = DecayingDropout(name=f"WordDropout{i}")(embedding(words[i]))
            each = [dropped, letters(chars[i]), marks[i]]
            each = layers.Concatenate(name=f"Embedding{i}")(each)
            found.append(Encoding(name=f"Encoding{i}")(each))
        x = Interaction(name="Interaction")(found)
        x = layers.Conv2D(filters=4, kernel_size=1, activation=None, name="FSD")(x)
        x = dense_net(layers.Input(shape=K.int_shape(x)[1:]))(x)
        x = DecayingDropout(name="Features")(x)
        out = layers.Dense(units=nb_labels, activation="softmax", name="Output")(x)
        inputs = [words[0], chars[0], marks[0], words[1], chars[1], marks[1]]
        super().__init__(inputs=inputs, outputs=out, name=name)


def captions_from_logits(y_true, y_pred):
    """Without the last word, which stands for nothing."""
    given = {"labels": y_true[:, :-1, :], "logits": y_pred[:, :-1, :]}
    return tf.nn.softmax_cross_entropy_with_logits(**given)


def captions_accuracy(y_true, y_pred):
    """Of words that are there."""
    there = tf.cast(tf.reduce_sum(y_true, axis=-1) > 0, tf.float32)
    same = tf.cast(tf.equal(tf.argmax(y_true, -1), tf.argmax(y_pred, -1)), tf.float32)
    return tf.reduce_sum(same * there) / (tf.reduce_sum(there) + np.float32(1e-7))
