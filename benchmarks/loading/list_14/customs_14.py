"""Custom objects of a network of focal modulation in `images.py`; copied as
`customs_14.py` beside the models. None is registered or has a config, as their authors left
them.
"""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers


class FocalPatches(layers.Layer):
    """Patches by a convolution; also tells their rows, columns and depth."""

    def __init__(
        self, image_size=(24, 24), patch_size=(4, 4), embed_dim=8, norm_layer=None, **kwargs
    ):
        super().__init__(**kwargs)
        places = [image_size[0] // patch_size[0], image_size[1] // patch_size[1]]
        self.image_size = image_size
        self.patch_size = patch_size
        self.embed_dim = embed_dim
        self.patch_resolution = places
        self.num_patches = places[0] * places[1]
        self.proj = layers.Conv2D(filters=embed_dim, kernel_size=patch_size, strides=patch_size)
        self.flatten = layers.Reshape(target_shape=(-1, embed_dim))
        self.norm = norm_layer(epsilon=1e-7) if norm_layer is not None else None

    def call(self, x):
        x = self.proj(x)
        shape = tf.shape(x)
        height, width, channels = shape[1], shape[2], shape[3]
        x = self.flatten(x)
        if self.norm is not None:
            x = self.norm(x)
        return x, height, width, channels


def focal_dense(hidden, out, rate):
    """Two dense layers and dropout as a Sequential model."""
    return keras.Sequential(
        [
            layers.Dense(units=hidden, activation=keras.activations.gelu),
            layers.Dense(units=out),
            layers.Dropout(rate=rate),
        ]
    )


class FocalModulation(layers.Layer):
    """Contexts of several windows, gated, multiply a query."""

    def __init__(
        self, dim, focal_window, focal_level, focal_factor=2, proj_drop_rate=0.0, **kwargs
    ):
        super().__init__(**kwargs)
        self.dim = dim
        self.focal_window = focal_window
        self.focal_level = focal_level
        self.focal_factor = focal_factor
        self.proj_drop_rate = proj_drop_rate
        self.initial_proj = layers.Dense(units=2 * dim + focal_level + 1, use_bias=True)
        self.focal_layers = []
        self.kernel_sizes = []
        for level in range(focal_level):
            size = focal_factor * level + focal_window
            gathered = keras.Sequential(
                [
                    layers.ZeroPadding2D(padding=(size // 2, size // 2)),
                    layers.Conv2D(
                        filters=dim,
                        kernel_size=size,
                        activation=keras.activations.gelu,
                        groups=dim,
                        use_bias=False,
                    ),
                ]
            )
            self.focal_layers.append(gathered)
            self.kernel_sizes.append(size)
        self.activation = keras.activations.gelu
        self.gap = layers.GlobalAveragePooling2D(keepdims=True)
        self.modulator_proj = layers.Conv2D(filters=dim, kernel_size=(1, 1), use_bias=True)
        self.proj = layers.Dense(units=dim)
        self.proj_drop = layers.Dropout(proj_drop_rate)

    def call(self, x, training=None):
        sizes = [self.dim, self.dim, self.focal_level + 1]
        query, context, self.gates = tf.split(self.initial_proj(x), sizes, axis=-1)
        context = self.focal_layers[0](context)
        gathered = context * self.gates[..., 0:1]
        for level in range(1, self.focal_level):
            context = self.focal_layers[level](context)
            gathered += context * self.gates[..., level : level + 1]
        gathered += self.activation(self.gap(context)) * self.gates[..., self.focal_level :]
        self.modulator = self.modulator_proj(gathered)
        return self.proj_drop(self.proj(query * self.modulator))


class FocalDropPath(layers.Layer):
    """Leaves the branch of an image out, in training."""

    def __init__(self, drop_path_prob, **kwargs):
        super().__init__(**kwargs)
        self.drop_path_prob = drop_path_prob

    def call(self, x, training=False):
        if training:
            kept = 1 - self.drop_path_prob
            shape = (tf.shape(x)[0],) + (1,) * (len(x.shape) - 1)
            return x / kept * tf.floor(kept + tf.random.uniform(shape, 0, 1))
        return x


class FocalBlock(layers.Layer):
    """Modulation and dense layers, both beside a shortcut."""

    def __init__(
        self,
        dim,
        input_resolution,
        mlp_ratio=4.0,
        drop=0.0,
        drop_path=0.0,
        norm_layer=layers.LayerNormalization,
        focal_level=1,
        focal_window=3,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.dim = dim
        self.input_resolution = input_resolution
        self.mlp_ratio = mlp_ratio
        self.focal_level = focal_level
        self.focal_window = focal_window
        self.norm1 = norm_layer(epsilon=1e-5)
        self.modulation = FocalModulation(
            dim=dim, focal_window=focal_window, focal_level=focal_level, proj_drop_rate=drop
        )
        self.drop_path = (
            FocalDropPath(drop_path_prob=drop_path)
            if drop_path > 0.0
            else layers.Activation("linear")
        )
        self.mlp = focal_dense(int(dim * mlp_ratio), dim, drop)

    def call(self, x, height, width, channels):
        shortcut = x
        x = self.modulation(tf.reshape(x, shape=(-1, height, width, channels)))
        x = shortcut + self.drop_path(tf.reshape(x, shape=(-1, height * width, channels)))
        return x + self.drop_path(self.mlp(self.norm1(x)))


class FocalStage(layers.Layer):
    """Blocks, then fewer patches."""

    def __init__(
        self,
        dim,
        out_dim,
        input_resolution,
        depth,
        drop=0.0,
        drop_path=0.0,
        downsample=None,
        focal_level=1,
        focal_window=1,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.dim = dim
        self.input_resolution = input_resolution
        self.depth = depth
        self.blocks = [
            FocalBlock(
                dim=dim,
                input_resolution=input_resolution,
                drop=drop,
                drop_path=drop_path[each] if isinstance(drop_path, list) else drop_path,
                focal_level=focal_level,
                focal_window=focal_window,
            )
            for each in range(depth)
        ]
        self.downsample = None
        if downsample is not None:
            self.downsample = downsample(
                image_size=input_resolution, patch_size=(2, 2), embed_dim=out_dim
            )

    def call(self, x, height, width, channels):
        for block in self.blocks:
            x = block(x, height, width, channels)
        if self.downsample is not None:
            x = tf.reshape(x, shape=(-1, height, width, channels))
            return self.downsample(x)
        return x, height, width, channels


class FocalNetwork(keras.Model):
    """Stages of modulation and a softmax."""

    def __init__(
        self, image_size=(24, 24), num_classes=10, embed_dim=4, depths=(1, 2), drop=0.1, **kwargs
    ):
        super().__init__(**kwargs)
        self.num_layers = len(depths)
        wide = [embed_dim * 2**each for each in range(self.num_layers)]
        self.num_classes = num_classes
        self.embed_dim = wide
        self.num_features = wide[-1]
        self.patch_embed = FocalPatches(
            image_size=image_size, embed_dim=wide[0], norm_layer=layers.LayerNormalization
        )
        places = self.patch_embed.patch_resolution
        self.patches_resolution = places
        self.pos_drop = layers.Dropout(drop)
        rates = list(np.linspace(start=0, stop=0.1, num=sum(depths)))
        self.basic_layers = []
        for place, depth in enumerate(depths):
            last = place == self.num_layers - 1
            stage = FocalStage(
                dim=wide[place],
                out_dim=None if last else wide[place + 1],
                input_resolution=(places[0] // 2**place, places[1] // 2**place),
                depth=depth,
                drop=drop,
                drop_path=rates[sum(depths[:place]) : sum(depths[: place + 1])],
                downsample=None if last else FocalPatches,
                focal_level=2,
                focal_window=3,
            )
            self.basic_layers.append(stage)
        self.norm = layers.LayerNormalization(epsilon=1e-7)
        self.avgpool = layers.GlobalAveragePooling1D()
        self.flatten = layers.Flatten()
        self.head = layers.Dense(num_classes, activation="softmax")

    def forward_features(self, x):
        x, height, width, channels = self.patch_embed(x)
        x = self.pos_drop(x)
        for stage in self.basic_layers:
            x, height, width, channels = stage(x, height, width, channels)
        return self.flatten(self.avgpool(self.norm(x)))

    def call(self, x):
        return self.head(self.forward_features(x))


class CosineAfterWarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """A line up, then half a cosine down; without a config."""

    def __init__(self, learning_rate_base, total_steps, warmup_learning_rate, warmup_steps):
        super().__init__()
        self.learning_rate_base = learning_rate_base
        self.total_steps = total_steps
        self.warmup_learning_rate = warmup_learning_rate
        self.warmup_steps = warmup_steps
        self.pi = tf.constant(np.pi)

    def __call__(self, step):
        step = tf.cast(step, tf.float32)
        turn = self.pi * (step - self.warmup_steps) / (self.total_steps - self.warmup_steps)
        rate = 0.5 * self.learning_rate_base * (1 + tf.cos(turn))
        slope = (self.learning_rate_base - self.warmup_learning_rate) / self.warmup_steps
        rising = slope * step + self.warmup_learning_rate
        rate = tf.where(step < self.warmup_steps, rising, rate)
        return tf.where(step > self.total_steps, 0.0, rate, name="learning_rate")
