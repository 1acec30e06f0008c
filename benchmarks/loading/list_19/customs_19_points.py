"""Custom objects of models of points, paths, pages and pixels in `tables.py` and `images.py`;
copied as `customs_19_points.py` beside the models.
"""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf

keras = sys.modules["__main__"].keras
layers, K = keras.layers, keras.backend
ops = getattr(keras, "ops", None)


class PointPenalty(keras.regularizers.Regularizer):
    """How far a matrix is from a turn; no config."""

    def __init__(self, num_features, weight=1e-3):
        self.num_features = num_features
        self.weight = weight

    def __call__(self, x):
        x = ops.reshape(x, (-1, self.num_features, self.num_features))
        x_xt = ops.matmul(x, ops.transpose(x, axes=[0, 2, 1]))
        return self.weight * ops.sum((ops.eye(self.num_features) - x_xt) ** 2)


class PointShared(layers.Layer):
    """A convolution that `build` makes, which is not built there."""

    def __init__(self, filters, bn_momentum=0.99, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.bn_momentum = bn_momentum

    def build(self, batch_input_shape):
        self.conv = layers.Conv1D(self.filters, kernel_size=1, input_shape=batch_input_shape)
        self.bn = layers.BatchNormalization(momentum=self.bn_momentum)
        self.activation = layers.ReLU()

    def call(self, x, training=None):
        return self.activation(self.bn(self.conv(x), training=training))

    def get_config(self):
        config = super().get_config()
        config.update({"filters": self.filters, "bn_momentum": self.bn_momentum})
        return config

    @classmethod
    def from_config(cls, config):
        return cls(**config)


class PointDense(layers.Layer):
    """The same for a dense layer."""

    def __init__(self, units, bn_momentum=0.99, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.bn_momentum = bn_momentum

    def build(self, batch_input_shape):
        self.dense = layers.Dense(self.units, input_shape=batch_input_shape)
        self.bn = layers.BatchNormalization(momentum=self.bn_momentum)
        self.activation = layers.ReLU()

    def call(self, x, training=None):
        return self.activation(self.bn(self.dense(x), training=training))

    def get_config(self):
        config = super().get_config()
        config.update({"units": self.units, "bn_momentum": self.bn_momentum})
        return config

    @classmethod
    def from_config(cls, config):
        return cls(**config)


class PointTransform(layers.Layer):
    """Turns points by a matrix of theirs; makes such layers in `build`, returns no config."""

    def __init__(self, regularization=False, bn_momentum=0.99, **kwargs):
        super().__init__(**kwargs)
        self.regularization = regularization
        self.bn_momentum = bn_momentum

    def build(self, input_shape):
        self.num_features = input_shape[-1]
        self.shared_mlp_1 = PointShared(5, bn_momentum=self.bn_momentum)
        self.shared_mlp_2 = PointShared(7, bn_momentum=self.bn_momentum)
        self.max_pool = layers.GlobalMaxPooling1D()
        self.mlp_1 = PointDense(6, bn_momentum=self.bn_momentum)
        reg = PointPenalty(self.num_features) if self.regularization else None
        eye = keras.initializers.Constant(np.eye(self.num_features).flatten())
        given = {"kernel_initializer": "zeros", "bias_initializer": eye}
        self.transform = layers.Dense(self.num_features**2, activity_regularizer=reg, **given)

    def call(self, x, training=None):
        input_x = x
        x = self.shared_mlp_2(self.shared_mlp_1(x, training=training), training=training)
        x = self.transform(self.mlp_1(self.max_pool(x), training=training))
        x = ops.reshape(x, (-1, self.num_features, self.num_features))
        return ops.matmul(input_x, x)

    def get_config(self):
        config = super().get_config()
        config.update({"bn_momentum": self.bn_momentum})

    @classmethod
    def from_config(cls, config):
        return cls(**config)


class PointClassifier(keras.Model):
    """What points are, by such layers."""

    def __init__(self, num_classes: int = 4, bn_momentum: float = 0.99, **kwargs):
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.bn_momentum = bn_momentum
        given = {"bn_momentum": self.bn_momentum}
        self.input_transform = PointTransform(name="input_transform", **given)
        self.shared_mlp_1 = PointShared(5, name="shared_mlp_1_64", **given)
        feature = {"regularization": True, "name": "feature_transform", **given}
        self.feature_transform = PointTransform(**feature)
        self.shared_mlp_3 = PointShared(6, name="shared_mlp_3_64", **given)
        self.max_pool = layers.GlobalMaxPooling1D()
        self.mlp_1 = PointDense(6, name="mlp_1_512", **given)
        self.dropout_1 = layers.Dropout(rate=0.3)
        name = "output_scores"
        self.output_scores = layers.Dense(self.num_classes, activation="softmax", name=name)

    def call(self, input_points, training=None):
        x = self.input_transform(input_points, training=training)
        x = self.shared_mlp_1(x, training=training)
        x = self.feature_transform(x, training=training)
        x = self.max_pool(self.shared_mlp_3(x, training=training))
        x = self.dropout_1(self.mlp_1(x, training=training), training=training)
        return self.output_scores(x)


class Squeezed(layers.Layer):
    """Takes an axis away; its constructor takes no name."""

    def __init__(self, axis=None):
        self.axis = axis
        super().__init__()

    def build(self, input_shape):
        pass

    def call(self, inputs, **kwargs):
        return tf.squeeze(inputs, self.axis)

    def get_config(self):
        config = {"axis": self.axis}
        base_config = super().get_config()
        return dict(list(base_config.items()) + list(config.items()))

    def compute_output_shape(self, input_shape):
        return input_shape[:-1]


class Widened(layers.Layer):
    """Adds an axis; its constructor takes no name."""

    def __init__(self, axis):
        self.axis = axis
        super().__init__()

    def build(self, input_shape):
        pass

    def call(self, inputs, **kwargs):
        return tf.expand_dims(inputs, self.axis)

    def get_config(self):
        config = {"axis": self.axis}
        base_config = super().get_config()
        return dict(list(base_config.items()) + list(config.items()))

    def compute_output_shape(self, input_shape):
        return input_shape[:-1]


class Embedding2D(layers.Layer):
    """A table of matrices, with a whole config."""

    def __init__(
        self,
        input_dim,
        output_width,
        output_height,
        embeddings_initializer="uniform",
        embeddings_regularizer=None,
        embeddings_constraint=None,
        **kwargs,
    ):
        dtype = kwargs.pop("dtype", K.floatx())
        super().__init__(dtype=dtype, **kwargs)
        self.input_dim = input_dim
        self.output_width = output_width
        self.output_height = output_height
        self.embeddings_initializer = keras.initializers.get(embeddings_initializer)
        self.embeddings_regularizer = keras.regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = keras.constraints.get(embeddings_constraint)

    def build(self, input_shape):
        self.embeddings = self.add_weight(
            shape=(self.input_dim, self.output_width, self.output_height),
            initializer=self.embeddings_initializer,
            regularizer=self.embeddings_regularizer,
            constraint=self.embeddings_constraint,
            name="embeddings2d",
        )

    def call(self, inputs, **kwargs):
        return tf.nn.embedding_lookup(self.embeddings, inputs)

    def get_config(self):
        penalty, limit = self.embeddings_regularizer, self.embeddings_constraint
        config = {
            "input_dim": self.input_dim,
            "output_width": self.output_width,
            "output_height": self.output_height,
            "embeddings_initializer": keras.initializers.serialize(self.embeddings_initializer),
            "embeddings_regularizer": keras.regularizers.serialize(penalty),
            "embeddings_constraint": keras.constraints.serialize(limit),
        }
        base_config = super().get_config()
        return dict(list(base_config.items()) + list(config.items()))


def clicked_precision(y_true, y_pred):
    """How many of the chosen are relevant."""
    both = K.sum(K.round(K.clip(y_true * y_pred, 0, 1)))
    return both / (K.sum(K.round(K.clip(y_pred, 0, 1))) + K.epsilon())


def clicked_recall(y_true, y_pred):
    """How many of the relevant are chosen."""
    both = K.sum(K.round(K.clip(y_true * y_pred, 0, 1)))
    return both / (K.sum(K.round(K.clip(y_true, 0, 1))) + K.epsilon())


@keras.utils.register_keras_serializable(package="zero2neuro")
def elup1(x):
    """An ELU that is positive."""
    return (ops.elu(x) if ops else tf.nn.elu(x)) + 1.0


class ParametrisedCompatibility(layers.Layer):
    """Scores of places by the sum with a vector; its penalty is in no config."""

    def __init__(self, kernel_regularizer=None, **kwargs):
        super().__init__(**kwargs)
        self.regularizer = kernel_regularizer

    def build(self, input_shape):
        given = {"initializer": "uniform", "regularizer": self.regularizer, "trainable": True}
        self.u = self.add_weight(name="u", shape=(input_shape[0][3], 1), **given)
        super().build(input_shape)

    def call(self, x):
        return K.dot(K.map_fn(lambda lam: lam[0] + lam[1], elems=(x), dtype="float32"), self.u)

    def compute_output_shape(self, input_shape):
        return (input_shape[0][0], input_shape[0][1], input_shape[0][2])


def summed_places(name):
    """Features by what is attended to."""
    return layers.Lambda(
        lambda lam: K.squeeze(K.batch_dot(K.expand_dims(lam[0], 1), lam[1]), 1), name=name
    )


def proposal_regression(y_true, y_pred):
    """A smooth distance where there is text."""
    cls, regr = y_true[0, :, 0], y_true[0, :, 1:3]
    kept = tf.compat.v1.where(K.equal(cls, 1))[:, 0]
    diff = tf.abs(tf.gather(regr, kept) - tf.gather(y_pred[0], kept))
    less_one = tf.cast(tf.less(diff, 1.0 / 9.0), "float32")
    loss = less_one * 0.5 * diff**2 * 9.0 + tf.abs(1 - less_one) * (diff - 0.5 / 9.0)
    loss = K.sum(loss, axis=1)
    return K.switch(tf.size(input=loss) > 0, K.mean(loss), K.constant(0.0))


def proposal_classes(y_true, y_pred):
    """What is text, where it is known."""
    y_true = y_true[0][0]
    kept = tf.compat.v1.where(tf.not_equal(y_true, -1))[:, 0]
    labels = tf.cast(tf.gather(y_true, kept), "int64")
    found = tf.gather(y_pred[0], kept)
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=found)
    return K.switch(tf.size(input=loss) > 0, K.clip(K.mean(loss), 0, 10), K.constant(0.0))


def rows_first(x):
    """Rows of a photo as examples."""
    b = tf.shape(input=x)
    return tf.reshape(x, [b[0] * b[1], b[2], b[3]])


def rows_back(x):
    """Examples as rows of a photo again."""
    x1, x2 = x
    b = tf.shape(input=x2)
    return tf.reshape(x1, [b[0], b[1], b[2], 8])


def anchors_last(x):
    """Two numbers for each anchor."""
    b = tf.shape(input=x)
    return tf.reshape(x, [b[0], b[1] * b[2] * 3, 2])


def pooled_dice(y_true, y_pred):
    """Twice what two masks share, of both."""
    both = K.sum(K.flatten(y_true) * K.flatten(y_pred))
    return (2.0 * both + 1.0) / (K.sum(K.flatten(y_true)) + K.sum(K.flatten(y_pred)) + 1.0)


def pooled_dice_loss(y_true, y_pred):
    """What is missing."""
    return 1.0 - pooled_dice(y_true, y_pred)
