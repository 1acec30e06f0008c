"""Custom objects of the models in `images.py`; copied as `customs_12.py` beside the models.

None is registered. Few have a config of their own: two schedules of the rate are without and with
one, the regularizer has one that fails, as their authors left them.
"""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers


class PatchExtractor(layers.Layer):
    """Square pieces of an image, one after the other."""

    def __init__(self, patch_size, **kwargs):
        super().__init__(**kwargs)
        self.patch_size = patch_size

    def call(self, images):
        window = (1, self.patch_size, self.patch_size, 1)
        pieces = tf.image.extract_patches(images, window, window, (1, 1, 1, 1), "VALID")
        return tf.reshape(pieces, (-1, pieces.shape[1] * pieces.shape[2], pieces.shape[3]))


class PatchEmbedder(layers.Layer):
    """Projected pieces and their places."""

    def __init__(self, num_patch, embed_dim, **kwargs):
        super().__init__(**kwargs)
        self.num_patch = num_patch
        self.proj = layers.Dense(embed_dim)
        self.pos_embed = layers.Embedding(input_dim=num_patch, output_dim=embed_dim)

    def call(self, patch):
        return self.proj(patch) + self.pos_embed(tf.range(self.num_patch))


class OrthogonalPenalty(keras.regularizers.Regularizer):
    """Keeps a matrix near a turn; its base has no config to ask for."""

    def __init__(self, num_features, l2reg=0.001):
        self.num_features = num_features
        self.l2reg = l2reg
        self.identity = tf.eye(num_features)

    def __call__(self, x):
        x = tf.reshape(x, (-1, self.num_features, self.num_features))
        xxt = tf.tensordot(x, x, axes=(2, 2))
        xxt = tf.reshape(xxt, (-1, self.num_features, self.num_features))
        return tf.reduce_sum(self.l2reg * tf.square(xxt - self.identity))

    def get_config(self):
        config = super().get_config()
        config.update({"num_features": self.num_features, "l2reg_strength": self.l2reg})
        return config


class ImagePatches(layers.Layer):
    """Square pieces of an image, shaped by a layer of its own."""

    def __init__(self, patch_size=4, **kwargs):
        super().__init__(**kwargs)
        self.patch_size = patch_size
        self.resize = layers.Reshape((-1, patch_size * patch_size * 3))

    def call(self, images):
        patches = tf.image.extract_patches(
            images=images,
            sizes=[1, self.patch_size, self.patch_size, 1],
            strides=[1, self.patch_size, self.patch_size, 1],
            rates=[1, 1, 1, 1],
            padding="VALID",
        )
        return self.resize(patches)


class MaskedPatchEncoder(layers.Layer):
    """Embeds pieces and hides most of them, until a flag is set after it was trained."""

    def __init__(
        self, patch_size=4, projection_dim=8, mask_proportion=0.75, downstream=False, **kwargs
    ):
        super().__init__(**kwargs)
        self.patch_size = patch_size
        self.projection_dim = projection_dim
        self.mask_proportion = mask_proportion
        self.downstream = downstream
        self.mask_token = tf.Variable(
            tf.random.normal([1, patch_size * patch_size * 3]), trainable=True
        )

    def build(self, input_shape):
        (_, self.num_patches, self.patch_area) = input_shape
        self.projection = layers.Dense(units=self.projection_dim)
        self.position_embedding = layers.Embedding(
            input_dim=self.num_patches, output_dim=self.projection_dim
        )
        self.num_mask = int(self.mask_proportion * self.num_patches)

    def call(self, patches):
        batch_size = tf.shape(patches)[0]
        positions = tf.range(start=0, limit=self.num_patches, delta=1)
        places = self.position_embedding(positions[tf.newaxis, ...])
        places = tf.tile(places, [batch_size, 1, 1])
        embedded = self.projection(patches) + places
        if self.downstream:
            return embedded
        order = tf.argsort(tf.random.uniform(shape=(batch_size, self.num_patches)), axis=-1)
        hidden, shown = order[:, : self.num_mask], order[:, self.num_mask :]
        tokens = tf.repeat(self.mask_token, repeats=self.num_mask, axis=0)
        tokens = tf.repeat(tokens[tf.newaxis, ...], repeats=batch_size, axis=0)
        places_hidden = tf.gather(places, hidden, axis=1, batch_dims=1)
        return (
            tf.gather(embedded, shown, axis=1, batch_dims=1),
            self.projection(tokens) + places_hidden,
            tf.gather(places, shown, axis=1, batch_dims=1),
        )


class WarmUpCosine(keras.optimizers.schedules.LearningRateSchedule):
    """Up in a line, down by a cosine; it has no config."""

    def __init__(self, learning_rate_base, total_steps, warmup_learning_rate, warmup_steps):
        super().__init__()
        self.learning_rate_base = learning_rate_base
        self.total_steps = total_steps
        self.warmup_learning_rate = warmup_learning_rate
        self.warmup_steps = warmup_steps
        self.pi = tf.constant(np.pi)

    def __call__(self, step):
        step = tf.cast(step, tf.float32)
        done = (step - self.warmup_steps) / float(self.total_steps - self.warmup_steps)
        rate = 0.5 * self.learning_rate_base * (1 + tf.cos(self.pi * done))
        slope = (self.learning_rate_base - self.warmup_learning_rate) / self.warmup_steps
        rising = slope * step + self.warmup_learning_rate
        return tf.where(step < self.warmup_steps, rising, rate)


class CosineWarmUp(WarmUpCosine):
    """The same with a config, whose names its constructor takes."""

    def __init__(self, lr_start, lr_max, warmup_steps, total_steps):
        super().__init__(lr_max, total_steps, lr_start, warmup_steps)

    def get_config(self):
        return {
            "lr_start": self.warmup_learning_rate,
            "lr_max": self.learning_rate_base,
            "total_steps": self.total_steps,
            "warmup_steps": self.warmup_steps,
        }


class MLP(layers.Layer):
    """Two dense layers in a Sequential model, made when the layer is built."""

    def __init__(self, mlp_expand_ratio, mlp_dropout_rate, **kwargs):
        super().__init__(**kwargs)
        self.mlp_expand_ratio = mlp_expand_ratio
        self.mlp_dropout_rate = mlp_dropout_rate

    def build(self, input_shape):
        channels = input_shape[-1]
        self.mlp = keras.Sequential(
            [
                layers.Dense(int(self.mlp_expand_ratio * channels), activation=tf.nn.gelu),
                layers.Dropout(rate=self.mlp_dropout_rate),
                layers.Dense(units=channels),
                layers.Dropout(rate=self.mlp_dropout_rate),
            ]
        )

    def call(self, x):
        return self.mlp(x)


class StochasticPath(layers.Layer):
    """Leaves out a path for some rows, while it is trained."""

    def __init__(self, drop_path_prob, **kwargs):
        super().__init__(**kwargs)
        self.drop_path_prob = drop_path_prob

    def call(self, x, training=False):
        if training:
            keep = 1 - self.drop_path_prob
            shape = (tf.shape(x)[0],) + (1,) * (len(x.shape) - 1)
            return (x / keep) * tf.floor(keep + tf.random.uniform(shape, 0, 1))
        return x


class ShiftViTBlock(layers.Layer):
    """Shifts groups of channels by a pixel, then a dense block beside them."""

    def __init__(
        self,
        epsilon,
        drop_path_prob,
        mlp_dropout_rate,
        num_div=12,
        shift_pixel=1,
        mlp_expand_ratio=2,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.shift_pixel = shift_pixel
        self.mlp_expand_ratio = mlp_expand_ratio
        self.mlp_dropout_rate = mlp_dropout_rate
        self.num_div = num_div
        self.epsilon = epsilon
        self.drop_path_prob = drop_path_prob

    def build(self, input_shape):
        self.H, self.W, self.C = input_shape[1], input_shape[2], input_shape[3]
        self.layer_norm = layers.LayerNormalization(epsilon=self.epsilon)
        self.drop_path = (
            StochasticPath(drop_path_prob=self.drop_path_prob)
            if self.drop_path_prob > 0.0
            else layers.Activation("linear")
        )
        self.mlp = MLP(
            mlp_expand_ratio=self.mlp_expand_ratio, mlp_dropout_rate=self.mlp_dropout_rate
        )

    def shifted(self, x, down, right, less_high, less_wide):
        crop = tf.image.crop_to_bounding_box(x, down, right, self.H - less_high, self.W - less_wide)
        return tf.image.pad_to_bounding_box(crop, down, right, self.H, self.W)

    def call(self, x, training=False):
        parts = tf.split(x, num_or_size_splits=self.C // self.num_div, axis=-1)
        one = self.shift_pixel
        parts[0] = self.shifted(parts[0], 0, 0, 0, one)
        parts[1] = self.shifted(parts[1], 0, one, 0, one)
        parts[2] = self.shifted(parts[2], 0, 0, one, 0)
        parts[3] = self.shifted(parts[3], one, 0, one, 0)
        x = tf.concat(parts, axis=-1)
        return x + self.drop_path(self.mlp(self.layer_norm(x)), training=training)


class ShiftMerging(layers.Layer):
    """Half the size, twice the channels."""

    def __init__(self, epsilon, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, input_shape):
        self.reduction = layers.Conv2D(
            filters=2 * input_shape[-1], kernel_size=2, strides=2, padding="same", use_bias=False
        )
        self.layer_norm = layers.LayerNormalization(epsilon=self.epsilon)

    def call(self, x):
        return self.reduction(self.layer_norm(x))


class StackedShiftBlocks(layers.Layer):
    """Blocks of one size, made in a list when the layer is built; it has a config."""

    NAMES = ("epsilon", "mlp_dropout_rate", "num_shift_blocks", "stochastic_depth_rate")
    NAMES += ("is_merge", "num_div", "shift_pixel", "mlp_expand_ratio")

    def __init__(
        self,
        epsilon,
        mlp_dropout_rate,
        num_shift_blocks,
        stochastic_depth_rate,
        is_merge,
        num_div=12,
        shift_pixel=1,
        mlp_expand_ratio=2,
        **kwargs,
    ):
        super().__init__(**kwargs)
        given = (epsilon, mlp_dropout_rate, num_shift_blocks, stochastic_depth_rate)
        given += (is_merge, num_div, shift_pixel, mlp_expand_ratio)
        for number, name in enumerate(self.NAMES):
            setattr(self, name, given[number])

    def build(self, input_shapes):
        rates = np.linspace(start=0, stop=self.stochastic_depth_rate, num=self.num_shift_blocks)
        self.shift_blocks = []
        for rate in rates:
            self.shift_blocks.append(
                ShiftViTBlock(
                    num_div=self.num_div,
                    epsilon=self.epsilon,
                    drop_path_prob=rate,
                    mlp_dropout_rate=self.mlp_dropout_rate,
                    shift_pixel=self.shift_pixel,
                    mlp_expand_ratio=self.mlp_expand_ratio,
                )
            )
        if self.is_merge:
            self.patch_merge = ShiftMerging(epsilon=self.epsilon)

    def call(self, x, training=False):
        for block in self.shift_blocks:
            x = block(x, training=training)
        return self.patch_merge(x) if self.is_merge else x

    def get_config(self):
        return {**super().get_config(), **{name: getattr(self, name) for name in self.NAMES}}


class ShiftViTModel(keras.Model):
    """A subclass of Model whose config names the layers that it made itself."""

    def __init__(
        self, data_augmentation, projected_dim, patch_size, num_shift_blocks_per_stages, **kwargs
    ):
        super().__init__(**kwargs)
        self.data_augmentation = data_augmentation
        self.patch_projection = layers.Conv2D(
            filters=projected_dim, kernel_size=patch_size, strides=patch_size, padding="same"
        )
        self.stages = []
        for index, count in enumerate(num_shift_blocks_per_stages):
            is_merge = index < len(num_shift_blocks_per_stages) - 1
            self.stages.append(StackedShiftBlocks(1e-5, 0.2, count, 0.2, is_merge, num_div=2))
        self.global_avg_pool = layers.GlobalAveragePooling2D()
        self.classifier = layers.Dense(10)

    def get_config(self):
        config = super().get_config()
        names = ("data_augmentation", "patch_projection", "stages", "global_avg_pool", "classifier")
        config.update({name: getattr(self, name) for name in names})
        return config

    def call(self, images):
        x = self.patch_projection(self.data_augmentation(images))
        for stage in self.stages:
            x = stage(x, training=False)
        return self.classifier(self.global_avg_pool(x))
