"""Custom objects of models of tables, voices, series and boxes in `series.py` and
`bodies.py`; copied as `customs_16_series.py` beside the models. The layers of tables have no
config; one function is registered by hand, as its author did.
"""

from __future__ import annotations

import sys

import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers
K = keras.backend


def registered(found):
    """Puts an object among those that all loaders know."""
    keras.utils.get_custom_objects()[found.__name__] = found
    return found


@registered
@tf.function
def sparsemax(logits, axis=-1):
    """The nearest shares, of which many are zero."""
    logits = tf.convert_to_tensor(logits, name="logits")
    shape = tf.shape(logits)
    rows, dims = tf.math.reduce_prod(shape[:-1]), shape[-1]
    z = tf.reshape(logits, [rows, dims])
    z_sorted, _ = tf.nn.top_k(z, k=dims)
    summed = tf.math.cumsum(z_sorted, axis=axis)
    k = tf.range(1, tf.cast(dims, logits.dtype) + 1, dtype=logits.dtype)
    count = tf.math.reduce_sum(tf.cast(1 + k * z_sorted > summed, tf.int32), axis=-1)
    safe = tf.math.maximum(count, 1)
    indices = tf.stack([tf.range(0, rows), tf.reshape(safe, [-1]) - 1], axis=1)
    tau = (tf.gather_nd(summed, indices) - 1) / tf.cast(count, logits.dtype)
    p = tf.math.maximum(tf.cast(0, logits.dtype), z - tf.expand_dims(tau, -1))
    output = tf.reshape(p, shape)
    output.set_shape(logits.get_shape())
    return output


class GhostNormalization(keras.Model):
    """Normalizes parts of a batch, as a model in a layer."""

    def __init__(self, virtual_batch_splits=1, momentum=0.9):
        super().__init__()
        self.virtual_batch_splits = virtual_batch_splits
        self.bn = layers.BatchNormalization(momentum=momentum)

    def call(self, x, training=None):
        if training:
            whole = (tf.shape(x)[0] // self.virtual_batch_splits) * self.virtual_batch_splits
            if whole > 1:
                parts = tf.split(x[0:whole, :], self.virtual_batch_splits, axis=0)
                found = [self.bn(part, training=True) for part in parts]
                found.append(self.bn(x[whole:, :], training=False))
                return tf.concat(found, 0)
            return self.bn(x, training=True)
        return self.bn(x, training=False)


def _normalization(splits, momentum):
    if splits is not None:
        return GhostNormalization(momentum=momentum, virtual_batch_splits=splits)
    return layers.BatchNormalization(momentum=momentum)


class GLULayer(layers.Layer):
    """A gate; its dense layer may be another layer's too."""

    def __init__(self, units=16, fc_layer=None, momentum=0.98, virtual_batch_splits=None, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.momentum = momentum
        self.fc = fc_layer if fc_layer else layers.Dense(self.units * 2, use_bias=False)
        self.bn = _normalization(virtual_batch_splits, self.momentum)

    def call(self, inputs, training=None):
        x = self.bn(self.fc(inputs), training=training)
        return tf.math.multiply(x[:, : self.units], tf.nn.sigmoid(x[:, self.units :]))


class FeatureTransformer(layers.Layer):
    """Gates one after another, the first of them with dense layers of others."""

    def __init__(
        self,
        n_dependent_glus=2,
        shared_glu_fc_layers=None,
        units=16,
        virtual_batch_splits=None,
        momentum=0.98,
        **kwargs,
    ):
        super().__init__(**kwargs)
        shared = list(shared_glu_fc_layers or ())
        self.units = units
        self.norm_factor = tf.math.sqrt(tf.constant(0.5))
        self.glu_layers = []
        for dense in [*shared, *[None] * n_dependent_glus]:
            given = {"virtual_batch_splits": virtual_batch_splits, "momentum": momentum}
            self.glu_layers.append(GLULayer(units=self.units, fc_layer=dense, **given))

    def build(self, input_shape):
        self.omit_first_residual = input_shape[-1] != self.units

    def call(self, inputs, training=None):
        for i, gate in enumerate(self.glu_layers):
            x = gate(inputs, training=training)
            if not (self.omit_first_residual and i == 0):
                x = tf.math.multiply(self.norm_factor, tf.math.add(inputs, x))
            inputs = x
        return x


class AttentiveTransformer(layers.Layer):
    """Which columns count; adds a loss."""

    def __init__(
        self,
        units,
        n_steps=3,
        epsilon=1e-15,
        lambda_sparse=1e-3,
        virtual_batch_splits=None,
        momentum=0.98,
        mask_type="sparsemax",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.n_steps = n_steps
        self.epsilon = epsilon
        self.lambda_sparse = lambda_sparse
        self.fc = layers.Dense(units, use_bias=False)
        self.bn = _normalization(virtual_batch_splits, momentum)
        self.sparse_activation = sparsemax if mask_type == "sparsemax" else tf.nn.softmax

    def call(self, inputs, prior, training=None):
        x = self.bn(self.fc(inputs), training=training)
        x = self.sparse_activation(tf.multiply(prior, x), axis=-1)
        each = tf.reduce_sum(tf.multiply(-x, tf.math.log(x + self.epsilon)), axis=-1)
        self.add_loss(self.lambda_sparse * (tf.reduce_mean(each) / self.n_steps))
        return x


class Split(layers.Layer):
    """Two parts."""

    def __init__(self, split_dim=8, **kwargs):
        super().__init__(**kwargs)
        self.split_dim = split_dim

    def call(self, inputs):
        return inputs[:, : self.split_dim], inputs[:, self.split_dim :]


class TabNetEncoder(layers.Layer):
    """Steps of attention to columns, whose layers are made when it is built."""

    def __init__(
        self,
        decision_dim=8,
        attention_dim=8,
        n_steps=3,
        n_shared_glus=2,
        n_dependent_glus=2,
        relaxation_factor=1.3,
        epsilon=1e-15,
        virtual_batch_splits=None,
        momentum=0.98,
        mask_type="sparsemax",
        lambda_sparse=1e-3,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.decision_dim = decision_dim
        self.n_steps = n_steps
        self.n_dependent_glus = n_dependent_glus
        self.relaxation_factor = relaxation_factor
        self.epsilon = epsilon
        self.virtual_batch_splits = virtual_batch_splits
        self.momentum = momentum
        self.mask_type = mask_type
        self.lambda_sparse = lambda_sparse
        self.initial_bn = layers.BatchNormalization(momentum=self.momentum)
        self.glu_dim = decision_dim + attention_dim
        self.shared_glu_fc_layers = []
        for _ in range(n_shared_glus):
            self.shared_glu_fc_layers.append(layers.Dense(units=self.glu_dim * 2, use_bias=False))
        self.initial_feature_transformer = self._transformer(0)
        self.split_layer = Split(split_dim=decision_dim)

    def _transformer(self, step):
        return FeatureTransformer(
            n_dependent_glus=self.n_dependent_glus,
            shared_glu_fc_layers=self.shared_glu_fc_layers,
            units=self.glu_dim,
            virtual_batch_splits=self.virtual_batch_splits,
            momentum=self.momentum,
            name=f"FeatureTransformer_Step_{step}",
        )

    def build(self, input_shape):
        wide = input_shape[-1]
        self.step_feature_transformers = []
        self.step_attentive_transformers = []
        for step in range(1, self.n_steps + 1):
            self.step_feature_transformers.append(self._transformer(step))
            self.step_attentive_transformers.append(
                AttentiveTransformer(
                    units=wide,
                    n_steps=self.n_steps,
                    epsilon=self.epsilon,
                    lambda_sparse=self.lambda_sparse,
                    virtual_batch_splits=self.virtual_batch_splits,
                    momentum=self.momentum,
                    mask_type=self.mask_type,
                    name=f"AttentiveTransformer_Step_{step}",
                )
            )

    def call(self, inputs, prior=None, training=None):
        total = tf.zeros((tf.shape(inputs)[0], self.decision_dim))
        if prior is None:
            prior = tf.ones_like(inputs)
        x = self.initial_bn(inputs, training=training)
        _, attended = self.split_layer(self.initial_feature_transformer(x, training=training))
        for step in range(self.n_steps):
            attention = self.step_attentive_transformers[step]
            mask = attention(attended, prior=prior, training=training)
            features = self.step_feature_transformers[step]
            found = features(tf.multiply(mask, x), training=training)
            decided, attended = self.split_layer(found)
            total += keras.activations.relu(decided)
            prior = tf.multiply(self.relaxation_factor - mask, prior)
        return total


class TabNetClassifier(keras.Model):
    """The encoder and a dense layer; keeps what it computed."""

    def __init__(self, n_classes, out_activation=None, decision_dim=8, attention_dim=8, **kwargs):
        given = {name: kwargs.pop(name) for name in ("n_steps",) if name in kwargs}
        super().__init__(**kwargs)
        sizes = {"decision_dim": decision_dim, "attention_dim": attention_dim}
        self.tabnet_encoder = TabNetEncoder(**sizes, **given, **kwargs)
        given = {"activation": out_activation, "use_bias": False, "name": "classifier"}
        self.clf = layers.Dense(n_classes, **given)

    def call(self, inputs, training=None):
        self.activations = self.tabnet_encoder(inputs, training=training)
        return self.clf(self.activations)


def _masked(y_true):
    return K.minimum(y_true + 1.0, 1.0)


def msse(y_true, y_pred):
    """Of roots."""
    return K.mean(_masked(y_true) * K.square(K.sqrt(y_pred) - K.sqrt(y_true)), axis=-1)


def gbcost(y_true, y_pred):
    """Of gains of bands."""
    apart = K.square(K.sqrt(y_pred) - K.sqrt(y_true))
    crossed = 0.01 * K.binary_crossentropy(y_pred, y_true)
    return K.mean(_masked(y_true) * (10 * K.square(apart) + apart + crossed), axis=-1)


def rbcost(y_true, y_pred):
    """Of strengths of bands."""
    apart = K.square(K.sqrt(1 - y_pred) - K.sqrt(1 - y_true))
    crossed = 0.01 * K.binary_crossentropy(1 - y_pred, 1 - y_true)
    return K.mean(_masked(y_true) * (apart + crossed), axis=-1)


class WeightClip(keras.constraints.Constraint):
    """Weights in a range; its config has a name that its constructor does not take."""

    def __init__(self, c=2):
        self.c = c

    def __call__(self, p):
        return K.clip(p, -self.c, self.c)

    def get_config(self):
        return {"name": self.__class__.__name__, "c": self.c}


def rmse(y_true, y_pred):
    """The root of squares."""
    return K.sqrt(K.mean(K.square(y_pred - y_true), axis=-1))


def invlog_mape(y_true, y_pred):
    """Shares of what logarithms stand for."""
    y_true, y_pred = K.exp(y_true) - 1, K.exp(y_pred) - 1
    return K.mean(K.abs((y_true - y_pred) / (1.0 + y_true)))


def _places_loss(y_pred, y_true, indices, mask):
    rows, wide, many = tf.shape(y_pred)[0], tf.shape(y_pred)[-1], tf.shape(indices)[1]
    y_pred = tf.reshape(y_pred, (rows, -1, wide))
    length, indices = tf.shape(y_pred)[1], tf.cast(indices, tf.int32)
    first = tf.tile(tf.expand_dims(tf.range(0, rows), 1), (1, many))
    places = tf.reshape(first, [-1]) * length + tf.reshape(indices, [-1])
    y_pred = tf.gather(tf.reshape(y_pred, [-1, wide]), places)
    y_pred = tf.reshape(y_pred, [rows, -1, wide])
    mask = tf.tile(tf.expand_dims(mask, axis=-1), (1, 1, 2))
    return tf.reduce_sum(tf.abs(y_true * mask - y_pred * mask)) / (tf.reduce_sum(mask) + 1e-4)


def center_loss(args):
    """The loss of three maps, as the function of a layer."""
    found, sizes, moved, heat, true_sizes, true_moved, mask, indices = args
    there = tf.cast(tf.equal(heat, 1), tf.float32)
    away = tf.cast(tf.less(heat, 1), tf.float32) * tf.pow(1 - heat, 4)
    yes = -tf.math.log(tf.clip_by_value(found, 1e-6, 1.0)) * tf.pow(1 - found, 2) * there
    no = -tf.math.log(tf.clip_by_value(1 - found, 1e-6, 1.0)) * tf.pow(found, 2) * away
    count, yes, no = tf.reduce_sum(there), tf.reduce_sum(yes), tf.reduce_sum(no)
    loss = tf.cond(tf.greater(count, 0), lambda: (yes + no) / count, lambda: no)
    loss += 0.1 * _places_loss(sizes, true_sizes, indices, mask)
    return loss + _places_loss(moved, true_moved, indices, mask)
