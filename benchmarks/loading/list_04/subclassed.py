"""Models with classes of the user's own, for `models.py`."""

from __future__ import annotations

import numpy as np

from benchmarks.loading.inputs import floats, trained


def variational(_):
    """An autoencoder with an encoder and a decoder, and a loss that it adds itself."""
    import customs_04 as customs

    model = customs.Variational(latent=3)
    model(INPUTS_OF["variational"][0])
    return model


def wide_deep(_):
    """Two inputs and two outputs, without a config of its own."""
    import customs_04 as customs

    model = customs.WideAndDeep(units=6)
    model(INPUTS_OF["wide_deep"])
    return model


def residual_regressor(_):
    """Blocks of layers in lists, compiled and trained for a step."""
    import customs_04 as customs

    model = customs.ResidualRegressor(output_dim=1)
    model.compile(loss="mse", optimizer="nadam")
    model.fit(INPUTS_OF["residual_regressor"][0], np.ones((3, 1), "float32"), verbose=0)
    return model


def layer_dict(k):
    """A layer with layers in a dictionary, in a Functional model."""
    import customs_04 as customs

    start = k.Input((4,), name="numbers")
    return k.Model(start, k.layers.Dense(2)(customs.Experts(["one", "two"], 3)(start)))


def running_mean(k):
    """A layer with a weight that is not trained and is updated while it trains."""
    import customs_04 as customs

    start = k.Input((4,), name="numbers")
    model = k.Model(start, k.layers.Dense(2)(customs.RunningMean()(start)))
    model.compile(k.optimizers.SGD(0.1), "mse")
    model.fit(INPUTS_OF["running_mean"][0], np.ones((3, 2), "float32"), verbose=0)
    return model


def own_parts(k):
    """Functions and classes of the user's own for every part of a layer, as in a textbook."""
    import customs_04 as customs

    model = k.Sequential(
        [
            k.Input((5,)),
            k.layers.Dense(
                6,
                activation=customs.my_softplus,
                kernel_initializer=customs.my_glorot,
                kernel_regularizer=customs.MyL1(0.01),
                kernel_constraint=customs.my_positive_weights,
            ),
            k.layers.Dense(1),
        ]
    )
    model.compile(loss=customs.HuberLoss(2.0), optimizer="nadam", metrics=["mae"])
    return trained(model, INPUTS_OF["own_parts"], np.ones((3, 1), "float32"))


def own_step(k):
    """A Functional model of a subclass with a train_step of its own."""
    import customs_04 as customs

    start = k.Input((6,), name="numbers")
    x = k.layers.Dense(4, activation="relu")(start)
    model = customs.OwnStep(start, k.layers.Dense(1)(x))
    model.compile(optimizer="adam", loss="mse")
    return trained(model, INPUTS_OF["own_step"], np.ones((3, 1), "float32"))


def normalized_cell(k):
    """A recurrent cell with layer normalization, as in a textbook."""
    import customs_04 as customs

    start = k.Input((None, 2), name="series")
    x = k.layers.RNN(customs.NormalizedCell(4), return_sequences=True)(start)
    x = k.layers.RNN(customs.NormalizedCell(3, activation="relu"))(x)
    return k.Model(start, k.layers.Dense(1)(x))


def contrastive(k):
    """One tower for two images, a distance, and a loss of the user's own."""
    import customs_04 as customs

    tower = k.Sequential(name="tower")
    tower.add(k.Input((8, 8, 1)))
    tower.add(k.layers.Conv2D(3, 3, activation="tanh"))
    tower.add(k.layers.AveragePooling2D(pool_size=(2, 2)))
    tower.add(k.layers.BatchNormalization())
    tower.add(k.layers.Flatten())
    tower.add(k.layers.Dense(4, activation="tanh"))
    left, right = k.Input((8, 8, 1), name="first"), k.Input((8, 8, 1), name="second")
    distance = customs.EuclideanDistance()([tower(left), tower(right)])
    x = k.layers.BatchNormalization()(distance)
    model = k.Model([left, right], k.layers.Dense(1, activation="sigmoid")(x))
    model.compile(loss=customs.contrastive_loss, optimizer="RMSprop", metrics=["accuracy"])
    return trained(model, INPUTS_OF["contrastive"], np.ones((2, 1), "float32"))


INPUTS_OF = {
    "own_parts": [floats(3, 5)],
    "own_step": [floats(3, 6)],
    "normalized_cell": [floats(2, 4, 2)],
    "contrastive": [floats(2, 8, 8, 1), floats(2, 8, 8, 1)[::-1]],
    "variational": [floats(3, 6)],
    "wide_deep": [floats(3, 2), floats(3, 4)],
    "residual_regressor": [floats(3, 5)],
    "layer_dict": [floats(3, 4)],
    "running_mean": [floats(3, 4)],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
CUSTOM = tuple(INPUTS_OF)
INPUTS = {"contrastive": ["first", "second"], "wide_deep": ["args_0", "args_0_1"]}
