"""Custom objects of models of series in `series.py`; copied beside the models."""

from __future__ import annotations

import inspect
import sys

import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers
initializers = keras.initializers
regularizers = keras.regularizers
constraints = keras.constraints
K = keras.backend


class PreSkipTrans(layers.Layer):
    """Every few steps of a series as rows of the batch."""

    def __init__(self, pt, skip, **kwargs):
        self.pt = pt
        self.skip = skip
        super().__init__(**kwargs)

    def build(self, input_shape):
        super().build(input_shape)

    def call(self, inputs):
        x = inputs
        batchsize = tf.shape(x)[0]
        input_shape = K.int_shape(x)
        output = x[:, -self.pt * self.skip :, :]
        output = tf.reshape(output, [batchsize, self.pt, self.skip, input_shape[2]])
        output = tf.transpose(output, perm=[0, 2, 1, 3])
        output = tf.reshape(output, [batchsize * self.skip, self.pt, input_shape[2]])
        tf.TensorShape([None]).concatenate(output.get_shape()[1:])
        return output

    def compute_output_shape(self, input_shape):
        shape = tf.TensorShape(input_shape).as_list()
        shape[1] = self.pt
        return tf.TensorShape(shape)

    def get_config(self):
        config = {"pt": self.pt, "skip": self.skip}
        base_config = super().get_config()
        return dict(list(base_config.items()) + list(config.items()))

    @classmethod
    def from_config(cls, config):
        return cls(**config)


class PostSkipTrans(layers.Layer):
    """The rows of the batch put together again; its shapes name what TensorFlow has not."""

    def __init__(self, skip, **kwargs):
        self.skip = skip
        super().__init__(**kwargs)

    def build(self, input_shape):
        super().build(input_shape)

    def call(self, inputs):
        x, original_model_input = inputs
        batchsize = tf.shape(original_model_input)[0]
        input_shape = K.int_shape(x)
        output = tf.reshape(x, [batchsize, self.skip, input_shape[1]])
        return tf.reshape(output, [batchsize, self.skip * input_shape[1]])

    def compute_output_shape(self, input_shape):
        shape = tf.TensorShape(input_shape).as_list()
        shape[1] = self.skip * shape[1]
        return tf.TransformShape(shape)

    def get_config(self):
        config = {"skip": self.skip}
        base_config = super().get_config()
        return dict(list(base_config.items()) + list(config.items()))

    @classmethod
    def from_config(cls, config):
        return cls(**config)


class PreARTrans(layers.Layer):
    """The last steps of each series as rows of the batch."""

    def __init__(self, hw, **kwargs):
        self.hw = hw
        super().__init__(**kwargs)

    def build(self, input_shape):
        super().build(input_shape)

    def call(self, inputs):
        x = inputs
        batchsize = tf.shape(x)[0]
        input_shape = K.int_shape(x)
        output = tf.transpose(x[:, -self.hw :, :], perm=[0, 2, 1])
        return tf.reshape(output, [batchsize * input_shape[2], self.hw])

    def compute_output_shape(self, input_shape):
        shape = tf.TensorShape(input_shape).as_list()
        shape[1] = self.hw
        return tf.TensorShape(shape)

    def get_config(self):
        config = {"hw": self.hw}
        base_config = super().get_config()
        return dict(list(base_config.items()) + list(config.items()))

    @classmethod
    def from_config(cls, config):
        return cls(**config)


class PostARTrans(layers.Layer):
    """One value of each series of the batch."""

    def __init__(self, m, **kwargs):
        self.m = m
        super().__init__(**kwargs)

    def build(self, input_shape):
        super().build(input_shape)

    def call(self, inputs):
        x, original_model_input = inputs
        batchsize = tf.shape(original_model_input)[0]
        return tf.reshape(x, [batchsize, self.m])

    def compute_output_shape(self, input_shape):
        shape = tf.TensorShape(input_shape).as_list()
        shape[1] = self.m
        return tf.TensorShape(shape)

    def get_config(self):
        config = {"m": self.m}
        base_config = super().get_config()
        return dict(list(base_config.items()) + list(config.items()))

    @classmethod
    def from_config(cls, config):
        return cls(**config)


class TimedAttention(layers.Layer):
    """Attention over steps, whose base gets none of its arguments."""

    def __init__(
        self,
        step_dim,
        attention_dropout_rate,
        W_regularizer=None,
        b_regularizer=None,
        W_constraint=None,
        b_constraint=None,
        bias=True,
        **kwargs,
    ):
        super().__init__()
        self.supports_masking = True
        self.init = initializers.get("glorot_uniform")
        self.W_regularizer = regularizers.get(W_regularizer)
        self.b_regularizer = regularizers.get(b_regularizer)
        self.W_constraint = constraints.get(W_constraint)
        self.b_constraint = constraints.get(b_constraint)
        self.bias = bias
        self.step_dim = step_dim
        self.features_dim = 0
        self.dropout = layers.Dropout(attention_dropout_rate)

    def build(self, input_shape):
        assert len(input_shape) == 3
        self.W = self.add_weight(
            shape=(input_shape[-1],),
            initializer=self.init,
            name=f"{self.name}_W",
            regularizer=self.W_regularizer,
            constraint=self.W_constraint,
        )
        self.features_dim = input_shape[-1]
        if self.bias:
            self.b = self.add_weight(
                shape=(input_shape[1],),
                initializer="zero",
                name=f"{self.name}_b",
                regularizer=self.b_regularizer,
                constraint=self.b_constraint,
            )
        else:
            self.b = None
        self.built = True

    def compute_mask(self, input, input_mask=None):
        return None

    def call(self, x, mask=None):
        features_dim = self.features_dim
        step_dim = self.step_dim
        eij = K.dot(K.reshape(x, (-1, features_dim)), K.reshape(self.W, (features_dim, 1)))
        eij = K.reshape(eij, (-1, step_dim))
        if self.bias:
            eij += self.b
        a = K.exp(K.tanh(eij))
        if mask is not None:
            a *= K.cast(mask, K.floatx())
        a /= K.cast(K.sum(a, axis=1, keepdims=True) + K.epsilon(), K.floatx())
        a = self.dropout(a)
        a = K.expand_dims(a)
        return K.sum(x * a, axis=1)

    def compute_output_shape(self, input_shape):
        return input_shape[0], self.features_dim


class DilatedBlock(layers.Layer):
    """Two dilated convolutions; each layer is also an attribute of its own name."""

    def __init__(
        self,
        dilation_rate: int,
        nb_filters: int,
        kernel_size: int,
        padding: str,
        activation: str = "relu",
        dropout_rate: float = 0,
        kernel_initializer: str = "he_normal",
        use_batch_norm: bool = False,
        use_layer_norm: bool = False,
        **kwargs,
    ):
        self.dilation_rate = dilation_rate
        self.nb_filters = nb_filters
        self.kernel_size = kernel_size
        self.padding = padding
        self.activation = activation
        self.dropout_rate = dropout_rate
        self.use_batch_norm = use_batch_norm
        self.use_layer_norm = use_layer_norm
        self.kernel_initializer = kernel_initializer
        self.layers = []
        self.shape_match_conv = None
        self.res_output_shape = None
        self.final_activation = None
        self.batch_norm_layers = []
        self.layer_norm_layers = []
        super().__init__(**kwargs)

    def _build_layer(self, layer):
        self.layers.append(layer)
        self.layers[-1].build(self.res_output_shape)
        self.res_output_shape = self.layers[-1].compute_output_shape(self.res_output_shape)

    def build(self, input_shape):
        with K.name_scope(self.name):
            self.layers = []
            self.res_output_shape = input_shape
            for k in range(2):
                name = f"conv1D_{k}"
                with K.name_scope(name):
                    conv = layers.Conv1D(
                        filters=self.nb_filters,
                        kernel_size=self.kernel_size,
                        dilation_rate=self.dilation_rate,
                        padding=self.padding,
                        name=name,
                        kernel_initializer=self.kernel_initializer,
                    )
                    self._build_layer(conv)
                with K.name_scope(f"norm_{k}"):
                    if self.use_batch_norm:
                        bn_layer = layers.BatchNormalization()
                        self.batch_norm_layers.append(bn_layer)
                        self._build_layer(bn_layer)
                    elif self.use_layer_norm:
                        ln_layer = layers.LayerNormalization()
                        self.layer_norm_layers.append(ln_layer)
                        self._build_layer(ln_layer)
                with K.name_scope(f"act_and_dropout_{k}"):
                    self._build_layer(layers.Activation(self.activation, name=f"Act_Conv1D_{k}"))
                    self._build_layer(
                        layers.SpatialDropout1D(rate=self.dropout_rate, name=f"SDropout_{k}")
                    )
            if self.nb_filters != input_shape[-1]:
                name = "matching_conv1D"
                with K.name_scope(name):
                    self.shape_match_conv = layers.Conv1D(
                        filters=self.nb_filters,
                        kernel_size=1,
                        padding="same",
                        name=name,
                        kernel_initializer=self.kernel_initializer,
                    )
            else:
                name = "matching_identity"
                self.shape_match_conv = layers.Lambda(lambda x: x, name=name)
            with K.name_scope(name):
                self.shape_match_conv.build(input_shape)
                self.res_output_shape = self.shape_match_conv.compute_output_shape(input_shape)
            self._build_layer(layers.Activation(self.activation, name="Act_Conv_Blocks"))
            self.final_activation = layers.Activation(self.activation, name="Act_Res_Block")
            self.final_activation.build(self.res_output_shape)
            for layer in self.layers:
                self.__setattr__(layer.name, layer)
            self.__setattr__(self.shape_match_conv.name, self.shape_match_conv)
            self.__setattr__(self.final_activation.name, self.final_activation)
            super().build(input_shape)

    def call(self, inputs, training=None, **kwargs):
        x1 = inputs
        for layer in self.layers:
            training_flag = "training" in dict(inspect.signature(layer.call).parameters)
            x1 = layer(x1, training=training) if training_flag else layer(x1)
        x2 = self.shape_match_conv(inputs)
        x1_x2 = self.final_activation(layers.add([x2, x1], name="Add_Res"))
        return [x1_x2, x1]

    def compute_output_shape(self, input_shape):
        return [self.res_output_shape, self.res_output_shape]
