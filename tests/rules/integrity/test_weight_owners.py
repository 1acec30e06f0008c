"""MA113 and MA123 to MA125 on files: weights of other layers, of lost layers, in other dtypes."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from modelaudit.facts import Json
from modelaudit.findings import Outcome, Severity
from modelaudit.formats.added_architecture import add_architecture
from modelaudit.formats.keras.common import lost_layers
from modelaudit.formats.reader import read
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.integrity.weight_owners import variable_dtype
from modelaudit.rules.model import Facts
from modelaudit.settings import Limits, Settings
from tests.formats.bindings import layer, sequential
from tests.made.keras_configs import parse

Weights = dict[str, dict[str, np.ndarray]]
CODES = ("MA113", "MA123", "MA124", "MA125")
MIXED: Json = {"class_name": "DTypePolicy", "config": {"name": "mixed_float16"}}


def dense(name: str, **config: Json) -> dict[str, Json]:
    return layer("Dense", name, units=4, use_bias=True, **config)


def config(*layers: dict[str, Json]) -> dict[str, Json]:
    start = layer("InputLayer", "start", batch_input_shape=[None, 4])
    return sequential(start, *layers)


NET = config(dense("a"), layer("ReLU", "relu"), dense("b"), dense("c"))
NONE = config(layer("ReLU", "relu"), layer("Flatten", "flat"))


def values(dtype: str = "float32") -> Weights:
    """Weights of NET in saved order; layers without weights are listed, too."""
    rng = np.random.default_rng(2)
    return {
        name: {}
        if name == "relu"
        else {
            f"{name}/kernel:0": rng.normal(size=(4, 4)).astype(dtype),
            f"{name}/bias:0": rng.normal(size=4).astype(dtype),
        }
        for name in ("a", "relu", "b", "c")
    }


def write(path: Path, saved: dict[str, Json] | None, weights: Weights) -> Facts:
    with h5py.File(path, "w") as file:
        root = file
        if saved is not None:
            file.attrs["model_config"] = json.dumps(saved)
            root = file.create_group("model_weights")
        root.attrs["layer_names"] = list(weights)
        for name, variables in weights.items():
            group = root.create_group(name)
            group.attrs["weight_names"] = list(variables) or np.array([], "S1")
            for variable, array in variables.items():
                group[variable] = array
    return Facts(read(path, Limits()))


def reported(facts: Facts) -> dict[str, list[Severity]]:
    found = {}
    for code in CODES:
        result = run_rule(rule(code), facts)
        if result.outcome is Outcome.FAIL:
            found[code] = [finding.severity for finding in result.findings]
    return found


def test_a_sound_file_has_no_findings(tmp_path: Path) -> None:
    assert reported(write(tmp_path / "m.h5", NET, values())) == {}
    assert reported(write(tmp_path / "w.h5", None, values())) == {}


def test_weights_listed_in_another_order_are_loaded_into_each_other(tmp_path: Path) -> None:
    """`layer_names` decides, since Keras pairs layers by position."""
    weights = values()
    swapped = {name: weights[name] for name in ("a", "relu", "c", "b")}
    facts = write(tmp_path / "m.h5", NET, swapped)
    assert reported(facts) == {"MA123": [Severity.HIGH] * 2}
    said = [finding.detail for finding in run_rule(rule("MA123"), facts).findings]
    assert any("c (loaded into b)" in text for text in said)
    moved = {name: weights[name] for name in ("a", "b", "relu", "c")}  # relu has no weights
    assert reported(write(tmp_path / "n.h5", NET, moved)) == {}


@pytest.mark.parametrize("lost", ["relu", "b"])
def test_a_layer_taken_out_of_the_config_is_named(tmp_path: Path, lost: str) -> None:
    layers = [each for each in NET["config"]["layers"] if each["config"]["name"] != lost]
    found = reported(write(tmp_path / "m.h5", sequential(*layers), values()))
    assert found.pop("MA124") == [Severity.HIGH]
    assert found == ({"MA113": [Severity.MEDIUM]} if lost == "b" else {})


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["", "head/relu", "head/b"])
@pytest.mark.parametrize("suffix", ["h5", "keras"])
def test_names_of_layers_have_slashes_in_keras_2(tmp_path: Path, suffix: str, lost: str) -> None:
    """As those of DenseNet; a layer inside another model is one of that."""
    library = pytest.importorskip("tf_keras")
    layers = library.layers
    inner = library.Sequential(
        [library.Input((4,)), layers.Dense(4, name="in/a"), layers.ReLU(name="in/relu")], "part/in"
    )
    given = library.Input((4,), name="img")
    hidden = inner(layers.Dense(4, name="body/a")(given))
    last = layers.Dense(4, name="head/b")(layers.ReLU(name="head/relu")(hidden))
    path = tmp_path / f"model.{suffix}"
    library.Model(given, last).save(path)
    if lost:
        without_layer(path, lost)
    assert ("MA124" in reported(Facts(read(path, Limits())))) is bool(lost)


def without_layer(path: Path, name: str) -> None:
    """Takes the layer out of the config, and joins what is around it."""

    def shorten(text: str) -> str:
        saved = json.loads(text)
        listed = saved["config"]["layers"]
        (gone,) = [each for each in listed if each["name"] == name]
        source = gone["inbound_nodes"][0][0][0]
        saved["config"]["layers"] = [each for each in listed if each is not gone]
        return json.dumps(saved).replace(f'"{name}"', f'"{source}"')

    if path.suffix == ".h5":
        with h5py.File(path, "a") as file:
            file.attrs["model_config"] = shorten(file.attrs["model_config"])
        return
    with zipfile.ZipFile(path) as archive:
        parts = {each: archive.read(each) for each in archive.namelist()}
    parts["config.json"] = shorten(parts["config.json"].decode()).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for each, data in parts.items():
            archive.writestr(each, data)


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["", "quiet", "b"])
def test_a_layer_taken_out_of_an_archive_of_keras_2_is_named(tmp_path: Path, lost: str) -> None:
    """Its groups are named by classes and counters, also for layers without weights."""
    keras = pytest.importorskip("tf_keras")
    layers, path = keras.layers, tmp_path / "m.keras"
    inner = [layers.Dense(4, name="b"), layers.ReLU(name="quiet"), layers.Dense(4, name="c")]
    value = start = layers.Input((4,))
    for each in (layers.Dense(4, name="a"), layers.ReLU(), *inner):
        value = each(value)
    keras.Model(start, value).save(path)
    with zipfile.ZipFile(path) as old:
        members = {name: old.read(name) for name in old.namelist()}
    saved = json.loads(members["config.json"])
    written = saved["config"]["layers"]
    gone = [each for each in written if each["name"] == lost]
    for each in gone:
        written.remove(each)
    for each in written:
        inbound = each["inbound_nodes"]
        if gone and inbound and inbound[0][0][0] == lost:
            each["inbound_nodes"] = gone[0]["inbound_nodes"]
    members["config.json"] = json.dumps(saved).encode()
    with zipfile.ZipFile(path, "w") as new:
        for name, data in members.items():
            new.writestr(name, data)
    facts = Facts(read(path, Limits()))
    found = reported(facts)
    assert found.get("MA124") == ([Severity.HIGH] if lost else None)
    if lost:
        (finding,) = run_rule(rule("MA124"), facts).findings
        assert (
            "re_lu, re_lu_1" if lost == "quiet" else "dense, dense_1, dense_2"
        ) in finding.detail


def test_weights_of_a_config_without_weights_are_named(tmp_path: Path) -> None:
    facts = write(tmp_path / "m.h5", NONE, values())
    assert reported(facts) == {"MA113": [Severity.HIGH], "MA124": [Severity.HIGH]}
    nothing: Weights = {"relu": {}, "flat": {}}
    assert reported(write(tmp_path / "n.h5", NONE, nothing)) == {}


def recast(weights: Weights, names: list[str], dtype: str) -> Weights:
    return {
        name: {v: a.astype(dtype) if name in names else a for v, a in variables.items()}
        for name, variables in weights.items()
    }


@pytest.mark.parametrize(
    ("names", "dtype", "known", "alone"),
    [
        (["b"], "int32", Severity.HIGH, Severity.HIGH),
        (["b"], "float16", Severity.HIGH, Severity.MEDIUM),
        (["b"], "float64", Severity.MEDIUM, None),  # a wider layer in a narrower model is usual
        (["a", "b", "c"], "float16", Severity.MEDIUM, None),
        (["a", "b", "c"], "float64", Severity.LOW, None),
        (["a", "b", "c"], "int64", Severity.HIGH, None),
    ],
)
def test_another_dtype_is_rated_by_what_is_lost(
    tmp_path: Path, names: list[str], dtype: str, known: Severity, alone: Severity | None
) -> None:
    layers = [dense(name, dtype="float32") for name in "abc"]
    saved = config(layers[0], layer("ReLU", "relu"), *layers[1:])
    weights = recast(values(), names, dtype)
    assert reported(write(tmp_path / "m.h5", saved, weights)) == {"MA125": [known]}
    expected = {} if alone is None else {"MA125": [alone]}
    assert reported(write(tmp_path / "w.h5", None, weights)) == expected


@pytest.mark.parametrize(
    ("said", "stored"),
    [("float16", "float16"), (MIXED, "float32"), ("float64", "float64"), (None, "float16")],
)
def test_the_dtype_of_the_config_is_no_fault(tmp_path: Path, said: Json, stored: str) -> None:
    layers = [dense(name, dtype=said) for name in "abc"]
    saved = config(layers[0], layer("ReLU", "relu"), *layers[1:])
    assert reported(write(tmp_path / "m.h5", saved, values(stored))) == {}


def test_normalizations_of_half_precision_models_are_wider(tmp_path: Path) -> None:
    norm = layer("BatchNormalization", "n", dtype="float16", axis=-1)
    roles = ("gamma", "beta", "moving_mean", "moving_variance")
    weights = {
        "a": {
            "a/kernel:0": np.ones((4, 4), "float16"),
            "a/bias:0": np.ones(4, "float16"),
        },
        "n": {f"n/{role}:0": np.ones(4, "float32") for role in roles},
    }
    saved = config(dense("a", dtype="float16"), norm)
    assert "MA125" not in reported(write(tmp_path / "m.h5", saved, weights))


def test_quantized_policies_say_nothing_about_variables() -> None:
    quantized = {"class_name": "QuantizedDTypePolicy", "config": {"name": "int8_from_float32"}}
    assert variable_dtype({"dtype": quantized}) == ""
    assert variable_dtype({"dtype": "int64"}) == ""
    assert variable_dtype({"dtype": MIXED}) == "float32"
    assert variable_dtype({}) == ""


@pytest.mark.parametrize(
    ("mode", "rows", "told"),
    [
        ("int8", 4, set()),
        ("int4", 2, set()),  # two numbers in each byte
        (None, 4, {"MA113", "MA123"}),
        ("int8", 2, {"MA114"}),
    ],
)
def test_variables_of_quantized_layers_are_others_in_another_order(
    tmp_path: Path, mode: str | None, rows: int, told: set[str]
) -> None:
    """As Keras 3.15 saves them: the bias alone is trainable and comes first, the scales last."""
    policy: Json = {"class_name": "QuantizedDTypePolicy", "config": {"mode": mode}}
    saved = config(dense("a", dtype=policy if mode else "float32"))
    weights = {
        "net/a/bias": np.ones(4, "float32"),
        "net/a/kernel": np.ones((rows, 4), "int8" if mode else "float32"),
        "net/a/kernel_scale": np.ones(4, "float32"),
    }
    facts = write(tmp_path / "m.h5", saved, {"a": weights})
    codes = ("MA112", "MA113", "MA114", "MA123", "MA125")
    assert {code for code in codes if run_rule(rule(code), facts).findings} == told


def test_a_v3_file_names_every_layer(tmp_path: Path) -> None:
    """As in a .keras archive; inner groups of a layer may have any name."""
    architecture = parse(NET)
    groups = {
        "layers/dense/vars": "a",
        "layers/re_lu/vars": "relu",
        "layers/dense_1/vars": "b",
        "layers/dense_2/vars": "c",
        "layers/dense/inner/vars": "anything",
        "optimizer/vars": "adam",
        "vars": "model",
    }
    assert [*lost_layers(architecture, {"vars_names": groups})] == []
    groups["layers/re_lu_1/vars"] = "gone"
    assert [*lost_layers(architecture, {"vars_names": groups})] == ["gone"]
    assert [*lost_layers(architecture, None)] == []


@pytest.mark.slow
def test_exchanged_parts_of_attention_are_named(keras, tmp_path: Path) -> None:
    """Keras 3 writes `key` and `value` beside the weights of these parts."""
    image = keras.Input((5, 8))
    attention = keras.layers.MultiHeadAttention(2, 4)
    path = tmp_path / "model.weights.h5"
    model = keras.Model(image, attention(image, image))
    model.save_weights(path)
    (tmp_path / "model.json").write_text(model.to_json())

    def report() -> dict[str, list[Severity]]:
        artifact = add_architecture(read(path, Limits()), Settings())
        return reported(Facts(artifact))

    assert report() == {}
    with h5py.File(path, "r+") as file:
        group = file["layers/multi_head_attention"]
        group.move("key_dense", "kept")
        group.move("value_dense", "key_dense")
        group.move("kept", "value_dense")
    assert report() == {"MA123": [Severity.HIGH] * 4}


@pytest.mark.slow
def test_weights_that_name_none_of_the_layers_are_of_another_model(keras, tmp_path: Path) -> None:
    path = tmp_path / "model.weights.h5"

    def build(*names: str) -> object:
        layers = [keras.layers.Dense(4, name=name) for name in names]
        return keras.Sequential([keras.Input((4,)), *layers])

    def report(*names: str) -> dict[str, list[Severity]]:
        (tmp_path / "model.json").write_text(build(*names).to_json())
        return reported(Facts(add_architecture(read(path, Limits()), Settings())))

    build("first", "second", "dense_7").save_weights(path)
    assert report("first", "second", "dense_7") == {}
    assert report("new_first", "second", "dense_7") == {"MA124": [Severity.MEDIUM]}
    assert report("a", "b", "dense") == {"MA124": [Severity.MEDIUM]}  # by number only
    assert report("a", "b", "c") == {"MA124": [Severity.HIGH]}
