"""A case for each cause by which a runtime does not load a file: the file, the call, the advice.

`ways` are the ways out that the advice names, by words in it, each as a function that follows the
words with a copy of the file; it raises an error where the advice does not hold.
"""

from __future__ import annotations

import base64
import json
import marshal
from collections.abc import Callable, Mapping
from pathlib import Path
from types import CodeType
from typing import Any

import h5py
import numpy as np
from msgspec import Struct, field

from modelaudit.runtimes.collecting.configs import sequential_configs
from modelaudit.runtimes.model import LoadCall
from tests.runtimes.checks.making import (
    Config,
    Keras,
    changed,
    deleting,
    new,
    objects,
    of_class,
    old,
    saved,
    setting,
    stack,
    version,
    weights_of,
    without_modules,
)

K3 = "tf==2.21.0"
K2 = "tf-keras==2.21.0"
Way = Callable[[Path], Any]


class Case(Struct, frozen=True):
    """One file with one cause.

    `load` is what a user calls; `compile` says that it is `load_model` with its defaults, `later`
    the inputs of the call that fails where loading succeeds.
    """

    code: str
    target: str
    make: Callable[[Path], Path]
    ways: Mapping[str, Way] = field(default_factory=dict)
    call: LoadCall = LoadCall.LOAD_MODEL
    load: Way | None = None
    compile: bool = False
    later: tuple[int, ...] = ()
    note: str = ""

    @property
    def name(self) -> str:
        return f"{self.code}, {self.target}{', ' * bool(self.note)}{self.note}"


def in_keras2(path: Path, **options: Any) -> Any:
    return old().models.load_model(path, **{"compile": False, **options})


def in_keras3(path: Path, **options: Any) -> Any:
    return new().models.load_model(path, **{"compile": False, **options})


def after(change: Callable[[Config], Any], load: Way) -> Way:
    """Loads the file after a change of its config."""
    return lambda path: load(changed(path, change))


def renamed(suffix: str, load: Way) -> Way:
    return lambda path: load(path.rename(path.with_suffix(suffix)))


def given(load: Way, *names: str) -> Way:
    """Loads the file with objects of somebody's own."""
    return lambda path: load(path, custom_objects={name: own(name) for name in names})


def own(name: str) -> Any:
    """An object of the program: a layer, or a function of one tensor."""
    if name[0].isupper():
        return layer_of_its_own(old() if name.startswith("Old") else new(), name)
    return lambda value, *_: value * 2


def layer_of_its_own(keras: Keras, name: str) -> Any:
    return type(name, (keras.layers.Layer,), {"call": lambda self, value: value * 2})


def depthwise(folder: Path) -> Path:
    layers = old().layers
    model = stack(old(), (6, 6, 2), layers.DepthwiseConv2D(3), layers.Flatten(), layers.Dense(2))
    return saved(model, folder / "m.h5")


def h5(
    build: Callable[[Keras], Any],
    *changes: Callable[[Config], Any],
    keras2: bool = True,
    plain: bool = False,
    keras: str = "",
) -> Callable[[Path], Path]:
    """A maker of an HDF5 file: the model that `build` makes, with changes of its config."""

    def make(folder: Path) -> Path:
        path = saved(build(old() if keras2 else new()), folder / "m.h5")
        for change in (*([without_modules] if plain else []), *changes):
            changed(path, change)
        return version(path, keras) if keras else path

    return make


def archive(
    build: Callable[[Keras], Any], *changes: Callable[[Config], Any], keras2: bool = True
) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = saved(build(old() if keras2 else new()), folder / "m.keras")
        for change in changes:
            changed(path, change)
        return path

    return make


def dense(k: Keras) -> Any:
    return stack(k, (4,), k.layers.Dense(3, name="dense"), k.layers.Dense(2, name="last"))


def compiled(
    optimizer: Any = "adam", loss: Any = "mse", metrics: Any = ()
) -> Callable[[Keras], Any]:
    def build(k: Keras) -> Any:
        model = dense(k)
        made = [each(k) if callable(each) else each for each in (optimizer, loss)]
        model.compile(made[0], made[1], metrics=[m(k) if callable(m) else m for m in metrics])
        return model

    return build


def recurrent(kind: str) -> Callable[[Keras], Any]:
    return lambda k: stack(k, (5, 3), getattr(k.layers, kind)(4), k.layers.Dense(2))


def wrapped(k: Keras) -> Any:
    return stack(k, (5, 3), k.layers.TimeDistributed(k.layers.Dense(2)))


def functional(
    compute: Callable[[Keras, Any], Any], shape: tuple[int, ...] = (4,)
) -> Callable[[Keras], Any]:
    def build(k: Keras) -> Any:
        value = k.Input(shape)
        return k.Model(value, compute(k, value))

    return build


def layer(name: str, **options: Any) -> Callable[[Keras, Any], Any]:
    return lambda k, value: getattr(k.layers, name)(**options)(value)


def tensorflow() -> Any:
    import tensorflow as tf

    return tf


def initial_states(k: Keras) -> Any:
    """An encoder and a decoder, whose initial states are those of the encoder."""
    layers = k.layers
    text, start = layers.Input((5, 3)), layers.Input((4, 3))
    _, h, c = layers.LSTM(2, return_state=True, name="encoder")(text)
    decoded = layers.LSTM(2, name="decoder")(start, initial_state=[h, c])
    return k.Model([text, start], layers.Dense(2)(decoded))


def both_ways(k: Keras) -> Any:
    """The same with layers that read in both directions."""
    layers = k.layers
    text, start = layers.Input((5, 3)), layers.Input((4, 3))
    _, *states = layers.Bidirectional(layers.GRU(2, return_state=True))(text)
    return k.Model([text, start], layers.Bidirectional(layers.GRU(2))(start, initial_state=states))


def without_input(config: Config) -> None:
    """A Sequential model whose first layer has the shape, as Keras 2.2.3 to 2.3 wrote it."""
    given, first, *others = config["config"]["layers"]
    first["config"]["batch_input_shape"] = given["config"]["batch_input_shape"]
    config["config"]["layers"] = [first, *others]


def norm(k: Keras) -> Any:
    return stack(k, (4,), k.layers.Dense(3), k.layers.BatchNormalization(), k.layers.Dense(2))


def image(k: Keras) -> Any:
    return stack(k, (8, 6, 3), k.layers.Conv2D(4, 3), k.layers.Flatten(), k.layers.Dense(2))


def fractions(config: Config) -> None:
    """Sizes as fractions, as a program that divides computes them."""
    for each in objects(config):
        for key in ("batch_input_shape", "batch_shape"):
            if isinstance(each.get(key), list):
                each[key] = [size if size is None else float(size) for size in each[key]]


def whole(config: Config) -> None:
    for each in objects(config):
        for key in ("batch_input_shape", "batch_shape"):
            if isinstance(each.get(key), list):
                each[key] = [size if size is None else int(size) for size in each[key]]


def first_dtype(config: Config) -> None:
    """Initializers with a dtype, as TensorFlow 1 wrote them, with the keys in sorted order."""
    for each in of_class(config, "Dense"):
        for key in ("kernel_initializer", "bias_initializer"):
            each["config"][key]["config"]["dtype"] = "float32"
        each["config"] = dict(sorted(each["config"].items()))


def as_list(form: str) -> Callable[[Path], Path]:
    """An HDF5 file with a form of the config of a Sequential model."""

    def make(folder: Path) -> Path:
        path = folder / "m.h5"
        config = {"class_name": "Sequential", "config": sequential_configs()[form]}
        inner = form.startswith("inner")
        names = [f"{one}/{part}:0" for one in ("one", "two") for part in ("kernel", "bias")]
        shapes = [(3, 4), (4,), (4, 2), (2,)]
        with h5py.File(path, "w") as file:
            file.attrs["model_config"] = json.dumps(config)
            file.attrs["keras_version"], file.attrs["backend"] = b"2.2.4", b"tensorflow"
            weights = file.create_group("model_weights")
            weights.attrs["keras_version"], weights.attrs["backend"] = b"2.2.4", b"tensorflow"
            groups = {"inner": names} if inner else {"one": names[:2], "two": names[2:]}
            weights.attrs["layer_names"] = [each.encode() for each in sorted(groups)]
            for name, inside in groups.items():
                group = weights.create_group(name)
                group.attrs["weight_names"] = [each.encode() for each in inside]
                for each in inside:
                    group[each] = np.ones(shapes[names.index(each)], "float32")
        return path

    return make


def from_code(path: Path) -> Any:
    keras = new()
    model = keras.Sequential([keras.layers.Dense(4, name="one"), keras.layers.Dense(2, name="two")])
    model(np.ones((1, 3)))
    model.load_weights(path)
    return model


def from_code_2(path: Path) -> Any:
    keras = old()
    model = keras.Sequential([keras.layers.Dense(4, name="one"), keras.layers.Dense(2, name="two")])
    model(np.ones((1, 3)))
    model.load_weights(path)
    return model


def inner_twice(k: Keras) -> Any:
    """An inner Functional model that Keras 2 built by its own input and was called twice."""
    part = k.Input((4,))
    inner = k.Model(part, k.layers.Dense(4)(part), name="inner")
    value = k.Input((4,))
    return k.Model(value, k.layers.Add()([inner(value), inner(k.layers.Dense(4)(value))]))


def inner_output(k: Keras) -> Any:
    inner = k.Sequential([k.Input((4,)), k.layers.Dense(4)], name="inner")
    value = k.Input((4,))
    return k.Model(value, inner(k.layers.Dense(4)(value)))


def listed(k: Keras) -> Any:
    image = k.layers.Input((12, 12, 1))
    inner = k.Model(image, k.layers.GlobalAveragePooling2D()(k.layers.Conv2D(4, 3)(image)))
    return k.Sequential([inner, k.layers.Softmax()])


def single_outputs(config: Config) -> None:
    """Outputs as a single entry instead of a list of one."""
    for each in objects(config):
        outputs = each.get("output_layers")
        if isinstance(outputs, list) and len(outputs) == 1 and isinstance(outputs[0], list):
            each["output_layers"] = outputs[0]


def open_size(k: Keras, size: int | None = None) -> Any:
    value = k.Input((5, 3))
    mixed = k.layers.EinsumDense("abc,cd->abd", output_shape=(size, 4), name="mixed")(value)
    return k.Model(value, k.layers.Dense(2)(k.layers.Flatten()(mixed)))


SHAPES_OF_ATTENTION = ("query_shape", "key_shape", "value_shape", "softmax_robust_masking")


def keyword(k: Keras) -> Any:
    one, other = k.Input((5, 4)), k.Input((5, 4))
    return k.Model([one, other], k.layers.MultiHeadAttention(2, 2)(one, value=other))


def windows(keras2: bool, group: str = "layers") -> Callable[[Path], Path]:
    def joined(file: h5py.File) -> None:
        for name in list(file[group]):
            file.move(f"{group}/{name}/vars", f"{group}\\{name}/vars")
        del file[group]

    def make(folder: Path) -> Path:
        path = archive(dense, keras2=keras2)(folder)
        if group != "layers":
            weights_of(path, lambda file: file.move("layers", group))
        return weights_of(path, joined)

    return make


def saved_again(path: Path) -> Any:
    """Loaded by Keras 2, and saved there as HDF5, which Keras 3 loads."""
    in_keras2(path).save(path.with_suffix(".h5"))
    return in_keras3(path.with_suffix(".h5"))


def by_name(path: Path) -> Any:
    """The activation by its name in the config, and given."""
    change = setting("Dense", activation="twice")
    return given(in_keras2, "twice")(changed(path, change))


def plain_names(path: Path, load: Way) -> Any:
    def change(file: h5py.File) -> None:
        for name in [name for name in file if "\\" in name]:
            file.move(name, name.replace("\\", "/"))

    return load(weights_of(path, change))


def other_layout(folder: Path) -> Path:
    return weights_of(
        archive(dense)(folder), lambda file: file.move("layers", "_layer_checkpoint_dependencies")
    )


def code_of(source: str) -> str:
    (code,) = [
        each for each in compile(source, "layer.py", "eval").co_consts if isinstance(each, CodeType)
    ]
    return base64.b64encode(marshal.dumps(code)).decode()


def lambda_h5(
    source: str, defaults: list[Any] | None = None, code: str = ""
) -> Callable[[Path], Path]:
    """An HDF5 file of Keras 2 with a Lambda."""

    def change(config: Config) -> None:
        for each in of_class(config, "Lambda"):
            each["config"].update(
                function=[code or code_of(source), defaults, None],
                function_type="lambda",
                module="__main__",
            )

    return h5(
        lambda k: stack(k, (4,), k.layers.Lambda(lambda x: x * 2, name="f"), k.layers.Dense(2)),
        change,
        plain=True,
    )


def unsafe(load: Way) -> Way:
    return lambda path: load(path, safe_mode=False)


def doubled(x: Any) -> Any:
    return x * 2


def lambda_by_name(k: Keras) -> Any:
    return stack(k, (4,), k.layers.Lambda(doubled, name="f"), k.layers.Dense(2))


def words(k: Keras) -> Any:
    lookup = k.layers.StringLookup()
    lookup.adapt(np.array(["a", "b"]))
    value = k.Input((1,), dtype="string")
    return k.Model(value, lookup(value))


def savedmodel_of_keras2(folder: Path) -> Path:
    path = folder / "m"
    dense(old()).save(path, save_format="tf")
    return path


def by_layer(path: Path) -> Any:
    return new().layers.TFSMLayer(str(path), call_endpoint="serving_default")(
        np.ones((1, 4), "float32")
    )


def by_signature(path: Path) -> Any:
    signature = tensorflow().saved_model.load(str(path)).signatures["serving_default"]
    _, specs = signature.structured_input_signature
    return signature(
        **{
            name: tensorflow().ones([1 if n is None else n for n in spec.shape], spec.dtype)
            for name, spec in specs.items()
        }
    )


def export_of_keras3(folder: Path) -> Path:
    path = folder / "m"
    dense(new()).export(path, format="tf_saved_model", verbose=False)
    return path


def module(*inputs: Any, signature: bool = True, variable: bool = True) -> Callable[[Path], Path]:
    """A SavedModel of a tf.Module."""

    def make(folder: Path) -> Path:
        tf = tensorflow()
        holder = tf.Module()
        holder.weight = tf.Variable(np.ones((4, 2), "float32"))
        specs = [tf.TensorSpec(shape, dtype, name=name) for name, shape, dtype in inputs]

        def call(*values: Any) -> Any:
            total = sum(tf.cast(value, tf.float32) for value in values)
            return {"out": total @ holder.weight}

        holder.call = tf.function(call, input_signature=specs)
        path = folder / "m"
        tf.saved_model.save(
            holder, str(path), signatures={"serving_default" if signature else "other": holder.call}
        )
        return path

    return make


def keyword_input(folder: Path) -> Path:
    """A SavedModel of TensorFlow 1 with an input that is called as a keyword of Python."""
    tf = tensorflow()
    path = folder / "m"
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        value = tf.compat.v1.placeholder("float32", (None, 4), "x")
        tf.compat.v1.saved_model.simple_save(
            session, str(path), {"lambda": value}, {"out": value * 2}
        )
    return path


def objects_without_metadata(folder: Path) -> Path:
    path = folder / "m"
    tensorflow().saved_model.save(dense(old()), str(path))
    return path


def metadata_of_another(folder: Path) -> Path:
    """A SavedModel with the metadata of another model."""
    path = folder / "m"
    dense(old()).save(path, save_format="tf")
    k = old()
    other = stack(k, (4,), *(k.layers.Dense(3) for _ in range(4)))
    other.save(folder / "other", save_format="tf")
    (folder / "other" / "keras_metadata.pb").replace(path / "keras_metadata.pb")
    return path


def by_session(path: Path) -> Any:
    tf = tensorflow()
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        return tf.compat.v1.saved_model.load(session, ["serve"], str(path))


def json_of_keras2(folder: Path) -> Path:
    """Weights beside an architecture in JSON."""
    model = dense(old())
    path = folder / "m.weights.h5"
    model.save_weights(folder / "part.h5")
    (folder / "part.h5").rename(path)
    config = json.loads(model.to_json())
    without_modules(config)
    (folder / "m.json").write_text(json.dumps(config))
    return path


def from_json(k: Callable[[], Keras]) -> Way:
    return lambda path: k().models.model_from_json((path.parent / "m.json").read_text())


def numbered(folder: Path) -> Path:
    path = folder / "m.h5"
    with h5py.File(path, "w") as file:
        file.attrs["nb_layers"] = 2
        for number, shape in enumerate(((4, 3), (3, 2))):
            group = file.create_group(f"layer_{number}")
            group.attrs["nb_params"] = 2
            group["param_0"], group["param_1"] = np.ones(shape, "f"), np.ones(shape[1:], "f")
    return path


def into(k: Callable[[], Keras], build: Callable[[Keras], Any] = dense, **options: Any) -> Way:
    """Loads weights into the model that the code builds."""

    def load(path: Path) -> Any:
        model = build(k())
        model.load_weights(path, **options)
        return model

    return load


def set_weights(path: Path) -> Any:
    model = dense(new())
    with h5py.File(path) as file:
        for each, group in zip(model.layers, ("layer_0", "layer_1"), strict=True):
            each.set_weights([file[f"{group}/param_{n}"][()] for n in range(2)])
    return model


def old_gru(folder: Path) -> Path:
    """Weights of a GRU of Keras 2.2, which had reset_after=False."""
    k = old()
    model = stack(
        k, (5, 3), k.layers.GRU(4, reset_after=False, recurrent_activation="hard_sigmoid")
    )
    path = folder / "m.h5"
    model.save_weights(path)
    with h5py.File(path, "r+") as file:
        file.attrs["keras_version"] = b"2.2.4"
    return path


def gru(**options: Any) -> Callable[[Keras], Any]:
    return lambda k: stack(k, (5, 3), k.layers.GRU(4, **options))


def checkpoint(keras: Callable[[], Keras], by_save: bool = False) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / "m"
        model = dense(keras())
        if by_save:
            model.save_weights(path)
        else:
            tensorflow().train.Checkpoint(model=model).write(str(path))
        return path

    return make


def restored(keras: Callable[[], Keras]) -> Way:
    def load(path: Path) -> Any:
        model = dense(keras())
        status = tensorflow().train.Checkpoint(model=model).restore(str(path))
        status.assert_existing_objects_matched()
        return model

    return load


def by_variables(path: Path) -> Any:
    reader = tensorflow().train.load_checkpoint(str(path))
    values = [name for name in reader.get_variable_to_shape_map() if "VARIABLE_VALUE" in name]
    assert values
    return [reader.get_tensor(name) for name in values]


def old_weights_h5(path: Path) -> Any:
    """Loaded with the Keras that saved it, and saved as .weights.h5; read by the other."""
    model = dense(old())
    model.load_weights(path).expect_partial()
    model.save_weights(path.with_name("again.weights.h5"))
    again = dense(new())
    again.load_weights(path.with_name("again.weights.h5"))
    return again


def bracketed(folder: Path) -> Path:
    model = dense(old())
    path = folder / "epoch[3]"
    model.save_weights(path)
    return path


def without_brackets(path: Path) -> Any:
    for each in list(path.parent.iterdir()):
        if each.name.startswith(path.name):
            each.rename(path.with_name(each.name.replace("[", "").replace("]", "")))
    model = dense(old())
    model.load_weights(path.with_name("epoch3"))
    return model


def attention(k: Keras) -> Any:
    one, other = k.Input((5, 4)), k.Input((5, 4))
    return k.Model([one, other], k.layers.Attention()([one, other]))


def mixed(k: Keras) -> Any:
    return stack(k, (4,), k.layers.Dense(3, dtype="mixed_float16"), k.layers.Dense(2))


POLICY = {"class_name": "Policy", "config": {"name": "mixed_float16"}}
ODD_POLICY = {
    "module": "keras",
    "class_name": "DTypePolicy",
    "config": {"name": "float32", "odd": 1},
    "registered_name": None,
}
ARRAY = {"type": "ndarray", "value": 0.25}


def leaky(k: Keras) -> Any:
    return stack(k, (4,), k.layers.Dense(3), k.layers.LeakyReLU())


def hashing(k: Keras) -> Any:
    value = k.Input((1,), dtype="string")
    return k.Model(value, k.layers.Hashing(3)(value))


def own_layer(name: str) -> Callable[[Keras], Any]:
    return lambda k: stack(k, (4,), layer_of_its_own(k, name)(name="own"), k.layers.Dense(2))


def own_activation(k: Keras) -> Any:
    def twice(x: Any) -> Any:
        return x * 2

    return stack(k, (4,), k.layers.Dense(2, activation=twice))


def slashed(config: Config) -> None:
    text = json.dumps(config).replace('"last"', '"la/st"')
    config.clear()
    config.update(json.loads(text))


def unslashed(config: Config) -> None:
    text = json.dumps(config).replace('"la/st"', '"last"')
    config.clear()
    config.update(json.loads(text))


def list_axis(config: Config) -> None:
    for each in of_class(config, "BatchNormalization"):
        axis = each["config"]["axis"]
        each["config"]["axis"] = axis if isinstance(axis, list) else [axis]


def number_axis(config: Config) -> None:
    for each in of_class(config, "BatchNormalization"):
        axis = each["config"]["axis"]
        each["config"]["axis"] = axis[0] if isinstance(axis, list) else axis


def plain_policy(config: Config) -> None:
    for each in objects(config):
        dtype = each.get("dtype")
        if isinstance(dtype, dict) and dtype.get("class_name") in ("Policy", "DTypePolicy"):
            each["dtype"] = dtype["config"]["name"]


def plain_array(config: Config) -> None:
    for each in objects(config):
        for key, value in each.items():
            if isinstance(value, dict) and value.get("type") == "ndarray":
                each[key] = value["value"]


def known_words(k: Keras) -> Any:
    value = k.Input((1,), dtype="string")
    return k.Model(value, k.layers.StringLookup(vocabulary=["a"])(value))


def table(folder: Path) -> Path:
    path = folder / "m.h5"
    words(new()).save(path)
    return changed(path, setting("StringLookup", vocabulary=None))


def trained(k: Keras) -> Any:
    model = dense(k)
    model.compile("adam", "mse")
    model.fit(np.ones((4, 4), "float32"), np.ones((4, 2), "float32"), verbose=0)
    return model


def trained_weights(folder: Path) -> Path:
    path = folder / "m.weights.h5"
    trained(new()).save_weights(path)
    return path


def training(
    build: Callable[[Keras], Any], change: Callable[[Config], Any], keras2: bool = True
) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = saved(build(old() if keras2 else new()), folder / "m.h5")
        with h5py.File(path, "r+") as file:
            config = json.loads(file.attrs["training_config"])
            change(config)
            file.attrs["training_config"] = json.dumps(config)
        return path

    return make


def adam(k: Keras) -> Any:
    return k.optimizers.Adam()


def weighty(config: Config) -> None:
    """A loss of Keras 2 with its reduction."""
    config["loss"] = {
        "class_name": "MeanSquaredError",
        "config": {"reduction": "auto", "name": "m"},
    }


def odd_loss(config: Config) -> None:
    config["loss"] = {"class_name": "MeanSquaredError", "config": {"name": "m", "odd": 1}}


def odd_metric(config: Config) -> None:
    config["metrics"] = [[{"class_name": "MeanSquaredError", "config": {"name": "m", "odd": 1}}]]


def rate_schedule(config: Config) -> None:
    config["optimizer_config"]["class_name"] = "Adam"
    config["optimizer_config"]["config"].pop("jit_compile", None)
    config["optimizer_config"]["config"].pop("is_legacy_optimizer", None)
    config["optimizer_config"]["config"]["learning_rate"] = {
        "class_name": "ExponentialDecay",
        "config": {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.9},
    }


def old_rate(config: Config) -> None:
    config["optimizer_config"]["class_name"] = "Adam"
    config["optimizer_config"]["config"] = {"lr": 0.1}


def named(**values: Any) -> Callable[[Config], None]:
    return lambda config: config.update(values)


def optimizer_of(**values: Any) -> Callable[[Config], None]:
    def change(config: Config) -> None:
        config["compile_config"]["optimizer"]["config"].update(values)

    return change


def legacy_optimizer(config: Config) -> None:
    config["compile_config"]["optimizer"].update(module="keras.optimizers.legacy")


def suffix(path: str, build: Callable[[Path], Path]) -> Callable[[Path], Path]:
    return lambda folder: (made := build(folder)).rename(made.with_name(path))


UNCOMPILED_2 = {"compile=False": in_keras2}
UNCOMPILED_3 = {"compile=False": in_keras3}

CASES = (
    Case(
        "unknown-argument",
        K3,
        depthwise,
        {
            "tf-keras": in_keras2,
            "delete groups": after(deleting("DepthwiseConv2D", "groups"), in_keras3),
        },
    ),
    Case(
        "unknown-argument",
        K3,
        h5(dense, first_dtype, plain=True),
        {"tf-keras": in_keras2},
        note="initializers",
    ),
    Case(
        "unknown-argument",
        K3,
        h5(recurrent("LSTM"), setting("LSTM", time_major=False), plain=True),
        {
            "tf-keras": in_keras2,
            "delete time_major": after(deleting("LSTM", "time_major"), in_keras3),
        },
        note="recurrent",
    ),
    Case(
        "unknown-argument",
        K3,
        archive(recurrent("LSTM"), setting("LSTM", time_major=False)),
        {
            "tf-keras": in_keras2,
            "delete time_major": after(deleting("LSTM", "time_major"), in_keras3),
        },
        note="archive",
    ),
    Case("unknown-argument", K3, h5(dense, setting("Dense", odd=[1])), {}, note="of nobody"),
    Case("unknown-argument", K2, h5(dense, setting("Dense", odd=1)), {}, note="of nobody"),
    Case("unknown-argument", K2, h5(dense, setting("InputLayer", odd=1)), {}, note="input layer"),
    Case("unknown-argument", K2, archive(dense, setting("Dense", odd=1)), {}, note="archive"),
    Case("unknown-argument", K2, h5(dense, keras2=False), {K3: in_keras3}, note="of Keras 3"),
    Case(
        "unknown-argument",
        K3,
        h5(
            lambda k: stack(k, (4,), k.layers.Dense(2, kernel_regularizer=k.regularizers.L2(0.1))),
            lambda c: [e["config"].update(odd=1) for e in of_class(c, "L2")],
            plain=True,
        ),
        {},
        note="regularizer",
    ),
    Case("missing-argument", K3, h5(dense, deleting("Dense", "units"))),
    Case(
        "missing-argument",
        K3,
        archive(dense, deleting("Dense", "units"), keras2=False),
        note="archive",
    ),
    Case("missing-argument", K2, h5(dense, deleting("Dense", "units"))),
    Case("size-not-integer", K3, h5(image, fractions), {"as integers": after(whole, in_keras3)}),
    Case("size-not-integer", K2, h5(image, fractions), {"as integers": after(whole, in_keras2)}),
    Case(
        "size-not-integer",
        K3,
        h5(image, without_input, fractions, plain=True, keras="2.2.4"),
        note="first layer",
    ),
    Case(
        "size-not-integer",
        K2,
        h5(image, without_input, fractions, plain=True, keras="2.2.4"),
        {"as integers": after(whole, in_keras2)},
        note="first layer",
    ),
    Case(
        "size-not-integer",
        K3,
        archive(image, fractions, keras2=False),
        {"as integers": after(whole, in_keras3)},
        note="archive",
    ),
    Case(
        "initial-state-as-input",
        K3,
        h5(initial_states, deleting("LSTM", "time_major"), plain=True),
        {"tf-keras": in_keras2},
    ),
    Case(
        "initial-state-as-input", K3, h5(both_ways), {"tf-keras": in_keras2}, note="Bidirectional"
    ),
    Case("wrapped-without-module", K3, h5(wrapped, plain=True), {"tf-keras": in_keras2}),
    Case(
        "wrapped-without-module",
        K3,
        h5(lambda k: stack(k, (5, 3), k.layers.Bidirectional(k.layers.LSTM(2))), plain=True),
        {"tf-keras": in_keras2},
        note="Bidirectional",
    ),
    Case(
        "json-of-keras-2",
        K3,
        json_of_keras2,
        {"tf_keras.models.model_from_json": from_json(old)},
        LoadCall.FROM_JSON,
        from_json(new),
    ),
    Case(
        "unknown-class",
        K3,
        h5(own_layer("OwnLayer"), keras2=False),
        {"custom_objects": given(in_keras3, "OwnLayer")},
    ),
    Case(
        "unknown-class",
        K3,
        archive(own_layer("OwnLayer"), keras2=False),
        {"custom_objects": given(in_keras3, "OwnLayer")},
        note="archive",
    ),
    Case(
        "unknown-class",
        K2,
        h5(own_layer("OldLayer")),
        {"custom_objects": given(in_keras2, "OldLayer")},
    ),
    Case(
        "unknown-class",
        K2,
        archive(own_layer("OldLayer")),
        {"custom_objects": given(in_keras2, "OldLayer")},
        note="archive",
    ),
    Case(
        "unknown-class",
        K3,
        h5(functional(lambda k, v: tensorflow().nn.relu(v))),
        {"tf-keras": in_keras2},
        note="operation",
    ),
    Case(
        "unknown-class",
        K3,
        h5(lambda k: stack(k, (4, 4, 2), k.layers.LocallyConnected2D(2, 2), k.layers.Flatten())),
        {"tf-keras": in_keras2},
        note="removed layer",
    ),
    Case("unknown-object", K3, h5(dense, setting("Dense", activation="odd")), {}),
    Case("unknown-object", K2, h5(dense, setting("Dense", activation="odd")), {}),
    Case(
        "unknown-object",
        K3,
        h5(dense, setting("Dense", kernel_initializer={"class_name": "Odd", "config": {}})),
        {},
        note="initializer",
    ),
    Case(
        "unknown-object",
        K2,
        h5(dense, setting("Dense", kernel_initializer={"class_name": "Odd", "config": {}})),
        {},
        note="initializer",
    ),
    Case(
        "unknown-object",
        K3,
        archive(own_activation, keras2=False),
        {"custom_objects": given(in_keras3, "twice")},
        note="function in an archive",
    ),
    Case(
        "unknown-object",
        K3,
        h5(own_activation, keras2=False),
        {"custom_objects": given(in_keras3, "twice")},
        note="function in HDF5",
    ),
    Case(
        "unknown-object",
        K2,
        archive(own_activation),
        {"custom_objects": given(in_keras2, "twice")},
        note="function in an archive",
    ),
    Case(
        "unknown-object",
        K2,
        h5(own_activation),
        {"the plain string": by_name},
        note="function in HDF5",
    ),
    Case(
        "unknown-object",
        K3,
        h5(dense, setting("Dense", kernel_regularizer={"class_name": "Odd", "config": {}})),
        {},
        note="regularizer",
    ),
    Case(
        "unknown-object",
        K2,
        h5(dense, setting("Dense", kernel_constraint={"class_name": "Odd", "config": {}})),
        {},
        note="constraint",
    ),
    Case(
        "unknown-object",
        K3,
        h5(dense, setting("Dense", kernel_constraint={"class_name": "Odd", "config": {}})),
        {},
        note="constraint",
    ),
    Case(
        "module-moved",
        K3,
        archive(functional(layer("Dense", units=2))),
        {"save it there as .h5": saved_again},
    ),
    Case(
        "module-moved",
        K2,
        archive(functional(layer("Dense", units=2)), keras2=False),
        {K3: in_keras3},
    ),
    Case(
        "axis-is-list",
        K3,
        archive(norm, list_axis),
        {"with the number": after(number_axis, in_keras3)},
    ),
    Case(
        "slash-in-name", K3, h5(dense, slashed), {"Rename the layer": after(unslashed, in_keras3)}
    ),
    Case(
        "slash-in-name",
        K3,
        archive(dense, slashed, keras2=False),
        {"Rename the layer": after(unslashed, in_keras3)},
        note="archive",
    ),
    Case(
        "text-taken-for-function",
        K3,
        h5(attention, plain=True),
        {
            "Delete score_mode": after(deleting("Attention", "score_mode"), in_keras3),
            ".keras": in_keras2,
        },
    ),
    Case(
        "number-as-array",
        K3,
        h5(leaky, setting("LeakyReLU", alpha=ARRAY), plain=True),
        {"with its value": after(plain_array, in_keras3)},
    ),
    Case(
        "number-as-array",
        K2,
        h5(leaky, setting("LeakyReLU", alpha=ARRAY), plain=True),
        {"with its value": after(plain_array, in_keras2)},
    ),
    Case(
        "dtype-of-integer-layer",
        K3,
        h5(hashing, setting("Hashing", dtype="float32")),
        {'"int64"': after(setting("Hashing", dtype="int64"), in_keras3)},
    ),
    Case(
        "dtype-of-integer-layer",
        K2,
        h5(known_words, setting("StringLookup", dtype="float32"), plain=True),
        {'"int64"': after(setting("StringLookup", dtype="int64"), in_keras2)},
    ),
    Case(
        "dtype-policy",
        K3,
        h5(mixed, setting("Dense", dtype=POLICY), plain=True),
        {'"mixed_float16"': after(plain_policy, in_keras3)},
    ),
    Case(
        "dtype-policy-class", K3, archive(dense, setting("Dense", dtype=ODD_POLICY), keras2=False)
    ),
    Case(
        "list-of-one-output",
        K3,
        h5(listed),
        {"as a single entry": after(single_outputs, in_keras3)},
        later=(1, 12, 12, 1),
    ),
    Case(
        "size-left-open",
        K3,
        h5(open_size, plain=True),
        {
            "Add the size to output_shape": after(
                setting("EinsumDense", output_shape=[5, 4]), in_keras3
            )
        },
    ),
    Case("node-number-of-output", K3, h5(inner_output), {"tf-keras": in_keras2}),
    Case("node-number-of-inner-model", K3, h5(inner_twice), {"tf-keras": in_keras2}),
    Case("tensor-by-keyword", K3, h5(keyword), {"tf-keras": in_keras2}),
    Case(
        "tensor-by-keyword",
        K3,
        h5(keyword, deleting("MultiHeadAttention", *SHAPES_OF_ATTENTION)),
        note="without shapes",
    ),
    Case(
        "operation-as-layer",
        K3,
        h5(functional(lambda k, v: v * 2.0), keras2=False),
        {},
        note="number",
    ),
    Case(
        "operation-as-layer",
        K3,
        h5(functional(lambda k, v: v * k.layers.Dense(4)(v)), keras2=False),
        {},
        note="tensor",
    ),
    Case("sequential-config", K3, as_list("list"), {"tf-keras": in_keras2}, note="list"),
    Case(
        "sequential-config",
        K3,
        as_list("first-layer"),
        {"tf-keras": in_keras2},
        later=(1, 3),
        note="first layer",
    ),
    Case(
        "sequential-config", K3, as_list("inner-list"), {"tf-keras": in_keras2}, note="inner list"
    ),
    Case(
        "sequential-config",
        K3,
        as_list("inner-first-layer"),
        {"tf-keras": in_keras2},
        later=(1, 3),
        note="inner first layer",
    ),
    Case("sequential-config", K3, as_list("unbuilt"), {"load_weights": from_code}, note="unbuilt"),
    Case(
        "sequential-config",
        K3,
        as_list("list-unbuilt"),
        {"load_weights": from_code},
        note="unbuilt list",
    ),
    Case(
        "sequential-config", K2, as_list("unbuilt"), {"load_weights": from_code_2}, note="unbuilt"
    ),
    Case(
        "sequential-config",
        K2,
        as_list("list-unbuilt"),
        {"load_weights": from_code_2},
        note="unbuilt list",
    ),
    Case(
        "sequential-config",
        K3,
        h5(image, without_input, plain=True, keras="2.2.4"),
        {"tf-keras": in_keras2},
        later=(1, 8, 6, 3),
        note="first layer of an image",
    ),
    Case("weights-layout", K2, other_layout, {}),
    Case(
        "weights-layout",
        K2,
        archive(
            functional(lambda k, v: k.layers.MultiHeadAttention(2, 2)(v, v), (5, 4)),
            keras2=False,
        ),
        {K3: in_keras3},
        note="of Keras 3",
    ),
    Case(
        "windows-weight-names",
        K3,
        windows(False),
        {"rename the groups": lambda p: plain_names(p, in_keras3)},
    ),
    Case(
        "windows-weight-names",
        K2,
        windows(True),
        {"rename the groups": lambda p: plain_names(p, in_keras2)},
    ),
    Case(
        "windows-weight-names",
        K2,
        windows(True, "_layer_checkpoint_dependencies"),
        {},
        note="other layout",
    ),
    Case(
        "hdf5-named-keras",
        K3,
        suffix("n.keras", h5(dense, keras2=False)),
        {"Rename it to .h5": renamed(".h5", in_keras3)},
    ),
    Case(
        "other-suffix",
        K3,
        suffix("n.model", h5(dense, keras2=False)),
        {"Rename it to .h5": renamed(".h5", in_keras3)},
        note="HDF5",
    ),
    Case(
        "other-suffix",
        K3,
        suffix("n.zip", archive(dense, keras2=False)),
        {"Rename it to .keras": renamed(".keras", in_keras3)},
    ),
    Case(
        "other-suffix",
        K2,
        suffix("n.zip", archive(dense)),
        {"Rename it to .keras": renamed(".keras", in_keras2)},
    ),
    Case(
        "lambda-refused", K3, lambda_h5("lambda x: x * 2"), {"safe_mode=False": unsafe(in_keras3)}
    ),
    Case(
        "lambda-refused",
        K3,
        archive(lambda k: stack(k, (4,), k.layers.Lambda(lambda x: x * 2)), keras2=False),
        {"safe_mode=False": unsafe(in_keras3)},
        note="archive",
    ),
    Case(
        "lambda-refused",
        K2,
        archive(lambda k: stack(k, (4,), k.layers.Lambda(lambda x: x * 2))),
        {"safe_mode=False": unsafe(in_keras2)},
        note="archive",
    ),
    Case(
        "lambda-defaults",
        K3,
        lambda_h5("lambda x, y=2: x * y", [2]),
        {},
        load=lambda p: unsafe(in_keras3)(p)(np.ones((1, 4))),
    ),
    Case("lambda-unreadable", K3, lambda_h5("", code="4wEA"), {}, load=unsafe(in_keras3)),
    Case("lambda-unreadable", K2, lambda_h5("", code="4wEA"), {}),
    Case("lambda-of-global", K2, lambda_h5("lambda x: backend.abs(x)"), {}),
    Case("lambda-of-global", K3, lambda_h5("lambda x: backend.abs(x)"), {}, load=unsafe(in_keras3)),
    Case(
        "lambda-of-unknown-function",
        K3,
        h5(lambda_by_name, keras2=False),
        {"custom_objects": given(in_keras3, "doubled")},
    ),
    Case(
        "lambda-of-unknown-function",
        K3,
        archive(lambda_by_name, keras2=False),
        {"custom_objects": given(in_keras3, "doubled")},
        note="archive",
    ),
    Case(
        "axes-dropped",
        K3,
        h5(functional(layer("LayerNormalization", axis=[1, 2]), (3, 4)), plain=True),
        {"tf-keras": in_keras2},
    ),
    Case("table-not-restored", K3, table, {}, later=(-1,)),
    Case(
        "unknown-metric",
        K2,
        training(compiled(), named(metrics=[["odd"]])),
        UNCOMPILED_2,
        compile=True,
    ),
    Case(
        "unknown-metric",
        K3,
        archive(compiled(metrics=[lambda k: own_metric]), keras2=False),
        UNCOMPILED_3,
        compile=True,
    ),
    Case("unknown-loss", K2, training(compiled(), named(loss="odd")), UNCOMPILED_2, compile=True),
    Case("unknown-loss", K3, training(compiled(), named(loss="odd")), UNCOMPILED_3, compile=True),
    Case(
        "loss-by-short-name",
        K3,
        training(compiled(), named(loss="mse")),
        UNCOMPILED_3,
        compile=True,
    ),
    Case("loss-argument", K3, training(compiled(), odd_loss), UNCOMPILED_3, compile=True),
    Case("loss-argument", K2, training(compiled(), odd_loss), UNCOMPILED_2, compile=True),
    Case(
        "metrics-argument",
        K3,
        training(compiled(loss="mean_squared_error"), odd_metric),
        UNCOMPILED_3,
        compile=True,
    ),
    Case(
        "metrics-argument",
        K2,
        training(compiled(loss="mean_squared_error"), odd_metric),
        UNCOMPILED_2,
        compile=True,
    ),
    Case("reduction-auto", K3, training(compiled(), weighty), UNCOMPILED_3, compile=True),
    Case(
        "optimizer-argument",
        K3,
        training(compiled(loss="mean_squared_error"), old_rate),
        UNCOMPILED_3,
        compile=True,
    ),
    Case(
        "optimizer-argument",
        K3,
        archive(compiled(adam), optimizer_of(odd=1), keras2=False),
        UNCOMPILED_3,
        compile=True,
        note="archive",
    ),
    Case(
        "optimizer-argument",
        K2,
        archive(compiled(adam), optimizer_of(odd=1)),
        UNCOMPILED_2,
        compile=True,
        note="archive",
    ),
    Case(
        "schedule-without-module",
        K3,
        training(compiled(loss="mean_squared_error"), rate_schedule),
        UNCOMPILED_3,
        compile=True,
    ),
    Case(
        "legacy-optimizer",
        K3,
        archive(compiled(adam), legacy_optimizer),
        UNCOMPILED_3,
        compile=True,
    ),
    Case(
        "savedmodel-in-keras-3",
        K3,
        savedmodel_of_keras2,
        {"TFSMLayer": by_layer, "tf.saved_model.load": by_signature, "tf-keras": in_keras2},
    ),
    Case(
        "no-keras-model",
        K2,
        export_of_keras3,
        {"tf.saved_model.load": by_signature},
        load=lambda p: in_keras2(p).predict(np.ones((1, 4))),
    ),
    Case("no-keras-metadata", K2, objects_without_metadata, {"tf.saved_model.load": by_signature}),
    Case(
        "metadata-of-another-save", K2, metadata_of_another, {"tf.saved_model.load": by_signature}
    ),
    Case(
        "parameter-name",
        K2,
        keyword_input,
        {"session": by_session},
        LoadCall.SAVED_MODEL,
        lambda p: tensorflow().saved_model.load(str(p)),
    ),
    Case(
        "no-signature",
        K3,
        module(("x", (None, 4), "float32"), signature=False),
        {},
        LoadCall.TFSM_LAYER,
        by_layer,
    ),
    Case(
        "several-inputs",
        K3,
        module(("x", (None, 4), "float32"), ("y", (None, 4), "float32")),
        {"keyword arguments": by_signature},
        LoadCall.TFSM_LAYER,
        lambda p: new().layers.TFSMLayer(str(p), call_endpoint="serving_default")(
            [np.ones((1, 4), "f")] * 2
        ),
    ),
    Case(
        "half-precision-input",
        K3,
        module(("x", (None, 4), "float16")),
        {
            "dtype='float16'": lambda p: new().layers.TFSMLayer(
                str(p), call_endpoint="serving_default", dtype="float16"
            )(np.ones((1, 4), "float16"))
        },
        LoadCall.TFSM_LAYER,
        by_layer,
    ),
    Case(
        "keras-0-weights",
        K3,
        numbered,
        {"set_weights": set_weights},
        LoadCall.LOAD_WEIGHTS,
        into(new),
    ),
    Case(
        "keras-0-weights",
        K2,
        numbered,
        {"set_weights": set_weights},
        LoadCall.LOAD_WEIGHTS,
        into(old),
    ),
    Case(
        "gru-reset-after",
        K3,
        old_gru,
        {
            "reset_after=False": into(
                new, gru(reset_after=False, recurrent_activation="hard_sigmoid")
            )
        },
        LoadCall.LOAD_WEIGHTS,
        into(new, gru()),
    ),
    Case(
        "gru-reset-after",
        K2,
        old_gru,
        {
            "reset_after=False": into(
                old, gru(reset_after=False, recurrent_activation="hard_sigmoid")
            )
        },
        LoadCall.LOAD_WEIGHTS,
        into(old, gru()),
    ),
    Case(
        "metrics-not-in-file",
        K2,
        trained_weights,
        {"before the model is trained": into(old)},
        LoadCall.LOAD_WEIGHTS,
        into(old, trained),
    ),
    Case(
        "checkpoint-in-keras-3",
        K3,
        checkpoint(old, by_save=True),
        {".weights.h5": old_weights_h5, "tf.train.load_checkpoint": by_variables},
        LoadCall.LOAD_WEIGHTS,
        into(new),
    ),
    Case(
        "checkpoint-of-other-generation",
        K2,
        checkpoint(new),
        {"tf.train.load_checkpoint": by_variables},
        LoadCall.LOAD_WEIGHTS,
        into(old),
    ),
    Case(
        "name-is-a-pattern",
        K2,
        bracketed,
        {"without [ and ]": without_brackets},
        LoadCall.LOAD_WEIGHTS,
        into(old),
    ),
)


def own_metric(true: Any, said: Any) -> Any:
    return true - said
