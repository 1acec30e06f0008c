"""A translating transformer of models in models, of `texts.py`; copied as `customs_20_dates.py`
beside the models.
"""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf
from customs_20_texts import DateHeads, DateNorm, SinePlaces

keras = sys.modules["__main__"].keras
layers = keras.layers


class DateFeed(keras.Model):
    """Two dense layers as a model."""

    def __init__(self, d_model, d_ff):
        super().__init__()
        self.l1 = layers.Dense(d_ff, activation="relu")
        self.l2 = layers.Dense(d_model, activation="linear")

    def call(self, x):
        h = self.l1(x)
        return self.l2(h)


class DateEncoderLayer(keras.Model):
    """A block."""

    def __init__(self, h=8, d_model=512, d_ff=2048, p_dropout=0.1, maxlen=128):
        super().__init__()
        self.attn = DateHeads(h, d_model)
        self.dropout1 = layers.Dropout(p_dropout)
        self.norm1 = DateNorm()
        self.ff = DateFeed(d_model, d_ff)
        self.dropout2 = layers.Dropout(p_dropout)
        self.norm2 = DateNorm()

    def call(self, x, mask=None):
        h = self.attn(x, x, x, mask=mask)
        h = self.dropout1(h)
        h = self.norm1(x + h)
        y = self.ff(h)
        y = self.dropout2(y)
        return self.norm2(h + y)


class DateEncoder(keras.Model):
    """Blocks in a list."""

    def __init__(self, depth_source, n=6, maxlen=128, d_model=512, **given):
        super().__init__()
        self.embedding = layers.Embedding(depth_source, d_model, mask_zero=True)
        self.pe = SinePlaces(d_model, maxlen=maxlen)
        self.encoder_layers = [
            DateEncoderLayer(d_model=d_model, maxlen=maxlen, **given) for _ in range(n)
        ]

    def call(self, x, mask=None):
        x = self.embedding(x)
        y = self.pe(x)
        for encoder_layer in self.encoder_layers:
            y = encoder_layer(y, mask=mask)
        return y


class DateDecoderLayer(keras.Model):
    """A block that looks at both."""

    def __init__(self, h=8, d_model=512, d_ff=2048, p_dropout=0.1, maxlen=128):
        super().__init__()
        self.self_attn = DateHeads(h, d_model)
        self.dropout1 = layers.Dropout(p_dropout)
        self.norm1 = DateNorm()
        self.src_tgt_attn = DateHeads(h, d_model)
        self.dropout2 = layers.Dropout(p_dropout)
        self.norm2 = DateNorm()
        self.ff = DateFeed(d_model, d_ff)
        self.dropout3 = layers.Dropout(p_dropout)
        self.norm3 = DateNorm()

    def call(self, x, hs, mask=None, mask_source=None):
        h = self.self_attn(x, x, x, mask=mask)
        h = self.dropout1(h)
        h = self.norm1(x + h)
        z = self.src_tgt_attn(h, hs, hs, mask=mask_source)
        z = self.dropout2(z)
        z = self.norm2(h + z)
        y = self.ff(z)
        y = self.dropout3(y)
        return self.norm3(z + y)


class DateDecoder(keras.Model):
    """Blocks in a list, called with two tensors and two masks."""

    def __init__(self, depth_target, n=6, maxlen=128, d_model=512, **given):
        super().__init__()
        self.embedding = layers.Embedding(depth_target, d_model, mask_zero=True)
        self.pe = SinePlaces(d_model, maxlen=maxlen)
        self.decoder_layers = [
            DateDecoderLayer(d_model=d_model, maxlen=maxlen, **given) for _ in range(n)
        ]

    def call(self, x, hs, mask=None, mask_source=None):
        x = self.embedding(x)
        y = self.pe(x)
        for decoder_layer in self.decoder_layers:
            y = decoder_layer(y, hs, mask=mask, mask_source=mask_source)
        return y


class DateTransformer(keras.Model):
    """Masks by the number of rows, which is read from the shape."""

    def __init__(self, depth_source, depth_target, n=6, maxlen=128, **given):
        super().__init__()
        self.encoder = DateEncoder(depth_source, n=n, maxlen=maxlen, **given)
        self.decoder = DateDecoder(depth_target, n=n, maxlen=maxlen, **given)
        self.out = layers.Dense(depth_target, activation="softmax")
        self.maxlen = maxlen

    def call(self, inputs):
        source, target = inputs
        mask_source = self.sequence_mask(source)
        hs = self.encoder(source, mask=mask_source)
        target = target[:, :-1]
        mask_target = self.sequence_mask(target)[:, tf.newaxis, :]
        subsequent_mask = self.subsequence_mask(target)
        mask_target = tf.greater(mask_target + subsequent_mask, 1)
        y = self.decoder(target, hs, mask=mask_target, mask_source=mask_source)
        return self.out(y)

    def sequence_mask(self, x):
        len_sequences = tf.reduce_sum(tf.cast(tf.not_equal(x, 0), tf.int32), axis=1)
        return tf.cast(tf.sequence_mask(len_sequences, tf.shape(x)[-1]), tf.float32)

    def subsequence_mask(self, x):
        shape = (x.shape[1], x.shape[1])
        mask = np.tril(np.ones(shape, dtype=np.int32), k=0)
        mask = tf.convert_to_tensor(mask, dtype=tf.float32)
        return tf.tile(mask[tf.newaxis, :, :], [x.shape[0], 1, 1])
