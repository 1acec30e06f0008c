"""Custom objects of models of clicks, users and molecules in `tables.py`; copied as
`customs_18_tables.py` beside the models. Those of molecules are registered and have a config.
"""

from __future__ import annotations

import sys

import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers


def make_mlp_layer(units, activation="relu", normalization="layernorm", sigmoid_units=False):
    """A Sequential model without an input."""
    mlp = keras.models.Sequential()
    for unit in units:
        mlp.add(layers.Dense(unit))
        if normalization == "layernorm":
            mlp.add(layers.LayerNormalization())
        mlp.add(layers.PReLU() if activation == "PReLU" else layers.Activation(activation))
    if sigmoid_units:
        mlp.add(layers.Dense(1, activation="sigmoid"))
    return mlp


class GateNULayer(layers.Layer):
    """Twice a sigmoid."""

    def __init__(self, hidden_unit=16, output_unit=16):
        super().__init__()
        self.gate = keras.models.Sequential()
        self.gate.add(layers.Dense(hidden_unit, activation="relu"))
        self.gate.add(layers.Dense(output_unit, activation="sigmoid"))

    def call(self, inputs, *args, **kwargs):
        return 2 * self.gate(inputs)


class PosoForMMOELayer(layers.Layer):
    """Experts for two tasks, gated by what is known of a user; makes Flatten layers in its call."""

    def __init__(
        self,
        categorical_features=("sdk_type",),
        continuous_features=("clicks",),
        gate_categorical_features=("gate_kind",),
        gate_continuous_features=("gate_age",),
        feature_dims=160,
        embedding_dims=8,
        expert_num=3,
        expert_units=(64, 8),
        gate_units=(64,),
        output_units=(64, 8),
        gate_hidden_dim=16,
    ):
        super().__init__()
        self.categorical_features = categorical_features
        self.continuous_features = continuous_features
        self.gate_categorical_features = gate_categorical_features
        self.gate_continuous_features = gate_continuous_features
        self.embedding_layer = layers.Embedding(feature_dims, embedding_dims)
        self.expert_num = expert_num
        self.expert_model = [make_mlp_layer(units=expert_units) for _ in range(self.expert_num)]
        self.poso_gate = GateNULayer(gate_hidden_dim, expert_num)
        self.ctr_gate = make_mlp_layer(units=[*gate_units, expert_num])
        self.cvr_gate = make_mlp_layer(units=[*gate_units, expert_num], activation="PReLU")
        self.ctr_output = make_mlp_layer(units=output_units, sigmoid_units=True)
        self.cvr_output = make_mlp_layer(units=output_units, sigmoid_units=True)
        self.C = tf.Variable(initial_value=1.0, trainable=True, dtype=tf.float32)

    def joined(self, inputs, kinds, numbers):
        found = self.embedding_layer(tf.concat([inputs[each] for each in kinds], axis=1))
        found = layers.Flatten()(found)
        return tf.concat([found, *(inputs[each] for each in numbers)], axis=1)

    def task(self, x, experts, gate, output):
        gate = tf.expand_dims(tf.nn.softmax(gate(x), axis=-1), axis=2)
        return self.C * output(layers.Flatten()(tf.multiply(experts, gate)))

    def call(self, inputs, *args, **kwargs):
        x = self.joined(inputs, self.categorical_features, self.continuous_features)
        known = (self.gate_categorical_features, self.gate_continuous_features)
        gate = self.poso_gate(self.joined(inputs, *known))
        experts = tf.stack([expert(x) for expert in self.expert_model], axis=1)
        experts = experts * tf.expand_dims(gate, axis=2)
        ctr = self.task(x, experts, self.ctr_gate, self.ctr_output)
        return ctr, self.task(x, experts, self.cvr_gate, self.cvr_output)


class TowerDNN(layers.Layer):
    """Dense layers in a list."""

    def __init__(self, hidden_units, activation="relu", dnn_dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        self.dnn_network = [
            layers.Dense(units=unit, activation=activation) for unit in hidden_units
        ]
        self.dropout = layers.Dropout(dnn_dropout)

    def call(self, inputs, **kwargs):
        x = inputs
        for dnn in self.dnn_network:
            x = dnn(x)
        return self.dropout(x)


class SELayer(layers.Layer):
    """A factor for every feature, by a dense layer that it makes when it is built."""

    def __init__(self, filter_sq=16, **kwargs):
        super().__init__(**kwargs)
        self.filter_sq = filter_sq
        self.ave_pool = layers.GlobalAveragePooling1D()
        self.dense = layers.Dense(filter_sq)
        self.relu = layers.Activation("relu")
        self.sigmoid = layers.Activation("sigmoid")

    def build(self, input_shape):
        self.last = layers.Dense(input_shape[-1])

    def call(self, inputs, training=None, **kwargs):
        found = self.relu(self.dense(self.ave_pool(inputs)))
        found = self.sigmoid(self.last(found))
        return inputs * found[:, tf.newaxis, :]


class SENet(keras.Model):
    """Users and items in two towers."""

    def __init__(
        self,
        user_columns,
        item_columns,
        user_dnn_hidden_units=(64, 32),
        item_dnn_hidden_units=(64, 32),
        dnn_activation="relu",
        l2_reg_embedding=1e-6,
        dnn_dropout=0,
        filter_sq=16,
        gamma=1,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.user_columns = user_columns
        self.item_columns = item_columns
        self.gamma = gamma
        penalty = keras.regularizers.l2(l2_reg_embedding)
        self.user_embed_layers, self.item_embed_layers = (
            {
                "embed_" + str(feat["feat"]): layers.Embedding(
                    input_dim=feat["feat_num"],
                    output_dim=feat["embed_dim"],
                    embeddings_initializer="random_uniform",
                    embeddings_regularizer=penalty,
                )
                for feat in columns
            }
            for columns in (user_columns, item_columns)
        )
        self.user_dnn = TowerDNN(user_dnn_hidden_units, dnn_activation, dnn_dropout)
        self.item_dnn = TowerDNN(item_dnn_hidden_units, dnn_activation, dnn_dropout)
        self.user_se = SELayer(filter_sq=filter_sq)
        self.item_se = SELayer(filter_sq=filter_sq)

    def cosine_similarity(self, one, two):
        one = tf.reshape(one, shape=(-1, one.shape[2]))
        two = tf.reshape(two, shape=(-1, two.shape[2]))
        score = tf.reduce_sum(tf.multiply(one, two), axis=-1)
        score = tf.realdiv(score, tf.norm(one, axis=-1) * tf.norm(two, axis=-1) + 1e-6)
        return tf.clip_by_value(score, -1, 1.0) * self.gamma

    def call(self, inputs, training=None, mask=None):
        users = [each["feat"] for each in self.user_columns]
        items = [each["feat"] for each in self.item_columns]
        user = [self.user_embed_layers[f"embed_{k}"](inputs[k]) for k in users]
        item = [self.item_embed_layers[f"embed_{k}"](inputs[k]) for k in items]
        user_out = self.user_dnn(self.user_se(tf.concat(user, axis=-1)))
        item_out = self.item_dnn(self.item_se(tf.concat(item, axis=-1)))
        score = self.cosine_similarity(item_out, user_out)
        return tf.reshape(tf.sigmoid(score), (-1, 1))


@keras.utils.register_keras_serializable(package="luckgraphs", name="leaky_relu2")
def leaky_relu2(x):
    """With a slope of a tenth."""
    return tf.nn.leaky_relu(x, alpha=0.1)


@keras.utils.register_keras_serializable(package="luckgraphs", name="AttentiveHead")
class AttentiveHead(layers.Layer):
    """Attention over edges; its config comes from the layers that it holds."""

    def __init__(
        self,
        units,
        use_edge_features=False,
        activation="luckgraphs>leaky_relu2",
        activation_context="elu",
        use_bias=True,
        kernel_regularizer=None,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        **kwargs,
    ):
        super().__init__(**kwargs)
        if activation == "luckgraphs>leaky_relu2" and hasattr(keras, "ops"):
            activation = {"class_name": "function", "config": "luckgraphs>leaky_relu2"}
        self.use_edge_features = use_edge_features
        self.units = int(units)
        self.use_bias = use_bias
        given = {"kernel_regularizer": kernel_regularizer, "bias_initializer": bias_initializer}
        given["kernel_initializer"] = kernel_initializer
        self.lay_linear_trafo = layers.Dense(units, use_bias=use_bias, **given)
        self.lay_alpha_activation = layers.Dense(
            units, activation=activation, use_bias=use_bias, **given
        )
        self.lay_alpha = layers.Dense(1, use_bias=False, **given)
        self.lay_last = layers.Activation(activation=activation_context)
        if use_edge_features:
            self.lay_fc1 = layers.Dense(units, activation=activation, use_bias=use_bias, **given)
            self.lay_fc2 = layers.Dense(units, activation=activation, use_bias=use_bias, **given)

    def build(self, input_shape):
        super().build(input_shape)

    def call(self, inputs, **kwargs):
        node, edge, index = inputs
        to = tf.gather(node, index[:, :, 0], batch_dims=1)
        sent = tf.gather(node, index[:, :, 1], batch_dims=1)
        if self.use_edge_features:
            to = self.lay_fc1(to)
            sent = self.lay_fc2(tf.concat([sent, edge], axis=-1))
        found = self.lay_linear_trafo(sent)
        alpha = self.lay_alpha(self.lay_alpha_activation(tf.concat([to, sent], axis=-1)))
        place = tf.one_hot(index[:, :, 0], node.shape[1], dtype=node.dtype)
        weight = place * tf.exp(alpha - tf.reduce_max(alpha, axis=1, keepdims=True))
        weight = weight / (tf.reduce_sum(weight, axis=1, keepdims=True) + 1e-9)
        return self.lay_last(tf.matmul(weight, found, transpose_a=True))

    def get_config(self):
        config = super().get_config()
        config.update({"use_edge_features": self.use_edge_features, "use_bias": self.use_bias})
        config.update({"units": self.units})
        inner = self.lay_alpha_activation.get_config()
        for each in ("kernel_regularizer", "kernel_initializer", "bias_initializer", "activation"):
            if each in inner:
                config.update({each: inner[each]})
        context = self.lay_last.get_config()
        config.update({"activation_context": context["activation"]})
        return config


@keras.utils.register_keras_serializable(package="luckgraphs", name="NodeUpdate")
class NodeUpdate(layers.Layer):
    """A recurrent cell for every node."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.gru = layers.GRUCell(units)

    def build(self, input_shape):
        self.gru.build((None, input_shape[1][-1]))
        super().build(input_shape)

    def call(self, inputs, **kwargs):
        node, update = inputs
        wide, nodes = self.units, node.shape[1]
        found, _ = self.gru(tf.reshape(update, (-1, wide)), [tf.reshape(node, (-1, wide))])
        return tf.reshape(found, (-1, nodes, wide))

    def get_config(self):
        return {**super().get_config(), "units": self.units}
