"""Small experiments in a runtime, for behaviour that no signature shows.

An experiment that cannot be run has no result (null).
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
import tempfile
from functools import partial
from pathlib import Path

from .arguments import arguments_refused
from .configs import (
    axes_from_h5,
    axis_from_h5,
    lists_in,
    operations_from_h5,
    reads_arrays,
    revives_recurrent,
    sequential_forms,
)
from .layouts import layouts_read
from .programs import optimizer_variables, restored_states, weights_into_trained
from .results import checkpoint_names, computed
from .signatures import AnyObject
from .versions import version_of


def experiments(keras: AnyObject, root: str) -> dict[str, AnyObject]:
    """Name -> result (a truth value, a number or a string)."""
    keras3 = version_of(keras) >= (3, 0)
    found: dict[str, AnyObject] = {}
    tries: dict[str, AnyObject] = {
        "hard_sigmoid_of_one": lambda: hard_sigmoid(keras),
        "slash_in_names": lambda: works(lambda: keras.layers.Dense(1, name="a/b")),
        "list_axis": lambda: works(
            lambda: keras.layers.BatchNormalization(axis=[1]).build((None, 3))
        ),
        "policy_object": lambda: policy(keras, "Policy", root + ".mixed_precision"),
        "dtype_policy_object": lambda: policy(keras, "DTypePolicy", "keras"),
        "category_rank": lambda: category_rank(keras),
        "kwargs_of_rnn": lambda: recurrent_defaults(keras),
        "lambda_globals": lambda: lambda_globals(keras, keras3),
        "restores": lambda: round_trips(keras),
        "layouts_read": lambda: layouts_read(keras),
        "function_forms": lambda: function_forms(keras),
        "dtypes_refused": lambda: dtypes_refused(keras),
        "axes_from_h5": lambda: axes_from_h5(keras),
        "weights_into_trained": lambda: weights_into_trained(keras),
        "optimizer_variables": lambda: optimizer_variables(keras),
        "restored_states": lambda: restored_states(keras),
        "sequential_forms": lambda: sequential_forms(keras),
        "computed": lambda: computed(keras),
        "reads_arrays": lambda: works(lambda: reads_arrays(keras)),
    }
    of_keras3: dict[str, AnyObject] = {
        "lambda_output_shape_list": lambda: works(lambda: lambda_with_shape(keras)),
        "imports_any_module": lambda: imports_any_module(keras),
        "resolves_strings": resolves_strings,
        "arguments_refused": lambda: arguments_refused(keras),
        "guards_h5_lambda": guards_h5_lambda,
        "add_misaligns": lambda: add_misaligns(keras),
        "operations_from_h5": lambda: operations_from_h5(keras),
        "axis_from_h5": lambda: axis_from_h5(keras),
        "loads_by_name": lambda: loads_by_name(keras),
        "takes_flat_outputs": lambda: takes_flat_outputs(keras),
        "lists_in": lambda: lists_in(keras),
        "checkpoint_names": lambda: checkpoint_names(keras),
    }
    of_keras2: dict[str, AnyObject] = {"revives_recurrent": revives_recurrent}
    tries.update(of_keras3 if keras3 else of_keras2)
    found.update(dict.fromkeys(of_keras2 if keras3 else of_keras3))  # no result: not asked there
    for name, attempt in sorted(tries.items()):
        try:
            found[name] = attempt()
        except Exception as error:
            found[name] = None
            sys.stderr.write(f"{name}: {type(error).__name__}: {str(error)[:120]}\n")
    return found


def works(attempt: AnyObject) -> bool:
    """Whether the call succeeds without an error."""
    try:
        attempt()
    except Exception:
        return False
    return True


def number(tensor: AnyObject) -> float:
    """A scalar tensor as a float, in graph mode too."""
    numpy = importlib.import_module("numpy")
    if hasattr(tensor, "numpy"):
        return float(tensor.numpy())
    session = importlib.import_module("tensorflow").compat.v1.Session()
    return float(numpy.asarray(session.run(tensor)))


def hard_sigmoid(keras: AnyObject) -> float:
    """0.7 for Keras 2's definition, 2/3 for Keras 3's."""
    tensorflow = importlib.import_module("tensorflow")
    return round(number(keras.activations.hard_sigmoid(tensorflow.constant(1.0))), 4)


def policy(keras: AnyObject, class_name: str, module: AnyObject) -> list[bool]:
    """Whether a layer accepts this written form of a dtype policy, and then works."""
    config = {"class_name": class_name, "config": {"name": "mixed_float16"}}
    forms = [config, dict(config, module=module, registered_name=None)]

    def makes(form: AnyObject) -> None:
        layer = keras.layers.Dense.from_config({"units": 2, "dtype": form})
        layer(keras.layers.Input((3,)))

    return [works(partial(makes, form)) for form in forms]


def category_rank(keras: AnyObject) -> int:
    """Rank of the one-hot code for one category per row."""
    numpy = importlib.import_module("numpy")
    layer = keras.layers.CategoryEncoding(num_tokens=3, output_mode="one_hot")
    model = keras.Sequential([keras.layers.Input((1,), dtype="int64"), layer])
    return len(model(numpy.array([[1], [2]], dtype="int64")).shape)


def dtypes_refused(keras: AnyObject) -> dict[str, list[str]]:
    """Layers with integer outputs -> written forms of a dtype that they reject."""
    policy_of_integers = {
        "module": "keras",
        "class_name": "DTypePolicy",
        "config": {"name": "int64"},
        "registered_name": None,
    }
    configs: dict[str, dict[str, AnyObject]] = {
        "Hashing": {"num_bins": 3},
        "Discretization": {"bin_boundaries": [0.0, 1.0]},
        "StringLookup": {"vocabulary": ["a"]},
        "IntegerLookup": {"vocabulary": [1]},
    }
    forms: dict[str, AnyObject] = {"float": "float32", "policy": policy_of_integers}
    found = {}
    for name, config in sorted(configs.items()):
        cls = getattr(keras.layers, name, None)
        if cls is None or not works(partial(cls.from_config, dict(config, dtype="int64"))):
            continue
        found[name] = [
            form
            for form, dtype in sorted(forms.items())
            if not works(partial(cls.from_config, dict(config, dtype=dtype)))
        ]
    return found


def recurrent_defaults(keras: AnyObject) -> dict[str, AnyObject]:
    """Defaults of a recurrent layer that is rebuilt."""
    found = {}
    for name in ("LSTM", "GRU", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"):
        cls = getattr(keras.layers, name, None)  # not every runtime has all of them
        parameters = inspect.signature(cls.__init__).parameters if cls else {}
        for key in ("recurrent_activation", "reset_after"):
            if key in parameters:
                found[name + "." + key] = parameters[key].default
    return found


def lambda_globals(keras: AnyObject, keras3: bool) -> list[str]:
    """Names that code in a Lambda layer can refer to."""
    if keras3:
        module = importlib.import_module("keras.src.utils.python_utils")
    else:
        module = sys.modules[keras.layers.Lambda.__module__]
    return sorted(name for name in vars(module) if not name.startswith("__"))


def lambda_with_shape(keras: AnyObject) -> AnyObject:
    """A Lambda whose output_shape is a list, as JSON makes it, called once."""
    function = {
        "class_name": "function",
        "config": "relu",
        "module": "keras.activations",
        "registered_name": "relu",
    }
    config = {"name": "double", "function": function, "output_shape": [4]}
    return keras.layers.Lambda.from_config(config)(keras.layers.Input((4,)))


def function_forms(keras: AnyObject) -> list[str]:
    """Forms in which an HDF5 file may refer to a user's function: its name, or the object that
    Keras 2.13 to 2.15 write."""
    written = {"module": "builtins", "class_name": "function", "config": "halved"}
    written["registered_name"] = "function"
    forms = {"name": "halved", "object": written}
    return [form for form, value in sorted(forms.items()) if function_is_read(keras, value)]


def function_is_read(keras: AnyObject, written: AnyObject) -> bool:
    """Whether an HDF5 file whose activation is `written`, a function named halved, loads."""
    h5py = importlib.import_module("h5py")
    value = keras.layers.Input((2,))
    model = keras.Model(value, keras.layers.Dense(2, activation="relu")(value))
    with tempfile.TemporaryDirectory() as directory:
        path = str(Path(directory) / "model.h5")
        model.save(path)
        with h5py.File(path, "r+") as file:
            config = file.attrs["model_config"]
            config = config.decode() if isinstance(config, bytes) else config
            # Bytes: TensorFlow up to 2.4 decodes what it finds.
            file.attrs["model_config"] = config.replace('"relu"', json.dumps(written)).encode()
        objects = {"halved": lambda tensor: tensor * 0.5}
        return works(lambda: keras.models.load_model(path, custom_objects=objects, compile=False))


def imports_any_module(keras: AnyObject) -> bool:
    """Whether a saved module path is imported regardless of its package."""
    try:
        keras.saving.deserialize_keras_object(
            {"module": "collections", "class_name": "Counter", "config": {}, "registered_name": "?"}
        )
    except Exception as error:
        return "from_config" in str(error)
    return True


def resolves_strings() -> bool:
    """Whether the old reader interprets a string in a config as a function of `keras.layers`."""
    reader = importlib.import_module("keras.src.legacy.saving.saving_utils").model_from_config
    config = {"class_name": "Attention", "config": {"name": "a", "score_mode": "dot"}}
    return not works(lambda: reader(config))


def guards_h5_lambda() -> bool:
    """Whether HDF5 files are read in safe mode."""
    legacy = importlib.import_module("keras.src.legacy.saving.legacy_h5_format")
    return "safe_mode" in inspect.signature(legacy.load_model_from_hdf5).parameters


def add_misaligns(keras: AnyObject) -> bool:
    """Whether (n, n) + (n, 1) is added along the wrong axis."""
    numpy = importlib.import_module("numpy")
    left, right = numpy.zeros((4, 4), "float32"), numpy.arange(4, dtype="float32").reshape(4, 1)
    added = numpy.asarray(keras.layers.Add()([left, right]))
    return bool(numpy.abs(added - (left + right)).max() > 1e-6)


def loads_by_name(keras: AnyObject) -> bool:
    """Whether HDF5 weights with an (empty) group of top-level weights load by name."""
    with tempfile.TemporaryDirectory() as directory:
        path = str(Path(directory) / "model.h5")
        model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
        model.save(path)
        return works(lambda: model.load_weights(path, by_name=True))


def takes_flat_outputs(keras: AnyObject) -> bool:
    """Whether `output_layers` may be one entry instead of a list of entries."""
    value = keras.layers.Input((2,))
    config = keras.Model(value, keras.layers.Dense(2, name="last")(value)).get_config()
    config["output_layers"] = ["last", 0, 0]
    return works(lambda: keras.Model.from_config(config))


def make_layer(keras: AnyObject, name: str, **arguments: AnyObject) -> AnyObject:
    """A layer by name: not every runtime has it."""
    return getattr(keras.layers, name)(**arguments)


def round_trips(keras: AnyObject) -> dict[str, list[str]]:
    """Layers with a state that is not a plain weight -> the formats from which it is restored."""
    numpy = importlib.import_module("numpy")
    numbers = numpy.array([[1.0, 5.0], [3.0, 9.0], [8.0, 4.0]], "float32")
    words = numpy.array([["a b"], ["b c"], ["b b"]], dtype=object)
    made = {
        "Normalization": (partial(make_layer, keras, "Normalization"), numbers, "float32"),
        "Discretization": (
            partial(make_layer, keras, "Discretization", num_bins=2),
            numbers,
            "float32",
        ),
        "TextVectorization": (
            partial(make_layer, keras, "TextVectorization", output_sequence_length=3),
            words,
            "string",
        ),
        "TextVectorization.tf_idf": (
            partial(make_layer, keras, "TextVectorization", output_mode="tf_idf"),
            words,
            "string",
        ),
        "StringLookup": (partial(make_layer, keras, "StringLookup"), words, "string"),
        "IntegerLookup": (
            partial(make_layer, keras, "IntegerLookup"),
            numbers.astype("int64"),
            "int64",
        ),
    }
    found = {}
    for name, (make, data, dtype) in sorted(made.items()):
        if hasattr(keras.layers, name.partition(".")[0]):
            found[name] = [f for f in ("h5", "keras") if returns(keras, make, data, dtype, "." + f)]
    return found


def returns(keras: AnyObject, make: AnyObject, data: AnyObject, dtype: str, suffix: str) -> bool:
    """Whether a model of one adapted layer computes the same after saving and loading."""
    numpy = importlib.import_module("numpy")
    tensorflow = importlib.import_module("tensorflow")
    data = tensorflow.constant(data.tolist(), dtype=dtype)
    with tempfile.TemporaryDirectory() as directory:
        path = str(Path(directory) / ("model" + suffix))
        try:
            layer = make()
            layer.adapt(data)
            value = keras.layers.Input(tuple(data.shape[1:]), dtype=dtype)
            adapted = layer(value)
            if "float" not in str(adapted.dtype):
                adapted = keras.layers.Embedding(9, 2)(adapted)
            adapted = keras.layers.Flatten()(keras.layers.Dense(2)(adapted))
            model = keras.Model(value, keras.layers.Dense(2)(adapted))
            expected = numpy.asarray(model(data))
            model.save(path)
            loaded = keras.models.load_model(path, compile=False)
            return bool(numpy.array_equal(expected, numpy.asarray(loaded(data))))
        except Exception:
            return False
