"""Custom objects of models of tables and graphs in `series.py`; copied as
`customs_17_tables.py` beside the models.
"""

from __future__ import annotations

import sys

import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers

SEP = "_" if hasattr(keras, "ops") else "/"  # Keras 3 wants no slashes in names


class EmbedFields(keras.Model):
    """One table for each field, in a list."""

    def __init__(self, feature_cards, factor_dim, name="embedding"):
        super().__init__(name=name)
        self.embeddings = []
        for i, card in enumerate(feature_cards):
            given = {"input_dim": card, "output_dim": factor_dim, "name": name + SEP + str(i)}
            self.embeddings.append(layers.Embedding(**given))

    def call(self, x):
        found = [embed(x[:, i]) for i, embed in enumerate(self.embeddings)]
        return tf.stack(found, axis=1)


class LinearFields(keras.Model):
    """A number for each field, and a bias."""

    def __init__(self, feature_cards, name="linear"):
        super().__init__(name=name)
        self.linear = EmbedFields(feature_cards, 1, name=name + SEP + "linear")
        self.bias = tf.Variable(tf.zeros((1,)), name="bias")

    def call(self, x, training=False):
        return tf.reduce_sum(self.linear(x), axis=1) + self.bias


class StackedDense(keras.Model):
    """Dense layers with normalization and dropout, in a Sequential model."""

    def __init__(self, units, dropout_rate=0.1, name="fcn"):
        super().__init__(name=name)
        found = []
        for unit in units[:-1]:
            found += [layers.Dense(unit, use_bias=False), layers.BatchNormalization()]
            found += [layers.ReLU(), layers.Dropout(dropout_rate)]
        self.layers_of = keras.Sequential([*found, layers.Dense(units[-1])])

    def call(self, x, training=False):
        return self.layers_of(x, training=training)


class CompressedInteraction(keras.Model):
    """Outer products with the first factors, compressed by convolutions; half goes on."""

    def __init__(self, cin_hidden_sizes, split=True, name="cin"):
        super().__init__(name=name)
        self.num_layers = len(cin_hidden_sizes)
        self.split = split
        given = {"kernel_size": 1, "activation": "relu", "data_format": "channels_last"}
        self.conv_layers = [
            layers.Conv1D(filters=size, name=f"{name}{SEP}conv{i}", **given)
            for i, size in enumerate(cin_hidden_sizes)
        ]
        self.concat = layers.Concatenate(axis=1)
        self.fc = layers.Dense(1)

    def call(self, x, training=False):
        fields, dim = x.shape[1], x.shape[2]
        x0, h, states = tf.expand_dims(x, 2), x, []
        for i in range(self.num_layers):
            x = tf.multiply(x0, tf.expand_dims(h, 1))
            x = tf.reshape(x, shape=(-1, fields * h.shape[1], dim))
            x = self.conv_layers[i](tf.transpose(x, perm=[0, 2, 1]))
            h = x = tf.transpose(x, perm=[0, 2, 1])
            if self.split and i != self.num_layers - 1:
                x, h = tf.split(x, 2, axis=1)
            states.append(x)
        return self.fc(tf.reduce_sum(self.concat(states), axis=2))


class ExtremeFactors(keras.Model):
    """xDeepFM, whose parts are models with names under its own."""

    def __init__(self, feature_cards, factor_dim, fnn_sizes, cin_sizes, name="xdeepfm"):
        super().__init__(name=name)
        self.linear = LinearFields(feature_cards, name=name + SEP + "linear_model")
        self.embedding = EmbedFields(feature_cards, factor_dim, name=name + SEP + "embedding")
        self.flatten = layers.Flatten(data_format="channels_first")
        self.nn = StackedDense(units=fnn_sizes, dropout_rate=0.1, name=name + SEP + "fcn")
        self.cin = CompressedInteraction(cin_sizes, True, name=name + SEP + "cin")

    def call(self, x, training=False):
        factors = self.embedding(x)
        found = self.linear(x, training=training) + self.nn(
            self.flatten(factors), training=training
        )
        return found + self.cin(factors, training=training)


class PassengerClassifier(keras.Model):
    """Frozen columns of words and columns of numbers, which it is given."""

    def __init__(self, feature_embedding, numeric_feature, embedding_trainable=False):
        super().__init__()
        self.feature_embedding = feature_embedding
        self.feature_embedding.trainable = embedding_trainable
        self.numeric_feature = numeric_feature
        given = [layers.BatchNormalization(), layers.Dense(units=1, activation="sigmoid")]
        self.classifier = keras.Sequential(given)

    def call(self, x, training=True):
        feature = tf.concat([self.numeric_feature(x), self.feature_embedding(x)], axis=-1)
        return self.classifier(feature, training=training)


class EdgeNetwork(keras.Model):
    """A matrix from each edge, for the state of a node."""

    def __init__(self, state_dim, name="edgenetwork"):
        super().__init__(name=name)
        self.state_dim = state_dim
        self.nn = layers.Dense(units=state_dim**2, activation=tf.nn.relu)

    def call(self, states, edges):
        matrices = tf.reshape(self.nn(edges), [-1, self.state_dim, self.state_dim])
        found = tf.matmul(matrices, tf.reshape(states, [-1, self.state_dim, 1]))
        return tf.reshape(found, [-1, edges.shape[1], self.state_dim])


class Aggregation(keras.Model):
    """A sum or a mean."""

    def __init__(self, method="sum", axis=2, name="aggregation"):
        assert method in ["sum", "mean"], "Unsupported aggregation method"
        super().__init__(name=name)
        self.method = method
        self.axis = axis

    def call(self, x):
        reduce = tf.reduce_sum if self.method == "sum" else tf.reduce_mean
        return reduce(x, self.axis)


class StateUpdate(keras.Model):
    """A recurrent layer over what a node was and what it heard."""

    def __init__(self, state_dim, name="message_update"):
        super().__init__(name=name)
        self.state_dim = state_dim
        self.concat = layers.Concatenate(axis=1)
        self.gru = layers.GRU(units=state_dim)

    def call(self, states, messages):
        nodes = states.shape[1]
        states = tf.reshape(states, [-1, 1, self.state_dim])
        messages = tf.reshape(messages, [-1, 1, self.state_dim])
        return tf.reshape(self.gru(self.concat([states, messages])), [-1, nodes, self.state_dim])


class MessagePassing(keras.Model):
    """One step, which is called several times."""

    def __init__(self, state_dim, name="message_passing"):
        super().__init__(name=name)
        self.state_dim = state_dim
        self.message_function = EdgeNetwork(state_dim=state_dim, name="message_func")
        self.message_aggregation = Aggregation(name="message_agg")
        self.update_function = StateUpdate(state_dim=state_dim, name="state_update")

    def call(self, states, edges, masks, training=False):
        nodes = states.shape[1]
        found = self.message_function(tf.tile(states, [1, nodes, 1]), edges)
        found = tf.multiply(found, tf.reshape(masks, [-1, nodes**2, 1]))
        found = tf.reshape(found, [-1, nodes, nodes, self.state_dim])
        return self.update_function(states, self.message_aggregation(found))


class ReadoutGraph(keras.Model):
    """Dense layers of what an own model gathers, which it is given."""

    def __init__(self, hidden_sizes, num_outputs, agg_function, name="readout_graph"):
        super().__init__(name=name)
        self.agg_function = agg_function
        self.hidden_layers = keras.Sequential(
            [layers.Dense(units=size, activation="relu") for size in hidden_sizes]
        )
        self.last_linear = layers.Dense(units=num_outputs, name="last_linear")

    def call(self, states, masks, training=False):
        masked = tf.multiply(states, tf.reshape(masks, [-1, states.shape[1], 1]))
        return self.last_linear(self.hidden_layers(self.agg_function(masked)))


class MPNN(keras.Model):
    """Messages between nodes, then a number for each graph."""

    def __init__(self, hidden_sizes, num_outputs, state_dim, update_steps, name="mpnn"):
        super().__init__(name=name)
        self.update_steps = int(update_steps)
        self.node_embedding = layers.Dense(units=state_dim, activation="relu")
        self.message_passing = MessagePassing(state_dim=state_dim)
        self.readout_func = ReadoutGraph(hidden_sizes, num_outputs, Aggregation("sum", 1))

    def call(self, inputs, training=False):
        nodes, edges, node_masks, edge_masks = inputs
        states = self.node_embedding(nodes)
        for _ in range(self.update_steps):
            states = self.message_passing(states, edges, edge_masks, training=training)
        return self.readout_func(states, node_masks, training=training)


@keras.utils.register_keras_serializable(package="fairgraphs", name="GINConv")
class GINConv(layers.Layer):
    """A node and its neighbours, weighed by a number that may be learned."""

    def __init__(self, pooling_method="sum", epsilon_learnable=False, **kwargs):
        super().__init__(**kwargs)
        self.pooling_method = pooling_method
        self.epsilon_learnable = epsilon_learnable
        given = {"initializer": "zeros", "trainable": epsilon_learnable}
        self.eps_k = self.add_weight(name="epsilon_k", shape=(), **given)

    def call(self, inputs, **kwargs):
        node, edges = inputs
        sent = tf.gather(node, edges[:, :, 1], batch_dims=1)
        to = tf.one_hot(edges[:, :, 0], node.shape[1], dtype=node.dtype)
        return (1 + self.eps_k) * node + tf.matmul(to, sent, transpose_a=True)

    def get_config(self):
        config = super().get_config()
        config.update(
            {"pooling_method": self.pooling_method, "epsilon_learnable": self.epsilon_learnable}
        )
        return config


@keras.utils.register_keras_serializable(package="fairgraphs", name="GraphMLP")
class GraphMLP(layers.Layer):
    """Dense layers and normalizations by lists of arguments."""

    def __init__(self, units, use_bias=True, activation=None, use_normalization=False, **kwargs):
        super().__init__(**kwargs)
        self.conf = {
            "units": list(units),
            "use_bias": use_bias,
            "activation": list(activation),
            "use_normalization": use_normalization,
        }
        self.mlp_dense_layer_list = [layers.Dense(unit, use_bias=use_bias) for unit in units]
        self.mlp_norm_layer_list = [
            layers.BatchNormalization() if use_normalization else None for _ in units
        ]
        self.mlp_act_layer_list = [layers.Activation(each) for each in activation]

    def call(self, inputs, training=None, **kwargs):
        x = inputs
        for i, dense in enumerate(self.mlp_dense_layer_list):
            x = dense(x)
            if self.conf["use_normalization"]:
                x = self.mlp_norm_layer_list[i](x, training=training)
            x = self.mlp_act_layer_list[i](x)
        return x

    def get_config(self):
        config = super().get_config()
        config.update(self.conf)
        return config


@keras.utils.register_keras_serializable(package="fairgraphs", name="PoolingNodes")
class PoolingNodes(layers.Layer):
    """All nodes of a graph."""

    def __init__(self, pooling_method="sum", **kwargs):
        super().__init__(**kwargs)
        self.pooling_method = pooling_method

    def call(self, inputs, **kwargs):
        reduce = tf.reduce_sum if self.pooling_method == "sum" else tf.reduce_mean
        return reduce(inputs, axis=1)

    def get_config(self):
        return {**super().get_config(), "pooling_method": self.pooling_method}
