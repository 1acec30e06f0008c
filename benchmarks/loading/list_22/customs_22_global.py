"""Custom objects of attention in windows with layers in the manner of another library, in
`photos.py`; copied beside the models.
"""

from __future__ import annotations

import math
import sys

import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers
initializers = keras.initializers
package = keras.utils.register_keras_serializable(package="gcvit")


@package
class Linear_(layers.Dense):
    """A dense layer by the number of its inputs; an initializer by a name that Keras has not."""

    def __init__(
        self,
        in_features: int,
        units: int,
        use_bias: bool = True,
        kernel_initializer="pytorch_uniform",
        bias_initializer="pytorch_uniform",
        **kwargs,
    ):
        self.in_features = in_features
        if kernel_initializer == "pytorch_uniform":
            kernel_initializer = initializers.RandomUniform(**self.uniform_initializer_spec())
        if bias_initializer == "pytorch_uniform":
            bias_initializer = initializers.RandomUniform(**self.uniform_initializer_spec())
        super().__init__(
            units=units,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            **kwargs,
        )

    def uniform_initializer_spec(self):
        k = 1 / self.in_features
        limit = math.sqrt(k)
        return {"minval": -limit, "maxval": limit}

    def get_config(self):
        config = super().get_config()
        config.update({"in_features": self.in_features})
        return config


@package
class LayerNorm_(layers.LayerNormalization):
    """A norm whose axes `build` finds."""

    def __init__(self, normalized_shape, epsilon: float = 1e-5, **kwargs):
        self.normalized_shape = normalized_shape
        super().__init__(**kwargs, epsilon=epsilon)

    def build(self, input_shape):
        if isinstance(self.normalized_shape, int):
            self.lnm = 1
        if isinstance(self.normalized_shape, tuple):
            self.lnm = len(self.normalized_shape)
        self.axis = tuple(range(input_shape.rank - self.lnm, input_shape.rank))
        super().build(input_shape)

    def get_config(self):
        config = super().get_config()
        config.update({"normalized_shape": self.normalized_shape})
        return config


@package
class Identity_(layers.Layer):
    """What comes in."""

    def __init__(self, *args, **kwargs):
        super().__init__(**kwargs)

    def call(self, inputs, *args, **kwargs):
        return inputs

    def get_config(self):
        return super().get_config()


@package
class FrameAttention(layers.Layer):
    """Attention in a window; numbers of NumPy in `build`, and a weight of integers."""

    def __init__(self, dim: int, num_heads: int, window_size: int, qkv_bias: bool = True, **kwargs):
        super().__init__(**kwargs)
        self.dim = dim
        self.num_heads = num_heads
        self.window_size = window_size
        self.qkv_bias = qkv_bias

    def build(self, input_shape):
        self._window_size = (self.window_size, self.window_size)
        head_dim = self.dim // self.num_heads
        self.scale = head_dim**-0.5
        coords_h = tf.range(self._window_size[0])
        coords_w = tf.range(self._window_size[1])
        coords = tf.stack(tf.meshgrid(coords_h, coords_w, indexing="ij"))
        coords_flatten = tf.reshape(coords, [2, -1])
        relative_coords = coords_flatten[:, :, None] - coords_flatten[:, None, :]
        relative_coords = tf.transpose(relative_coords, perm=[1, 2, 0])
        relative_coords_np = relative_coords.numpy()
        relative_coords_np[:, :, 0] += self._window_size[0] - 1
        relative_coords_np[:, :, 1] += self._window_size[1] - 1
        relative_coords_np[:, :, 0] *= 2 * self._window_size[1] - 1
        relative_coords = tf.convert_to_tensor(relative_coords_np)
        relative_position_index = tf.math.reduce_sum(relative_coords, axis=-1)
        self.relative_position_index = self.add_weight(
            name="relative_position_index",
            shape=relative_position_index.shape,
            initializer=initializers.Constant(relative_position_index),
            trainable=False,
            dtype=relative_position_index.dtype,
        )
        self.qkv = Linear_(self.dim, self.dim * 3, use_bias=self.qkv_bias, name="qkv")
        self.proj = Linear_(self.dim, self.dim, name="proj")
        self.relative_position_bias_table = self.add_weight(
            name="relative_position_bias_table",
            shape=(
                (2 * self._window_size[0] - 1) * (2 * self._window_size[1] - 1),
                self.num_heads,
            ),
            initializer=initializers.TruncatedNormal(stddev=0.02),
            trainable=True,
            dtype=self.dtype,
        )
        self.softmax = layers.Softmax(axis=-1, name="softmax")
        super().build(input_shape)

    def call(self, inputs, **kwargs):
        _, N, C = inputs.shape
        qkv = tf.reshape(self.qkv(inputs), (-1, N, 3, self.num_heads, C // self.num_heads))
        qkv = tf.transpose(qkv, perm=[2, 0, 3, 1, 4])
        q, k, v = qkv[0], qkv[1], qkv[2]
        attn = (q * self.scale) @ tf.transpose(k, [0, 1, 3, 2])
        bias = tf.gather(
            self.relative_position_bias_table, tf.reshape(self.relative_position_index, [-1])
        )
        area = self._window_size[0] * self._window_size[1]
        bias = tf.transpose(tf.reshape(bias, (area, area, -1)), perm=[2, 0, 1])
        attn = self.softmax(attn + tf.expand_dims(bias, axis=0))
        x = tf.transpose(attn @ v, [0, 2, 1, 3])
        return self.proj(tf.reshape(x, (-1, N, C)))

    def get_config(self):
        config = super().get_config()
        config.update(
            {
                "dim": self.dim,
                "num_heads": self.num_heads,
                "window_size": self.window_size,
                "qkv_bias": self.qkv_bias,
            }
        )
        return config


@package
class FrameLevel(layers.Layer):
    """A stage whose argument `downsample` becomes a layer in `build`, as does its config."""

    def __init__(
        self,
        dim: int,
        window_size: int,
        num_heads: int,
        depth: int = 1,
        downsample: bool = True,
        drop_path=0.0,
        layer_scale=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.dim = dim
        self.window_size = window_size
        self.num_heads = num_heads
        self.depth = depth
        self.downsample = downsample
        self.drop_path = drop_path
        self.layer_scale = layer_scale

    def build(self, input_shape):
        self.norms = [LayerNorm_(self.dim, name=f"norm1/{i}") for i in range(self.depth)]
        self.blocks = [
            FrameAttention(self.dim, self.num_heads, self.window_size, name=f"blocks/{i}")
            for i in range(self.depth)
        ]
        self._layer_scale = False
        if self.layer_scale is not None and type(self.layer_scale) in [int, float]:
            self._layer_scale = True
            self.gamma1 = self.add_weight(
                name="gamma1",
                shape=[self.dim],
                initializer=initializers.Constant(self.layer_scale),
                trainable=True,
                dtype=self.dtype,
            )
        else:
            self.gamma1 = 1.0
        self.downsample = (
            None
            if not self.downsample
            else layers.Conv2D(2 * self.dim, 3, strides=2, padding="same", name="downsample")
        )
        super().build(input_shape)

    def call(self, inputs, **kwargs):
        _, H, W, C = inputs.shape
        w = self.window_size
        x = inputs
        for norm, blk in zip(self.norms, self.blocks):
            y = tf.reshape(norm(x), [-1, H // w, w, W // w, w, C])
            y = tf.reshape(tf.transpose(y, [0, 1, 3, 2, 4, 5]), [-1, w * w, C])
            y = tf.reshape(blk(y), [-1, H // w, W // w, w, w, C])
            y = tf.reshape(tf.transpose(y, [0, 1, 3, 2, 4, 5]), [-1, H, W, C])
            x = x + self.gamma1 * y
        if self.downsample is None:
            return x
        return self.downsample(x)

    def get_config(self):
        config = super().get_config()
        config.update(
            {
                "dim": self.dim,
                "window_size": self.window_size,
                "num_heads": self.num_heads,
                "depth": self.depth,
                "downsample": self.downsample,
                "drop_path": self.drop_path,
                "layer_scale": self.layer_scale,
            }
        )
        return config


@package
class FrameViT(keras.Model):
    """A model that saves a functional model of its call."""

    def __init__(
        self,
        dim: int,
        depths,
        window_size,
        num_heads,
        drop_path_rate: float = 0.2,
        num_classes: int = 1000,
        layer_scale=None,
        classifier_activation=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.dim = dim
        self.depths = depths
        self.window_size = window_size
        self.num_heads = num_heads
        self.drop_path_rate = drop_path_rate
        self.num_classes = num_classes
        self.layer_scale = layer_scale
        self.classifier_activation = classifier_activation
        num_features = int(self.dim * 2 ** (len(self.depths) - 1))
        self.patch_embed = layers.Conv2D(self.dim, 2, strides=2, name="patch_embed")
        dpr = [i * self.drop_path_rate / (sum(self.depths) - 1) for i in range(sum(self.depths))]
        self.levels = []
        for i in range(len(self.depths)):
            level = FrameLevel(
                dim=int(self.dim * 2**i),
                depth=self.depths[i],
                num_heads=self.num_heads[i],
                window_size=self.window_size[i],
                drop_path=dpr[sum(self.depths[:i]) : sum(self.depths[: i + 1])],
                downsample=(i < len(self.depths) - 1),
                layer_scale=self.layer_scale,
                name=f"levels/{i}",
            )
            self.levels.append(level)
        self.norm = LayerNorm_(num_features, name="norm")
        self.avgpool = layers.GlobalAveragePooling2D(name="avgpool")
        self.head = (
            Linear_(num_features, self.num_classes, name="head")
            if self.num_classes > 0
            else Identity_(name="head")
        )
        if self.classifier_activation is not None:
            self.classifier_activation_ = layers.Activation(
                self.classifier_activation, dtype=self.dtype, name="pred"
            )

    def call(self, inputs, **kwargs):
        x = self.patch_embed(inputs)
        for level in self.levels:
            x = level(x)
        x = self.norm(x)
        x = self.avgpool(x)
        x = self.head(x)
        if hasattr(self, "classifier_activation_"):
            x = self.classifier_activation_(x)
        return x

    def build(self, input_shape):
        super().build(input_shape)

    def __to_functional(self):
        if self.built:
            x = layers.Input(shape=(self._build_input_shape[1:]))
            model = keras.Model(inputs=[x], outputs=self.call(x, training=False), name=self.name)
        else:
            raise ValueError("This model has not yet been built.")
        return model

    def save(self, *args, **kwargs):
        self.__to_functional().save(*args, **kwargs)

    def get_config(self):
        config = super().get_config()
        config.update({"dim": self.dim, "depths": self.depths, "num_classes": self.num_classes})
        return config

    @classmethod
    def from_config(cls, config):
        return cls(**config)
