"""Custom objects of the models in `series.py`; copied as `customs_13_series.py` beside the
models.

None is registered. The conditional random field has a config of its own; the others have none.
"""

from __future__ import annotations

import contextlib
import sys

import numpy as np
import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers


def encoded_by(vocabulary, embedding_dim, num_oov_indices=0, name=None):
    """Words looked up and embedded, as a Sequential model."""
    return keras.Sequential(
        [
            layers.StringLookup(
                vocabulary=vocabulary, mask_token=None, num_oov_indices=num_oov_indices
            ),
            layers.Embedding(input_dim=len(vocabulary) + num_oov_indices, output_dim=embedding_dim),
        ],
        name=f"{name}_embedding" if name else None,
    )


class QuotientEmbedding(layers.Layer):
    """The product of the vectors of a quotient and a remainder; it takes a name and no more."""

    def __init__(self, vocabulary, embedding_dim, num_buckets, name=None):
        super().__init__(name=name)
        self.num_buckets = num_buckets
        self.index_lookup = layers.StringLookup(
            vocabulary=vocabulary, mask_token=None, num_oov_indices=0
        )
        self.q_embeddings = layers.Embedding(num_buckets, embedding_dim)
        self.r_embeddings = layers.Embedding(num_buckets, embedding_dim)

    def call(self, inputs):
        index = self.index_lookup(inputs)
        quotient = self.q_embeddings(tf.math.floordiv(index, self.num_buckets))
        return quotient * self.r_embeddings(tf.math.floormod(index, self.num_buckets))


class MixedEmbedding(layers.Layer):
    """Vectors of another width for each block of words, made equally wide; a table knows blocks."""

    def __init__(self, blocks_vocabulary, blocks_embedding_dims, base_embedding_dim, name=None):
        super().__init__(name=name)
        self.num_blocks = len(blocks_vocabulary)
        self.base_embedding_dim = base_embedding_dim
        keys, values = [], []
        for block, words in enumerate(blocks_vocabulary):
            keys.extend(words)
            values.extend([block] * len(words))
        self.vocab_to_block = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(keys, values), default_value=-1
        )
        self.block_embedding_encoders = []
        self.block_embedding_projectors = []
        for block, words in enumerate(blocks_vocabulary):
            wide = blocks_embedding_dims[block]
            self.block_embedding_encoders.append(encoded_by(words, wide, num_oov_indices=1))
            if wide == base_embedding_dim:
                self.block_embedding_projectors.append(layers.Lambda(lambda x: x))
            else:
                self.block_embedding_projectors.append(layers.Dense(units=base_embedding_dim))

    def call(self, inputs):
        blocks = self.vocab_to_block.lookup(inputs)
        found = tf.zeros(shape=(tf.shape(inputs)[0], self.base_embedding_dim))
        for block in range(self.num_blocks):
            x = self.block_embedding_encoders[block](inputs)
            x = self.block_embedding_projectors[block](x)
            found += x * tf.expand_dims(tf.cast(blocks == block, tf.float32), 1)
        return found


def positions_of(length, depth):
    """Sines and cosines."""
    depth = depth / 2
    angles = np.arange(length)[:, np.newaxis] / (10000 ** (np.arange(depth)[np.newaxis] / depth))
    return tf.cast(np.concatenate([np.sin(angles), np.cos(angles)], axis=-1), dtype=tf.float32)


class PlacedWords(layers.Layer):
    """Embedded words with their places, and the mask of the embedding."""

    def __init__(self, vocab_size, d_model):
        super().__init__()
        self.d_model = d_model
        self.embedding = layers.Embedding(vocab_size, d_model, mask_zero=True)
        self.pos_encoding = positions_of(length=64, depth=d_model)

    def compute_mask(self, *args, **kwargs):
        return self.embedding.compute_mask(*args, **kwargs)

    def call(self, x):
        length = tf.shape(x)[1]
        x = self.embedding(x)
        x *= tf.math.sqrt(tf.cast(self.d_model, tf.float32))
        return x + self.pos_encoding[tf.newaxis, :length, :]


class BaseAttention(layers.Layer):
    """Attention, a skip and normalization."""

    def __init__(self, **kwargs):
        super().__init__()
        self.mha = layers.MultiHeadAttention(**kwargs)
        self.layernorm = layers.LayerNormalization()
        self.add = layers.Add()


class CrossAttention(BaseAttention):
    """Attention over what another sequence says; it keeps the scores."""

    def call(self, x, context):
        found, scores = self.mha(query=x, key=context, value=context, return_attention_scores=True)
        self.last_attn_scores = scores
        return self.layernorm(self.add([x, found]))


class GlobalSelfAttention(BaseAttention):
    """Attention over all places."""

    def call(self, x):
        found = self.mha(query=x, value=x, key=x)
        return self.layernorm(self.add([x, found]))


class CausalSelfAttention(BaseAttention):
    """Attention over the past."""

    def call(self, x):
        found = self.mha(query=x, value=x, key=x, use_causal_mask=True)
        return self.layernorm(self.add([x, found]))


class FeedForward(layers.Layer):
    """Two dense layers beside a skip."""

    def __init__(self, d_model, dff, dropout_rate=0.1):
        super().__init__()
        self.seq = keras.Sequential(
            [
                layers.Dense(dff, activation="relu"),
                layers.Dense(d_model),
                layers.Dropout(dropout_rate),
            ]
        )
        self.add = layers.Add()
        self.layer_norm = layers.LayerNormalization()

    def call(self, x):
        return self.layer_norm(self.add([x, self.seq(x)]))


class EncoderLayer(layers.Layer):
    """Attention over all, then dense layers."""

    def __init__(self, *, d_model, num_heads, dff, dropout_rate=0.1):
        super().__init__()
        self.self_attention = GlobalSelfAttention(
            num_heads=num_heads, key_dim=d_model, dropout=dropout_rate
        )
        self.ffn = FeedForward(d_model, dff)

    def call(self, x):
        return self.ffn(self.self_attention(x))


class DecoderLayer(layers.Layer):
    """Attention over the past and over the context, then dense layers."""

    def __init__(self, *, d_model, num_heads, dff, dropout_rate=0.1):
        super().__init__()
        given = {"num_heads": num_heads, "key_dim": d_model, "dropout": dropout_rate}
        self.causal_self_attention = CausalSelfAttention(**given)
        self.cross_attention = CrossAttention(**given)
        self.ffn = FeedForward(d_model, dff)

    def call(self, x, context):
        x = self.cross_attention(x=self.causal_self_attention(x=x), context=context)
        self.last_attn_scores = self.cross_attention.last_attn_scores
        return self.ffn(x)


class Encoder(layers.Layer):
    """Layers in a list over embedded words."""

    def __init__(self, *, num_layers, d_model, num_heads, dff, vocab_size, dropout_rate=0.1):
        super().__init__()
        self.pos_embedding = PlacedWords(vocab_size=vocab_size, d_model=d_model)
        self.enc_layers = [
            EncoderLayer(d_model=d_model, num_heads=num_heads, dff=dff, dropout_rate=dropout_rate)
            for _ in range(num_layers)
        ]
        self.dropout = layers.Dropout(dropout_rate)

    def call(self, x):
        x = self.dropout(self.pos_embedding(x))
        for each in self.enc_layers:
            x = each(x)
        return x


class Decoder(layers.Layer):
    """Layers in a list over embedded words and a context."""

    def __init__(self, *, num_layers, d_model, num_heads, dff, vocab_size, dropout_rate=0.1):
        super().__init__()
        self.pos_embedding = PlacedWords(vocab_size=vocab_size, d_model=d_model)
        self.dropout = layers.Dropout(dropout_rate)
        self.dec_layers = [
            DecoderLayer(d_model=d_model, num_heads=num_heads, dff=dff, dropout_rate=dropout_rate)
            for _ in range(num_layers)
        ]
        self.last_attn_scores = None

    def call(self, x, context):
        x = self.dropout(self.pos_embedding(x))
        for each in self.dec_layers:
            x = each(x, context)
        self.last_attn_scores = self.dec_layers[-1].last_attn_scores
        return x


class Translated(keras.Model):
    """Encoder and decoder of a pair of sentences."""

    def __init__(self, *, num_layers, d_model, num_heads, dff, sizes, dropout_rate=0.1):
        super().__init__()
        given = {"num_layers": num_layers, "d_model": d_model, "num_heads": num_heads, "dff": dff}
        given["dropout_rate"] = dropout_rate
        self.encoder = Encoder(vocab_size=sizes[0], **given)
        self.decoder = Decoder(vocab_size=sizes[1], **given)
        self.final_layer = layers.Dense(sizes[1])

    def call(self, inputs):
        context, x = inputs
        logits = self.final_layer(self.decoder(x, self.encoder(context)))
        with contextlib.suppress(AttributeError):
            del logits._keras_mask
        return logits


class WarmRate(keras.optimizers.schedules.LearningRateSchedule):
    """Rises, then falls with the root of the step; it has no config."""

    def __init__(self, d_model, warmup_steps=4000):
        super().__init__()
        self.d_model = tf.cast(d_model, tf.float32)
        self.warmup_steps = warmup_steps

    def __call__(self, step):
        step = tf.cast(step, dtype=tf.float32)
        falling = tf.math.rsqrt(step)
        rising = step * (self.warmup_steps**-1.5)
        return tf.math.rsqrt(self.d_model) * tf.math.minimum(falling, rising)


def masked_loss(label, pred):
    """The loss where there is a word."""
    mask = label != 0
    given = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")
    loss = given(label, pred)
    mask = tf.cast(mask, dtype=loss.dtype)
    return tf.reduce_sum(loss * mask) / tf.reduce_sum(mask)


def masked_accuracy(label, pred):
    """How often the best is right where there is a word."""
    pred = tf.argmax(pred, axis=2)
    label = tf.cast(label, pred.dtype)
    mask = label != 0
    match = tf.cast((label == pred) & mask, dtype=tf.float32)
    return tf.reduce_sum(match) / tf.reduce_sum(tf.cast(mask, dtype=tf.float32))


class WordPairs(keras.Model):
    """Products of the vector of a word and those of others."""

    def __init__(self, vocab_size, embedding_dim):
        super().__init__()
        self.target_embedding = layers.Embedding(vocab_size, embedding_dim, name="w2v_embedding")
        self.context_embedding = layers.Embedding(vocab_size, embedding_dim)

    def call(self, pair):
        target, context = pair
        if len(target.shape) == 2:
            target = tf.squeeze(target, axis=1)
        return tf.einsum(
            "be,bce->bc", self.target_embedding(target), self.context_embedding(context)
        )
