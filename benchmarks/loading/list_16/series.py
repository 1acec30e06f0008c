"""Models of series, voices, tables, clicks, sentences and agents: networks drawn by lot from public
code, for `images.py`.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.loading.inputs import adam, floats, integers, trained


def causal_steps(k):
    """A temporal convolutional network: causal, ever more dilated, without shortcuts."""
    import customs_16_series as own

    start = x = k.layers.Input(shape=(12, 1))
    for block in range(3):
        for _ in range(2):
            given = {"padding": "causal", "dilation_rate": 2**block}
            x = k.layers.Conv1D(6, kernel_size=3, strides=1, **given)(x)
            x = k.layers.BatchNormalization(momentum=0.8)(x)
            x = k.layers.SpatialDropout1D(rate=0.2)(k.layers.LeakyReLU(alpha=0.2)(x))
    x = k.layers.Dropout(rate=0.2)(k.layers.Dense(6, activation="relu")(x))
    model = k.Model(inputs=start, outputs=k.layers.Dense(1, activation="linear")(x))
    model.compile(optimizer="adam", loss="mse", metrics=[own.rmse])
    return trained(model, INPUTS_OF["causal_steps"], floats(2, 12, 1))


def taxi_demand(k):
    """TGNet: convolutions of a grid beside its averages, guided by the time; four inputs."""
    import customs_16_series as own

    layers, rate, reg = k.layers, 0.1, 1e-5
    same = "same" if hasattr(k, "ops") else "SAME"

    def ended(x):
        return layers.Dropout(rate)(layers.BatchNormalization()(x))

    def block(start, filters, size=(3, 3)):
        decay = k.regularizers.l1(reg)
        given = {"kernel_size": (1, 1), "strides": (1, 1), "padding": same}
        given["kernel_regularizer"] = decay
        x = layers.AveragePooling2D(size, (1, 1), same)(start)
        x = layers.Conv2D(filters, activation="linear", **given)(x)
        x = layers.Add()([x, layers.Conv2D(filters, activation="linear", **given)(start)])
        x = layers.concatenate([start, x])
        return ended(layers.Conv2D(filters, activation="relu", **given)(x))

    def larger(x, filters, size, strides, padding="same"):
        given = {"strides": strides, "activation": "relu", "padding": padding}
        given["kernel_regularizer"] = k.regularizers.l1(reg)
        return ended(layers.Conv2DTranspose(filters, kernel_size=size, **given)(x))

    shapes = ((4, 6, 2), (4, 6, 3), (7,), (4, 6, 2))
    start, end, time, places = inputs = [layers.Input(shape=shape) for shape in shapes]
    where = layers.Conv2D(3, kernel_size=(1, 1), padding="same")(places)
    where = layers.Activation("relu")(where)
    when = layers.Dense(3, activation="relu")(layers.Dense(3, activation="relu")(time))
    when = layers.Reshape((4, 6, 3))(layers.RepeatVector(4 * 6)(when))
    first = block(layers.concatenate([start, when], axis=-1), 3)
    second = block(layers.AveragePooling2D(pool_size=(2, 2))(first), 4)
    third = block(second, 4)
    fourth = block(layers.concatenate([second, third]), 4)
    x = larger(layers.concatenate([second, third, fourth]), 5, (2, 2), (2, 2))
    x = larger(layers.concatenate([x, first]), 5, (3, 3), (1, 1), "same")
    last = block(block(end, 4), 4)
    x = layers.concatenate([x, start, last, end, when, where], axis=-1)
    x = block(x, 5, size=(1, 1))
    given = {"padding": "same", "kernel_regularizer": k.regularizers.l2(reg)}
    x = layers.Activation("relu")(layers.Conv2D(1, kernel_size=(1, 1), **given)(x))
    model = k.Model(inputs=inputs, outputs=x)
    metrics = ["mean_absolute_error", own.invlog_mape]
    try:
        optimizer = adam(k, 0.01, decay=0.01)
    except (TypeError, ValueError):  # newer optimizers have no decay
        optimizer = adam(k, 0.01)
    model.compile(loss=["mean_absolute_error"], optimizer=optimizer, metrics=metrics)
    return trained(model, INPUTS_OF["taxi_demand"], np.abs(floats(2, 4, 6, 1)))


def clean_voices(k):
    """PercepNet: causal convolutions and GRUs of voices, its own constraint and losses."""
    import customs_16_series as own

    layers, clip = k.layers, own.WeightClip(0.499)
    start = k.initializers.RandomUniform(minval=-0.1, maxval=0.1)
    dense = {"kernel_constraint": clip, "bias_constraint": clip, "kernel_initializer": start}

    def gru(units, name):
        decay = k.regularizers.l2(0.000001)
        given = {"kernel_regularizer": decay, "recurrent_regularizer": decay}
        given |= {"recurrent_constraint": clip, "return_sequences": True, "name": name}
        return layers.GRU(units, **given, **dense)

    voice = layers.Input(shape=(None, 7), name="main_input")
    x = layers.Dense(5, activation="tanh", name="input_dense", **dense)(voice)
    given = {"strides": 1, "use_bias": False, "padding": "causal", "kernel_initializer": start}
    x = layers.Conv1D(6, kernel_size=5, name="conv_layer1", **given)(x)
    conv = layers.Conv1D(6, kernel_size=3, name="conv_layer2", **given)(x)
    found = [conv]
    for each in range(1, 5):
        found.append(gru(6, f"noise_gru{each}")(found[-1]))
    given = {"activation": "sigmoid", **dense}
    gains = layers.Dense(4, name="denoise_output", **given)(layers.concatenate(found))
    x = gru(5, "denoise_gru")(layers.concatenate([conv, found[3]]))
    strengths = layers.Dense(4, name="denoise_rb_output", **given)(x)
    model = k.Model(inputs=voice, outputs=[gains, strengths])
    optimizer = adam(k, 0.0001, clipnorm=0.1)
    metrics = [[own.msse], [own.msse]] if hasattr(k, "ops") else [own.msse]
    losses = [own.gbcost, own.rbcost]
    model.compile(loss=losses, metrics=metrics, optimizer=optimizer, loss_weights=[10, 5])
    targets = np.abs(floats(2, 5, 4)) * 0.9 + 0.05
    return trained(model, INPUTS_OF["clean_voices"], targets, 1 - targets)


def masked_tables(k):
    """TabNet: steps of sparse attention to columns by own layers."""
    import customs_16_series as own

    model = own.TabNetClassifier(3, decision_dim=4, attention_dim=4, n_steps=2)
    loss = k.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(k.optimizers.Adam(), loss=loss, metrics=["accuracy"])
    return trained(model, INPUTS_OF["masked_tables"], np.array([0, 2, 1, 1]))


def _columns():
    sizes = (("C1", 5), ("C2", 7), ("C3", 4))
    return [{"feat_name": name, "feat_num": size, "embed_dim": 4} for name, size in sizes]


def _named(name):
    return {each: INPUTS_OF[name][n] for n, each in enumerate(INPUTS[name])}


def crossed_factors(k):
    """A factorization machine as a subclass of Model with columns in a dictionary."""
    import customs_16_more as own

    model = own.FactorMachine(_columns(), 4)
    optimizer = k.optimizers.Adam(learning_rate=0.001)
    model.compile(loss="binary_crossentropy", optimizer=optimizer, metrics=[k.metrics.AUC()])
    model.fit(_named("crossed_factors"), np.array([[1.0], [0.0], [1.0]]), verbose=0)
    return model


def clicked_items(k):
    """Caser: convolutions of what was clicked; compiled without a loss, which the call adds."""
    import customs_16_more as own

    sizes = {"user": 6, "item": 9}
    columns = {
        name: {"feat_name": name, "feat_num": size, "embed_dim": 8} for name, size in sizes.items()
    }
    model = own.ClickConvolutions(columns, seq_len=5, hor_n=3, ver_n=2, seed=7)
    model.compile(optimizer=k.optimizers.Adam(learning_rate=0.001))
    model.fit(_named("clicked_items"), None, verbose=0)
    return model


def double_values(k):
    """A double DQN: values of actions from dense layers."""
    start = x = k.layers.Input(shape=(4,), name="state")
    for _ in range(3):
        x = k.layers.Dense(8, activation="relu")(x)
    x = k.layers.Dense(2, activation="linear", name="action")(x)
    model = k.Model(start, x)
    model.compile(loss="mse", optimizer=k.optimizers.Adam())
    return trained(model, INPUTS_OF["double_values"], floats(3, 2))


def _words(k, wide):
    layer = k.layers.Embedding(12, wide, embeddings_initializer="uniform", trainable=True)
    start = k.layers.Input(shape=(6,), dtype="int32", name="input_random")
    return start, layer(start)


def wound_sentences(k):
    """TextCRNN: convolutions one after another along a sentence, then GRUs with penalties."""
    layers, decay = k.layers, k.regularizers.l2(0.001)
    start, x = _words(k, 5)
    x = layers.SpatialDropout1D(0.2)(x)
    given = {"strides": 1, "kernel_regularizer": decay, "bias_regularizer": decay}
    given["padding"] = "same" if hasattr(k, "ops") else "SAME"
    x = layers.Concatenate(axis=1)(
        [layers.Conv1D(4, kernel_size=size, **given)(x) for size in (3, 4, 5)]
    )
    given = {"return_sequences": True, "activation": "relu"}
    given |= {"kernel_regularizer": decay, "recurrent_regularizer": decay}
    x = layers.Bidirectional(layers.GRU(units=3, **given))(x)
    x = layers.Flatten()(layers.Dropout(0.5)(x))
    model = k.Model(start, [layers.Dense(3, activation="softmax")(x)])
    try:
        optimizer = adam(k, 1e-3, beta_1=0.9, beta_2=0.999, decay=0.0)
    except (TypeError, ValueError):  # newer optimizers have no decay
        optimizer = adam(k, 1e-3, beta_1=0.9, beta_2=0.999)
    model.compile(optimizer=optimizer, loss="categorical_crossentropy", metrics=["accuracy"])
    return trained(model, INPUTS_OF["wound_sentences"], np.eye(3, dtype="float32")[[2, 0]])


def attended_pages(k):
    """A hierarchical attention network of models in a model, with an own layer in both."""
    import customs_16_more as own

    layers, decay = k.layers, k.regularizers.l2(1e-6)

    def level(wide, units, ends):
        start = layers.Input(shape=(6, wide))
        given = {"return_sequences": True, "activation": "relu"}
        given |= {"kernel_regularizer": decay, "recurrent_regularizer": decay}
        x = layers.Bidirectional(layers.GRU(units=units, **given))(start)
        return k.Model(start, own.AttentionSelf(ends)(x))

    start, x = _words(k, 5)
    x = layers.Dropout(0.5)(level(5, 3, 6)(x))
    x = layers.Dropout(0.5)(level(6, 6, 5)(x))
    model = k.Model(start, [layers.Dense(3, activation="softmax")(layers.Flatten()(x))])
    model.compile(optimizer=adam(k, 1e-3), loss="categorical_crossentropy", metrics=["accuracy"])
    return trained(model, INPUTS_OF["attended_pages"], np.eye(3, dtype="float32")[[1, 0]])


class Actor:
    """An agent, whose networks are in float64, and whose Lambda layers use the agent."""

    def __init__(self, k, state_dim, action_dim, action_bound, create):
        self.state_dim = state_dim
        self.action_dim = action_dim
        self.action_bound = action_bound
        self.model = create(self, k)
        self.opt = k.optimizers.Adam(0.0005)

    def one(self, k):
        return k.Sequential(
            [
                k.layers.Input((self.state_dim,)),
                k.layers.Dense(8, activation="relu"),
                k.layers.Dense(8, activation="relu"),
                k.layers.Dense(self.action_dim, activation="tanh"),
                k.layers.Lambda(lambda x: x * self.action_bound),
            ]
        )

    def two(self, k):
        start = k.layers.Input((self.state_dim,))
        x = k.layers.Dense(8, activation="relu")(start)
        x = k.layers.Dense(8, activation="relu")(x)
        mean = k.layers.Dense(self.action_dim, activation="tanh")(x)
        mean = k.layers.Lambda(lambda x: x * self.action_bound)(mean)
        deviation = k.layers.Dense(self.action_dim, activation="softplus")(x)
        return k.models.Model(start, [mean, deviation])

    def train(self, states):
        with tf.GradientTape() as tape:
            found = tf.nest.flatten(self.model(states, training=True))
            loss = sum(tf.reduce_mean(each) for each in found)
        weights = self.model.trainable_variables
        gradients = tape.gradient(loss, weights)
        self.opt.apply_gradients([(each, weights[n]) for n, each in enumerate(gradients)])


def _stepped(k, name, create):
    k.backend.set_floatx("float64")
    try:
        actor = Actor(k, 3, 1, 2.0, create)
        actor.train(INPUTS_OF[name][0])
    finally:
        k.backend.set_floatx("float32")
    return actor.model


def bounded_actor(k):
    """The actor of DDPG in float64; its optimizer is beside it."""
    return _stepped(k, "bounded_actor", Actor.one)


def worker_actor(k):
    """The actor of A3C for continuous actions, in float64."""
    return _stepped(k, "worker_actor", Actor.two)


INPUTS_OF = {
    "causal_steps": [floats(2, 12, 1)],
    "taxi_demand": [floats(2, 4, 6, 2), floats(2, 4, 6, 3), floats(2, 7), floats(2, 4, 6, 2) * 2],
    "clean_voices": [floats(2, 5, 7)],
    "masked_tables": [floats(4, 5)],
    "crossed_factors": [integers(5, 3), integers(7, 3), integers(4, 3)],
    "clicked_items": [integers(6, 3), integers(9, 3, 5), integers(9, 3), integers(9, 3, 2)],
    "double_values": [floats(3, 4)],
    "wound_sentences": [integers(12, 2, 6)],
    "attended_pages": [integers(12, 2, 6)],
    "bounded_actor": [floats(3, 3).astype("float64")],
    "worker_actor": [floats(4, 3).astype("float64")],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
CUSTOM = ("causal_steps", "taxi_demand", "clean_voices", "masked_tables", "crossed_factors")
CUSTOM += ("clicked_items", "attended_pages")
LAMBDAS = ("bounded_actor", "worker_actor")
DICTIONARIES = ("crossed_factors", "clicked_items")
INPUTS = {
    "taxi_demand": ["input_1", "input_2", "input_3", "input_4"],
    "crossed_factors": ["C1", "C2", "C3"],
    "clicked_items": ["user", "click_seq", "pos_item", "neg_item"],
}
