"""Custom objects of items, splines and twins in `items.py`; copied beside the models."""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers


class SeqMultiHeadAttention(layers.Layer):
    """Heads side by side in the batch, with masks from what is zero."""

    def __init__(self, attention_dim, num_heads, dropout_rate):
        super().__init__()
        self.num_heads = num_heads
        self.attention_dim = attention_dim
        assert attention_dim % self.num_heads == 0
        self.dropout_rate = dropout_rate
        self.depth = attention_dim // self.num_heads
        self.Q = layers.Dense(self.attention_dim, activation=None)
        self.K = layers.Dense(self.attention_dim, activation=None)
        self.V = layers.Dense(self.attention_dim, activation=None)
        self.dropout = layers.Dropout(self.dropout_rate)

    def call(self, queries, keys):
        Q = self.Q(queries)
        K = self.K(keys)
        V = self.V(keys)
        Q_ = tf.concat(tf.split(Q, self.num_heads, axis=2), axis=0)
        K_ = tf.concat(tf.split(K, self.num_heads, axis=2), axis=0)
        V_ = tf.concat(tf.split(V, self.num_heads, axis=2), axis=0)
        outputs = tf.matmul(Q_, tf.transpose(K_, [0, 2, 1]))
        outputs = outputs / (K_.get_shape().as_list()[-1] ** 0.5)
        key_masks = tf.sign(tf.abs(tf.reduce_sum(keys, axis=-1)))
        key_masks = tf.tile(key_masks, [self.num_heads, 1])
        key_masks = tf.tile(tf.expand_dims(key_masks, 1), [1, tf.shape(queries)[1], 1])
        paddings = tf.ones_like(outputs) * (-(2**32) + 1)
        outputs = tf.where(tf.equal(key_masks, 0), paddings, outputs)
        diag_vals = tf.ones_like(outputs[0, :, :])
        tril = tf.linalg.LinearOperatorLowerTriangular(diag_vals).to_dense()
        masks = tf.tile(tf.expand_dims(tril, 0), [tf.shape(outputs)[0], 1, 1])
        paddings = tf.ones_like(masks) * (-(2**32) + 1)
        outputs = tf.where(tf.equal(masks, 0), paddings, outputs)
        outputs = tf.nn.softmax(outputs)
        query_masks = tf.sign(tf.abs(tf.reduce_sum(queries, axis=-1)))
        query_masks = tf.tile(query_masks, [self.num_heads, 1])
        query_masks = tf.tile(tf.expand_dims(query_masks, -1), [1, 1, tf.shape(keys)[1]])
        outputs *= query_masks
        outputs = self.dropout(outputs)
        outputs = tf.matmul(outputs, V_)
        outputs = tf.concat(tf.split(outputs, self.num_heads, axis=0), axis=2)
        outputs += queries
        return outputs


class PointWiseFeedForward(layers.Layer):
    """Two convolutions and a skip."""

    def __init__(self, conv_dims, dropout_rate):
        super().__init__()
        self.conv_dims = conv_dims
        self.dropout_rate = dropout_rate
        self.conv_layer1 = layers.Conv1D(
            filters=self.conv_dims[0], kernel_size=1, activation="relu", use_bias=True
        )
        self.conv_layer2 = layers.Conv1D(
            filters=self.conv_dims[1], kernel_size=1, activation=None, use_bias=True
        )
        self.dropout_layer = layers.Dropout(self.dropout_rate)

    def call(self, x):
        output = self.conv_layer1(x)
        output = self.dropout_layer(output)
        output = self.conv_layer2(output)
        output = self.dropout_layer(output)
        output += x
        return output


class SeqLayerNormalization(layers.Layer):
    """A mean and a variance of each place, with weights for each."""

    def __init__(self, seq_max_len, embedding_dim, epsilon):
        super().__init__()
        self.seq_max_len = seq_max_len
        self.embedding_dim = embedding_dim
        self.epsilon = epsilon
        self.params_shape = (self.seq_max_len, self.embedding_dim)
        g_init = tf.ones_initializer()
        self.gamma = tf.Variable(
            initial_value=g_init(shape=self.params_shape, dtype="float32"), trainable=True
        )
        b_init = tf.zeros_initializer()
        self.beta = tf.Variable(
            initial_value=b_init(shape=self.params_shape, dtype="float32"), trainable=True
        )

    def call(self, x):
        mean, variance = tf.nn.moments(x, [-1], keepdims=True)
        normalized = (x - mean) / ((variance + self.epsilon) ** 0.5)
        return self.gamma * normalized + self.beta


class SeqEncoderLayer(layers.Layer):
    """Attention and a small network; some of its layers are never called."""

    def __init__(
        self, seq_max_len, embedding_dim, attention_dim, num_heads, conv_dims, dropout_rate
    ):
        super().__init__()
        self.seq_max_len = seq_max_len
        self.embedding_dim = embedding_dim
        self.mha = SeqMultiHeadAttention(attention_dim, num_heads, dropout_rate)
        self.ffn = PointWiseFeedForward(conv_dims, dropout_rate)
        self.layernorm1 = layers.LayerNormalization(epsilon=1e-6)
        self.layernorm2 = layers.LayerNormalization(epsilon=1e-6)
        self.dropout1 = layers.Dropout(dropout_rate)
        self.dropout2 = layers.Dropout(dropout_rate)
        self.layer_normalization = SeqLayerNormalization(
            self.seq_max_len, self.embedding_dim, 1e-08
        )

    def call(self, x, training, mask):
        x_norm = self.layer_normalization(x)
        attn_output = self.mha(queries=x_norm, keys=x)
        attn_output = self.ffn(attn_output)
        return attn_output * mask


class SeqEncoder(layers.Layer):
    """Such layers in a list."""

    def __init__(
        self,
        num_layers,
        seq_max_len,
        embedding_dim,
        attention_dim,
        num_heads,
        conv_dims,
        dropout_rate,
    ):
        super().__init__()
        self.num_layers = num_layers
        self.enc_layers = [
            SeqEncoderLayer(
                seq_max_len, embedding_dim, attention_dim, num_heads, conv_dims, dropout_rate
            )
            for _ in range(num_layers)
        ]
        self.dropout = layers.Dropout(dropout_rate)

    def call(self, x, training, mask):
        for i in range(self.num_layers):
            x = self.enc_layers[i](x, training, mask)
        return x


class SASREC(keras.Model):
    """The next item, by attention to the items before."""

    def __init__(self, **kwargs):
        super().__init__()
        self.item_num = kwargs.get("item_num")
        self.seq_max_len = kwargs.get("seq_max_len", 100)
        self.num_blocks = kwargs.get("num_blocks", 2)
        self.embedding_dim = kwargs.get("embedding_dim", 100)
        self.attention_dim = kwargs.get("attention_dim", 100)
        self.attention_num_heads = kwargs.get("attention_num_heads", 1)
        self.conv_dims = kwargs.get("conv_dims", [100, 100])
        self.dropout_rate = kwargs.get("dropout_rate", 0.5)
        self.l2_reg = kwargs.get("l2_reg", 0.0)
        self.item_embedding_layer = layers.Embedding(
            self.item_num + 1,
            self.embedding_dim,
            name="item_embeddings",
            mask_zero=True,
            embeddings_regularizer=keras.regularizers.l2(self.l2_reg),
        )
        self.positional_embedding_layer = layers.Embedding(
            self.seq_max_len,
            self.embedding_dim,
            name="positional_embeddings",
            mask_zero=False,
            embeddings_regularizer=keras.regularizers.l2(self.l2_reg),
        )
        self.dropout_layer = layers.Dropout(self.dropout_rate)
        self.encoder = SeqEncoder(
            self.num_blocks,
            self.seq_max_len,
            self.embedding_dim,
            self.attention_dim,
            self.attention_num_heads,
            self.conv_dims,
            self.dropout_rate,
        )
        self.mask_layer = layers.Masking(mask_value=0)
        self.layer_normalization = SeqLayerNormalization(
            self.seq_max_len, self.embedding_dim, 1e-08
        )

    def embedding(self, input_seq):
        seq_embeddings = self.item_embedding_layer(input_seq)
        seq_embeddings = seq_embeddings * (self.embedding_dim**0.5)
        positional_seq = tf.expand_dims(tf.range(tf.shape(input_seq)[1]), 0)
        positional_seq = tf.tile(positional_seq, [tf.shape(input_seq)[0], 1])
        return seq_embeddings, self.positional_embedding_layer(positional_seq)

    def call(self, x, training):
        input_seq = x["input_seq"]
        pos = x["positive"]
        neg = x["negative"]
        mask = tf.expand_dims(tf.cast(tf.not_equal(input_seq, 0), tf.float32), -1)
        seq_embeddings, positional_embeddings = self.embedding(input_seq)
        seq_embeddings += positional_embeddings
        seq_embeddings = self.dropout_layer(seq_embeddings)
        seq_embeddings *= mask
        seq_attention = seq_embeddings
        seq_attention = self.encoder(seq_attention, training, mask)
        seq_attention = self.layer_normalization(seq_attention)
        pos = self.mask_layer(pos)
        neg = self.mask_layer(neg)
        size = tf.shape(input_seq)[0] * self.seq_max_len
        pos = tf.reshape(pos, [size])
        neg = tf.reshape(neg, [size])
        pos_emb = self.item_embedding_layer(pos)
        neg_emb = self.item_embedding_layer(neg)
        seq_emb = tf.reshape(seq_attention, [size, self.embedding_dim])
        pos_logits = tf.expand_dims(tf.reduce_sum(pos_emb * seq_emb, -1), axis=-1)
        neg_logits = tf.expand_dims(tf.reduce_sum(neg_emb * seq_emb, -1), axis=-1)
        istarget = tf.reshape(tf.cast(tf.not_equal(pos, 0), dtype=tf.float32), [size])
        return pos_logits, neg_logits, istarget


def b_batch(x, grid, k=0):
    """Splines of a degree, by those of the degree below."""
    x = tf.expand_dims(x, axis=-1)
    grid = tf.expand_dims(grid, axis=0)
    if k == 0:
        value = tf.cast((x >= grid[:, :, :-1]) & (x < grid[:, :, 1:]), tf.float32)
    else:
        B_km1 = b_batch(x[:, :, 0], grid=grid[0], k=k - 1)
        left = grid[:, :, k:-1] - grid[:, :, : -(k + 1)]
        left_term = ((x - grid[:, :, : -(k + 1)]) / left) * B_km1[:, :, :-1]
        right = grid[:, :, k + 1 :] - grid[:, :, 1:-k]
        right_term = ((grid[:, :, k + 1 :] - x) / right) * B_km1[:, :, 1:]
        value = left_term + right_term
    return tf.where(tf.math.is_nan(value), tf.zeros_like(value), value)


def curve2coef(x_eval, y_eval, grid, k):
    """Weights of splines for curves, by least squares."""
    out_dim = tf.shape(y_eval)[2]
    mat = b_batch(x_eval, grid, k)
    mat = tf.transpose(mat, perm=[1, 0, 2])
    mat = tf.tile(tf.expand_dims(mat, axis=1), [1, out_dim, 1, 1])
    y_eval = tf.expand_dims(tf.transpose(y_eval, perm=[1, 2, 0]), axis=3)
    return tf.linalg.lstsq(mat, y_eval)[:, :, :, 0]


def extend_grid(grid, k_extend=0):
    """Points beyond both ends."""
    h = (grid[:, -1:] - grid[:, :1]) / tf.cast((grid.shape[1] - 1), dtype=grid.dtype)
    for _ in range(k_extend):
        grid = tf.concat([grid[:, :1] - h, grid], axis=1)
        grid = tf.concat([grid, grid[:, -1:] + h], axis=1)
    return tf.cast(grid, dtype=tf.float32)


class KANLayer(layers.Layer):
    """Curves between units, of variables that its constructor makes."""

    def __init__(
        self,
        in_dim=3,
        out_dim=2,
        num=5,
        k=3,
        noise_scale=0.5,
        scale_base_mu=0.0,
        scale_base_sigma=1.0,
        scale_sp=1.0,
        base_fun=tf.nn.silu,
        grid_eps=0.02,
        grid_range=[-1, 1],
        sp_trainable=True,
        sb_trainable=True,
    ):
        super().__init__()
        self.out_dim = out_dim
        self.in_dim = in_dim
        self.num = num
        self.k = k
        self.grid_eps = grid_eps
        self.base_fun = base_fun
        grid = tf.linspace(grid_range[0], grid_range[1], num + 1)
        grid = tf.tile(grid[None, :], [self.in_dim, 1])
        grid = extend_grid(grid, k_extend=k)
        self.grid = tf.Variable(grid, trainable=False, dtype=tf.float32)
        noises = (tf.random.uniform((num + 1, in_dim, out_dim), -0.5, 0.5) * noise_scale) / num
        transposed_grid = tf.transpose(self.grid[:, k:-k], perm=[1, 0])
        self.coef = tf.Variable(
            curve2coef(transposed_grid, noises, self.grid, k), trainable=True, dtype=tf.float32
        )
        self.mask = tf.Variable(tf.ones((in_dim, out_dim)), trainable=False, dtype=tf.float32)
        self.scale_base = tf.Variable(
            scale_base_mu * 1 / np.sqrt(in_dim)
            + scale_base_sigma * (tf.random.uniform((in_dim, out_dim), -1, 1)) / np.sqrt(in_dim),
            trainable=sb_trainable,
            dtype=tf.float32,
        )
        self.scale_sp = tf.Variable(
            tf.ones((in_dim, out_dim)) * scale_sp * 1 / np.sqrt(in_dim) * self.mask,
            trainable=sp_trainable,
            dtype=tf.float32,
        )

    def call(self, x):
        base = self.base_fun(x)
        b_splines = b_batch(x, self.grid, k=self.k)
        spline_vals = tf.einsum("ijk,jlk->ijl", b_splines, self.coef)
        y = self.scale_base[None, :, :] * base[:, :, None]
        y = y + self.scale_sp[None, :, :] * spline_vals
        y = self.mask[None, :, :] * y
        return tf.reduce_sum(y, axis=1)
