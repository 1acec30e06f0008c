"""Checkpoints of Keras 3 without what classes keep in lists; Keras is the oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from tests.runtimes.fitting_code import if_it_fits
from tests.runtimes.restore_predictions import DATA, predicted

CODE = """
import tensorflow as tf
from keras import Input, Model, Sequential, layers
from tests.runtimes.fitting_code import if_it_fits


class Alone(Model):
    def __init__(self):
        super().__init__()
        self.steps = [layers.Dense(4), layers.Dense(4)]

    def call(self, value):
        for step in self.steps:
            value = step(value)
        return value


class Words(Model):
    def __init__(self):
        super().__init__()
        self.words = layers.Embedding(3, 4)
        self.head = layers.Dense(2)
        self.steps = []
        for _ in range(2):
            step = layers.Dense(4)
            self.steps.append(step)

    def call(self, value):
        value = self.words(tf.cast(value > 0, "int32"))
        for step in self.steps:
            value = step(value)
        return self.head(value)


class Branches(Model):
    def __init__(self):
        super().__init__()
        self.branches = {"one": layers.Dense(4), "two": layers.Dense(4)}
        self.head = layers.Dense(2)

    def call(self, value):
        return self.head(self.branches["one"](value) * self.branches["two"](value))


class Scaled(layers.Layer):
    def build(self, shape):
        self.kernels = [
            self.add_weight(name=f"kernel{n}", shape=(4, 4), initializer="normal")
            for n in range(2)
        ]
        self.scale = self.add_weight(name="scale", shape=(4,), initializer="normal")

    def call(self, value):
        for kernel in self.kernels:
            value = tf.matmul(value, kernel)
        return value * self.scale


class Whole(layers.Layer):
    def build(self, shape):
        self.kernel = self.add_weight(name="kernel", shape=(4, 4), initializer="normal")
        self.scale = self.add_weight(name="scale", shape=(4,), initializer="normal")

    def call(self, value):
        return tf.matmul(value, self.kernel) * self.scale


def block(units, active=True):
    made = Sequential()
    made.add(layers.Dense(units))
    if active:
        made.add(layers.Activation("tanh"))
    return made


class Helped(Model):
    def __init__(self):
        super().__init__()
        self.first = layers.Dense(4)
        self.steps = [block(4) for _ in range(2)]
        self.head = layers.Dense(2)

    def call(self, value):
        value = self.first(value)
        for step in self.steps:
            value = step(value)
        return self.head(value)


class Gathered(Model):
    def __init__(self):
        super().__init__()
        steps = []
        for _ in range(2):
            steps.append(layers.Dense(4))
        self.gathered = steps
        self.closing = layers.Dense(2)

    def call(self, value):
        for step in self.gathered:
            value = step(value)
        return self.closing(value)


class Single(Model):
    def __init__(self):
        super().__init__()
        self.start = block(4)
        self.end = layers.Dense(2)

    def call(self, value):
        return self.end(self.start(value))


class MultiHeadAttention(layers.Layer):
    # Of the name of a layer of Keras, which another class has.
    def __init__(self):
        super().__init__()
        self.heads = [layers.Dense(4), layers.Dense(4)]
        self.joined = layers.Dense(4)

    def call(self, value):
        return self.joined(self.heads[0](value) * self.heads[1](value))


def of_words():
    class Attending(layers.Layer):
        def __init__(self):
            super().__init__()
            self.words = layers.Embedding(3, 4)
            self.heads = layers.MultiHeadAttention(2, 2)
            self.closing = layers.Dense(2)

        def call(self, value):
            value = self.words(tf.cast(value > 0, "int32"))
            return self.closing(self.heads(value, value))

    return Attending


Attending = of_words()


def around(layer):
    start = Input((4,))
    return Model(start, layers.Dense(2)(layer(start)))


MADE = {
    "Alone": Alone,
    "Gathered": Gathered,
    "Words": Words,
    "Branches": Branches,
    "Helped": Helped,
    "Single": Single,
    "Scaled": lambda: around(Scaled()),
    "Whole": lambda: around(Whole()),
    "Attending": lambda: around(Attending()),
    "Divided": lambda: around(MultiHeadAttention()),
}
"""
LOADS = ("Whole", "Single", "Attending")
BY_CODE = (
    "Words",
    "Attending",
    "Divided",
    "Gathered",
    "Branches",
    "Scaled",
    "Helped",
)  # which the file alone does not tell


def model(name: str) -> Any:
    pytest.importorskip("keras").backend.clear_session()
    names: dict[str, Any] = {"__name__": "models"}
    exec(compile(CODE, "models.py", "exec"), names)
    made = names["MADE"][name]()
    made(DATA)
    return made


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "name",
    [
        *("Alone", "Gathered", "Words", "Branches", "Scaled", "Whole", "Helped", "Single"),
        *("Attending", "Divided"),
    ],
)
def test_restored(tmp_path: Path, name: str) -> None:
    tensorflow = pytest.importorskip("tensorflow")
    path, code = tmp_path / "ckpt", tmp_path / "models.py"
    code.write_text(CODE)
    saved, other = model(name), model(name)
    tensorflow.train.Checkpoint(model=saved).write(str(path))
    tensorflow.train.Checkpoint(model=other).read(str(path)).expect_partial()
    same = np.allclose(np.asarray(saved(DATA)), np.asarray(other(DATA)), atol=1e-6)
    assert same is (name in LOADS)
    outcome = LoadOutcome.LOADS if same else LoadOutcome.DIFFERS
    assert if_it_fits(predicted(path, code)) is outcome
    if name not in BY_CODE:
        assert if_it_fits(predicted(path, None)) is outcome


@pytest.mark.filterwarnings("ignore")
def test_a_class_with_the_same_attributes_and_no_list(tmp_path: Path) -> None:
    """Which of the two the object is of, the file does not tell."""
    tensorflow = pytest.importorskip("tensorflow")
    path, code = tmp_path / "ckpt", tmp_path / "models.py"
    twin = CODE.replace("self.start", "self.first").replace("self.end", "self.head")
    code.write_text(twin)
    for name in ("Helped", "Single"):
        pytest.importorskip("keras").backend.clear_session()
        names: dict[str, Any] = {"__name__": "models"}
        exec(compile(twin, "models.py", "exec"), names)
        made = names["MADE"][name]()
        made(DATA)
        tensorflow.train.Checkpoint(model=made).write(str(path))
        assert if_it_fits(predicted(path, code)) is LoadOutcome.UNKNOWN


PAIRS = """
from keras import Model, layers


class Stacked(layers.Layer):
    def __init__(self):
        super().__init__()
        self.first = layers.Dense(4)
        self.steps = [layers.Dense(4), layers.Dense(4)]

    def call(self, value):
        value = self.first(value)
        for step in self.steps:
            value = step(value)
        return value


class OfStacked(Model):
    def __init__(self):
        super().__init__()
        self.encoder = Stacked()
        self.decoder = Stacked()

    def call(self, value):
        return self.decoder(self.encoder(value))


class Plain(layers.Layer):
    def __init__(self):
        super().__init__()
        self.first = layers.Dense(4)
        self.second = layers.LSTM(4)

    def call(self, value):
        return self.second(self.first(value)[:, None])


class Given(Model):
    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def call(self, value):
        return self.decoder(self.encoder(value))
"""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("given", [False, True])
def test_a_program_that_keeps_others_under_the_same_names(tmp_path: Path, given: bool) -> None:
    """What a model holds tells that it is not of a class that makes other layers there."""
    tensorflow = pytest.importorskip("tensorflow")
    path, code = tmp_path / "ckpt", tmp_path / "models.py"
    code.write_text(PAIRS)
    names: dict[str, Any] = {"__name__": "models"}
    exec(compile(PAIRS, "models.py", "exec"), names)

    def made() -> Any:
        pytest.importorskip("keras").backend.clear_session()
        pair = names["Given"](names["Plain"](), names["Plain"]())
        model = pair if given else names["OfStacked"]()
        model(DATA)
        return model

    saved, other = made(), made()
    tensorflow.train.Checkpoint(saved).write(str(path))
    tensorflow.train.Checkpoint(other).read(str(path)).expect_partial()
    same = np.allclose(np.asarray(saved(DATA)), np.asarray(other(DATA)), atol=1e-6)
    assert same is given
    outcome = LoadOutcome.LOADS if same else LoadOutcome.DIFFERS
    assert if_it_fits(predicted(path, code)) is outcome
