"""Layouts of weight files: how they are recognised, and which runtime reads which."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, Format, Provenance, Tensor
from modelaudit.formats.reader import read
from modelaudit.runtimes.catalogue import find_profile
from modelaudit.runtimes.checks.stored.weight_layouts import layouts_of, only_listed
from modelaudit.runtimes.checks.stored.weights import v3_layout
from modelaudit.runtimes.model import CheckContext, LoadCall, LoadRequest
from modelaudit.runtimes.predict import predict_calls
from modelaudit.settings import Limits
from tests.runtimes.fitting_code import if_it_fits

LOADING = LoadRequest(LoadCall.LOAD_MODEL)
OLD = "_layer_checkpoint_dependencies"


def weights(*groups: str) -> Artifact:
    """A weights file with two variables in each group."""
    tensors = tuple(
        Tensor(f"{group}/vars/{index}", (2, 2), "float32", 16, "m.weights.h5")
        for group in groups
        for index in range(2)
    )
    return Artifact(root=Path("/m.weights.h5"), format=Format.WEIGHTS_H5_V3, tensors=tensors)


def loads(artifact: Artifact, runtime: str) -> bool:
    (answer,) = predict_calls(
        artifact, [(find_profile(runtime), LoadRequest(LoadCall.LOAD_WEIGHTS))]
    )
    return if_it_fits(answer) is LoadOutcome.LOADS


@pytest.mark.parametrize(
    ("groups", "layouts"),
    [
        (("layers/dense", "layers/dense_1"), {"layers"}),
        ((f"{OLD}/dense", f"{OLD}/dense_1"), {"dependencies"}),
        ((f"{OLD}/dense", f"{OLD}/dense_2"), {"dependencies-doubled"}),
        ((f"{OLD}/dense",), {"dependencies", "dependencies-doubled"}),
        (("a", "layers/dense_1"), {"attributes-first-counted"}),
        (("a", "b"), {"attributes-first", "attributes-first-counted"}),
        (("layers/dense", "z"), {"layers-first"}),
    ],
)
def test_layouts_are_recognised_by_their_groups(groups, layouts):
    names = [tensor.name for tensor in weights(*groups).tensors]
    assert layouts_of(names)[0] == layouts


def test_the_same_group_is_named_in_every_run():
    layers = ("conv2d", "batch_normalization", "dense", "gru", "lstm", "add", "dot", "flatten")
    groups = [f"{OLD}/{name}{number}" for name in layers for number in ("", "_2")]
    names = [tensor.name for tensor in weights(*groups).tensors]
    assert "(add_2)" in layouts_of(names)[1]


# Observed by reading real files of each version with every other version.
@pytest.mark.parametrize(
    ("groups", "reading", "refusing"),
    [
        (
            ("layers/dense", "layers/dense_1"),
            ("tf==2.15", "tf==2.16", "tf==2.21", "tf-keras==2.21"),
            ("tf==2.12", "tf==2.13", "tf==2.14", "tf==2.8"),
        ),
        (
            (f"{OLD}/dense", f"{OLD}/dense_2"),
            ("tf==2.12", "tf==2.13"),
            ("tf==2.14", "tf==2.15", "tf==2.16", "tf==2.21"),
        ),
        (
            (f"{OLD}/dense", f"{OLD}/dense_1"),
            ("tf==2.14", "tf==2.16", "tf==2.21"),
            ("tf==2.12", "tf==2.13", "tf==2.15"),
        ),
        (
            ("a", "layers/dense_1"),
            ("tf==2.12", "tf==2.13", "tf==2.16", "tf==2.21"),
            ("tf==2.14", "tf==2.15", "tf-keras==2.21"),
        ),
        (
            ("layers/dense", "z"),
            ("tf==2.15", "tf==2.16", "tf==2.21", "tf-keras==2.21"),
            ("tf==2.12", "tf==2.13", "tf==2.14"),
        ),
    ],
)
def test_layouts_read_by_each_version(groups, reading, refusing):
    artifact = weights(*groups)
    assert [runtime for runtime in (*reading, *refusing) if loads(artifact, runtime)] == list(
        reading
    )


def test_a_profile_without_layouts_leaves_them_open():
    profile = find_profile("tf==2.21")
    behaviours = {k: v for k, v in profile.data["behaviours"].items() if k != "layouts_read"}
    silent = type(profile)({**profile.data, "behaviours": behaviours})
    (answer,) = predict_calls(
        weights(f"{OLD}/dense_2"), [(silent, LoadRequest(LoadCall.LOAD_WEIGHTS))]
    )
    assert answer.predicted is LoadOutcome.UNKNOWN


def test_random_groups_never_raise():
    rng = np.random.default_rng(0)
    parts = ("layers", "vars", OLD, "dense", "dense_1", "_", "", "a_2", "optimizer", "0")
    for _ in range(200):
        layouts, described = layouts_of(
            ["/".join(rng.choice(parts, rng.integers(1, 5))) for _ in range(3)]
        )
        assert layouts
        assert described


VALUE = ".ATTRIBUTES/VARIABLE_VALUE"


@pytest.mark.parametrize(
    ("keys", "in_keras_2", "in_keras_3"),
    [
        (("layer_with_weights-0/kernel", "layer_with_weights-0/bias"), "loads", "differs"),
        (("encoder/dense/kernel", "encoder/dense/bias"), "loads", "differs"),
        (("dense/_kernel", "dense/bias"), "differs", "loads"),
        (("_operations/1/_kernel",), "differs", "loads"),
        # Plain variables of tf.train.Checkpoint and tf.Module.
        (("W1", "b1", "save_counter"), "loads", "loads"),
        (("table/w", "step"), "loads", "loads"),
    ],
)
def test_a_checkpoint_is_of_the_generation_whose_keys_it_has(keys, in_keras_2, in_keras_3):
    tensors = tuple(Tensor(f"{key}/{VALUE}", (2,), "float32", 8, "m.index") for key in keys)
    artifact = Artifact(root=Path("/m"), format=Format.TF2_CHECKPOINT, tensors=tensors)
    request = LoadRequest(LoadCall.RESTORE)
    runtimes = [(find_profile(name), request) for name in ("tf==2.15", "tf==2.21")]
    found = [if_it_fits(answer).value for answer in predict_calls(artifact, runtimes)]
    assert found == [in_keras_2, in_keras_3]


@pytest.mark.parametrize(
    ("version", "told"), [("2.2.4", True), ("2.2.4-tf", False), ("2.11.0", False)]
)
def test_defaults_of_recurrent_layers_of_a_version_in_two_tensorflows(version, told):
    """2.2.4-tf is in TensorFlow 1.15, whose LSTM has a hard sigmoid, and in 2.0."""
    names = [f"lstm/lstm/{name}:0" for name in ("kernel", "recurrent_kernel", "bias")]
    shapes = [(3, 16), (4, 16), (16,)]
    tensors = tuple(Tensor(n, s, "float32", 4, "w.h5") for n, s in zip(names, shapes, strict=True))
    artifact = Artifact(
        root=Path("/w.h5"),
        format=Format.WEIGHTS_H5_LEGACY,
        tensors=tensors,
        provenance=Provenance(keras=version),
    )
    (found,) = predict_calls(
        artifact, [(find_profile("tf==2.15"), LoadRequest(LoadCall.LOAD_WEIGHTS))]
    )
    assert ("recurrent-activation" in {each.code for each in found.because}) is told


@pytest.mark.slow
@pytest.mark.parametrize("moved", [("body/layers",), ()])
def test_old_names_below_a_model_inside_alone_are_not_found(tmp_path, moved):
    """Keras 3 looks for them only in a file that has some for the whole model."""
    keras, h5py = pytest.importorskip("keras"), pytest.importorskip("h5py")

    class Outer(keras.Model):
        def __init__(self):
            super().__init__()
            self.body = keras.Sequential([keras.layers.Dense(3), keras.layers.Dense(2)])

        def call(self, x):
            return self.body(x)

    path = tmp_path / "m.weights.h5"
    models = [Outer(), Outer()]
    for model in models:
        model(np.ones((1, 4), "float32"))
    models[0].save_weights(path)
    with h5py.File(path, "r+") as file:
        for name in moved:
            file.move(name, name.replace("layers", OLD))
    try:
        models[1].load_weights(path)
    except ValueError:
        read_back = False
    else:
        read_back = True
    assert loads(read(path, Limits()), "tf==2.21") is read_back is (not moved)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("attributes", [("one", "two"), ("user", "wide")])
def test_a_subclass_whose_attributes_come_behind_the_list_of_layers(tmp_path, attributes):
    """The groups of Keras 3 look like those of another model, which tf-keras reads, and do not."""
    keras, legacy = pytest.importorskip("keras"), pytest.importorskip("tf_keras")

    def build(k):
        class Tower(k.Model):
            def __init__(self):
                super().__init__()
                for name in attributes:
                    setattr(self, name, k.layers.Dense(2))

            def call(self, value):
                return getattr(self, attributes[1])(getattr(self, attributes[0])(value))

        made = Tower()
        made(np.ones((1, 2), "float32"))
        return made

    path = tmp_path / "m.keras"
    model = build(keras)
    model.save(path)
    archive = read(path, Limits())
    model.save_weights(tmp_path / "m.weights.h5")
    groups = {tensor.name.split("/")[0] for tensor in archive.tensors if tensor.role == "weight"}
    assert groups == {"layers"}
    found = list(v3_layout(archive, CheckContext(find_profile("tf-keras==2.21.0"), LOADING)))
    assert [each.code for each in found] == ["weights-layout"]
    with pytest.raises(ValueError, match="received 0 variables"):
        build(legacy).load_weights(tmp_path / "m.weights.h5")
    # The weights alone do not show that they are of a subclass.
    assert loads(read(tmp_path / "m.weights.h5", Limits()), "tf-keras==2.21.0")
    again = build(keras)
    assert not list(v3_layout(archive, CheckContext(find_profile("tf==2.21.0"), LOADING)))
    again.load_weights(tmp_path / "m.weights.h5")


def test_old_names_inside_a_list_of_layers_are_those_of_a_subclass():
    """Keras 2.14 lists the layers of a subclass so if its attributes come behind `layers`."""
    found = weights(f"layers/sequential/{OLD}/dense", f"layers/sequential_1/{OLD}/dense")
    assert loads(found, "tf==2.14.1")
    assert not loads(found, "tf-keras==2.21.0")
    assert not loads(found, "tf==2.21.0")


def test_a_subclass_inside_old_names_lists_its_layers():
    """As Keras 2.14 writes and reads a Sequential model of subclasses around such models."""
    block = f"block/{OLD}/password_block/layers/sequential/{OLD}"
    found = weights("conv1", f"{block}/conv1d", f"{block}/conv1d_1")
    assert loads(found, "tf==2.14.1")
    assert not loads(found, "tf-keras==2.21.0")
    assert not loads(found, "tf==2.21.0")
    newer = weights("conv1", "block/layers/password_block/layers/sequential/layers/conv1d")
    assert not loads(newer, "tf==2.14.1")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("part", ["embedding", "model"])
@pytest.mark.parametrize("subclass", [True, False])
def test_several_embeddings_or_models_alone_do_not_follow_each_other(tmp_path, part, subclass):
    keras, legacy = pytest.importorskip("keras"), pytest.importorskip("tf_keras")

    def build(k):
        def made():
            if part == "embedding":
                return k.layers.Embedding(4, 3)
            return k.Sequential([k.layers.Input((2,)), k.layers.Dense(3)])

        class Towers(k.Model):
            def __init__(self):
                super().__init__()
                self.query, self.user = made(), made()

            def call(self, value):
                return self.query(value) + self.user(value)

        if not subclass:
            start = k.layers.Input((2,))
            return k.Model(start, k.layers.Add()([made()(start), made()(start)]))
        model = Towers()
        model(np.ones((1, 2), "float32"))
        return model

    path = tmp_path / "m.weights.h5"
    build(keras).save_weights(path)
    assert loads(read(path, Limits()), "tf-keras==2.21.0") is not subclass
    if subclass:
        with pytest.raises(ValueError, match="received 0 variables"):
            build(legacy).load_weights(path)
    else:
        build(legacy).load_weights(path)


@pytest.mark.slow
@pytest.mark.parametrize("between", [True, False])
def test_a_layer_without_weights_has_a_number_too(tmp_path: Path, between: bool) -> None:
    """Keras 2.14 gives it a group; Keras 3 is the oracle, which reads the layout by the numbers."""
    keras = pytest.importorskip("keras")
    path = tmp_path / "m.weights.h5"
    values = [np.full(shape, 0.5, "float32") for shape in ((4, 3), (3,), (3, 2), (2,))]
    with h5py.File(path, "w") as file:
        for number, pair in (("", values[:2]), ("_2", values[2:])):
            inner = file.create_group(f"{OLD}/time_distributed{number}/layer/vars")
            file.create_group(f"{OLD}/time_distributed{number}/vars")
            inner["0"], inner["1"] = pair
        if between:
            file.create_group(f"{OLD}/time_distributed_1/layer/vars")
            file.create_group(f"{OLD}/time_distributed_1/vars")
        file.create_group("vars")
    layers = keras.layers
    parts = [layers.Dense(3), layers.Flatten(), layers.Dense(2)]
    model = keras.Sequential([keras.Input((5, 4)), *map(layers.TimeDistributed, parts)])
    if between:
        model.load_weights(path)
        assert all(map(np.array_equal, model.get_weights(), values))
    artifact = read(path, Limits())
    assert loads(artifact, "tf==2.21") is between
    assert loads(artifact, "tf==2.14") is between
    assert loads(artifact, "tf==2.13") is not between


@pytest.mark.parametrize(
    ("writer", "reads"), [("tf==2.14.1", True), ("tf==2.15.0", False), ("tf==2.17.1", False)]
)
def test_layers_inside_a_subclass_are_those_of_its_list_in_keras_2_12_to_2_14(writer, reads):
    """2.14 gives this name to the attribute of a subclass alone: seen in its own archives."""
    artifact = weights("layers/block/layers/conv2d", "layers/block/layers/conv2d_1")
    names = ["layers/conv2d/vars/0", "layers/conv2d_1/vars/0"]
    context = CheckContext(find_profile("tf==2.14.1"), LOADING, find_profile(writer))
    assert only_listed(names, artifact, context, group="layers/block") is reads


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("layers", [0, 2])
@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_weights_of_the_model_itself_are_in_every_layout(tmp_path: Path, library, layers) -> None:
    keras = pytest.importorskip(library)

    class Own(keras.Model):  # type: ignore[misc, name-defined]
        def __init__(self, start: str) -> None:
            super().__init__()
            wide = {"shape": (2, 2), "initializer": start, "trainable": True}
            self.one = self.add_weight(name="one", **wide)
            self.two = self.add_weight(name="two", **wide)
            self.parts = [keras.layers.Dense(2, kernel_initializer=start) for _ in range(layers)]

        def call(self, x):
            for part in self.parts:
                x = part(x)
            return x @ self.one @ self.two

    path, data = tmp_path / "m.weights.h5", np.ones((1, 2), "float32")
    saved, loaded = Own("ones"), Own("zeros")
    expected, _ = np.asarray(saved(data)), loaded(data)
    saved.save_weights(path)
    loaded.load_weights(path)
    assert np.array_equal(expected, np.asarray(loaded(data)))
    target = "tf-keras==2.21.0" if library == "tf_keras" else "tf==2.21.0"
    assert loads(read(path, Limits()), target)
