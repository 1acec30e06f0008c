"""Custom objects of a recommender and of a model of speech in `series.py`; copied as
`customs_14_tables.py` beside the models.

The layers of the recommender have configs and are not registered; those of speech are registered,
their model is not, and it needs Keras 3.
"""

from __future__ import annotations

import itertools
import sys

import numpy as np
import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers
ops = getattr(keras, "ops", None)


class Joined(layers.Layer):
    """Joins a list along an axis, without a mask."""

    def __init__(self, axis, supports_masking=True, **kwargs):
        super().__init__(**kwargs)
        self.axis = axis
        self.supports_masking = supports_masking

    def call(self, inputs):
        return tf.concat(inputs, axis=self.axis)

    def compute_mask(self, inputs, mask=None):
        return None

    def get_config(self):
        kept = {"axis": self.axis, "supports_masking": self.supports_masking}
        return {**super().get_config(), **kept}


class WideLogit(layers.Layer):
    """The wide part: a sum of embedded values, and a line through numbers."""

    def __init__(self, l2_reg=0.0, mode=0, use_bias=False, seed=1024, **kwargs):
        self.l2_reg = l2_reg
        self.mode = mode
        self.use_bias = use_bias
        self.seed = seed
        super().__init__(**kwargs)

    def build(self, input_shape):
        if self.mode == 2:
            self.kernel = self.add_weight(
                name="linear_kernel",
                shape=[int(input_shape[1][-1]), 1],
                initializer=keras.initializers.GlorotNormal(self.seed),
                regularizer=keras.regularizers.l2(self.l2_reg),
                trainable=True,
            )
        super().build(input_shape)

    def call(self, inputs, **kwargs):
        if self.mode == 0:
            return tf.reduce_sum(inputs, axis=-1, keepdims=True)
        sparse, dense = inputs
        return tf.reduce_sum(sparse, axis=-1) + tf.tensordot(dense, self.kernel, axes=(-1, 0))

    def compute_output_shape(self, input_shape):
        return (None, 1)

    def compute_mask(self, inputs, mask):
        return None

    def get_config(self):
        names = ("mode", "l2_reg", "use_bias", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


class FieldWeights(layers.Layer):
    """Which fields count: a list in, a list out, with a Lambda layer that is made when built."""

    def __init__(self, reduction_ratio=3, seed=1024, **kwargs):
        self.reduction_ratio = reduction_ratio
        self.seed = seed
        super().__init__(**kwargs)

    def build(self, input_shape):
        if not isinstance(input_shape, list) or len(input_shape) < 2:
            raise ValueError("It wants a list of two inputs or more")
        self.field_size = len(input_shape)
        self.embedding_size = input_shape[0][-1]
        less = max(1, self.field_size // self.reduction_ratio)
        given = {"initializer": keras.initializers.GlorotNormal(seed=self.seed)}
        self.W_1 = self.add_weight(shape=(self.field_size, less), name="W_1", **given)
        self.W_2 = self.add_weight(shape=(less, self.field_size), name="W_2", **given)
        self.tensordot = layers.Lambda(lambda x: tf.tensordot(x[0], x[1], axes=(-1, 0)))
        super().build(input_shape)

    def call(self, inputs, training=None, **kwargs):
        inputs = tf.concat(inputs, axis=1)
        first = tf.nn.relu(self.tensordot([tf.reduce_mean(inputs, axis=-1), self.W_1]))
        second = tf.nn.relu(self.tensordot([first, self.W_2]))
        weighed = tf.multiply(inputs, tf.expand_dims(second, axis=2))
        return tf.split(weighed, self.field_size, axis=1)

    def compute_output_shape(self, input_shape):
        return input_shape

    def compute_mask(self, inputs, mask=None):
        return [None] * self.field_size

    def get_config(self):
        config = super().get_config()
        config.update({"reduction_ratio": self.reduction_ratio, "seed": self.seed})
        return config


class BilinearPairs(layers.Layer):
    """Products of all pairs of fields through matrices in a list."""

    def __init__(self, bilinear_type="interaction", seed=1024, **kwargs):
        self.bilinear_type = bilinear_type
        self.seed = seed
        super().__init__(**kwargs)

    def build(self, input_shape):
        if not isinstance(input_shape, list) or len(input_shape) < 2:
            raise ValueError("It wants a list of two inputs or more")
        wide = int(input_shape[0][-1])
        self.W_list = [
            self.add_weight(
                shape=(wide, wide),
                initializer=keras.initializers.GlorotNormal(seed=self.seed),
                name=f"bilinear_weight{i}_{j}",
            )
            for i, j in itertools.combinations(range(len(input_shape)), 2)
        ]
        super().build(input_shape)

    def call(self, inputs, **kwargs):
        found = [
            tf.multiply(tf.tensordot(first, self.W_list[place], axes=(-1, 0)), second)
            for place, (first, second) in enumerate(itertools.combinations(inputs, 2))
        ]
        return tf.concat(found, axis=1)

    def compute_output_shape(self, input_shape):
        number = len(input_shape)
        return (None, number * (number - 1) // 2, input_shape[0][-1])

    def get_config(self):
        config = super().get_config()
        config.update({"bilinear_type": self.bilinear_type, "seed": self.seed})
        return config


class FieldDense(layers.Layer):
    """Dense layers by weights in lists, with activation layers that are made when built."""

    def __init__(self, hidden_units, activation="relu", l2_reg=0, seed=1024, **kwargs):
        self.hidden_units = hidden_units
        self.activation = activation
        self.l2_reg = l2_reg
        self.seed = seed
        super().__init__(**kwargs)

    def build(self, input_shape):
        sizes = [int(input_shape[-1]), *self.hidden_units]
        self.kernels = [
            self.add_weight(
                name="kernel" + str(each),
                shape=(sizes[each], sizes[each + 1]),
                initializer=keras.initializers.GlorotNormal(seed=self.seed),
                regularizer=keras.regularizers.l2(self.l2_reg),
                trainable=True,
            )
            for each in range(len(self.hidden_units))
        ]
        self.bias = [
            self.add_weight(name="bias" + str(each), shape=(size,), initializer="zeros")
            for each, size in enumerate(self.hidden_units)
        ]
        self.activation_layers = [layers.Activation(self.activation) for _ in self.hidden_units]
        super().build(input_shape)

    def call(self, inputs, training=None, **kwargs):
        x = inputs
        for each in range(len(self.hidden_units)):
            x = tf.nn.bias_add(tf.tensordot(x, self.kernels[each], axes=(-1, 0)), self.bias[each])
            x = self.activation_layers[each](x)
        return x

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[:-1]) + (self.hidden_units[-1],)

    def get_config(self):
        names = ("activation", "hidden_units", "l2_reg", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


class ClickChance(layers.Layer):
    """A bias for all and a sigmoid."""

    def __init__(self, task="binary", use_bias=True, **kwargs):
        self.task = task
        self.use_bias = use_bias
        super().__init__(**kwargs)

    def build(self, input_shape):
        if self.use_bias:
            self.global_bias = self.add_weight(shape=(1,), initializer="zeros", name="global_bias")
        super().build(input_shape)

    def call(self, inputs, **kwargs):
        x = inputs
        if self.use_bias:
            x = tf.nn.bias_add(x, self.global_bias, data_format="NHWC")
        if self.task == "binary":
            x = tf.sigmoid(x)
        return tf.reshape(x, (-1, 1))

    def compute_output_shape(self, input_shape):
        return (None, 1)

    def get_config(self):
        return {**super().get_config(), "task": self.task, "use_bias": self.use_bias}


def speech_gelu(x):
    return keras.activations.gelu(x, approximate=False)


@keras.utils.register_keras_serializable(package="kmodels")
class SpeechAttention(layers.Layer):
    """Attention to itself or to what is heard; its dense layers are built by hand."""

    def __init__(self, proj_dim, num_heads, name_prefix=None, **kwargs):
        super().__init__(**kwargs)
        self.proj_dim = proj_dim
        self.num_heads = num_heads
        self.name_prefix = name_prefix
        self.head_dim = proj_dim // num_heads
        self.scale = self.head_dim**-0.5
        start = f"{name_prefix}_" if name_prefix else ""
        self.q_proj = layers.Dense(proj_dim, use_bias=True, name=start + "q_proj")
        self.k_proj = layers.Dense(proj_dim, use_bias=False, name=start + "k_proj")
        self.v_proj = layers.Dense(proj_dim, use_bias=True, name=start + "v_proj")
        self.out_proj = layers.Dense(proj_dim, use_bias=True, name=start + "out_proj")

    def build(self, input_shape):
        wide = input_shape[-1]
        for each in (self.q_proj, self.k_proj, self.v_proj):
            each.build((None, wide))
        self.out_proj.build((None, self.proj_dim))
        self.built = True

    def _split_heads(self, x):
        shape = ops.shape(x)
        x = ops.reshape(x, (shape[0], shape[1], self.num_heads, self.head_dim))
        return ops.transpose(x, (0, 2, 1, 3))

    def call(self, hidden_states, key_value_states=None, attention_mask=None):
        rows = ops.shape(hidden_states)[0]
        kv = key_value_states if key_value_states is not None else hidden_states
        q = self._split_heads(self.q_proj(hidden_states) * self.scale)
        k, v = self._split_heads(self.k_proj(kv)), self._split_heads(self.v_proj(kv))
        scores = ops.matmul(q, ops.transpose(k, (0, 1, 3, 2)))
        if attention_mask is not None:
            scores = scores + ops.cast(attention_mask, scores.dtype)
        out = ops.transpose(ops.matmul(ops.softmax(scores, axis=-1), v), (0, 2, 1, 3))
        return self.out_proj(ops.reshape(out, (rows, -1, self.proj_dim)))

    def get_config(self):
        names = ("proj_dim", "num_heads", "name_prefix")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.utils.register_keras_serializable(package="kmodels")
class HeardPlaces(layers.Layer):
    """Sines of places as a weight that is not trained."""

    def __init__(self, max_source_positions, d_model, **kwargs):
        super().__init__(**kwargs)
        self.max_source_positions = max_source_positions
        self.d_model = d_model

    def build(self, input_shape):
        half = self.d_model // 2
        turns = np.exp(-np.log(10000.0) / (half - 1) * np.arange(half))
        turned = np.arange(self.max_source_positions)[:, None] * turns[None, :]
        table = np.concatenate([np.sin(turned), np.cos(turned)], axis=1).astype(np.float32)
        self.pos_embed = self.add_weight(
            shape=(self.max_source_positions, self.d_model),
            initializer=keras.initializers.Constant(table),
            trainable=False,
            name="weight",
        )
        super().build(input_shape)

    def call(self, inputs):
        return inputs + self.pos_embed[: ops.shape(inputs)[1]]

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        kept = {"max_source_positions": self.max_source_positions, "d_model": self.d_model}
        return {**super().get_config(), **kept}


@keras.utils.register_keras_serializable(package="kmodels")
class SpokenPlaces(layers.Layer):
    """Learned vectors of places."""

    def __init__(self, max_target_positions, d_model, **kwargs):
        super().__init__(**kwargs)
        self.max_target_positions = max_target_positions
        self.d_model = d_model

    def build(self, input_shape):
        self.pos_embed = self.add_weight(
            shape=(self.max_target_positions, self.d_model),
            initializer="zeros",
            trainable=True,
            name="weight",
        )
        super().build(input_shape)

    def call(self, inputs, past_key_values_length=0):
        start = past_key_values_length
        return inputs + self.pos_embed[start : start + ops.shape(inputs)[1]]

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        kept = {"max_target_positions": self.max_target_positions, "d_model": self.d_model}
        return {**super().get_config(), **kept}
