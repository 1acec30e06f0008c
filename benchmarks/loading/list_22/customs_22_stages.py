"""Custom objects of stages of shifted windows, and of points in crowds, in `photos.py`; copied
beside the models.
"""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf
from customs_22_windows import SlidBlock, SlidDense, SlidMerging, to_2tuple

keras = sys.modules["__main__"].keras
layers = keras.layers
Layer = layers.Layer
LayerNormalization = layers.LayerNormalization


class SlidStage(Layer):
    """Blocks in a list; what comes after is a class that it gets."""

    def __init__(
        self,
        dim,
        input_resolution,
        depth,
        num_heads,
        window_size,
        mlp_ratio=4.0,
        qkv_bias=True,
        qk_scale=None,
        drop=0.0,
        attn_drop=0.0,
        drop_path=0.0,
        norm_layer=LayerNormalization,
        downsample=None,
    ):
        super().__init__()
        self.dim = dim
        self.input_resolution = input_resolution
        self.depth = depth
        self.blocks = [
            SlidBlock(
                dim=dim,
                input_resolution=input_resolution,
                num_heads=num_heads,
                window_size=window_size,
                shift_size=0 if (i % 2 == 0) else window_size // 2,
                mlp_ratio=mlp_ratio,
                qkv_bias=qkv_bias,
                qk_scale=qk_scale,
                drop=drop,
                attn_drop=attn_drop,
                drop_path=drop_path[i] if isinstance(drop_path, list) else drop_path,
                norm_layer=norm_layer,
            )
            for i in range(depth)
        ]
        if downsample is not None:
            self.downsample = downsample(input_resolution, dim=dim, norm_layer=norm_layer)
        else:
            self.downsample = None

    def call(self, x):
        for blk in self.blocks:
            x = blk(x)
        if self.downsample is not None:
            x = self.downsample(x)
        return x


class SlidPatches(Layer):
    """Patches by a convolution."""

    def __init__(self, img_size=224, patch_size=4, in_chans=3, embed_dim=96, norm_layer=None):
        super().__init__()
        img_size = to_2tuple(img_size)
        patch_size = to_2tuple(patch_size)
        patches_resolution = [img_size[0] // patch_size[0], img_size[1] // patch_size[1]]
        self.img_size = img_size
        self.patch_size = patch_size
        self.patches_resolution = patches_resolution
        self.num_patches = patches_resolution[0] * patches_resolution[1]
        self.in_chans = in_chans
        self.embed_dim = embed_dim
        self.proj = layers.Conv2D(filters=embed_dim, kernel_size=patch_size, strides=patch_size)
        if norm_layer is not None:
            self.norm = norm_layer(epsilon=1e-5)
        else:
            self.norm = None

    def call(self, x):
        B, H, W, _ = x.shape
        assert self.img_size[0] == H and self.img_size[1] == W, "another size"
        x = tf.reshape(self.proj(x), [B, -1, self.embed_dim])
        if self.norm is not None:
            x = self.norm(x)
        return x


class SlidTransformer(keras.Model):
    """Stages in a Sequential; it drops further arguments."""

    def __init__(
        self,
        img_size=224,
        patch_size=4,
        in_chans=3,
        num_classes=1000,
        embed_dim=96,
        depths=[2, 2, 6, 2],
        num_heads=[3, 6, 12, 24],
        window_size=7,
        mlp_ratio=4.0,
        qkv_bias=True,
        qk_scale=None,
        drop_rate=0.0,
        attn_drop_rate=0.0,
        drop_path_rate=0.1,
        norm_layer=LayerNormalization,
        ape=False,
        patch_norm=True,
        **kwargs,
    ):
        super().__init__()
        self.num_classes = num_classes
        self.num_layers = len(depths)
        self.embed_dim = embed_dim
        self.ape = ape
        self.patch_norm = patch_norm
        self.num_features = int(embed_dim * 2 ** (self.num_layers - 1))
        self.mlp_ratio = mlp_ratio
        self.patch_embed = SlidPatches(
            img_size=img_size,
            patch_size=patch_size,
            in_chans=in_chans,
            embed_dim=embed_dim,
            norm_layer=norm_layer if self.patch_norm else None,
        )
        num_patches = self.patch_embed.num_patches
        patches_resolution = self.patch_embed.patches_resolution
        self.patches_resolution = patches_resolution
        if self.ape:
            initializer = keras.initializers.TruncatedNormal(mean=0.0, stddev=0.02)
            self.absolute_pos_embed = tf.Variable(
                initializer(shape=(1, num_patches, embed_dim)), trainable=False
            )
        self.pos_drop = layers.Dropout(rate=drop_rate)
        dpr = [x for x in np.linspace(0, drop_path_rate, sum(depths))]
        self.sequence = keras.Sequential(name="basic_layers_seq")
        for i_layer in range(self.num_layers):
            self.sequence.add(
                SlidStage(
                    dim=int(embed_dim * 2**i_layer),
                    input_resolution=(
                        patches_resolution[0] // (2**i_layer),
                        patches_resolution[1] // (2**i_layer),
                    ),
                    depth=depths[i_layer],
                    num_heads=num_heads[i_layer],
                    window_size=window_size,
                    mlp_ratio=self.mlp_ratio,
                    qkv_bias=qkv_bias,
                    qk_scale=qk_scale,
                    drop=drop_rate,
                    attn_drop=attn_drop_rate,
                    drop_path=dpr[sum(depths[:i_layer]) : sum(depths[: i_layer + 1])],
                    norm_layer=norm_layer,
                    downsample=SlidMerging if (i_layer < self.num_layers - 1) else None,
                )
            )
        self.norm = norm_layer(epsilon=1e-5)
        self.avgpool = layers.GlobalAveragePooling1D(keepdims=True)
        self.head = SlidDense(num_classes) if num_classes > 0 else tf.identity

    def forward_features(self, x):
        x = self.patch_embed(x)
        if self.ape:
            x = x + self.absolute_pos_embed
        x = self.pos_drop(x)
        x = self.sequence(x)
        x = self.norm(x)
        x = tf.transpose(self.avgpool(x), perm=(0, 2, 1))
        return tf.reshape(x, [x.shape[0], -1])

    def call(self, x):
        x = self.forward_features(x)
        return self.head(x)


class CrowdPoints(Layer):
    """Points of a grid, as many as rows and lines tell; only the last is called by keyword."""

    def __init__(self, pyramid_levels=None, row=2, line=2):
        super().__init__()
        self.pyramid_levels = pyramid_levels
        self.strides = [2**x for x in self.pyramid_levels]
        self.row = row
        self.line = line

    def generate_ref_points(self, stride=8, row=2, line=2):
        row_step = stride / row
        line_step = stride / line
        x = (tf.range(1, line + 1, dtype=tf.float32) - 0.5) * line_step - stride / 2
        y = (tf.range(1, row + 1, dtype=tf.float32) - 0.5) * row_step - stride / 2
        x, y = tf.meshgrid(x, y)
        return tf.stack((tf.reshape(x, (-1,)), tf.reshape(y, (-1,))), axis=-1)

    def add_offset2refpoints(self, shape, stride, ref_points):
        x = (tf.range(0, shape[1], dtype=tf.float32) + 0.5) * stride
        y = (tf.range(0, shape[0], dtype=tf.float32) + 0.5) * stride
        x, y = tf.meshgrid(x, y)
        shifts = tf.stack([tf.reshape(x, [-1]), tf.reshape(y, [-1])], axis=1)
        M = tf.shape(ref_points)[0]
        N = tf.shape(shifts)[0]
        offset = tf.reshape(ref_points, [1, M, 2]) + tf.reshape(shifts, [N, 1, 2])
        return tf.reshape(offset, [M * N, 2])

    def call(self, image):
        image_shape = tf.shape(image)[1:3]
        image_shapes = [(image_shape + 2**x - 1) // (2**x) for x in self.pyramid_levels]
        found = tf.zeros((0, 2), dtype=tf.float32)
        ref_points = self.generate_ref_points(
            2 ** self.pyramid_levels[0], row=self.row, line=self.line
        )
        offset = self.add_offset2refpoints(
            image_shapes[0], self.strides[0], tf.cast(ref_points, tf.float32)
        )
        found = tf.concat([found, offset], axis=0)
        return tf.tile(tf.expand_dims(found, axis=0), multiples=[tf.shape(image)[0], 1, 1])

    def get_config(self):
        config = super().get_config()
        config.update({"pyramid_levels": self.pyramid_levels, "row": self.row, "line": self.line})
        return config

    @classmethod
    def from_config(cls, config):
        return cls(**config)
