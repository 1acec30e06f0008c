"""Custom objects of the models of masked words and uncertain functions in `series.py`;
copied as `customs_14_texts.py` beside the models. None is registered, all have a config.
"""

from __future__ import annotations

import math
import sys

import numpy as np
import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers
K = keras.backend


def bert_gelu(x):
    """An activation as the authors write it."""
    return 0.5 * x * (1.0 + tf.math.erf(x / math.sqrt(2.0)))


class ReturnedEmbedding(layers.Embedding):
    """Also returns its weights."""

    def compute_mask(self, inputs, mask=None):
        return [super().compute_mask(inputs, mask), None]

    def call(self, inputs):
        return [super().call(inputs), self.embeddings + 0]


class AddedPlaces(layers.Layer):
    """Adds a learned vector to each place."""

    def __init__(
        self, input_dim, output_dim, mode="add", embeddings_initializer="uniform", **kwargs
    ):
        self.input_dim = input_dim
        self.output_dim = output_dim
        self.mode = mode
        self.embeddings_initializer = keras.initializers.get(embeddings_initializer)
        self.embeddings = None
        super().__init__(**kwargs)
        self.supports_masking = True

    def get_config(self):
        config = {
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            "mode": self.mode,
            "embeddings_initializer": keras.initializers.serialize(self.embeddings_initializer),
        }
        return dict(list(super().get_config().items()) + list(config.items()))

    def build(self, input_shape):
        self.embeddings = self.add_weight(
            shape=(self.input_dim, self.output_dim),
            initializer=self.embeddings_initializer,
            name="embeddings",
        )
        super().build(input_shape)

    def compute_mask(self, inputs, mask=None):
        return mask

    def compute_output_shape(self, input_shape):
        return input_shape

    def call(self, inputs, **kwargs):
        shape = K.shape(inputs)
        placed = K.expand_dims(self.embeddings[: shape[1], : self.output_dim], axis=0)
        return inputs + K.tile(placed, [shape[0], 1, 1])


class OwnLayerNorm(layers.Layer):
    """Normalization over the last axis."""

    def __init__(
        self, center=True, scale=True, gamma_initializer="ones", beta_initializer="zeros", **kwargs
    ):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.center = center
        self.scale = scale
        self.gamma_initializer = keras.initializers.get(gamma_initializer)
        self.beta_initializer = keras.initializers.get(beta_initializer)
        self.gamma, self.beta = None, None

    def get_config(self):
        config = {
            "center": self.center,
            "scale": self.scale,
            "gamma_initializer": keras.initializers.serialize(self.gamma_initializer),
            "beta_initializer": keras.initializers.serialize(self.beta_initializer),
        }
        return dict(list(super().get_config().items()) + list(config.items()))

    def compute_output_shape(self, input_shape):
        return input_shape

    def compute_mask(self, inputs, input_mask=None):
        return input_mask

    def build(self, input_shape):
        shape = input_shape[-1:]
        if self.scale:
            self.gamma = self.add_weight(
                shape=shape, initializer=self.gamma_initializer, name="gamma"
            )
        if self.center:
            self.beta = self.add_weight(shape=shape, initializer=self.beta_initializer, name="beta")
        super().build(input_shape)

    def call(self, inputs, training=None):
        mean = K.mean(inputs, axis=-1, keepdims=True)
        variance = K.mean(K.square(inputs - mean), axis=-1, keepdims=True)
        outputs = (inputs - mean) / K.sqrt(variance + K.epsilon() * K.epsilon())
        if self.scale:
            outputs *= self.gamma
        if self.center:
            outputs += self.beta
        return outputs


class HeadedAttention(layers.Layer):
    """Self-attention of heads by four matrices with names of their own."""

    def __init__(self, head_num, activation="relu", use_bias=True, history_only=False, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.head_num = head_num
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.history_only = history_only

    def get_config(self):
        config = {
            "head_num": self.head_num,
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "history_only": self.history_only,
        }
        return dict(list(super().get_config().items()) + list(config.items()))

    def compute_output_shape(self, input_shape):
        return input_shape

    def compute_mask(self, inputs, input_mask=None):
        return input_mask

    def build(self, input_shape):
        wide = int(input_shape[-1])
        for part in "qkvo":
            kernel = self.add_weight(
                shape=(wide, wide), initializer="glorot_normal", name=f"{self.name}_W{part}"
            )
            setattr(self, f"W{part}", kernel)
            bias = None
            if self.use_bias:
                bias = self.add_weight(
                    shape=(wide,), initializer="zeros", name=f"{self.name}_b{part}"
                )
            setattr(self, f"b{part}", bias)
        super().build(input_shape)

    def _line(self, x, part):
        x = K.dot(x, getattr(self, f"W{part}"))
        if self.use_bias:
            x += getattr(self, f"b{part}")
        return x if self.activation is None else self.activation(x)

    def call(self, inputs, mask=None):
        shape = K.shape(inputs)
        rows, steps, wide = shape[0], shape[1], inputs.shape[-1]

        def heads(x):
            x = K.reshape(x, (rows, steps, self.head_num, wide // self.head_num))
            return K.permute_dimensions(x, [0, 2, 1, 3])

        q, k, v = (heads(self._line(inputs, part)) for part in "qkv")
        e = tf.matmul(q, k, transpose_b=True) / math.sqrt(wide // self.head_num)
        e = K.exp(e - K.max(e, axis=-1, keepdims=True))
        if mask is not None:
            e *= K.cast(mask, K.floatx())[:, None, None, :]
        y = tf.matmul(e / (K.sum(e, axis=-1, keepdims=True) + K.epsilon()), v)
        y = K.reshape(K.permute_dimensions(y, [0, 2, 1, 3]), (rows, steps, wide))
        return self._line(y, "o")


class TokenSimilarity(layers.Layer):
    """Probabilities of tokens by what their embeddings are like."""

    def __init__(self, initializer="zeros", regularizer=None, constraint=None, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.initializer = keras.initializers.get(initializer)
        self.regularizer = keras.regularizers.get(regularizer)
        self.constraint = keras.constraints.get(constraint)
        self.bias = None

    def get_config(self):
        config = {
            "initializer": keras.initializers.serialize(self.initializer),
            "regularizer": keras.regularizers.serialize(self.regularizer),
            "constraint": keras.constraints.serialize(self.constraint),
        }
        return dict(list(super().get_config().items()) + list(config.items()))

    def build(self, input_shape):
        self.bias = self.add_weight(
            shape=(int(input_shape[1][0]),),
            initializer=self.initializer,
            regularizer=self.regularizer,
            constraint=self.constraint,
            name="bias",
        )
        super().build(input_shape)

    def compute_mask(self, inputs, mask=None):
        return mask[0]

    def call(self, inputs, mask=None, **kwargs):
        inputs, embeddings = inputs
        outputs = K.bias_add(K.dot(inputs, K.transpose(embeddings)), self.bias)
        return keras.activations.softmax(outputs)


class MaskedPlaces(layers.Layer):
    """Its mask is the places that are masked."""

    def __init__(self, return_masked=False, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.return_masked = return_masked

    def get_config(self):
        config = {"return_masked": self.return_masked}
        return dict(list(super().get_config().items()) + list(config.items()))

    def compute_mask(self, inputs, mask=None):
        token_mask = K.not_equal(inputs[1], 0)
        return K.all(K.stack([token_mask, mask[0]], axis=0), axis=0)

    def call(self, inputs, mask=None, **kwargs):
        return inputs[0] + 0


class ExtractedPlace(layers.Layer):
    """One place of a series."""

    def __init__(self, index, **kwargs):
        super().__init__(**kwargs)
        self.index = index
        self.supports_masking = True

    def get_config(self):
        return dict(list(super().get_config().items()) + [("index", self.index)])

    def compute_mask(self, inputs, mask=None):
        return None

    def call(self, x, mask=None):
        return x[:, self.index]


class SampledDense(layers.Layer):
    """A dense layer whose weights are drawn anew in each call; its config reads what is not."""

    def __init__(
        self,
        units,
        kl_weight,
        activation=None,
        initializer_sigma=0.1,
        prior_sigma_1=1.5,
        prior_sigma_2=0.1,
        prior_pi=0.5,
        bias_distribution=False,
        **kwargs,
    ):
        self.units = units
        self.kl_weight = kl_weight
        self.activation = keras.activations.get(activation)
        self.initializer_sigma = initializer_sigma
        self.prior_sigma_1 = prior_sigma_1
        self.prior_sigma_2 = prior_sigma_2
        self.prior_pi_1 = prior_pi
        self.prior_pi_2 = 1.0 - prior_pi
        self.init_sigma = np.sqrt(prior_pi * prior_sigma_1**2 + self.prior_pi_2 * prior_sigma_2**2)
        self.bias_distribution = bias_distribution
        self.uses_learning_phase = True
        super().__init__(**kwargs)

    def compute_output_shape(self, input_shape):
        return [(None, self.units)]

    def build(self, input_shape):
        shapes = {"kernel": (input_shape[-1], self.units), "bias": (self.units,)}
        normal = keras.initializers.RandomNormal
        for name, shape in shapes.items():
            middle = self.add_weight(
                name=f"{name}_mu", shape=shape, initializer=normal(stddev=self.initializer_sigma)
            )
            setattr(self, f"{name}_mu", middle)
            spread = self.add_weight(
                name=f"{name}_rho",
                shape=shape,
                initializer=normal(mean=-3.0, stddev=self.initializer_sigma),
                trainable=name == "kernel" or self.bias_distribution,
            )
            setattr(self, f"{name}_rho", spread)
        super().build(input_shape)

    def call(self, inputs, **kwargs):
        loss, drawn = 0.0, []
        for middle, spread in ((self.kernel_mu, self.kernel_rho), (self.bias_mu, self.bias_rho)):
            sigma = K.softplus(spread)
            value = middle + sigma * K.random_normal(middle.shape)
            apart = -K.log(sigma) - 0.5 * K.square((value - middle) / sigma)
            loss += self.kl_weight * K.mean(apart - self.log_prior_prob(value))
            drawn.append(value)
        self.add_loss(K.in_train_phase(loss, 0.0))
        return self.activation(K.dot(inputs, drawn[0]) + drawn[1])

    def log_prior_prob(self, w):
        return K.log(
            self.prior_pi_1 * K.exp(-0.5 * K.square(w / self.prior_sigma_1))
            + self.prior_pi_2 * K.exp(-0.5 * K.square(w / self.prior_sigma_2))
        )

    def get_config(self):
        config = {
            "units": self.units,
            "kl_weight": self.kl_weight,
            "activation": self.activation.__name__,
            "prior": self.prior,
            "prior_sigma_1": self.prior_sigma_1,
            "prior_sigma_2": self.prior_sigma_2,
            "prior_pi_1": self.prior_pi_1,
        }
        return dict(list(super().get_config().items()) + list(config.items()))
