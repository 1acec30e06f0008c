"""The restored architecture compared with the saved one."""

from __future__ import annotations

import pytest

from modelaudit.audit_types.loading import Status
from modelaudit.facts import Architecture, Json, Layer
from modelaudit.probe.protocol import Observation
from modelaudit.restore.layers import compare_layers
from modelaudit.restore.model import WeightComparison
from modelaudit.restore.proof import RestoreProof
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.structs import replace

CONV: dict[str, Json] = {
    "name": "conv",
    "filters": 4,
    "kernel_size": [3, 3],
    "strides": [1, 1],
    "activation": "relu",
    "dtype": "float32",
    "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": None}},
}
SAVED = Architecture(
    class_name="Functional",
    name="model",
    dialect="keras3",
    layers=(
        Layer("image", "image", "InputLayer"),
        Layer("conv", "conv", "Conv2D", config=CONV, output_shape=(None, 8, 8, 4)),
        Layer("trunk", "trunk", "Functional", is_model=True),
        Layer("trunk/norm", "norm", "BatchNormalization", config={"axis": [3], "epsilon": 0.001}),
        Layer("both", "both", "Bidirectional", config={"merge_mode": "concat"}),
        Layer("both/lstm", "lstm", "LSTM", config={"units": 3}),
    ),
    inputs=("image",),
    outputs=("both",),
)


def restored(
    conv: dict[str, Json] | None = None,
    shape: list[Json] | None = None,
    **classes: str,
) -> list[str]:
    """The differences of a restored model that equals `SAVED` except for the given changes."""
    layers = {
        "conv": "Conv2D",
        "trunk": "Functional",
        "trunk/norm": "BatchNormalizationV2",
        "both": "Bidirectional",
    }
    layers = {k: v for k, v in (layers | classes).items() if v}
    details = {
        "conv": {"config": CONV | (conv or {}), "shape": shape or [None, 8, 8, 4]},
        "trunk/norm": {"config": {"axis": 3, "epsilon": 0.0010000000474974513}},
    }
    seen = Observation("here", "load_model", Status.LOADED, layers=layers, details=details)
    differences, compared = compare_layers(SAVED, seen)
    assert compared == 4  # of six: not the input, nor the wrapped layer
    return [str(each) for each in differences]


def test_an_unchanged_architecture_has_no_differences() -> None:
    assert restored() == []
    same: dict[str, Json] = {
        "strides": 1,
        "activation": {"module": "builtins", "class_name": "function", "config": "relu"},
        "dtype": {"class_name": "DTypePolicy", "config": {"name": "float32"}},
        "kernel_initializer": {"class_name": "Zeros", "config": {}},
    }
    assert restored(same) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"conv": {"strides": [2, 2]}}, "conv: strides is [2, 2], saved as [1, 1]"),
        ({"conv": {"activation": "tanh"}}, "conv: activation is tanh, saved as relu"),
        ({"conv": {"filters": 5}}, "conv: filters is 5, saved as 4"),
        (
            {"shape": [None, 7, 7, 4]},
            "conv: has output shape [None, 7, 7, 4], saved as [None, 8, 8, 4]",
        ),
    ],
)
def test_settings_and_shapes_are_named(change: dict[str, object], said: str) -> None:
    assert restored(**change) == [said]


@pytest.mark.parametrize(
    ("shape", "severity"), [([None, 7, 7, 4], "low"), ([None, None, 8, 8, 4], "high")]
)
def test_sizes_may_be_inferred_wrongly_but_ranks_are_certain(shape, severity) -> None:
    details: dict[str, dict[str, Json]] = {"conv": {"config": CONV, "shape": shape}}
    layers = {"conv": "Conv2D", "trunk": "Functional"}
    layers |= {"trunk/norm": "BatchNormalization", "both": "Bidirectional"}
    seen = Observation("here", "load_model", Status.LOADED, layers=layers, details=details)
    differences, compared = compare_layers(SAVED, seen)
    same = WeightComparison(2, 2, (), (), ())
    proof = RestoreProof("here", "load_model", same, layers=differences, layers_compared=compared)
    facts = replace(examples.observed(Status.LOADED)(), restore=proof)
    (found,) = run_rule(rule("MA418"), facts).findings
    assert found.severity == severity


@pytest.mark.parametrize(
    ("class_name", "setting", "saved", "restored", "same"),
    [
        ("RandomRotation", "factor", 0.1, [-0.1, 0.1], True),
        ("RandomRotation", "factor", 0.1, [-0.2, 0.2], False),
        ("RandomRotation", "factor", [-0.1, 0.1], 0.1, True),
        ("RandomContrast", "factor", 0.2, [0.0, 0.2], True),
        ("RandomZoom", "height_factor", [0.1, 0.2], 0.2, False),
        ("Normalization", "mean", 0.1, [-0.1, 0.1], False),  # only factors have two ends
        ("Conv2D", "kernel_size", 3, [3, 3], True),
        ("Conv2D", "kernel_size", 3, [3, 5], False),
        ("ZeroPadding2D", "padding", 1, [[1, 1], [1, 1]], True),
        ("ZeroPadding2D", "padding", [1, 2], [[1, 1], [2, 2]], True),
        ("ZeroPadding2D", "padding", [1, 2], [[1, 2], [1, 2]], False),
        ("MaxPooling2D", "strides", None, [2, 2], True),
        ("MaxPooling2D", "strides", None, [1, 1], False),
        ("Dense", "activation", None, "linear", True),
        ("Dense", "activation", None, "relu", False),
        ("Flatten", "data_format", None, "channels_last", True),
    ],
)
def test_an_argument_and_its_normal_form_are_the_same(
    class_name: str, setting: str, saved: Json, restored: Json, same: bool
) -> None:
    config: dict[str, Json] = {"pool_size": [2, 2], setting: saved}
    found = config | {setting: restored}
    seen = Observation(
        *("here", "load_model", Status.LOADED),
        layers={"a": class_name},
        details={"a": {"config": found}},
    )
    layer = Layer("a", "a", class_name, config=config)
    differences, _ = compare_layers(replace(SAVED, layers=(layer,)), seen)
    assert (not differences) is same


def test_the_words_of_a_vocabulary_are_in_its_assets() -> None:
    known: dict[str, Json] = {"vocabulary": None, "has_input_vocabulary": True}
    words = Layer("words", "words", "StringLookup", config=known | {"mask_token": ""})
    changed: dict[str, Json] = {"vocabulary": ["a", "b"], "has_input_vocabulary": False}
    for more, count in (({"mask_token": ""}, 0), ({"mask_token": "x"}, 1)):
        seen = Observation(
            *("here", "load_model", Status.LOADED),
            layers={"words": "StringLookup"},
            details={"words": {"config": changed | more}},
        )
        assert len(compare_layers(replace(SAVED, layers=(words,)), seen)[0]) == count


def test_missing_new_and_replaced_layers_are_named() -> None:
    assert restored(conv={}, both="") == ["both: the saved Bidirectional is not in the model"]
    assert restored(extra="Dense") == ["extra: Dense layer that was not saved"]
    assert restored(both="LSTM") == ["both: has class LSTM, saved as Bidirectional"]


def test_operations_are_compared_and_names_may_hold_slashes() -> None:
    layers = (
        Layer("add", "add", "Add", module="keras.src.ops.numpy"),
        Layer("block/dense", "block/dense", "Dense"),
    )
    architecture = replace(SAVED, layers=layers)
    found = {"block/dense": "Dense"}
    seen = Observation("here", "load_model", Status.LOADED, layers=found | {"add": "Add"})
    assert compare_layers(architecture, seen) == ((), 2)
    seen = Observation("here", "load_model", Status.LOADED, layers=found)
    (lost,) = compare_layers(architecture, seen)[0]
    assert str(lost) == "add: the saved Add is not in the model"


def test_operations_may_get_another_name() -> None:
    """Keras 3 counts the operations of a process: `cast_48` is loaded as `cast`."""
    casts = {name: {"to": dtype} for name, dtype in (("cast_48", "float32"), ("cast_49", "int32"))}
    operations = tuple(Layer(name, name, "Cast", config=config) for name, config in casts.items())
    dense = Layer("dense_2", "dense_2", "Dense", expected={"kernel": (2, 3)})
    architecture = replace(SAVED, layers=(*operations, dense))

    def differences(**dtypes: str) -> list[str]:
        seen = Observation(
            *("here", "load_model", Status.LOADED),
            layers=dict.fromkeys(dtypes, "Cast") | {"dense_2": "Dense"},
            details={name: {"config": {"to": dtype}} for name, dtype in dtypes.items()},
        )
        return [str(each) for each in compare_layers(architecture, seen)[0]]

    assert differences(cast="float32", cast_1="int32") == []
    lost = differences(cast="float32")
    assert lost[0] == "cast_48: the saved Cast is not in the model"
    assert lost[-1] == "cast: Cast layer that was not saved"
    seen = Observation(
        "here", "load_model", Status.LOADED, layers={"cast": "Cast", "dense": "Dense"}
    )
    told = [str(each) for each in compare_layers(replace(SAVED, layers=(dense,)), seen)[0]]
    assert told[0] == "dense_2: the saved Dense is not in the model"


def test_nested_models_may_get_another_name_with_all_their_layers() -> None:
    """Keras 2.1 saved a nested Sequential model as a list without a name."""
    layers = (
        Layer("trunk_19", "trunk_19", "Sequential", is_model=True),
        Layer("trunk_19/dense", "dense", "Dense", config={"units": 3}, expected={"bias": (3,)}),
    )
    architecture = replace(SAVED, layers=layers)

    def differences(units: int, *names: str) -> list[str]:
        seen = Observation(
            *("here", "load_model", Status.LOADED),
            layers={"trunk": "Sequential", **dict.fromkeys(names, "Dense")},
            details={name: {"config": {"units": units}} for name in names},
        )
        return [str(each) for each in compare_layers(architecture, seen)[0]]

    assert differences(3, "trunk/dense") == []
    assert differences(4, "trunk/dense") == ["trunk_19/dense: units is 4, saved as 3"]
    assert "trunk_19/dense: the saved Dense is not in the model" in differences(3, "trunk/other")


@pytest.mark.parametrize(("called", "expected"), [(None, 0), (True, 1)])
def test_trainable_matters_only_for_batch_normalization_in_training_mode(
    called: bool | None, expected: int
) -> None:
    """Loaders reset it, and at inference a frozen layer computes what a trainable one does."""
    kwargs: tuple[dict[str, Json], ...] = ({"training": called},)
    layers = (
        Layer("trunk", "trunk", "Functional", config={"trainable": False}, is_model=True),
        Layer("trunk/conv", "conv", "Conv2D", config={"trainable": False}),
        Layer(
            "trunk/norm",
            "norm",
            "BatchNormalization",
            config={"trainable": False},
            call_kwargs=kwargs,
        ),
    )
    details: dict[str, dict[str, Json]] = {
        layer.route: {"config": {"trainable": True}} for layer in layers
    }
    classes = {layer.route: layer.class_name for layer in layers}
    seen = Observation("here", "load_model", Status.LOADED, layers=classes, details=details)
    found, _ = compare_layers(replace(SAVED, layers=layers), seen)
    told = ["trunk/norm: trainable is True, saved as False"]
    assert [str(each) for each in found] == told[:expected]
