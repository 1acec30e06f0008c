"""Custom objects of photos in shifted windows, in `photos.py`; copied beside the models."""

from __future__ import annotations

import collections.abc
import sys

import numpy as np
import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers
Layer = layers.Layer
LayerNormalization = layers.LayerNormalization


def to_2tuple(x):
    """Two of it."""
    if isinstance(x, collections.abc.Iterable):
        return x
    return (x, x)


class SlidDense(layers.Dense):
    """A dense layer with an initializer made at the definition."""

    def __init__(
        self,
        units,
        use_bias=True,
        initializer=keras.initializers.TruncatedNormal(mean=0.0, stddev=0.02),
    ):
        super().__init__(units, use_bias=use_bias, kernel_initializer=initializer)


def slid_drop_path(inputs, drop_prob, is_training):
    """Drop rows of a batch."""
    if (not is_training) or (drop_prob == 0.0):
        return inputs
    keep_prob = 1.0 - drop_prob
    random_tensor = keep_prob
    shape = (tf.shape(inputs)[0],) + (1,) * (len(tf.shape(inputs)) - 1)
    random_tensor += tf.random.uniform(shape, dtype=inputs.dtype)
    return tf.math.divide(inputs, keep_prob) * tf.floor(random_tensor)


class SlidDropPath(Layer):
    """Drop rows of a batch in training."""

    def __init__(self, drop_prob=None):
        super().__init__()
        self.drop_prob = drop_prob

    def call(self, x, training=None):
        return slid_drop_path(x, self.drop_prob, training)


class SlidMlp(Layer):
    """Two dense layers around a function that is an attribute."""

    def __init__(
        self,
        in_features,
        hidden_features=None,
        out_features=None,
        act_layer=tf.nn.gelu,
        drop=0.0,
    ):
        super().__init__()
        out_features = out_features or in_features
        hidden_features = hidden_features or in_features
        self.fc1 = SlidDense(hidden_features)
        self.act = act_layer
        self.fc2 = SlidDense(out_features)
        self.drop = layers.Dropout(drop)

    def call(self, x):
        x = self.fc1(x)
        x = self.act(x)
        x = self.drop(x)
        x = self.fc2(x)
        return self.drop(x)


def window_partition(x, window_size):
    """Windows of a map."""
    B, H, W, C = x.shape
    x = tf.reshape(x, [B, H // window_size, window_size, W // window_size, window_size, C])
    x = tf.transpose(x, perm=[0, 1, 3, 2, 4, 5])
    return tf.reshape(x, [-1, window_size, window_size, C])


@tf.function
def window_reverse(windows, window_size, H, W):
    """The map of windows, traced."""
    B = int(windows.shape[0] / (H * W / window_size / window_size))
    x = tf.reshape(windows, [B, H // window_size, W // window_size, window_size, window_size, -1])
    return tf.reshape(tf.transpose(x, perm=[0, 1, 3, 2, 4, 5]), [B, H, W, -1])


class SlidAttention(Layer):
    """Attention in a window, by a table that is a variable of TensorFlow."""

    def __init__(
        self,
        dim,
        window_size,
        num_heads,
        qkv_bias=True,
        qk_scale=None,
        attn_drop=0.0,
        proj_drop=0.0,
    ):
        super().__init__()
        self.dim = dim
        self.window_size = window_size
        self.num_heads = num_heads
        head_dim = dim // num_heads
        self.scale = qk_scale or head_dim**-0.5
        initializer = keras.initializers.TruncatedNormal(mean=0.0, stddev=0.02)
        self.relative_position_bias_table = tf.Variable(
            initializer(
                shape=((2 * self.window_size[0] - 1) * (2 * self.window_size[1] - 1), num_heads)
            ),
            name="relative_position_bias_table",
        )
        coords_h = tf.range(self.window_size[0])
        coords_w = tf.range(self.window_size[1])
        coords = tf.stack(tf.meshgrid(coords_h, coords_w))
        coords_flatten = tf.reshape(coords, [2, -1])
        relative_coords = coords_flatten[:, :, None] - coords_flatten[:, None, :]
        relative_coords = tf.transpose(relative_coords, perm=[1, 2, 0])
        relative_coords = relative_coords + [self.window_size[0] - 1, self.window_size[1] - 1]
        relative_coords = relative_coords * [2 * self.window_size[1] - 1, 1]
        self.relative_position_index = tf.math.reduce_sum(relative_coords, -1)
        self.qkv = SlidDense(dim * 3, use_bias=qkv_bias)
        self.attn_drop = layers.Dropout(attn_drop)
        self.proj = SlidDense(dim)
        self.proj_drop = layers.Dropout(proj_drop)
        self.softmax = layers.Softmax(axis=-1)

    def call(self, x, mask=None):
        B_, N, C = x.shape
        qkv = tf.reshape(self.qkv(x), [B_, N, 3, self.num_heads, C // self.num_heads])
        q, k, v = tf.unstack(tf.transpose(qkv, perm=[2, 0, 3, 1, 4]))
        q = q * self.scale
        attn = tf.einsum("...ij,...kj->...ik", q, k)
        relative_position_bias = tf.reshape(
            tf.gather(
                self.relative_position_bias_table, tf.reshape(self.relative_position_index, [-1])
            ),
            [
                self.window_size[0] * self.window_size[1],
                self.window_size[0] * self.window_size[1],
                -1,
            ],
        )
        attn = attn + tf.transpose(relative_position_bias, perm=[2, 0, 1])
        if mask is not None:
            nW = mask.shape[0]
            attn = tf.reshape(attn, [B_ // nW, nW, self.num_heads, N, N]) + mask[:, None, :, :]
            attn = tf.reshape(attn, [-1, self.num_heads, N, N])
            attn = self.softmax(attn)
        else:
            attn = self.softmax(attn)
        attn = self.attn_drop(attn)
        x = tf.reshape(tf.transpose(attn @ v, perm=[0, 2, 1, 3]), [B_, N, C])
        x = self.proj(x)
        return self.proj_drop(x)


class SlidBlock(Layer):
    """A block with or without a shift; a class and a function are defaults."""

    def __init__(
        self,
        dim,
        input_resolution,
        num_heads,
        window_size=7,
        shift_size=0,
        mlp_ratio=4.0,
        qkv_bias=True,
        qk_scale=None,
        drop=0.0,
        attn_drop=0.0,
        drop_path=0.0,
        act_layer=tf.nn.gelu,
        norm_layer=LayerNormalization,
    ):
        super().__init__()
        self.dim = dim
        self.input_resolution = input_resolution
        self.num_heads = num_heads
        self.window_size = window_size
        self.shift_size = shift_size
        self.mlp_ratio = mlp_ratio
        if min(self.input_resolution) <= self.window_size:
            self.shift_size = 0
            self.window_size = min(self.input_resolution)
        assert 0 <= self.shift_size < self.window_size, "shift_size must in 0-window_size"
        self.norm1 = norm_layer(epsilon=1e-5)
        self.attn = SlidAttention(
            dim,
            window_size=to_2tuple(self.window_size),
            num_heads=num_heads,
            qkv_bias=qkv_bias,
            qk_scale=qk_scale,
            attn_drop=attn_drop,
            proj_drop=drop,
        )
        self.drop_path = SlidDropPath(drop_path) if drop_path > 0.0 else tf.identity
        self.norm2 = norm_layer(epsilon=1e-5)
        mlp_hidden_dim = int(dim * mlp_ratio)
        self.mlp = SlidMlp(
            in_features=dim, hidden_features=mlp_hidden_dim, act_layer=act_layer, drop=drop
        )
        if self.shift_size > 0:
            H, W = self.input_resolution
            img_mask = np.zeros([1, H, W, 1])
            h_slices = (
                slice(0, -self.window_size),
                slice(-self.window_size, -self.shift_size),
                slice(-self.shift_size, None),
            )
            cnt = 0
            for h in h_slices:
                for w in h_slices:
                    img_mask[:, h, w, :] = cnt
                    cnt += 1
            img_mask = tf.constant(img_mask)
            mask_windows = window_partition(img_mask, self.window_size)
            mask_windows = tf.reshape(mask_windows, [-1, self.window_size * self.window_size])
            attn_mask = mask_windows[:, None, :] - mask_windows[:, :, None]
            self.attn_mask = tf.where(attn_mask == 0, -100.0, 0.0)
        else:
            self.attn_mask = None

    def call(self, x):
        H, W = self.input_resolution
        B, L, C = x.shape
        assert L == H * W, "input feature has wrong size"
        shortcut = x
        x = self.norm1(x)
        x = tf.reshape(x, [B, H, W, C])
        if self.shift_size > 0:
            shifted_x = tf.roll(x, shift=[-self.shift_size, -self.shift_size], axis=(1, 2))
        else:
            shifted_x = x
        x_windows = window_partition(shifted_x, self.window_size)
        x_windows = tf.reshape(x_windows, [-1, self.window_size * self.window_size, C])
        attn_windows = self.attn(x_windows, mask=self.attn_mask)
        attn_windows = tf.reshape(attn_windows, [-1, self.window_size, self.window_size, C])
        shifted_x = window_reverse(attn_windows, self.window_size, H, W)
        if self.shift_size > 0:
            x = tf.roll(shifted_x, shift=[self.shift_size, self.shift_size], axis=(1, 2))
        else:
            x = shifted_x
        x = tf.reshape(x, [B, H * W, C])
        x = shortcut + self.drop_path(x)
        return x + self.drop_path(self.mlp(self.norm2(x)))


class SlidMerging(Layer):
    """Four pixels as one."""

    def __init__(self, input_resolution, dim, norm_layer=LayerNormalization):
        super().__init__()
        self.input_resolution = input_resolution
        self.dim = dim
        self.reduction = SlidDense(2 * dim, use_bias=False)
        self.norm = norm_layer(epsilon=1e-5)

    def call(self, x):
        H, W = self.input_resolution
        B, L, C = x.shape
        assert L == H * W, "input feature has wrong size"
        x = tf.reshape(x, [B, H, W, C])
        x0 = x[:, 0::2, 0::2, :]
        x1 = x[:, 1::2, 0::2, :]
        x2 = x[:, 0::2, 1::2, :]
        x3 = x[:, 1::2, 1::2, :]
        x = tf.concat([x0, x1, x2, x3], -1)
        x = tf.reshape(x, [B, -1, 4 * C])
        x = self.norm(x)
        return self.reduction(x)
