"""Custom objects of models of texts in `texts.py`; copied as `customs_20_texts.py` beside the
models.
"""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers
SMALL = np.float32(1e-8)


class EmbeddingProcessor(layers.Layer):
    """Embeddings of tokens, segments and places, made in `build`."""

    def __init__(
        self,
        vocab,
        embedding_size=768,
        max_seq_len=512,
        segment_size=2,
        hidden_dropout_prob=0.0,
        initializer_range=0.02,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.vocab_size = vocab
        self.embedding_size = embedding_size
        self.max_seq_len = max_seq_len
        self.segment_size = segment_size
        self.hidden_dropout_prob = hidden_dropout_prob
        self.initializer_range = initializer_range

    def build(self, input_shape):
        self.token_embedding = layers.Embedding(
            input_dim=self.vocab_size,
            output_dim=self.embedding_size,
            embeddings_initializer=keras.initializers.TruncatedNormal(self.initializer_range),
            name="token_embedding",
            dtype=tf.float32,
        )
        self.segment_embedding = layers.Embedding(
            input_dim=self.segment_size,
            output_dim=self.embedding_size,
            embeddings_initializer=keras.initializers.TruncatedNormal(self.initializer_range),
            name="segment_embedding",
            dtype=tf.float32,
        )
        self.positional_embedding = self.add_weight(
            name="positional_embeddings",
            shape=(self.max_seq_len, self.embedding_size),
            initializer=keras.initializers.TruncatedNormal(self.initializer_range),
            dtype=tf.float32,
        )
        self.output_layer_norm = layers.LayerNormalization(
            name="layer_norm", axis=-1, epsilon=1e-12, dtype=tf.float32
        )
        self.output_dropout = layers.Dropout(rate=self.hidden_dropout_prob, dtype=tf.float32)
        super().build(input_shape)

    def call(self, inputs):
        input_ids, segment_ids = inputs
        seq_length = input_ids.shape[1]
        tokens = self.token_embedding(input_ids)
        segments = self.segment_embedding(segment_ids)
        places = tf.expand_dims(self.positional_embedding[:seq_length, :], axis=0)
        output = tokens + segments + places
        output = self.output_layer_norm(output)
        return self.output_dropout(output)


def token_attention(q, k, v, mask):
    """Attention whose mask is added and dropped."""
    matmul_qk = tf.matmul(q, k, transpose_b=True)
    dk = tf.cast(tf.shape(k)[-1], tf.float32)
    logits = matmul_qk / tf.math.sqrt(dk)
    if mask is not None:
        logits + (tf.cast(mask[:, tf.newaxis, tf.newaxis, :], dtype=tf.float32) * -1e9)
    attention_weights = tf.nn.softmax(logits, axis=-1)
    return tf.matmul(attention_weights, v), attention_weights


class TokenHeads(layers.Layer):
    """Attention in heads; no config."""

    def __init__(self, d_model, num_heads):
        super().__init__()
        self.num_heads = num_heads
        self.d_model = d_model
        assert d_model % self.num_heads == 0
        self.depth = d_model // self.num_heads
        self.wq = layers.Dense(d_model)
        self.wk = layers.Dense(d_model)
        self.wv = layers.Dense(d_model)
        self.dense = layers.Dense(d_model)

    def split_heads(self, x, batch_size):
        x = tf.reshape(x, (batch_size, -1, self.num_heads, self.depth))
        return tf.transpose(x, perm=[0, 2, 1, 3])

    def call(self, x, mask):
        batch_size = tf.shape(x)[0]
        query = self.split_heads(self.wq(x), batch_size)
        key = self.split_heads(self.wk(x), batch_size)
        value = self.split_heads(self.wv(x), batch_size)
        scaled_attention, _ = token_attention(query, key, value, mask)
        scaled_attention = tf.transpose(scaled_attention, perm=[0, 2, 1, 3])
        concat_attention = tf.reshape(scaled_attention, (batch_size, -1, self.d_model))
        return self.dense(concat_attention)


class TokenTransformer(layers.Layer):
    """A block, with its mask as an argument that must be given."""

    def __init__(self, d_model, num_heads, dff, rate=0.1):
        super().__init__()
        self.mha = TokenHeads(d_model, num_heads)
        self.ffn = keras.Sequential([layers.Dense(dff, activation="relu"), layers.Dense(d_model)])
        self.layernorm1 = layers.LayerNormalization(epsilon=1e-6)
        self.layernorm2 = layers.LayerNormalization(epsilon=1e-6)
        self.dropout1 = layers.Dropout(rate)
        self.dropout2 = layers.Dropout(rate)

    def call(self, x, mask, training=None):
        attn_output = self.mha(x, mask)
        attn_output = self.dropout1(attn_output, training=training)
        out1 = self.layernorm1(x + attn_output)
        ffn_output = self.ffn(out1)
        ffn_output = self.dropout2(ffn_output, training=training)
        return self.layernorm2(out1 + ffn_output)


def _bert_parts(self, config):
    """What both models below have: the blocks are one block, several times."""
    self.vocab_size = config["Vocab_Size"]
    self.embedding_size = config["Embedding_Size"]
    self.max_seq_len = config["Max_Sequence_Length"]
    self.segment_size = config["Segment_Size"]
    self.num_transformer_layers = config["Num_Transformer_Layers"]
    self.num_attention_heads = config["Num_Attention_Heads"]
    self.intermediate_size = config["Intermediate_Size"]
    self.initializer_range = config["Initializer_Variance"]
    self.initializer = keras.initializers.TruncatedNormal(stddev=self.initializer_range)
    self.embedding = EmbeddingProcessor(
        vocab=self.vocab_size,
        embedding_size=self.embedding_size,
        max_seq_len=self.max_seq_len,
        segment_size=self.segment_size,
    )
    self.transformer_blocks = [
        TokenTransformer(
            d_model=self.embedding_size,
            num_heads=self.num_attention_heads,
            dff=self.intermediate_size,
        )
    ] * self.num_transformer_layers


class PretrainedBert(keras.Model):
    """Three inputs, three outputs, one of them by the weights of the embedding."""

    def __init__(self, config, **kwargs):
        super().__init__(**kwargs)
        _bert_parts(self, config)
        self.nsp_predictor = layers.Dense(2)

    def call(self, inputs, training=None):
        batch_x, batch_mask, batch_segment = inputs
        x = self.embedding((batch_x, batch_segment))
        for i in range(self.num_transformer_layers):
            x = self.transformer_blocks[i](x, mask=batch_mask, training=training)
        first_token_tensor = x[:, 0, :]
        nsp_predict = self.nsp_predictor(first_token_tensor)
        mlm_predict = tf.matmul(x, self.embedding.token_embedding.embeddings, transpose_b=True)
        return nsp_predict, mlm_predict, x


class ReviewBert(keras.Model):
    """The same of a dictionary of inputs, with classes."""

    def __init__(self, config, **kwargs):
        super().__init__(**kwargs)
        self.class_nums = config["class_nums"]
        _bert_parts(self, config)
        self.dn1 = layers.Dense(
            self.class_nums, bias_initializer=self.initializer, activation="softmax"
        )

    def call(self, inputs, training=None):
        batch_x = inputs["input_ids"]
        batch_mask = inputs["token_type_ids"]
        batch_segment = inputs["attention_mask"]
        x = self.embedding((batch_x, batch_segment))
        for i in range(self.num_transformer_layers):
            x = self.transformer_blocks[i](x, mask=batch_mask, training=training)
        return self.dn1(x[:, 0, :])


class SinePlaces(layers.Layer):
    """Places as a weight, whose initializer is a method of the layer."""

    def __init__(self, output_dim, maxlen=6000):
        super().__init__()
        self.output_dim = output_dim
        self.maxlen = maxlen

    def build(self, input_shape):
        self.PE = self.add_weight(
            name="PE",
            shape=(self.maxlen, self.output_dim),
            initializer=self.initializer,
            trainable=False,
            dtype=tf.float32,
        )
        super().build(input_shape)

    def call(self, x):
        return x + self.PE[tf.newaxis, : tf.shape(x)[1], :]

    def initializer(self, input_shape, dtype=tf.float32):
        pe = np.array(
            [
                [
                    pos / np.power(10000, 2 * (i // 2) / self.output_dim)
                    for i in range(self.output_dim)
                ]
                for pos in range(self.maxlen)
            ]
        )
        pe[:, 0::2] = np.sin(pe[:, 0::2])
        pe[:, 1::2] = np.cos(pe[:, 1::2])
        return tf.convert_to_tensor(pe, dtype=tf.float32)


class DateNorm(layers.Layer):
    """A normalization whose weights have a number as their shape."""

    def __init__(self, eps=SMALL):
        super().__init__()
        self.eps = eps

    def build(self, input_shape):
        self.gamma = self.add_weight(name="gamma", shape=(input_shape[-1]), initializer="ones")
        self.beta = self.add_weight(name="beta", shape=(input_shape[-1]), initializer="zeros")
        super().build(input_shape)

    def call(self, x):
        mean, var = tf.nn.moments(x, axes=-1, keepdims=True)
        std = tf.sqrt(var) + self.eps
        return self.gamma * (x - mean) / std + self.beta


class ScaledDot(layers.Layer):
    """Attention by hand."""

    def __init__(self, d_k):
        super().__init__()
        self.d_k = d_k
        self.scaler = np.sqrt(d_k)

    def build(self, input_shape):
        super().build(input_shape)

    def call(self, q, k, v, mask=None):
        score = tf.einsum("ijk,ilk->ijl", q, k) / self.scaler
        score = score - tf.reduce_max(score, axis=-1, keepdims=True)
        score = tf.exp(score)
        if mask is not None:
            if len(mask.shape) == 2:
                mask = mask[:, tf.newaxis, :]
            score = score * tf.cast(mask, tf.float32)
        a = score / tf.reduce_sum(score, axis=-1, keepdims=True)
        return tf.einsum("ijk,ikl->ijl", a, v)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[1], self.d_model)

    def compute_mask(self, inputs, mask):
        return mask


class DateHeads(layers.Layer):
    """Heads as more rows, with weights of three axes."""

    def __init__(self, h, d_model):
        super().__init__()
        self.h = h
        self.d_model = d_model
        self.d_k = d_k = d_model // h
        self.d_v = d_model // h
        self.attn = ScaledDot(d_k)

    def build(self, input_shape):
        given = {"initializer": "glorot_normal", "trainable": True}
        shape = (self.h, self.d_model, self.d_k)
        self.W_q = self.add_weight(name="W_q", shape=shape, **given)
        self.W_k = self.add_weight(name="W_k", shape=shape, **given)
        self.W_v = self.add_weight(name="W_v", shape=shape, **given)
        self.W_o = self.add_weight(name="W_o", shape=(self.h * self.d_v, self.d_model), **given)
        self.b_o = self.add_weight(
            name="b_o", shape=(self.d_model), initializer="zeros", trainable=True
        )
        super().build(input_shape)

    def call(self, q, k, v, mask=None):
        def heads(x, weights):
            x = tf.tile(x[tf.newaxis, :, :, :], [self.h, 1, 1, 1])
            x = tf.einsum("hijk,hkl->hijl", x, weights)
            return tf.reshape(x, shape=(-1, x.shape[-2], x.shape[-1]))

        q, k, v = heads(q, self.W_q), heads(k, self.W_k), heads(v, self.W_v)
        if mask is not None:
            multiples = [self.h] + [1] * (len(mask.shape) - 1)
            mask = tf.tile(mask, multiples=multiples)
        c = self.attn(q, k, v, mask=mask)
        c = tf.split(c, self.h, axis=0)
        c = tf.concat(c, axis=-1)
        return tf.einsum("ijk,kl->ijl", c, self.W_o) + self.b_o

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[1], self.d_model)

    def compute_mask(self, input, mask):
        return mask
