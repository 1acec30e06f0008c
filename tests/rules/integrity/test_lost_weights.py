"""Files without weights, or without the statistics of their normalizations (MA112)."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from modelaudit.diagnosis.case import Case
from modelaudit.diagnosis.model import CauseUnknown
from modelaudit.diagnosis.steps.weight import damaged
from modelaudit.facts import Format, Graph, GraphNode
from modelaudit.findings import Finding, Severity, Verdict
from modelaudit.formats.reader import read
from modelaudit.pipeline import static_facts
from modelaudit.rules import examples
from modelaudit.rules.catalogue import CATALOGUE, rule
from modelaudit.rules.engine import judge, run_rule, run_rules
from modelaudit.rules.model import Facts
from modelaudit.settings import Limits, Settings
from modelaudit.structs import replace


def found(path: Path) -> tuple[Finding, ...]:
    return run_rule(rule("MA112"), Facts(read(path, Limits()))).findings


def subclass(path: Path, *, compiled: bool = True, weight: bool = False) -> Path:
    """A subclassed model as Keras 2 writes it: without layers in its config."""
    config = {"class_name": "Actor", "config": {"layers": [], "build_input_shape": [1, 8]}}
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = "2.11.0", "tensorflow"
        file.attrs["model_config"] = json.dumps(config)
        if compiled:
            file.attrs["training_config"] = json.dumps({"loss": "mse", "metrics": None})
        groups = file.create_group("model_weights")
        groups.attrs["layer_names"] = [b"dense"] if weight else []
        groups.create_group("top_level_model_weights").attrs["weight_names"] = []
        if weight:
            dense = groups.create_group("dense")
            dense.attrs["weight_names"] = [b"dense/kernel:0"]
            dense["dense/kernel:0"] = np.ones((8, 2), "float32")
    return path


@pytest.mark.parametrize(("compiled", "severity"), [(True, "high"), (False, "medium")])
def test_a_subclass_that_was_saved_before_it_was_built(
    tmp_path: Path, compiled: bool, severity: str
) -> None:
    (finding,) = found(subclass(tmp_path / "m.h5", compiled=compiled))
    assert finding.severity is Severity(severity)
    assert "holds no weights at all: the model, a subclass (Actor)" in finding.detail
    assert "call it on a batch" in finding.fix  # saved again as it is, it would be empty again


def test_a_subclass_with_weights_is_silent(tmp_path: Path) -> None:
    assert not found(subclass(tmp_path / "m.h5", weight=True))


def weights(path: Path, layers: dict[str, tuple[str, ...]]) -> Path:
    """HDF5 weights of Keras 2 with these variables of each layer."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"2.4.0"
        for layer, variables in layers.items():
            group = file.create_group(layer)
            names = [f"{layer}/{variable}:0" for variable in variables]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name in names:
                group[name] = np.full(4, 0.5, "float32")
    return path


@pytest.mark.parametrize(("layer", "grave"), [("Flatten", False), ("Dense", True), ("", False)])
def test_weights_without_a_tensor_are_a_fault_where_layers_need_some(
    tmp_path: Path, layer: str, grave: bool
) -> None:
    """Without an architecture it is open: the model may have no weights."""
    path = weights(tmp_path / "m.weights.h5", {})
    if layer:
        start = {
            "class_name": "InputLayer",
            "config": {"name": "x", "batch_input_shape": [None, 4]},
        }
        last = {"class_name": layer, "config": {"name": "y"} | ({"units": 2} if grave else {})}
        config = {"class_name": "Sequential", "config": {"name": "m", "layers": [start, last]}}
        path.with_name("m.json").write_text(json.dumps(config))
    facts = static_facts(path, Settings())
    results = run_rules(CATALOGUE, facts)
    severities = [
        each.severity.value for x in results for each in x.findings if each.code == "MA112"
    ]
    assert severities == (["high"] if grave else [] if layer else ["low"])
    verdict, reason = judge(results, facts, Severity.HIGH)
    assert (verdict is Verdict.FAIL) is grave
    assert ("has no weights and no architecture" in reason) is (layer == "")
    assert (verdict is Verdict.INCOMPLETE) is (layer == "")


TRAINED, MOVING = ("gamma", "beta"), ("moving_mean", "moving_variance")


@pytest.mark.parametrize("name", ["batch_normalization", "batch_normalization_7", "bn1", "bn_a"])
@pytest.mark.parametrize("trained", [TRAINED, ("beta",), ("gamma",)])
def test_statistics_that_are_missing_are_named(
    tmp_path: Path, name: str, trained: tuple[str, ...]
) -> None:
    whole = {"block/batch_norm": (*TRAINED, *MOVING)}
    (finding,) = found(weights(tmp_path / "m.h5", {**whole, name: trained}))
    assert finding.detail.startswith(f"{name}")
    assert "no moving_mean and no moving_variance" in finding.detail
    assert finding.severity is Severity.MEDIUM


@pytest.mark.parametrize(
    ("name", "variables"),
    [
        ("batch_normalization", (*TRAINED, *MOVING)),
        ("batch_normalization", MOVING),
        ("layer_normalization", TRAINED),
        ("group_normalization_2", TRAINED),
        ("bnet", TRAINED),
        ("norm", TRAINED),
    ],
)
def test_other_normalizations_have_none(
    tmp_path: Path, name: str, variables: tuple[str, ...]
) -> None:
    assert not found(weights(tmp_path / "m.h5", {name: variables}))


@pytest.mark.parametrize(
    ("op", "shape", "dtype", "expected"),
    [
        ("VariableV2", [3, 2], "float32", True),
        ("VariableV2", [], "float32", True),  # y = w x
        ("VariableV2", [], "int64", False),
        ("Const", [3, 2], "float32", False),
    ],
)
def test_a_graph_with_variables_holds_no_values_of_them(op, shape, dtype, expected) -> None:
    """`write_graph` of a graph that was not frozen; a counter of steps is no weight."""
    nodes = (
        GraphNode("w", op, (), {"shape": shape, "dtype": dtype}),
        GraphNode("y", "MatMul", ("x", "w")),
    )
    artifact = examples.model(tensors=(examples.tensor("c"),), kind=Format.FROZEN_GRAPH)
    facts = Facts(replace(artifact, graphs=(Graph((), nodes),)))
    found = run_rule(rule("MA112"), facts).findings
    assert [each.severity.value for each in found] == ["low"] * expected
    verdict, reason = judge(run_rules(CATALOGUE, facts), facts, Severity.HIGH)
    assert (verdict is Verdict.INCOMPLETE) is expected
    assert ("values of 1 variables" in reason) is expected
    step = damaged(Case(facts, ()))
    assert isinstance(step, CauseUnknown) is expected


@pytest.mark.parametrize(
    ("name", "layers", "told"),
    [
        ("model.weights.h5", ("a", "b"), {"MA112": "high"}),
        ("head.weights.h5", ("a", "b"), {"MA112": "medium"}),  # or without its head
        ("other.weights.h5", ("c", "d"), {"MA124": "medium"}),
    ],
)
def test_one_architecture_beside_the_weights_of_several_models(tmp_path, name, layers, told):
    keras = pytest.importorskip("keras")

    def dense(names, *units):
        made = [keras.layers.Dense(n, name=x) for x, n in zip(names, units, strict=True)]
        return keras.Sequential([keras.Input((4,)), *made])

    (tmp_path / "model.json").write_text(dense(("a", "b"), 3, 2).to_json())
    dense(layers, 3 if layers[0] == "a" else 5, 2).save_weights(tmp_path / name)
    if layers == ("a", "b"):
        with h5py.File(tmp_path / name, "r+") as file:
            del file["layers/dense_1/vars/1"]
    facts = static_facts(tmp_path / name, Settings())
    found = {
        each.code: each.severity.value
        for code in ("MA112", "MA113", "MA114", "MA124")
        for each in run_rule(rule(code), facts).findings
    }
    assert found == told
    chosen = replace(facts, settings=Settings(architecture=str(tmp_path / "model.json")))
    worst = {each.severity.value for each in run_rule(rule("MA112"), chosen).findings}
    assert worst == ({"high"} if "MA112" in told else set())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lost", "units", "severity"),
    [
        (["a"], (3, 2, 5), "high"),  # its input is listed
        (["b"], (3, 2, 5), "high"),  # no part of the model has a before and c behind it
        (["c"], (3, 2, 5), "medium"),  # a body without its head
        (["b"], (3, 2, 4), "medium"),  # another model has a c of this shape
        (["b", "c"], (3, 2, 5), "medium"),
    ],
)
def test_a_layer_between_others_was_taken_out_of_the_weights(tmp_path, lost, units, severity):
    keras = pytest.importorskip("tf_keras")

    def dense(*units):
        made = [keras.layers.Dense(n, name=x) for x, n in zip("abc", units, strict=True)]
        return keras.Sequential([keras.Input((4,), name="input_1"), *made])

    (tmp_path / "model.json").write_text(dense(3, 2, 5).to_json())
    path = tmp_path / "weights.h5"
    dense(*units).save_weights(path)
    with h5py.File(path, "r+") as file:
        for each in lost:
            del file[each]
        names = [x for x in ("input_1", "a", "b", "c") if x not in lost]
        file.attrs["layer_names"] = [x.encode() for x in names]
    (found,) = run_rule(rule("MA112"), static_facts(path, Settings())).findings
    assert found.severity.value == severity
    assert found.location.route in lost
