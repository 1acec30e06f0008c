"""Custom objects of the models in `images.py` and `series.py`; copied as
`customs_11.py` beside them.

None is registered. Those of the recommender, the separator of sound and the embedding of tables
have a config of their own; the others none, as their authors left them.
"""

from __future__ import annotations

import sys

import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers


class RandomResizedCrop(layers.Layer):
    """Crops a random part and resizes it back, while it is trained."""

    def __init__(self, scale, ratio):
        super().__init__()
        self.scale = scale
        self.log_ratio = (tf.math.log(ratio[0]), tf.math.log(ratio[1]))

    def call(self, images, training=None):
        if not training:
            return images
        batch_size = tf.shape(images)[0]
        height, width = images.shape[1:3]
        scales = tf.random.uniform((batch_size,), self.scale[0], self.scale[1])
        ratios = tf.exp(tf.random.uniform((batch_size,), self.log_ratio[0], self.log_ratio[1]))
        heights = tf.clip_by_value(tf.sqrt(scales / ratios), 0, 1)
        widths = tf.clip_by_value(tf.sqrt(scales * ratios), 0, 1)
        tops = tf.random.uniform((batch_size,), 0, 1 - heights)
        lefts = tf.random.uniform((batch_size,), 0, 1 - widths)
        boxes = tf.stack([tops, lefts, tops + heights, lefts + widths], axis=1)
        return tf.image.crop_and_resize(images, boxes, tf.range(batch_size), (height, width))


class RandomBrightness(layers.Layer):
    """Brightens or darkens, while it is trained; Keras has a layer of this name too."""

    def __init__(self, brightness):
        super().__init__()
        self.brightness = brightness

    def blend(self, one, two, ratios):
        return tf.clip_by_value(ratios * one + (1.0 - ratios) * two, 0, 1)

    def call(self, images, training=None):
        if not training:
            return images
        shape = (tf.shape(images)[0], 1, 1, 1)
        ratios = tf.random.uniform(shape, 1 - self.brightness, 1 + self.brightness)
        return self.blend(images, 0, ratios)


class ChunkedPatches(layers.Layer):
    """Patches by a convolution, with their places, in chunks."""

    def __init__(self, image_size, patch_size, embed_dim, chunk_size, **kwargs):
        super().__init__(**kwargs)
        resolution = [image_size[0] // patch_size[0], image_size[1] // patch_size[1]]
        self.num_patches = resolution[0] * resolution[1]
        self.positions = tf.range(start=0, limit=self.num_patches, delta=1)
        self.projection = layers.Conv2D(
            filters=embed_dim, kernel_size=patch_size, strides=patch_size, name="projection"
        )
        self.flatten = layers.Reshape(target_shape=(-1, embed_dim), name="flatten")
        self.position_embedding = layers.Embedding(
            input_dim=self.num_patches, output_dim=embed_dim, name="position_embedding"
        )
        self.layernorm = layers.LayerNormalization(epsilon=1e-5, name="layernorm")
        self.chunking_layer = layers.Reshape(
            target_shape=(self.num_patches // chunk_size, chunk_size, embed_dim), name="chunking"
        )

    def call(self, inputs):
        x = self.flatten(self.projection(inputs))
        x = self.layernorm(x + self.position_embedding(self.positions))
        return self.chunking_layer(x)


class AttentionWithFFN(layers.Layer):
    """Attention of one sequence over another, then a feed-forward network."""

    def __init__(self, ffn_dims, num_heads, key_dim, **kwargs):
        super().__init__(**kwargs)
        self.attention = layers.MultiHeadAttention(num_heads=num_heads, key_dim=key_dim, name="mha")
        self.query_layernorm = layers.LayerNormalization(epsilon=1e-5, name="q_layernorm")
        self.key_layernorm = layers.LayerNormalization(epsilon=1e-5, name="k_layernorm")
        self.ffn = keras.Sequential(
            [layers.Dense(4 * ffn_dims, activation=tf.nn.gelu), layers.Dense(ffn_dims)], name="ffn"
        )
        self.attention_scores = None

    def call(self, query, key):
        seen, self.attention_scores = self.attention(
            query=self.query_layernorm(query),
            key=self.key_layernorm(key),
            value=self.key_layernorm(key),
            return_attention_scores=True,
        )
        x = query + seen
        return x + self.ffn(x)


class LatentBottleneckCell(layers.Layer):
    """A cell with a fast stream inside a chunk and a slow state between chunks."""

    def __init__(self, chunk_size, r, num_layers, embed_dim, num_heads, **kwargs):
        super().__init__(**kwargs)
        self.chunk_size = chunk_size
        self.r = r
        self.num_layers = num_layers
        self.embed_dim = embed_dim
        self.state_size = tf.TensorShape([chunk_size, embed_dim])
        self.output_size = self.state_size
        parts = {"ffn_dims": embed_dim, "num_heads": num_heads, "key_dim": embed_dim}
        self.perceptual = [AttentionWithFFN(name=f"pm_{i}", **parts) for i in range(num_layers)]
        self.crossed = [
            AttentionWithFFN(name=f"pm_cross_{i}", **parts) for i in range(num_layers // r)
        ]
        self.latent = AttentionWithFFN(name="tlb_cross", **parts)

    def get_initial_state(self, inputs=None, batch_size=None, dtype=None):
        if inputs is not None:
            batch_size = tf.shape(inputs)[0]
        return [tf.zeros((batch_size, self.chunk_size, self.embed_dim))]

    def call(self, inputs, states):
        slow_stream = states[0]
        fast_stream = inputs
        for number, module in enumerate(self.perceptual):
            fast_stream = module(fast_stream, fast_stream)
            if number % self.r == 0:
                fast_stream = self.crossed[number // self.r](fast_stream, slow_stream)
        slow_stream = self.latent(slow_stream, fast_stream)
        return fast_stream, [slow_stream]


class TubeletEmbedding(layers.Layer):
    """Pieces of a video by a convolution."""

    def __init__(self, embed_dim, patch_size, **kwargs):
        super().__init__(**kwargs)
        self.projection = layers.Conv3D(
            filters=embed_dim, kernel_size=patch_size, strides=patch_size, padding="VALID"
        )
        self.flatten = layers.Reshape(target_shape=(-1, embed_dim))

    def call(self, videos):
        return self.flatten(self.projection(videos))


class PositionalEncoder(layers.Layer):
    """Adds places, whose embedding is made when the layer is built."""

    def __init__(self, embed_dim, **kwargs):
        super().__init__(**kwargs)
        self.embed_dim = embed_dim

    def build(self, input_shape):
        _, num_tokens, _ = input_shape
        self.position_embedding = layers.Embedding(input_dim=num_tokens, output_dim=self.embed_dim)
        self.positions = tf.range(start=0, limit=num_tokens, delta=1)

    def call(self, encoded_tokens):
        return encoded_tokens + self.position_embedding(self.positions)


class SPADE(layers.Layer):
    """Normalization whose scale and shift come from a map of classes; the map is named `mask`."""

    def __init__(self, filters, epsilon=1e-5, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon
        self.conv = layers.Conv2D(6, 3, padding="same", activation="relu")
        self.conv_gamma = layers.Conv2D(filters, 3, padding="same")
        self.conv_beta = layers.Conv2D(filters, 3, padding="same")

    def build(self, input_shape):
        self.resize_shape = input_shape[1:3]

    def call(self, input_tensor, raw_mask):
        mask = tf.image.resize(raw_mask, self.resize_shape, method="nearest")
        x = self.conv(mask)
        mean, var = tf.nn.moments(input_tensor, axes=(0, 1, 2), keepdims=True)
        normalized = (input_tensor - mean) / tf.sqrt(var + self.epsilon)
        return self.conv_gamma(x) * normalized + self.conv_beta(x)


class ResBlock(layers.Layer):
    """Two normalized convolutions around a skip, made when the layer is built."""

    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters

    def build(self, input_shape):
        input_filter = input_shape[-1]
        self.spade_1 = SPADE(input_filter)
        self.spade_2 = SPADE(self.filters)
        self.conv_1 = layers.Conv2D(self.filters, 3, padding="same")
        self.conv_2 = layers.Conv2D(self.filters, 3, padding="same")
        self.learned_skip = False
        if self.filters != input_filter:
            self.learned_skip = True
            self.spade_3 = SPADE(input_filter)
            self.conv_3 = layers.Conv2D(self.filters, 3, padding="same")

    def call(self, input_tensor, mask):
        x = self.conv_1(tf.nn.leaky_relu(self.spade_1(input_tensor, mask), 0.2))
        x = self.conv_2(tf.nn.leaky_relu(self.spade_2(x, mask), 0.2))
        skip = input_tensor
        if self.learned_skip:
            skip = self.conv_3(tf.nn.leaky_relu(self.spade_3(input_tensor, mask), 0.2))
        return skip + x


class Separation(layers.Layer):
    """Dilated blocks over encoded sound, then a mask for each speaker."""

    def __init__(self, filters, hidden, blocks, speakers, **kwargs):
        super().__init__(**kwargs)
        self.filters, self.hidden = filters, hidden
        self.blocks, self.speakers = blocks, speakers
        self.norm = layers.LayerNormalization()
        self.expand = [layers.Conv1D(hidden, 1) for _ in range(blocks)]
        self.slopes = [layers.PReLU(shared_axes=[1]) for _ in range(blocks)]
        self.depthwise = [
            layers.Conv1D(hidden, 3, dilation_rate=2**i, groups=hidden, padding="causal")
            for i in range(blocks)
        ]
        self.back = [layers.Conv1D(filters, 1) for _ in range(blocks)]
        self.masks = layers.Conv1D(filters * speakers, 1, activation="sigmoid")

    def call(self, inputs):
        x = self.norm(inputs)
        for i in range(len(self.expand)):
            y = x
            for parts in (self.expand, self.slopes, self.depthwise, self.back):
                y = parts[i](y)
            x = x + y
        x = self.masks(x)
        return tf.reshape(x, (-1, x.shape[1], self.speakers, self.filters))

    def get_config(self):
        names = ("filters", "hidden", "blocks", "speakers")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


class ConvTasNet(keras.Model):
    """Sound of several speakers pulled apart; its config has only what the constructor takes."""

    def __init__(self, filters=6, length=4, hidden=8, blocks=2, speakers=2, **kwargs):
        super().__init__(**kwargs)
        self.param = {
            "filters": filters,
            "length": length,
            "hidden": hidden,
            "blocks": blocks,
            "speakers": speakers,
        }
        self.encoder = layers.Conv1D(filters, length, strides=length // 2, activation="relu")
        self.separation = Separation(filters, hidden, blocks, speakers)
        self.decoder = layers.Conv1DTranspose(1, length, strides=length // 2)

    def call(self, inputs):
        encoded = self.encoder(inputs)
        masked = self.separation(encoded) * encoded[:, :, tf.newaxis, :]
        found = [self.decoder(masked[:, :, i]) for i in range(self.param["speakers"])]
        return tf.concat(found, axis=-1)

    def get_config(self):
        return dict(self.param)

    @classmethod
    def from_config(cls, config):
        return cls(**config)
