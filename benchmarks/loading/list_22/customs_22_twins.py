"""Custom objects of a transformer of two kinds of attention in `photos.py`; copied beside the
models.
"""

from __future__ import annotations

import sys

import tensorflow as tf
from tensorflow import einsum

keras = sys.modules["__main__"].keras
nn = keras.layers
Layer = keras.layers.Layer
Sequential = keras.Sequential


def group_dict_by_key(cond, d):
    """Two dictionaries, by a condition on the keys."""
    return_val = [{}, {}]
    for key in d:
        match = bool(cond(key))
        ind = int(not match)
        return_val[ind][key] = d[key]
    return (*return_val,)


def group_by_key_prefix_and_remove_prefix(prefix, d):
    """The arguments of a prefix, and the others."""
    kwargs_with_prefix, kwargs = group_dict_by_key(lambda x: x.startswith(prefix), d)
    items = tuple(kwargs_with_prefix.items())
    return {x[0][len(prefix) :]: x[1] for x in items}, kwargs


def twin_gelu(x, approximate=False):
    """GELU."""
    if approximate:
        coeff = tf.cast(0.044715, x.dtype)
        return 0.5 * x * (1.0 + tf.tanh(0.7978845608028654 * (x + coeff * tf.pow(x, 3))))
    return 0.5 * x * (1.0 + tf.math.erf(x / tf.cast(1.4142135623730951, x.dtype)))


class TwinIdentity(Layer):
    """What comes in."""

    def __init__(self):
        super().__init__()

    def call(self, x, training=True):
        return tf.identity(x)


class TwinResidual(Layer):
    """A layer and what it gets."""

    def __init__(self, fn):
        super().__init__()
        self.fn = fn

    def call(self, x, training=True):
        return self.fn(x, training=training) + x


class TwinNorm(Layer):
    """A norm of channels by variables of TensorFlow."""

    def __init__(self, dim, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.g = tf.Variable(tf.ones([1, 1, 1, dim]))
        self.b = tf.Variable(tf.zeros([1, 1, 1, dim]))

    def call(self, x, training=True):
        var = tf.math.reduce_variance(x, axis=-1, keepdims=True)
        mean = tf.reduce_mean(x, axis=-1, keepdims=True)
        return (x - mean) / tf.sqrt(var + self.eps) * self.g + self.b


class TwinPreNorm(Layer):
    """A norm before a layer."""

    def __init__(self, dim, fn):
        super().__init__()
        self.norm = TwinNorm(dim)
        self.fn = fn

    def call(self, x, training=True):
        return self.fn(self.norm(x), training=training)


class TwinGELU(Layer):
    """GELU."""

    def __init__(self, approximate=False):
        super().__init__()
        self.approximate = approximate

    def call(self, x, training=True):
        return twin_gelu(x, self.approximate)


class TwinMLP(Layer):
    """Two convolutions of one pixel; a list that becomes a Sequential."""

    def __init__(self, dim, mult=4, dropout=0.0):
        super().__init__()
        self.net = [
            nn.Conv2D(filters=dim * mult, kernel_size=1, strides=1),
            TwinGELU(),
            nn.Dropout(rate=dropout),
            nn.Conv2D(filters=dim, kernel_size=1, strides=1),
            nn.Dropout(rate=dropout),
        ]
        self.net = Sequential(self.net)

    def call(self, x, training=True):
        return self.net(x, training=training)


class TwinPatches(Layer):
    """Patches as channels."""

    def __init__(self, dim_out, patch_size):
        super().__init__()
        self.dim_out = dim_out
        self.patch_size = patch_size
        self.proj = nn.Conv2D(filters=dim_out, kernel_size=1, strides=1)

    def call(self, fmap, training=True):
        p = self.patch_size
        _, h, w, c = fmap.shape
        fmap = tf.reshape(fmap, [-1, h // p, p, w // p, p, c])
        fmap = tf.transpose(fmap, [0, 1, 3, 5, 2, 4])
        return self.proj(tf.reshape(fmap, [-1, h // p, w // p, c * p * p]))


class TwinPEG(Layer):
    """Places by a convolution of each channel."""

    def __init__(self, dim, kernel_size=3):
        super().__init__()
        self.proj = TwinResidual(
            nn.Conv2D(filters=dim, kernel_size=kernel_size, strides=1, padding="SAME", groups=dim)
        )

    def call(self, x, training=True):
        return self.proj(x)


class TwinLocal(Layer):
    """Attention in windows."""

    def __init__(self, dim, heads=2, dim_head=3, dropout=0.0, patch_size=7):
        super().__init__()
        inner_dim = dim_head * heads
        self.patch_size = patch_size
        self.heads = heads
        self.scale = dim_head**-0.5
        self.attend = nn.Softmax()
        self.to_q = nn.Conv2D(filters=inner_dim, kernel_size=1, strides=1, use_bias=False)
        self.to_kv = nn.Conv2D(filters=inner_dim * 2, kernel_size=1, strides=1, use_bias=False)
        self.to_out = Sequential(
            [nn.Conv2D(filters=dim, kernel_size=1, strides=1), nn.Dropout(rate=dropout)]
        )

    def call(self, fmap, training=True):
        _, x, y, n = fmap.shape
        h = self.heads
        p = self.patch_size
        x, y = x // p, y // p
        fmap = tf.transpose(tf.reshape(fmap, [-1, x, p, y, p, n]), [0, 1, 3, 2, 4, 5])
        fmap = tf.reshape(fmap, [-1, p, p, n])
        q = self.to_q(fmap)
        kv = self.to_kv(fmap)
        k, v = tf.split(kv, num_or_size_splits=2, axis=-1)

        def by_heads(t):
            t = tf.reshape(t, [-1, p * p, h, t.shape[-1] // h])
            return tf.reshape(tf.transpose(t, [0, 2, 1, 3]), [-1, p * p, t.shape[-1]])

        q, k, v = map(by_heads, (q, k, v))
        dots = einsum("b i d, b j d -> b i j", q, k) * self.scale
        attn = self.attend(dots)
        out = einsum("b i j, b j d -> b i d", attn, v)
        d = out.shape[-1]
        out = tf.transpose(tf.reshape(out, [-1, x, y, h, p, p, d]), [0, 1, 4, 2, 5, 3, 6])
        out = tf.reshape(out, [-1, x * p, y * p, h * d])
        return self.to_out(out, training=training)


class TwinGlobal(Layer):
    """Attention of all to a smaller map."""

    def __init__(self, dim, heads=2, dim_head=3, dropout=0.0, k=7):
        super().__init__()
        inner_dim = dim_head * heads
        self.heads = heads
        self.scale = dim_head**-0.5
        self.attend = nn.Softmax()
        self.to_q = nn.Conv2D(filters=inner_dim, kernel_size=1, use_bias=False)
        self.to_kv = nn.Conv2D(filters=inner_dim * 2, kernel_size=k, strides=k, use_bias=False)
        self.to_out = Sequential(
            [nn.Conv2D(filters=dim, kernel_size=1, strides=1), nn.Dropout(rate=dropout)]
        )

    def call(self, x, training=True):
        _, w, y, _ = x.shape
        h = self.heads
        q = self.to_q(x)
        kv = self.to_kv(x)
        k, v = tf.split(kv, num_or_size_splits=2, axis=-1)

        def by_heads(t):
            many, d = t.shape[1] * t.shape[2], t.shape[-1] // h
            t = tf.transpose(tf.reshape(t, [-1, many, h, d]), [0, 2, 1, 3])
            return tf.reshape(t, [-1, many, d])

        q, k, v = map(by_heads, (q, k, v))
        dots = einsum("b i d, b j d -> b i j", q, k) * self.scale
        attn = self.attend(dots)
        out = einsum("b i j, b j d -> b i d", attn, v)
        d = out.shape[-1]
        out = tf.transpose(tf.reshape(out, [-1, h, w, y, d]), [0, 2, 3, 1, 4])
        return self.to_out(tf.reshape(out, [-1, w, y, h * d]), training=training)


class TwinTransformer(Layer):
    """Lists of layers in a list that is named `layers`."""

    def __init__(
        self,
        dim,
        depth,
        heads=2,
        dim_head=3,
        mlp_mult=4,
        local_patch_size=7,
        global_k=7,
        dropout=0.0,
        has_local=True,
    ):
        super().__init__()
        self.layers = []
        given = {"heads": heads, "dim_head": dim_head, "dropout": dropout}
        for _ in range(depth):
            self.layers.append(
                [
                    TwinResidual(
                        TwinPreNorm(dim, TwinLocal(dim, patch_size=local_patch_size, **given))
                    )
                    if has_local
                    else TwinIdentity(),
                    TwinResidual(TwinPreNorm(dim, TwinMLP(dim, mlp_mult, dropout=dropout)))
                    if has_local
                    else TwinIdentity(),
                    TwinResidual(TwinPreNorm(dim, TwinGlobal(dim, k=global_k, **given))),
                    TwinResidual(TwinPreNorm(dim, TwinMLP(dim, mlp_mult, dropout=dropout))),
                ]
            )

    def call(self, x, training=True):
        for local_attn, ff1, global_attn, ff2 in self.layers:
            x = local_attn(x, training=training)
            x = ff1(x, training=training)
            x = global_attn(x, training=training)
            x = ff2(x, training=training)
        return x


class TwinsSVT(keras.Model):
    """Stages whose arguments have prefixes, read from all its locals."""

    def __init__(
        self,
        num_classes,
        s1_emb_dim=64,
        s1_patch_size=4,
        s1_local_patch_size=7,
        s1_global_k=7,
        s1_depth=1,
        s4_emb_dim=512,
        s4_patch_size=2,
        s4_local_patch_size=7,
        s4_global_k=7,
        s4_depth=4,
        peg_kernel_size=3,
        dropout=0.0,
    ):
        super().__init__()
        kwargs = dict(locals())
        self.svt_layers = Sequential()
        for prefix in ("s1", "s4"):
            config, kwargs = group_by_key_prefix_and_remove_prefix(f"{prefix}_", kwargs)
            is_last = prefix == "s4"
            dim_next = config["emb_dim"]
            given = {
                "local_patch_size": config["local_patch_size"],
                "global_k": config["global_k"],
                "dropout": dropout,
                "has_local": not is_last,
            }
            self.svt_layers.add(
                Sequential(
                    [
                        TwinPatches(dim_out=dim_next, patch_size=config["patch_size"]),
                        TwinTransformer(dim=dim_next, depth=1, **given),
                        TwinPEG(dim=dim_next, kernel_size=peg_kernel_size),
                        TwinTransformer(dim=dim_next, depth=config["depth"], **given),
                    ]
                )
            )
        self.svt_layers.add(Sequential([nn.GlobalAvgPool2D(), nn.Dense(units=num_classes)]))

    def call(self, x, training=True, **kwargs):
        return self.svt_layers(x, training=training)
