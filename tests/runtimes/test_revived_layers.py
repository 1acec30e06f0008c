"""What is predicted for classes that are not in the file, compared with loading it."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.formats.reader import read
from modelaudit.runtimes.model import Prediction
from modelaudit.runtimes.predict import predict
from modelaudit.settings import Limits
from tests.runtimes.fitting_code import fitting

pytestmark = pytest.mark.slow

FAILS, UNKNOWN, LOADS = LoadOutcome.FAILS, LoadOutcome.UNKNOWN, LoadOutcome.LOADS


def predicted(path: Path, package: str, *custom: str) -> Prediction:
    """The prediction for the `load_model` of the installed package."""
    target = {"keras": "tf", "tf_keras": "tf-keras"}[package]
    version = metadata.version("tensorflow" if package == "keras" else package)
    found = predict(read(path, Limits()), (f"{target}=={version}",), frozenset(custom))
    return fitting(next(each for each in found if each.call.startswith("load_model")))


# Layers before the pooling layer that takes a mask, and whether its functions match then.
BEFORE_POOLING = {
    "masking": FAILS,
    "embedding": LOADS,
    "embedding, own": FAILS,
    "masking, convolution": LOADS,
    "masking, bidirectional": FAILS,
    "masking, model": FAILS,
    "embedding, lambda": LOADS,
}


@pytest.fixture(scope="module")
def pooled(tmp_path_factory):
    """Name in BEFORE_POOLING -> whether tf-keras loads the SavedModel without the classes."""
    keras = pytest.importorskip("tf_keras")
    layers = keras.layers

    class Pooling(layers.Layer):
        def call(self, value, mask=None):
            weights = 1.0 if mask is None else keras.backend.cast(mask[..., None], value.dtype)
            return keras.backend.sum(value * weights, axis=1)

        def compute_mask(self, inputs, mask=None):
            return None

    class Doubled(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.supports_masking = True

        def call(self, value):
            return value * 2.0

    one = {
        "masking": layers.Masking,
        "embedding": lambda: layers.Embedding(5, 3, mask_zero=True),
        "own": Doubled,
        "convolution": lambda: layers.Conv1D(3, 2),
        "bidirectional": lambda: layers.Bidirectional(layers.SimpleRNN(2, return_sequences=True)),
        "model": lambda: keras.Sequential([layers.Dense(2)]),
        "lambda": lambda: layers.Lambda(lambda value: value + 1.0),
    }
    folder, found = tmp_path_factory.mktemp("pooled"), {}
    for name in BEFORE_POOLING:
        value = start = layers.Input((None,) if name.startswith("embedding") else (None, 3))
        for part in name.split(", "):
            value = one[part]()(value)
        keras.Model(start, Pooling(name="pooling")(value)).save(folder / name, save_format="tf")
        try:
            keras.models.load_model(folder / name, compile=False)
        except ValueError as error:
            assert "matching concrete function" in str(error)
            found[name] = FAILS
        else:
            found[name] = LOADS
    return folder, found


@pytest.mark.parametrize("name", BEFORE_POOLING)
def test_a_mask_reaches_a_revived_layer_as_it_was_traced(pooled, name: str) -> None:
    folder, observed = pooled
    found = predicted(folder / name, "tf_keras")
    assert found.predicted is observed[name] is BEFORE_POOLING[name]
    assert [each.code for each in found.because] == ["mask-of-revived-layer"] * (
        found.predicted is FAILS
    )
    assert predicted(folder / name, "tf_keras", "Pooling").predicted is LOADS


@pytest.mark.parametrize("makes", [False, True])
def test_a_mask_that_a_revived_layer_made(tmp_path: Path, makes: bool) -> None:
    keras = pytest.importorskip("tf_keras")
    layers = keras.layers

    class Words(layers.Embedding):
        def __init__(self, *sizes, **kwargs):
            super().__init__(*sizes, **kwargs)
            self.supports_masking = makes

        def compute_mask(self, inputs, mask=None):
            return keras.backend.not_equal(inputs, 1)

    start = layers.Input((4,), dtype="int32")
    cell = layers.SimpleRNNCell(2)
    value = layers.RNN(cell, name="reader")(Words(5, 3, name="words")(start))
    model, path = keras.Model(start, value), tmp_path / "m"
    model.save(path, save_format="tf")
    found, known = predicted(path, "tf_keras"), predicted(path, "tf_keras", "Words")
    rows = np.array([[2, 3, 1, 1]], "int32")
    given = {"compile": False, "custom_objects": {"Words": Words}}
    assert np.allclose(keras.models.load_model(path, **given)(rows), model(rows))
    assert known.predicted is LOADS
    same = np.allclose(keras.models.load_model(path, compile=False)(rows), model(rows))
    assert found.predicted is (LOADS if same else LoadOutcome.DIFFERS)
    assert [each.code for each in found.because] == ["mask-not-passed-on"] * makes
    assert same is not makes


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_default_arguments_of_a_lambda(tmp_path: Path, package: str, suffix: str) -> None:
    keras = pytest.importorskip(package)
    for name, function in (("plain", lambda v: v * 2.0), ("default", lambda v, f=2.0: v * f)):
        start = keras.layers.Input((4,))
        path = tmp_path / f"{name}.{suffix}"
        keras.Model(start, keras.layers.Lambda(function, output_shape=(4,))(start)).save(path)
        wanted = package == "keras" and name == "default"
        reasons = {each.code for each in predicted(path, package).because}
        assert ("lambda-defaults" in reasons) is wanted
        if wanted:
            with pytest.raises(TypeError, match=r"arg 4|could not be deserialized"):
                keras.models.load_model(path, safe_mode=False, compile=False)
        else:
            loaded = keras.models.load_model(path, safe_mode=False, compile=False)
            assert np.asarray(loaded(np.ones((1, 4), "float32")))[0, 0] == 2.0


@pytest.mark.parametrize("own_config", [False, True])
def test_a_subclass_may_lose_its_arguments(tmp_path: Path, own_config: bool) -> None:
    keras = pytest.importorskip("keras")

    class Plain(keras.Model):
        def __init__(self, units=3, **kwargs):
            super().__init__(**kwargs)
            self.units, self.dense = units, keras.layers.Dense(units)

        def call(self, value):
            return self.dense(value)

    class Stated(Plain):
        def get_config(self):
            return {**super().get_config(), "units": self.units}

    made, path = Stated if own_config else Plain, tmp_path / "m.keras"
    model = made(units=5)
    model(np.ones((1, 2), "float32"))
    model.save(path)
    found = predicted(path, "keras", made.__name__)
    if own_config:
        assert found.predicted is LOADS
        keras.models.load_model(path, custom_objects={made.__name__: made})
    else:
        assert found.predicted is UNKNOWN
        with pytest.raises(ValueError, match="could not be loaded"):
            keras.models.load_model(path, custom_objects={made.__name__: made})


@pytest.mark.parametrize("adds_loss", [False, True])
def test_keras_2_builds_a_subclass_by_its_call(tmp_path: Path, adds_loss: bool) -> None:
    keras = pytest.importorskip("tf_keras")

    class Own(keras.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.dense = keras.layers.Dense(2)

        def call(self, value):
            if adds_loss:
                self.add_loss(keras.backend.sum(value))
            return self.dense(value)

        def get_config(self):
            return {"name": self.name}

    model, path = Own(), tmp_path / "m.keras"
    model(np.ones((1, 2), "float32"))
    model.save(path)
    # The files look the same: they are taken for those of most classes.
    assert predicted(path, "tf_keras", "Own").predicted is LOADS
    if adds_loss:
        with pytest.raises(ValueError, match="symbolic Tensors"):
            keras.models.load_model(path, custom_objects={"Own": Own})
    else:
        keras.models.load_model(path, custom_objects={"Own": Own})


@pytest.mark.parametrize("compiled", [False, True])
def test_a_variational_model_with_one_loss_adds_the_other(tmp_path: Path, compiled: bool) -> None:
    keras = pytest.importorskip("tf_keras")

    class Variational(keras.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.z_log_var = keras.layers.Dense(2)
            self.z_mean = keras.layers.Dense(2)

        def call(self, value):
            spread, mean = self.z_log_var(value), self.z_mean(value)
            self.add_loss(keras.backend.mean(keras.backend.square(mean) - spread))
            return mean

        def get_config(self):
            return {"name": self.name}

    model, path = Variational(), tmp_path / "m.keras"
    data = np.ones((2, 2), "float32")
    if compiled:
        model.compile("adam", "mse")
        model.fit(data, data, verbose=0)
    else:
        model(data)
    model.save(path)
    assert predicted(path, "tf_keras", "Variational").predicted is (FAILS if compiled else LOADS)
    with pytest.raises(ValueError, match="symbolic Tensors"):
        keras.models.load_model(path, custom_objects={"Variational": Variational})


@pytest.mark.parametrize("given", ["nothing", "units", "layers", "models"])
def test_keras_2_leaves_out_arguments(tmp_path: Path, given: str) -> None:
    keras = pytest.importorskip("tf_keras")

    def body(units=2):
        return keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(units)])

    class Bare(keras.Model):
        def __init__(self):
            super().__init__()
            self.body = body()

        def call(self, value):
            return self.body(value)

    class Sized(Bare):
        def __init__(self, units):
            keras.Model.__init__(self)
            self.body = body(units)

    class Layered(Bare):
        def __init__(self, inner):
            keras.Model.__init__(self)
            self.body = inner

    class Around(Layered):
        def train_step(self, data):
            return {"loss": keras.backend.mean(self(data))}

    made = {
        "nothing": Bare,
        "units": lambda: Sized(3),
        "layers": lambda: Layered(body()),
        "models": lambda: Around(body()),
    }
    model = made[given]()
    model.compile("adam", None if given == "models" else "mse")
    model(np.ones((1, 2), "float32"))
    path = tmp_path / "m.keras"
    model.save(path)
    classes = {each.__name__: each for each in (Bare, Sized, Layered, Around)}
    found = predicted(path, "tf_keras", *classes)
    expected = {"units": LOADS, "models": FAILS}
    assert found.predicted is expected.get(given, UNKNOWN)
    if given in ("nothing", "units"):
        keras.models.load_model(path, custom_objects=classes, compile=False)
    else:
        with pytest.raises(TypeError, match="Unable to revive model"):
            keras.models.load_model(path, custom_objects=classes, compile=False)


@pytest.mark.parametrize("built", [False, True])
def test_a_subclass_in_hdf5(tmp_path: Path, built: bool) -> None:
    keras = pytest.importorskip("keras")

    class Own(keras.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            first = [keras.layers.Input((2,))] * built
            self.inner = keras.Sequential([*first, keras.layers.Dense(2), keras.layers.Dense(1)])
            self.last = [] if built else keras.layers.Dense(1)

        def call(self, value):
            value = self.inner(value)
            return value if built else self.last(value)

        def get_config(self):
            return {}

    model, path = Own(), tmp_path / "m.h5"
    model(np.ones((1, 2), "float32"))
    model.save(path)
    found = predicted(path, "keras", "Own")
    assert found.predicted is FAILS
    assert bool(found.conditions) is built
    if built:
        keras.models.load_model(path, custom_objects={"Own": Own})
    else:
        with pytest.raises(ValueError, match="Layer count mismatch"):
            keras.models.load_model(path, custom_objects={"Own": Own})


@pytest.mark.parametrize("own", [True, False])
def test_a_revived_layer_passes_no_mask_on(tmp_path: Path, own: bool) -> None:
    keras = pytest.importorskip("tf_keras")
    layers = keras.layers

    class Tripled(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.supports_masking = True

        def call(self, value):
            return value * 3.0

    start = layers.Input((4,))
    value = layers.Embedding(5, 3, mask_zero=True)(start)
    value = layers.SimpleRNN(2)(Tripled()(value) if own else layers.Activation("tanh")(value))
    model = keras.Model(start, value)
    model.save(tmp_path / "m", save_format="tf")
    data = np.array([[1, 2, 0, 0], [3, 4, 1, 0]])
    loaded = keras.models.load_model(tmp_path / "m", compile=False)
    same = np.allclose(model(data), loaded(data), atol=1e-6)
    found = predicted(tmp_path / "m", "tf_keras")
    assert same is not own
    assert found.predicted is (LOADS if same else LoadOutcome.DIFFERS)
    assert predicted(tmp_path / "m", "tf_keras", "Tripled").predicted is LOADS
