"""Custom objects of the models in `texts.py`; copied as `customs_10_texts.py`
beside them.

None is registered; the layers of the recommender have a config of their own, the others none.
"""

from __future__ import annotations

import sys

import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers
not_equal = keras.ops.not_equal if hasattr(keras, "ops") else tf.math.not_equal


class PositionalEmbedding(layers.Layer):
    """Tokens and their places, with a mask for the tokens that are zero."""

    def __init__(self, sequence_length, vocab_size, embed_dim, **kwargs):
        super().__init__(**kwargs)
        self.token_embeddings = layers.Embedding(input_dim=vocab_size, output_dim=embed_dim)
        self.position_embeddings = layers.Embedding(input_dim=sequence_length, output_dim=embed_dim)
        self.sequence_length = sequence_length

    def call(self, inputs):
        positions = tf.range(start=0, limit=tf.shape(inputs)[-1], delta=1)
        return self.token_embeddings(inputs) + self.position_embeddings(positions)

    def compute_mask(self, inputs, mask=None):
        return not_equal(inputs, 0)


class FNetEncoder(layers.Layer):
    """Mixes tokens by a Fourier transform instead of attention."""

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
        mixed = tf.math.real(tf.signal.fft2d(tf.cast(inputs, tf.complex64)))
        proj_input = self.layernorm_1(inputs + mixed)
        return self.layernorm_2(proj_input + self.dense_proj(proj_input))


class InteractingLayer(layers.Layer):
    """Attention between the fields of a row, by weights of its own."""

    def __init__(
        self, att_embedding_size=8, head_num=2, use_res=True, scaling=False, seed=1024, **kwargs
    ):
        if head_num <= 0:
            raise ValueError("head_num must be a int > 0")
        self.att_embedding_size = att_embedding_size
        self.head_num = head_num
        self.use_res = use_res
        self.seed = seed
        self.scaling = scaling
        super().__init__(**kwargs)

    def build(self, input_shape):
        shape = [int(input_shape[-1]), self.att_embedding_size * self.head_num]
        normal = keras.initializers.TruncatedNormal(seed=self.seed)
        self.W_Query = self.add_weight(name="query", shape=shape, initializer=normal)
        self.W_key = self.add_weight(name="key", shape=shape, initializer=normal)
        self.W_Value = self.add_weight(name="value", shape=shape, initializer=normal)
        if self.use_res:
            self.W_Res = self.add_weight(name="res", shape=shape, initializer=normal)
        super().build(input_shape)

    def call(self, inputs, **kwargs):
        query, key, value = (
            tf.stack(tf.split(tf.tensordot(inputs, weight, axes=(-1, 0)), self.head_num, axis=2))
            for weight in map(tf.convert_to_tensor, (self.W_Query, self.W_key, self.W_Value))
        )
        scores = tf.matmul(query, key, transpose_b=True)
        if self.scaling:
            scores /= self.att_embedding_size**0.5
        result = tf.matmul(tf.nn.softmax(scores), value)
        result = tf.squeeze(tf.concat(tf.split(result, self.head_num), axis=-1), axis=0)
        if self.use_res:
            result += tf.tensordot(inputs, tf.convert_to_tensor(self.W_Res), axes=(-1, 0))
        return tf.nn.relu(result)

    def compute_output_shape(self, input_shape):
        return (None, input_shape[1], self.att_embedding_size * self.head_num)

    def get_config(self):
        config = {
            "att_embedding_size": self.att_embedding_size,
            "head_num": self.head_num,
            "use_res": self.use_res,
            "seed": self.seed,
        }
        return {**super().get_config(), **config}


class PredictionLayer(layers.Layer):
    """A global bias and a sigmoid for a task of two classes."""

    def __init__(self, task="binary", use_bias=True, **kwargs):
        if task not in ("binary", "multiclass", "regression"):
            raise ValueError("task must be binary,multiclass or regression")
        super().__init__(**kwargs)
        self.task = task
        self.use_bias = use_bias

    def build(self, input_shape):
        if self.use_bias:
            self.global_bias = self.add_weight(
                shape=(1,), initializer=keras.initializers.Zeros(), name="global_bias"
            )
        super().build(input_shape)

    def call(self, inputs, **kwargs):
        x = inputs
        if self.use_bias:
            x = x + self.global_bias
        if self.task == "binary":
            x = tf.sigmoid(x)
        return tf.reshape(x, (-1, 1))

    def compute_output_shape(self, input_shape):
        return (None, 1)

    def get_config(self):
        return {**super().get_config(), "task": self.task, "use_bias": self.use_bias}


class LoraLayer(layers.Layer):
    """Wraps a frozen dense layer, whose name it takes, and adds a product of low rank."""

    def __init__(self, original_layer, rank=8, alpha=32, trainable=False, **kwargs):
        config = original_layer.get_config()
        kwargs.pop("name", None)
        super().__init__(name=config["name"], trainable=trainable, **kwargs)
        self.rank = rank
        self.alpha = alpha
        self._scale = alpha / rank
        self.original_layer = original_layer
        self.original_layer.trainable = False
        self.A = layers.Dense(
            units=rank,
            use_bias=False,
            trainable=trainable,
            name="lora_A",
            kernel_initializer="he_uniform",
        )
        dense = getattr(layers, "EinsumDense", None) or layers.experimental.EinsumDense
        self.B = dense(
            equation="abc,cde->abde",
            output_shape=config["output_shape"],
            kernel_initializer="zeros",
            trainable=trainable,
            name="lora_B",
        )

    def call(self, inputs):
        return self.original_layer(inputs) + self.B(self.A(inputs)) * self._scale
