"""First values that stop a training, in models that Keras trained, and sound twins."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.catalogue import rule
from tests.made.training import train
from tests.rules.saved import found, sequential

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def told(k, tmp_path, *layers, loss="mse", optimizer="adam"):
    x = np.random.default_rng(0).normal(size=(128, 8)).astype("float32")
    model = sequential(k, (8,), *layers, loss=loss, optimizer=optimizer)
    train(model, x, (x[:, :1] > 0).astype("float32"), steps=40)
    model.save(tmp_path / "m.keras")
    rules = [rule("MA433"), rule("MA328")]
    return [(x.code, x.severity.value, x.fix) for x in found(rules, tmp_path / "m.keras")]


def test_biases_that_start_below_0(tmp_path):
    import keras as k

    def hidden(start):
        return k.layers.Dense(16, "relu", bias_initializer=k.initializers.Constant(start))

    (code, severity, fix), *_ = told(k, tmp_path, hidden(-4.0), k.layers.Dense(1))
    assert (code, severity) == ("MA433", "high")
    assert 'bias_initializer="zeros"' in fix
    assert told(k, tmp_path, hidden(-0.1), k.layers.Dense(1)) == []


def test_an_output_that_starts_at_its_limit(tmp_path):
    import keras as k

    def head(start):
        return k.layers.Dense(1, "sigmoid", bias_initializer=k.initializers.Constant(start))

    hidden = k.layers.Dense(16, "relu")
    ((code, severity, fix),) = told(k, tmp_path, hidden, head(20.0), optimizer="sgd")
    assert (code, severity) == ("MA328", "low") and "bias_initializer" in fix
    sound = (k.layers.Dense(16, "relu"), head(-4.6))
    assert told(k, tmp_path, *sound, optimizer="sgd") == []


def test_layers_that_the_call_of_a_class_leaves_out(tmp_path):
    import keras as k

    def network(joined):
        class Net(k.Model):
            def __init__(self):
                super().__init__()
                self.hidden, self.head = k.layers.Dense(16, "relu"), k.layers.Dense(1)

            def call(self, x):
                hidden = self.hidden(x)
                return self.head(hidden if joined else x)

        return Net()

    def told(joined):
        k.utils.set_random_seed(0)
        x = np.random.default_rng(0).normal(size=(128, 8)).astype("float32")
        model = network(joined)
        model.compile("adam", "mse", jit_compile=False)
        model.fit(x, x[:, :1], epochs=4, batch_size=16, verbose=0)
        model.save(tmp_path / "m.keras")
        return found([rule("MA433")], tmp_path / "m.keras")

    (only,) = told(joined=False)
    assert "`call` of the model's class passes on the results of `hidden`" in only.fix
    assert told(joined=True) == []


@pytest.mark.parametrize("kind", ["Dense", "LSTM"])
def test_units_that_start_alike(kind, tmp_path):
    import keras as k

    k.utils.set_random_seed(0)

    def told(**options):
        shape = (8,) if kind == "Dense" else (5, 8)
        layer = getattr(k.layers, kind)(6, **options)
        model = sequential(k, shape, layer, k.layers.Dense(1))
        x = np.random.default_rng(0).normal(size=(64, *shape)).astype("float32")
        train(model, x, x.reshape(64, -1)[:, :1], steps=20)
        model.save(tmp_path / "m.keras")
        return [(x.severity.value, x.fix) for x in found([rule("MA323")], tmp_path / "m.keras")]

    role = "recurrent_initializer" if kind == "LSTM" else "kernel_initializer"
    ((severity, fix),) = told(**{role: "ones"})
    assert severity == "low" and f"{role}=" in fix
    assert told(**{role: k.initializers.Constant(0.5)}) != []
    assert told() == told(**{role: "identity" if kind == "LSTM" else "he_normal"}) == []
    assert told(**{role: "ones"}, trainable=False) == []
