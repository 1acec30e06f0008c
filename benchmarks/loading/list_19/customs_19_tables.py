"""Custom objects of models of tables, actions, points and plates in `tables.py`; copied as
`customs_19_tables.py` beside the models.
"""

from __future__ import annotations

import sys

import tensorflow as tf

keras = sys.modules["__main__"].keras
layers, K = keras.layers, keras.backend
ops = getattr(keras, "ops", None)
l2 = keras.regularizers.l2


class PairsOfFields(layers.Layer):
    """A factorization machine with its embeddings in a dictionary of weights."""

    def __init__(self, feature_columns, k, w_reg=1e-4, v_reg=1e-4, embed_reg=1e-4):
        super().__init__()
        self.dense_feature_columns, self.sparse_feature_columns = feature_columns
        self.feature_length = sum(feat["embed_dim"] for feat in self.sparse_feature_columns)
        self.feature_length += sum(feat["feat_num"] for feat in self.dense_feature_columns)
        self.k = k
        self.w_reg = w_reg
        self.v_reg = v_reg
        self.embed_layers = {
            "embed_" + str(i): self.add_weight(
                name="embed_" + str(i),
                shape=(feat["feat_num"], feat["embed_dim"]),
                initializer="random_uniform",
                regularizer=l2(embed_reg),
            )
            for i, feat in enumerate(self.sparse_feature_columns)
        }

    def build(self, input_shape):
        given = {"initializer": tf.zeros_initializer(), "trainable": True}
        self.w0 = self.add_weight(name="w0", shape=(1,), **given)
        given["initializer"] = tf.random_normal_initializer()
        shape = (self.feature_length, 1)
        self.w = self.add_weight(name="w", shape=shape, regularizer=l2(self.w_reg), **given)
        shape = (self.k, self.feature_length)
        self.V = self.add_weight(name="V", shape=shape, regularizer=l2(self.v_reg), **given)

    def call(self, inputs, **kwargs):
        dense_inputs = tf.concat(
            [inputs[feat["name"]] for feat in self.dense_feature_columns], axis=1
        )
        sparse_embed_list = []
        for i, feat in enumerate(self.sparse_feature_columns):
            weights = self.embed_layers[f"embed_{i}"]
            sparse_embed_list.append(tf.matmul(inputs[feat["name"]], weights))
        stack = tf.concat([dense_inputs, tf.concat(sparse_embed_list, axis=1)], axis=-1)
        squares = tf.pow(tf.matmul(stack, tf.transpose(self.V)), 2)
        squares -= tf.matmul(tf.pow(stack, 2), tf.pow(tf.transpose(self.V), 2))
        second_order = 0.5 * tf.reduce_sum(squares, axis=1, keepdims=True)
        return self.w0 + tf.matmul(stack, self.w) + second_order


class FieldClicks(keras.Model):
    """A chance of such pairs."""

    def __init__(self, feature_columns, k, w_reg=1e-4, v_reg=1e-4):
        super().__init__()
        self.fm = PairsOfFields(feature_columns, k, w_reg, v_reg)

    def call(self, inputs, **kwargs):
        return tf.nn.sigmoid(self.fm(inputs))


class RankNorm(layers.Layer):
    """A normalization whose weights have their name first, and are not cast."""

    def __init__(self):
        super().__init__()
        self.hidden_size = None

    def build(self, input_shape):
        self.hidden_size = int(input_shape[-1])
        given = {"shape": [self.hidden_size], "dtype": "float32", "experimental_autocast": False}
        ones, zeros = tf.ones_initializer(), tf.zeros_initializer()
        self.gamma = self.add_weight("layer_norm_scale", initializer=ones, **given)
        self.beta = self.add_weight("layer_norm_bias", initializer=zeros, **given)
        super().build(input_shape)

    def call(self, x, epsilon=1e-6, input_dtype=tf.float32):
        mean = tf.reduce_mean(x, axis=[-1], keepdims=True)
        variance = tf.reduce_mean(tf.square(x - mean), axis=[-1], keepdims=True)
        normalized = (x - mean) * tf.math.rsqrt(variance + epsilon)
        return tf.cast(normalized * self.gamma + self.beta, input_dtype)


class BaseRanks(keras.Model):
    """A model that makes its optimizer itself."""

    def __init__(self):
        super().__init__()
        self.optimizer = None
        self.train_writer = None
        self.test_writer = None
        self.ckpt_manager = None
        self.ndcg = 0.0
        self.train_fuc = None
        self.test_fuc = None

    def create_optimizer(self, optimizer_type):
        with tf.name_scope("optimizer"):
            if optimizer_type == "adam":
                given = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-9}
                self.optimizer = keras.optimizers.Adam(self.learning_rate, **given)
            else:
                self.optimizer = keras.optimizers.SGD(self.learning_rate)
            return self.optimizer


class LambdaRanks(BaseRanks):
    """RankNet, trained by a step of its own."""

    def __init__(
        self, activation=tf.nn.relu, learning_rate=1e-3, sigma=1.0, dr_rate=0.25, clip_value=1.0
    ):
        super().__init__()
        self.learning_rate = learning_rate
        self.sigma = sigma
        self.activation = activation
        self.dr_rate = dr_rate
        self.clip_value = clip_value
        self.ln1 = RankNorm()
        self.dense1 = layers.Dense(8, activation=self.activation)
        self.ln2 = RankNorm()
        self.dense2 = layers.Dense(6, activation=self.activation)
        self.fc_drop = layers.Dropout(self.dr_rate)
        self.ln3 = RankNorm()
        self.output_layer = layers.Dense(1, activation=tf.identity, use_bias=False)

    def call(self, inputs, training=False):
        inputs = tf.cast(inputs, tf.float32)
        output = self.dense1(self.ln1(inputs))
        output = self.dense2(self.ln2(output))
        return self.output_layer(self.fc_drop(self.ln3(output), training=training))

    def train_once(self, inputs, target):
        with tf.GradientTape() as tape:
            score = self(inputs, training=tf.constant(True))
            label = tf.maximum(tf.minimum(1.0, target - tf.transpose(target)), -1.0)
            real = (1 + label) / 2
            guessed = tf.nn.sigmoid(score - tf.transpose(score))
            loss = -real * tf.math.log(guessed) - (1 - real) * tf.math.log(1 - guessed)
            loss = tf.reduce_mean(loss)
        weights, clip = self.trainable_variables, self.clip_value
        gradients = tape.gradient(loss, weights)
        gradients = [tf.clip_by_value(grad, -clip, clip) for grad in gradients]
        self.optimizer.apply_gradients([(gradients[i], each) for i, each in enumerate(weights)])
        return loss


class FourierModel(keras.Model):
    """Three dense layers in a call that is a function of TensorFlow."""

    def __init__(self):
        super().__init__()
        self.fc0 = layers.Dense(6)
        self.fc1 = layers.Dense(8)
        self.fc2 = layers.Dense(1)

    @tf.function
    def call(self, input):
        return self.fc2(self.fc1(self.fc0(input)))


class ActorAndCritic(keras.Model):
    """A policy and a value; two outputs."""

    def __init__(self):
        super().__init__()
        self.layer1 = layers.Dense(8, activation="relu")
        self.layer2 = layers.Dense(8, activation="relu")
        self.layer_a1 = layers.Dense(5, activation="relu")
        self.layer_c1 = layers.Dense(6, activation="relu")
        self.logits = layers.Dense(2, activation="softmax")
        self.value = layers.Dense(1)

    def call(self, state):
        layer2 = self.layer2(self.layer1(state))
        return self.logits(self.layer_a1(layer2)), self.value(self.layer_c1(layer2))


class ShownActions(keras.Model):
    """Values of actions with a penalty that is given."""

    def __init__(self, hidden_dim, action_space, reg=None):
        super().__init__()
        given = {"kernel_regularizer": reg, "bias_regularizer": reg}
        self.l1 = layers.Dense(hidden_dim, activation="relu", **given)
        self.l2 = layers.Dense(hidden_dim, activation="relu", **given)
        self.out = layers.Dense(action_space, **given)

    def call(self, obs):
        return self.out(self.l2(self.l1(obs)))


class PlateDNN(layers.Layer):
    """Dense layers in a list, each squared behind a ReLU."""

    def __init__(self, dnn_in=2, dnn_out=2, dnn_layers=(5, 6, 5)):
        super().__init__()
        self.dnn_in = dnn_in
        self.dnn_out = dnn_out
        self.dnn_hidden_layers = dnn_layers
        self.hidden_layers = []
        for units in dnn_layers:
            self.hidden_layers.append(layers.Dense(units, activation=None, use_bias=True))
        self.dnn_out_layer = layers.Dense(dnn_out, activation=None, use_bias=True)

    def call(self, points):
        temp = points
        for layer in self.hidden_layers:
            temp = tf.nn.relu(layer(temp)) ** 2
        return self.dnn_out_layer(temp)


class PlateShift(layers.Layer):
    """Where a point goes."""

    def __init__(self, dnn_in=2, dnn_out=2, dnn_layers=(5, 6, 5)):
        super().__init__()
        self.dnn = PlateDNN(dnn_in=dnn_in, dnn_out=dnn_out, dnn_layers=dnn_layers)

    def call(self, points):
        dnn_out = self.dnn(points)
        x, y = points[:, :, 0:1], points[:, :, 1:2]
        return x * dnn_out[:, :, 0:1], (y + 1.0) * dnn_out[:, :, 1:2]


class PlateGradients(layers.Layer):
    """How much where it goes changes, by a tape in the call; the layer is given."""

    def __init__(self, layer_x_to_disp):
        super().__init__()
        self.layer_x_to_disp = layer_x_to_disp

    def call(self, points):
        x, y = points[:, :, 0:1], points[:, :, 1:2]
        with tf.GradientTape(persistent=True) as g:
            g.watch(x)
            g.watch(y)
            u, v = self.layer_x_to_disp(tf.concat([x, y], axis=-1))
        u_x, u_y = g.gradient(u, x), g.gradient(u, y)
        v_x, v_y = g.gradient(v, x), g.gradient(v, y)
        del g
        return u, v, tf.concat([u_x, u_y], axis=-1), tf.concat([v_x, v_y], axis=-1)


class PlateStress(keras.Model):
    """Stress and energy of each point, as a dictionary."""

    def __init__(self, layer_x_to_disp, e=1.0, nu=0.3):
        super().__init__()
        self.layer_disp_grad = PlateGradients(layer_x_to_disp)
        self.E = e
        self.nu = nu
        self.c11 = self.c22 = self.E / (1 - self.nu**2)
        self.c12 = self.c21 = self.E * self.nu / (1 - self.nu**2)
        self.c33 = self.E / (2 * (1 + self.nu))

    def call(self, points):
        u, v, grad_u, grad_v = self.layer_disp_grad(points)
        u_x, u_y = grad_u[:, :, 0:1], grad_u[:, :, 1:2]
        v_x, v_y = grad_v[:, :, 0:1], grad_v[:, :, 1:2]
        stress_x, stress_y = self.c11 * u_x + self.c12 * v_y, self.c21 * u_x + self.c22 * v_y
        stress_xy = self.c33 * (u_y + v_x)
        energy = 0.5 * (stress_x * u_x + stress_y * v_y + stress_xy * (u_y + v_x))
        return {"disp_x": u, "disp_y": v, "stress_xy": stress_xy, "strain_energy_density": energy}


class PlateEnergy(keras.Model):
    """The energy of a plate by a model in a model; dictionaries in and out."""

    def __init__(self, model_x_to_result):
        super().__init__()
        self.model_x_to_result = model_x_to_result

    def call(self, inputs):
        result_int = self.model_x_to_result(inputs["X_int"])
        result_bnd = self.model_x_to_result(inputs["X_bnd"])
        trac_x, trac_y = inputs["Trac_bnd"][:, :, 0:1], inputs["Trac_bnd"][:, :, 1:2]
        inside = tf.reduce_sum(result_int["strain_energy_density"] * inputs["wt_int"])
        moved = result_bnd["disp_x"] * trac_x + result_bnd["disp_y"] * trac_y
        outside = tf.reduce_sum(moved * inputs["wt_bnd"])
        energy = {"internal_energy": inside, "external_energy": outside}
        return {**energy, "total_energy": inside - outside}


class PlateLoss(keras.losses.Loss):
    """What the model says is its loss."""

    def call(self, y_true, y_pred):
        return y_pred
