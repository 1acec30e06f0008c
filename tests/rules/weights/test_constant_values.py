"""MA406 and others on layers and tables that hold one value, and sound twins of each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modelaudit.audit_types.kernels import ConstantLayer
from modelaudit.facts import Format, Json, Kernel, TensorStats
from modelaudit.findings import Outcome, Severity
from modelaudit.measures.summary import Measurements
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.structs import replace
from tests.rules.stored_tensors import SHAPE, facts_of, reported, stored, trained


def normalised(tmp_path: Path, kind: str, values: dict[str, float], initial: str) -> Facts:
    """A model of one normalization whose weights have these values."""
    tensors = [
        stored(tmp_path, f"norm/{role}", np.full((4,), value, "float32"))
        for role, value in values.items()
    ]
    config = {"gamma_initializer": {"class_name": initial.title(), "config": {}}}
    layer = examples.layer("norm", kind, {role: f"norm/{role}" for role in values}, config)
    return Facts(examples.model(layer, tensors=tuple(tensors)))


def norm(tmp_path: Path, gamma: float, variance: float, mean: float = 0.1, initial: str = "ones"):
    values = {"gamma": gamma, "beta": 0.2, "moving_mean": mean, "moving_variance": variance}
    return normalised(tmp_path, "BatchNormalization", values, initial)


def test_a_normalization_without_scale_or_variance_is_found(tmp_path: Path) -> None:
    assert reported(norm(tmp_path, 0.0, 0.5)) == {"MA421": [Severity.HIGH]}
    assert reported(norm(tmp_path, 0.5, 0.0)) == {"MA421": [Severity.HIGH]}
    assert reported(norm(tmp_path, 0.5, 0.5)) == {}


def plain_norm(tmp_path: Path, gamma: float, beta: float = 0.2, initial: str = "ones") -> Facts:
    return normalised(tmp_path, "LayerNormalization", {"gamma": gamma, "beta": beta}, initial)


def test_a_normalization_of_each_sample_without_scale_is_found(tmp_path: Path) -> None:
    facts = plain_norm(tmp_path, 0.0)
    assert reported(facts) == {"MA421": [Severity.HIGH]}
    bare = replace(facts.artifact, architecture=None)
    assert reported(Facts(bare)) == {"MA421": [Severity.HIGH]}
    assert reported(plain_norm(tmp_path, 0.5)) == {}
    assert reported(plain_norm(tmp_path, 0.0, initial="zeros")) == {"MA421": [Severity.MEDIUM]}
    assert reported(plain_norm(tmp_path, 0.0, 0.0, "zeros")) == {}  # never trained


def test_gamma_that_starts_at_zero_is_reported_only_once_the_layer_was_trained(
    tmp_path: Path,
) -> None:
    assert reported(norm(tmp_path, 0.0, 1.0, 0.0, "zeros")) == {}
    assert reported(norm(tmp_path, 0.0, 0.7, 0.1, "zeros")) == {"MA421": [Severity.MEDIUM]}


def test_a_kernel_that_its_initializer_leaves_constant_is_only_untrained(tmp_path: Path) -> None:
    zeros = stored(tmp_path, "dense/kernel", np.zeros((8, 16), "float32"))
    fix = {"Zeros": "random kernel_initializer", "GlorotUniform": "intact copy"}
    for initial, severity in (("Zeros", Severity.LOW), ("GlorotUniform", Severity.HIGH)):
        config = {"kernel_initializer": {"class_name": initial, "config": {}}}
        layer = examples.layer(variables={"kernel": "dense/kernel"}, config=config)
        facts = Facts(examples.model(layer, tensors=(zeros,)))
        assert reported(facts) == {"MA406": [severity]}
        (finding,) = run_rule(rule("MA406"), facts).findings
        assert fix[initial] in finding.fix


@pytest.mark.parametrize(
    ("initial", "settings", "alike"),
    [
        ("RandomNormal", {"mean": 0.0, "stddev": 0.0}, True),
        ("TruncatedNormal", {"mean": 0.0, "stddev": 0.0}, True),
        ("RandomUniform", {"minval": 0.0, "maxval": 0.0}, True),
        ("RandomNormal", {"mean": 0.0, "stddev": 0.05}, False),
        ("RandomUniform", {"minval": -0.05, "maxval": 0.05}, False),
    ],
)
def test_a_random_initializer_that_draws_nothing_leaves_a_kernel_constant(
    tmp_path: Path, initial: str, settings: dict[str, Json], alike: bool
) -> None:
    zeros = stored(tmp_path, "dense/kernel", np.zeros((8, 16), "float32"))
    config: dict[str, Json] = {"kernel_initializer": {"class_name": initial, "config": settings}}
    layer = examples.layer(variables={"kernel": "dense/kernel"}, config=config)
    (finding,) = run_rule(rule("MA406"), Facts(examples.model(layer, tensors=(zeros,)))).findings
    assert finding.severity is (Severity.LOW if alike else Severity.HIGH)
    assert ("random kernel_initializer" if alike else "intact copy") in finding.fix


def beside_input(block: Facts) -> Facts:
    """The same layer in a block whose result is added to its input."""
    (layer,) = block.artifact.architecture.layers
    given, added = examples.layer("given", "InputLayer", {}), examples.layer("added", "Add", {})
    layers = (
        given,
        replace(layer, inbound=(("given",),)),
        replace(added, inbound=(("given", layer.route),)),
    )
    return Facts(examples.model(*layers, tensors=block.artifact.tensors))


def test_a_layer_that_is_0_as_a_whole_may_have_been_pruned(tmp_path: Path) -> None:
    """A block that was removed on purpose, and one of which only the kernel was lost."""
    kernel = stored(tmp_path, "dense/kernel", np.zeros((8, 16), "float32"))
    names = {"kernel": "dense/kernel", "bias": "dense/bias"}
    for value, severity in ((0.0, Severity.MEDIUM), (0.3, Severity.HIGH)):
        bias = stored(tmp_path, "dense/bias", np.linspace(0, value, 16, dtype="float32"))
        config = {"kernel_initializer": "glorot_uniform"}
        layer = examples.layer(variables=names, config=config)
        facts = Facts(examples.model(layer, tensors=(kernel, bias)))
        assert reported(facts) == {"MA406": [Severity.HIGH]}
        facts = beside_input(facts)
        assert reported(facts) == {"MA406": [severity]}
        alone = plain_norm(tmp_path, 0.0, value)
        assert reported(alone) == {"MA421": [Severity.HIGH]}
        assert reported(beside_input(alone)) == {"MA421": [severity]}
        # Not where it takes the input from the output: nothing else carries it there.
        cut = ConstantLayer(layer.route, "zero", False, (layer.route,))
        facts = replace(facts, measurements=Measurements(constant=(cut,)))
        found = run_rule(rule("MA406"), facts).findings
        assert [each.severity for each in found] == [Severity.HIGH]


@pytest.mark.parametrize("others", [False, True])
def test_the_only_layer_of_a_graph_is_no_spare_block(tmp_path: Path, others: bool) -> None:
    """A softmax regression that was frozen untrained, and a network with a spare layer."""
    shape = (784, 10)
    tensors = [
        stored(tmp_path, "layer/W", np.zeros(shape, "float32")),
        stored(tmp_path, "layer/b", np.zeros(10, "float32")),
    ]
    kernels = [Kernel("layer", "layer/W", "dense", "io", 0, shape, bias="layer/b")]
    if others:
        tensors.append(stored(tmp_path, "other/W", trained(shape)))
        kernels.append(Kernel("other", "other/W", "dense", "io", 0, shape))
    facts = facts_of(*tensors, architecture=None, kernels=(*kernels,), format=Format.FROZEN_GRAPH)
    (finding,) = run_rule(rule("MA406"), facts).findings
    assert finding.severity is (Severity.MEDIUM if others else Severity.HIGH)
    assert ("pruned" in finding.detail) == others
    assert ("Restore the trained checkpoint" in finding.fix) != others


def beside(block: tuple[str, ...], outputs: tuple[str, ...]) -> list[str]:
    """What is said of a layer of zeros in an architecture of which it is one layer."""
    zeros = {
        name: examples.tensor(
            f"dense/{name}",
            (4, 4)[: 1 + (name == "kernel")],
            TensorStats(0.0, 0.0, 0.0, 0.0, 16, 0),
        )
        for name in ("kernel", "bias")
    }
    given = examples.layer("given", "InputLayer", {})
    dense = examples.layer(variables={name: f"dense/{name}" for name in zeros})
    added = replace(examples.layer("added", "Add", {}), inbound=(block,))
    layers = (given, replace(dense, inbound=(("given",),)), added)
    model = examples.model(*layers, tensors=tuple(zeros.values()))
    assert model.architecture
    whole = replace(model.architecture, outputs=outputs)
    (finding,) = run_rule(rule("MA406"), Facts(replace(model, architecture=whole))).findings
    return [finding.severity.value, *(["pruned"] if "pruned" in finding.detail else [])]


def test_a_head_of_zeros_is_no_spare_block() -> None:
    assert beside(("given", "dense"), ("added",)) == ["medium", "pruned"]  # around it
    assert beside(("given", "dense"), ("dense",)) == ["high"]
    assert beside(("dense", "dense"), ("added",)) == ["high"]  # nothing else carries the inputs


def test_a_kernel_that_a_regularizer_drove_to_0_is_no_damage(tmp_path: Path) -> None:
    zeros = stored(tmp_path, "dense/kernel", np.zeros((8, 16), "float32"))
    ones = stored(tmp_path, "dense/kernel", np.ones((8, 16), "float32"))
    config = {"kernel_regularizer": {"class_name": "L1", "config": {"l1": 1.0}}}
    layer = examples.layer(variables={"kernel": "dense/kernel"}, config=config)
    for tensor, severity in ((zeros, Severity.MEDIUM), (ones, Severity.LOW)):
        facts = Facts(examples.model(layer, tensors=(tensor,)))
        assert reported(facts) == {"MA406": [severity]}


@pytest.mark.parametrize(
    ("value", "frozen", "config", "severity"),
    [
        (1 / 9, True, True, Severity.LOW),  # a blur
        (1 / 9, False, True, Severity.LOW),  # no write that failed leaves it
        (1 / 9, False, False, Severity.LOW),
        (0.0, True, True, Severity.HIGH),  # no filter
        (0.0, False, False, Severity.HIGH),
    ],
)
def test_a_filter_set_by_hand(tmp_path: Path, value, frozen, config, severity) -> None:
    kernel = stored(tmp_path, "blur/kernel", np.full((3, 3, 1, 1), value, "float32"))
    layer = replace(examples.layer("blur", variables={"kernel": kernel.name}), trainable=not frozen)
    artifact = examples.model(layer, tensors=(kernel,))
    if not config:
        found = Kernel("blur", kernel.name, "conv", "io", 2, kernel.shape)
        artifact = replace(artifact, architecture=None, kernels=(found,))
    assert reported(Facts(artifact)) == {"MA406": [severity]}


def test_a_constant_variable_of_a_graph_is_named_itself(tmp_path: Path) -> None:
    """Its layer may have another variable called kernel."""
    zeros = stored(tmp_path, "lstm/Variable", np.zeros(SHAPE, "float32"))
    kernel = stored(tmp_path, "lstm/kernel", trained())
    found = tuple(
        Kernel(route, tensor.name, "conv", "io", 2, SHAPE)
        for route, tensor in (("lstm", zeros), ("lstm/kernel", kernel))
    )
    facts = facts_of(zeros, kernel, architecture=None, kernels=found)
    (finding,) = run_rule(rule("MA406"), facts).findings
    assert finding.location.route == "lstm/Variable"
    assert "`lstm/Variable` is 0" in finding.detail


def test_a_table_with_one_row_may_be_zero(tmp_path: Path) -> None:
    """RoBERTa has no segments; converters keep their table, and set it to 0."""
    for rows, expected in ((1, {}), (2, {"MA406": [Severity.HIGH]})):
        table = stored(tmp_path, "types/embeddings", np.zeros((rows, 8), "float32"))
        names: dict[str, Json] = {table.name: table.name}
        assert reported(facts_of(table, extra={"variable_names": names})) == expected


def test_an_embedding_of_an_export_is_known_by_its_name(tmp_path: Path) -> None:
    names: dict[str, Json] = {"variables/0": "words/embeddings"}
    for values, expected in ((np.zeros((20, 8), "float32"), [Severity.HIGH]), (trained(), None)):
        table = stored(tmp_path, "variables/0", values)
        facts = facts_of(table, architecture=None, extra={"variable_names": names})
        assert reported(facts).get("MA406") == expected
        slot = replace(table, role="optimizer")
        assert "MA406" not in reported(
            replace(facts, artifact=replace(facts.artifact, tensors=(slot,)))
        )


def test_a_table_without_axes_is_no_table(tmp_path: Path) -> None:
    """A damaged index can say so."""
    tensor = stored(tmp_path, "embedding/embeddings", np.float32(0).reshape(()))
    kernels = (Kernel("embedding", tensor.name, "dense", "io", 0, ()),)
    facts = Facts(replace(examples.model(tensors=(tensor,)), kernels=kernels, architecture=None))
    assert run_rule(rule("MA406"), facts).outcome is not Outcome.ERROR


@pytest.mark.parametrize(
    ("initial", "value", "trained"),
    [
        ({"class_name": "Constant", "config": {"value": 0.05}}, 0.041, True),
        ({"class_name": "Constant", "config": {"value": 0.05}}, float(np.float32(0.05)), False),
        ({"class_name": "Ones", "config": {}}, 0.92, True),
        ("ones", 1.0, False),
        ("zeros", -0.2, True),
        ("zeros", 0.0, False),
    ],
)
def test_a_kernel_of_one_value_may_have_been_trained(
    tmp_path: Path, initial: Json, value: float, trained: bool
) -> None:
    """Units that begin with the same weights get the same gradients."""
    kernel = stored(tmp_path, "dense/kernel", np.full(SHAPE, value, "float32"))
    names = {"kernel": "dense/kernel"}
    layer = examples.layer("dense", "Dense", names, {"kernel_initializer": initial})
    facts = Facts(examples.model(layer, tensors=(kernel,)))
    (found,) = run_rule(rule("MA406"), facts).findings
    assert ("training has moved them all alike" in found.detail) is trained
    assert ("it was not trained" in found.detail) is not trained
