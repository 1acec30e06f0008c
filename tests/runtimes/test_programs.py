"""Weights that a program's own model reads: predictions compared with what the runtime does."""

from __future__ import annotations

import json
from functools import reduce
from pathlib import Path
from types import ModuleType

import h5py
import numpy as np
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.formats.reader import read
from modelaudit.runtimes.catalogue import find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest, Prediction
from modelaudit.runtimes.predict import predict
from modelaudit.settings import Limits
from tests.runtimes.fitting_code import fitting_predictions

pytestmark = pytest.mark.slow
RANDOM = np.random.default_rng(3)
DATA = RANDOM.random((8, 3), "float32")
TRAINED = pytest.mark.parametrize("trained", [False, True])


def predicted(path: Path, runtime: str, call: LoadCall, trained: bool | None = None) -> Prediction:
    request = LoadRequest(call, trained=trained)
    (found,) = fitting_predictions(read(path, Limits()), [(find_profile(runtime), request)])
    return found


def dense(keras: ModuleType, trained: bool, optimizer: str = "adam"):
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(4)])
    model.compile(optimizer, "mse")
    if trained:
        model.fit(DATA, np.ones((8, 4), "float32"), verbose=0)
    return model


@TRAINED
def test_weights_of_keras_3_lack_the_metrics_of_a_trained_model(
    tmp_path: Path, old: ModuleType, new: ModuleType, trained: bool
) -> None:
    path = tmp_path / "w.weights.h5"
    dense(new, trained=True).save_weights(path)
    model = dense(old, trained)
    try:
        model.load_weights(path)
    except ValueError as error:
        assert trained and "expected 2 variables" in str(error)
        wanted = LoadOutcome.FAILS
    else:
        wanted = LoadOutcome.LOADS
    assert predicted(path, "tf-keras==2.21", LoadCall.LOAD_WEIGHTS, trained).predicted is wanted
    # Without knowledge of the program both are possible.
    (found,) = predict(read(path, Limits()), ("tf-keras==2.21",))
    assert found.predicted is LoadOutcome.UNKNOWN
    assert predicted(path, "tf==2.21", LoadCall.LOAD_WEIGHTS, True).predicted is LoadOutcome.LOADS


@pytest.mark.parametrize(("trained", "optimizer"), [(False, "adam"), (True, "adam"), (True, "sgd")])
def test_an_optimizers_variables_have_other_numbers_in_keras_3(
    tmp_path: Path,
    old: ModuleType,
    new: ModuleType,
    tensorflow: ModuleType,
    trained: bool,
    optimizer: str,
) -> None:
    path = str(tmp_path / "model")
    tensorflow.train.Checkpoint(dense(old, True, optimizer)).write(path)
    model = dense(new, trained, optimizer)
    before = model.get_weights()
    try:
        tensorflow.train.Checkpoint(model).read(path).expect_partial()
    except ValueError:
        wanted = LoadOutcome.FAILS
    else:
        assert all(map(np.array_equal, before, model.get_weights()))
        wanted = LoadOutcome.DIFFERS
    assert (wanted is LoadOutcome.FAILS) is (trained and optimizer == "adam")
    found = predicted(Path(path), "tf==2.21", LoadCall.RESTORE, trained)
    if trained and optimizer == "sgd":  # its file is that of SGD with momentum, which fails
        wanted = LoadOutcome.FAILS
    assert found.predicted is wanted


def test_old_slots_keep_only_a_model_compiled_with_a_later_optimizer_from_restoring(
    tmp_path: Path, old: ModuleType, tensorflow: ModuleType
) -> None:
    path = str(tmp_path / "model")
    saved = dense(old, True, old.optimizers.legacy.Adam())
    saved.save_weights(path, save_format="tf")
    compiled = dense(old, True)
    plain = old.Sequential([old.layers.Input((3,)), old.layers.Dense(4)])
    with pytest.raises(ValueError, match=r"legacy .*Keras optimizer"):
        compiled.load_weights(path)
    plain.load_weights(path)
    assert all(map(np.array_equal, plain.get_weights(), saved.get_weights()))
    for call in (LoadCall.LOAD_WEIGHTS, LoadCall.RESTORE):
        assert predicted(Path(path), "tf-keras==2.21", call, True).predicted is LoadOutcome.FAILS
        found = predicted(Path(path), "tf-keras==2.21", call)
        assert found.predicted is LoadOutcome.UNKNOWN
        assert "not compiled" in found.because[0].fix


@pytest.mark.parametrize("part", ["dense", "", "list"])
def test_a_subclass_keeps_the_names_of_its_attributes_in_keras_3(
    tmp_path: Path, old: ModuleType, new: ModuleType, tensorflow: ModuleType, part: str
) -> None:
    """Only a kernel of a Dense layer has another name there, and lists of layers have none."""

    def subclass(keras):
        class Net(keras.Model):
            def __init__(self):
                super().__init__()
                self.reader = keras.layers.LSTM(3)
                self.head = keras.layers.Dense(2) if part else None
                self.more = [keras.layers.Dense(2)] if part == "list" else []

            def call(self, x):
                layers = filter(None, (self.reader, self.head, *self.more))
                return reduce(lambda x, layer: layer(x), layers, x)

        made = Net()
        made(np.ones((1, 4, 2), "float32"))
        made.set_weights([np.full(each.shape, 7.0) for each in made.get_weights()])
        return made

    path = str(tmp_path / "model")
    tensorflow.train.Checkpoint(subclass(old)).write(path)
    model = subclass(new)
    model.set_weights([np.zeros(each.shape) for each in model.get_weights()])
    tensorflow.train.Checkpoint(model).read(path).expect_partial()
    assert sum(not w.any() for w in model.get_weights()) == {"": 0, "dense": 1, "list": 3}[part]
    found = predicted(Path(path), "tf==2.21", LoadCall.RESTORE)
    assert found.predicted is (LoadOutcome.DIFFERS if part else LoadOutcome.LOADS)
    said = found.because[0].text if part else ""
    assert ("the same holds for more/0/bias if more is a list" in said) is (part == "list")
    assert {
        "": "",
        "dense": "5 weights there is no match for head/kernel,",
        "list": "head/kernel and 1 more,",
    }[part] in said


@pytest.mark.parametrize("factor", [1.0, 2.0])
@pytest.mark.parametrize("name", ["keras", "tf_keras"])
def test_a_restored_normalization_keeps_what_it_adapted_to(
    tmp_path: Path, tensorflow: ModuleType, name: str, factor: float
) -> None:
    keras = pytest.importorskip(name)

    def adapted(data: np.ndarray):
        layer = keras.layers.Normalization()
        layer.adapt(data)
        return keras.Sequential([keras.layers.Input((3,)), layer])

    saved, model = adapted(DATA), adapted(DATA * factor)
    path = str(tmp_path / "model")
    tensorflow.train.Checkpoint(saved).write(path)
    tensorflow.train.Checkpoint(model).read(path).expect_partial()
    same = np.allclose(saved(DATA), model(DATA), atol=1e-5)
    assert same is (factor == 1.0)
    runtime = "tf==2.21" if name == "keras" else "tf-keras==2.21"
    found = predicted(Path(path), runtime, LoadCall.RESTORE)
    assert found.predicted is LoadOutcome.DIFFERS
    (reason,) = found.conditions
    assert reason.unless == "the code adapts the layer to the same data"


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("name", ["keras", "tf_keras"])
def test_a_checkpoint_of_keras_3_lacks_layers_in_lists(
    tmp_path: Path, tensorflow: ModuleType, name: str, listed: bool
) -> None:
    keras = pytest.importorskip(name)

    class Blocks(keras.Model):
        def __init__(self):
            super().__init__()
            self.head = keras.layers.Dense(2)
            layer = keras.layers.Dense(3)
            self.block = [layer] if listed else layer

        def call(self, value):
            return self.head((self.block[0] if listed else self.block)(value))

    saved, model = Blocks(), Blocks()
    saved(DATA)
    model(DATA)
    path = str(tmp_path / "model")
    tensorflow.train.Checkpoint(saved).write(path)
    tensorflow.train.Checkpoint(model).read(path).expect_partial()
    same = np.allclose(saved(DATA), model(DATA), atol=1e-5)
    assert same is not (listed and name == "keras")
    # The file looks the same either way: it is taken for that of most classes.
    runtime = "tf==2.21" if name == "keras" else "tf-keras==2.21"
    found = predicted(Path(path), runtime, LoadCall.RESTORE)
    assert found.predicted is LoadOutcome.LOADS


def test_a_checkpoint_of_a_functional_model_is_not_left_open(
    tmp_path: Path, new: ModuleType, tensorflow: ModuleType
) -> None:
    model = new.Sequential([new.layers.Input(batch_shape=(2, 4, 3)), new.layers.Masking()])
    model.add(new.layers.Bidirectional(new.layers.GRU(2, stateful=True)))
    model.compile("adam", "mse")
    model.fit(np.ones((2, 4, 3), "float32"), np.ones((2, 4), "float32"), verbose=0)
    for number, written in enumerate(
        (tensorflow.train.Checkpoint(model), tensorflow.train.Checkpoint(model=model))
    ):
        path = tmp_path / str(number)
        written.write(str(path))
        assert predicted(path, "tf==2.21", LoadCall.RESTORE).predicted is LoadOutcome.LOADS


@pytest.mark.parametrize("inner", [False, True])
def test_layouts_of_models_inside_a_subclass(tmp_path: Path, new: ModuleType, inner: bool) -> None:
    """Keras 2.12 to 2.14 name the layers of a Sequential model otherwise than Keras 3."""

    class Holder(new.Model):
        def __init__(self):
            super().__init__()
            layer = new.layers.Dense(3)
            self.head = new.Sequential([layer]) if inner else layer

        def call(self, value):
            return self.head(value)

    model = Holder()
    model(DATA)
    path = tmp_path / "w.weights.h5"
    model.save_weights(path)
    for runtime in ("tf==2.13", "tf==2.21"):
        found = predicted(path, runtime, LoadCall.LOAD_WEIGHTS).predicted
        fails = inner and runtime == "tf==2.13"
        assert found is (LoadOutcome.FAILS if fails else LoadOutcome.LOADS)


def test_dropout_masks_that_an_export_draws_and_does_not_use(
    tmp_path: Path, new: ModuleType, tensorflow: ModuleType
) -> None:
    data = RANDOM.random((2, 4, 3), "float32")
    layer = new.layers.LSTM(3, dropout=0.5, recurrent_dropout=0.5)
    model = new.Sequential([new.layers.Input((4, 3)), layer])
    model.export(tmp_path / "export", verbose=False)
    loaded = tensorflow.saved_model.load(tmp_path / "export")
    assert np.allclose(loaded.serve(data), model(data, training=False), atol=1e-6)
    operations = {
        node.op
        for graph in read(tmp_path / "export", Limits()).graphs
        for function in graph.functions.values()
        for node in function.nodes
    }
    assert any(op.startswith("StatelessRandomUniform") for op in operations)
    found = predicted(tmp_path / "export", "tf==2.21", LoadCall.SAVED_MODEL)
    assert found.predicted is LoadOutcome.LOADS


def test_an_initializer_with_the_name_of_a_layer(tmp_path: Path, old: ModuleType) -> None:
    path = tmp_path / "m.keras"
    initializer = old.initializers.Identity(gain=0.9)
    layer = old.layers.Dense(3, kernel_initializer=initializer)
    old.Sequential([old.layers.Input((3,)), layer]).save(path)
    old.models.load_model(path)
    assert predicted(path, "tf-keras==2.21", LoadCall.LOAD_MODEL).predicted is LoadOutcome.LOADS


@pytest.mark.parametrize("axis", [1, 2, -1])
def test_an_axis_that_is_dropped_from_hdf5(tmp_path: Path, new: ModuleType, axis: int) -> None:
    """Keras 3.6 reads an axis only from a list of one; the installed version reads it."""
    one = new.layers.Input((4, 3))
    outputs = new.layers.Concatenate(axis=axis)([one, one])
    model = new.Model(one, new.layers.Softmax(axis=axis)(outputs))
    path = tmp_path / "m.h5"
    model.save(path)
    data = RANDOM.random((2, 4, 3), "float32")
    again = new.models.load_model(path, compile=False)
    assert np.allclose(model(data), again(data))
    assert predicted(path, "tf==2.21", LoadCall.LOAD_MODEL).predicted is LoadOutcome.LOADS
    found = predicted(path, "keras==3.6.0", LoadCall.LOAD_MODEL)
    codes = {reason.code for reason in found.because if reason.predicted is LoadOutcome.DIFFERS}
    assert codes == ({"axes-dropped"} if axis == 1 else set())


@pytest.mark.parametrize("stated", [True, False])
def test_axes_of_layers_that_state_their_module_are_read(
    tmp_path: Path, new: ModuleType, stated: bool
) -> None:
    start = new.layers.Input((4, 3))
    model = new.Model(start, new.layers.Softmax(axis=[1, 2])(start))
    path = tmp_path / "m.h5"
    model.save(path)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        for layer in config["config"]["layers"] if stated else ():
            layer |= {"module": "keras.layers", "registered_name": None}
        file.attrs["model_config"] = json.dumps(config)
    data = RANDOM.random((2, 4, 3), "float32")
    again = new.models.load_model(path, compile=False)
    assert np.allclose(model(data), again(data)) is stated
    found = predicted(path, "tf==2.21", LoadCall.LOAD_MODEL)
    assert found.predicted is (LoadOutcome.LOADS if stated else LoadOutcome.DIFFERS)


def test_a_weight_named_mean_is_not_that_of_a_normalization(
    tmp_path: Path, new: ModuleType, tensorflow: ModuleType
) -> None:
    class Centered(new.layers.Layer):
        def build(self, shape):
            self.mean = self.add_weight(name="mean", shape=shape[1:], trainable=False)

        def call(self, value):
            return value - self.mean

    def made():
        return new.Sequential([new.layers.Input((3,)), Centered(), new.layers.Dense(2)])

    saved, model, path = made(), made(), str(tmp_path / "model")
    tensorflow.train.Checkpoint(saved).write(path)
    tensorflow.train.Checkpoint(model).read(path).expect_partial()
    assert np.allclose(saved(DATA), model(DATA))
    assert predicted(Path(path), "tf==2.21", LoadCall.RESTORE).predicted is LoadOutcome.LOADS


def test_layers_in_a_subclass_of_a_functional_model(
    tmp_path: Path, old: ModuleType, new: ModuleType
) -> None:
    """A loader that imports its module reads its layers as those of any other model."""
    own = type("OwnStep", (new.Model,), {"__module__": "steps"})
    start = new.layers.Input((3,))
    path = tmp_path / "m.keras"
    own(start, new.layers.Dense(2)(start)).save(path)
    request = LoadRequest(LoadCall.LOAD_MODEL, modules=frozenset(("steps",)))
    (found,) = fitting_predictions(
        read(path, Limits()), [(find_profile("tf-keras==2.21"), request)]
    )
    assert {"unknown-argument"} <= {reason.code for reason in found.because}
    with pytest.raises(TypeError, match="batch_shape"):
        old.layers.InputLayer.from_config({"batch_shape": [None, 3], "name": "x"})
