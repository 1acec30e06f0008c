"""Custom objects of a network of dilated series, and of radial functions, in `series.py`."""

from __future__ import annotations

import sys

import tensorflow as tf
from customs_22 import DilatedBlock

keras = sys.modules["__main__"].keras
layers = keras.layers
K = keras.backend


class TCN(layers.Layer):
    """Blocks that `build` makes and builds, and a Lambda that reads an attribute."""

    def __init__(
        self,
        nb_filters=64,
        kernel_size=3,
        nb_stacks=1,
        dilations=(1, 2, 4, 8, 16, 32),
        padding="causal",
        use_skip_connections=True,
        dropout_rate=0.0,
        return_sequences=False,
        activation="relu",
        kernel_initializer="he_normal",
        use_batch_norm=False,
        use_layer_norm=False,
        go_backwards=False,
        return_state=False,
        **kwargs,
    ):
        self.stateful = False
        self.return_sequences = return_sequences
        self.dropout_rate = dropout_rate
        self.use_skip_connections = use_skip_connections
        self.dilations = dilations
        self.nb_stacks = nb_stacks
        self.kernel_size = kernel_size
        self.nb_filters = nb_filters
        self.activation_name = activation
        self.padding = padding
        self.kernel_initializer = kernel_initializer
        self.use_batch_norm = use_batch_norm
        self.use_layer_norm = use_layer_norm
        self.go_backwards = go_backwards
        self.return_state = return_state
        self.skip_connections = []
        self.residual_blocks = []
        self.layers_outputs = []
        self.build_output_shape = None
        self.slicer_layer = None
        self.output_slice_index = None
        self.padding_same_and_time_dim_unknown = False
        if self.use_batch_norm + self.use_layer_norm > 1:
            raise ValueError("Only one normalization can be specified at once.")
        if isinstance(self.nb_filters, list):
            assert len(self.nb_filters) == len(self.dilations)
            if len(set(self.nb_filters)) > 1 and self.use_skip_connections:
                raise ValueError("Skip connections are not compatible with a list of filters.")
        if padding not in {"causal", "same"}:
            raise ValueError("Only 'causal' or 'same' padding are compatible for this layer.")
        super().__init__(**kwargs)

    @property
    def receptive_field(self):
        return 1 + 2 * (self.kernel_size - 1) * self.nb_stacks * sum(self.dilations)

    def tolist(self, shape):
        try:
            return shape.as_list()
        except AttributeError:
            return shape

    def build(self, input_shape):
        self.build_output_shape = input_shape
        self.residual_blocks = []
        total_num_blocks = self.nb_stacks * len(self.dilations)
        if not self.use_skip_connections:
            total_num_blocks += 1
        for _ in range(self.nb_stacks):
            for i, d in enumerate(self.dilations):
                is_list = isinstance(self.nb_filters, list)
                res_block_filters = self.nb_filters[i] if is_list else self.nb_filters
                self.residual_blocks.append(
                    DilatedBlock(
                        dilation_rate=d,
                        nb_filters=res_block_filters,
                        kernel_size=self.kernel_size,
                        padding=self.padding,
                        activation=self.activation_name,
                        dropout_rate=self.dropout_rate,
                        use_batch_norm=self.use_batch_norm,
                        use_layer_norm=self.use_layer_norm,
                        kernel_initializer=self.kernel_initializer,
                        name=f"residual_block_{len(self.residual_blocks)}",
                    )
                )
                self.residual_blocks[-1].build(self.build_output_shape)
                self.build_output_shape = self.residual_blocks[-1].res_output_shape
        for layer in self.residual_blocks:
            self.__setattr__(layer.name, layer)
        self.output_slice_index = None
        if self.padding == "same":
            time = self.tolist(self.build_output_shape)[1]
            if time is not None:
                self.output_slice_index = int(self.tolist(self.build_output_shape)[1] / 2)
            else:
                self.padding_same_and_time_dim_unknown = True
        else:
            self.output_slice_index = -1
        self.slicer_layer = layers.Lambda(
            lambda tt: tt[:, self.output_slice_index, :], name="Slice_Output"
        )
        self.slicer_layer.build(self.tolist(self.build_output_shape))

    def compute_output_shape(self, input_shape):
        if not self.built:
            self.build(input_shape)
        if not self.return_sequences:
            batch_size = self.build_output_shape[0]
            batch_size = batch_size.value if hasattr(batch_size, "value") else batch_size
            nb_filters = self.build_output_shape[-1]
            return [batch_size, nb_filters]
        return [v.value if hasattr(v, "value") else v for v in self.build_output_shape]

    def call(self, inputs, training=None, **kwargs):
        x = inputs
        if self.go_backwards:
            x = tf.reverse(x, axis=[1])
        self.layers_outputs = [x]
        self.skip_connections = []
        for res_block in self.residual_blocks:
            try:
                x, skip_out = res_block(x, training=training)
            except TypeError:
                x, skip_out = res_block(K.cast(x, "float32"), training=training)
            self.skip_connections.append(skip_out)
            self.layers_outputs.append(x)
        if self.use_skip_connections:
            if len(self.skip_connections) > 1:
                x = layers.add(self.skip_connections, name="Add_Skip_Connections")
            else:
                x = self.skip_connections[0]
            self.layers_outputs.append(x)
        if not self.return_sequences:
            if self.padding_same_and_time_dim_unknown:
                self.output_slice_index = K.shape(self.layers_outputs[-1])[1] // 2
            x = self.slicer_layer(x)
            self.layers_outputs.append(x)
        return x

    def get_config(self):
        config = super().get_config()
        config["nb_filters"] = self.nb_filters
        config["kernel_size"] = self.kernel_size
        config["nb_stacks"] = self.nb_stacks
        config["dilations"] = self.dilations
        config["padding"] = self.padding
        config["use_skip_connections"] = self.use_skip_connections
        config["dropout_rate"] = self.dropout_rate
        config["return_sequences"] = self.return_sequences
        config["activation"] = self.activation_name
        config["use_batch_norm"] = self.use_batch_norm
        config["use_layer_norm"] = self.use_layer_norm
        config["kernel_initializer"] = self.kernel_initializer
        config["go_backwards"] = self.go_backwards
        config["return_state"] = self.return_state
        return config


class RadialLayer(layers.Layer):
    """Radial functions around centres; no config of its own."""

    def __init__(self, units, gamma, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.gamma = K.cast_to_floatx(gamma)

    def build(self, input_shape):
        self.mu = self.add_weight(
            name="mu",
            shape=(int(input_shape[1]), self.units),
            initializer="uniform",
            trainable=True,
        )
        super().build(input_shape)

    def call(self, inputs):
        diff = K.expand_dims(inputs, axis=-1) - self.mu
        l2 = K.sum(K.pow(diff, 2), axis=1)
        return K.exp(-1 * self.gamma * l2)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.units)
