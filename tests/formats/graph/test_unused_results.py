"""Layers of training graphs whose result nothing takes; TensorFlow's gradients are the oracle."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.facts import Graph, GraphNode
from modelaudit.findings import Finding, Severity
from modelaudit.formats.graph.unused_results import unused_results
from modelaudit.formats.reader import read
from modelaudit.measures.measure import measure
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.settings import Limits

pytestmark = pytest.mark.slow


def _summary(v1: Any, **made: Any) -> None:
    v1.summary.histogram("hidden", made["second"])


def _classes(v1: Any, **made: Any) -> None:
    v1.math.argmax(made["second"], 1)  # whoever runs the graph takes them


def _copied(v1: Any, **made: Any) -> None:
    v1.assign(made["weights"], v1.tile(made["other"], [2, 1]))  # as a target network


def _fed(v1: Any, **made: Any) -> None:
    v1.assign(made["weights"], v1.placeholder("float32", (16, 16)))


def _loss(v1: Any, **made: Any) -> Any:
    return v1.reduce_mean(made["second"] ** 2)  # an auxiliary head


def _no_more(v1: Any, **made: Any) -> None:
    v1.nn.max_pool1d(v1.nn.dropout(made["second"], rate=0.5)[:, :, None], 2, 2, "SAME")


def _l2(v1: Any, **made: Any) -> None:
    v1.add_to_collection("losses", v1.nn.l2_loss(made["weights"]))  # which the loss leaves out


CASES = [
    ("unused", None, True),
    ("dropped", _no_more, True),
    ("decayed", _l2, True),
    ("summary", _summary, False),
    ("classes", _classes, False),
    ("copied", _copied, False),
    ("fed", _fed, False),
    ("auxiliary", _loss, False),
    ("frozen", None, False),
    ("sound", None, False),
    ("inference", None, False),
]


@pytest.mark.parametrize(("name", "more", "told"), CASES, ids=[case[0] for case in CASES])
@pytest.mark.parametrize("optimizer", ["GradientDescent", "Adam"])
def test_a_layer_whose_result_nothing_takes(
    tmp_path: Path, name: str, more: Any, told: bool, optimizer: str
) -> None:
    found, gradient = _audited(tmp_path, name, more, optimizer)
    assert len(found) == told
    if told:
        assert gradient is None
        assert found[0].severity is Severity.MEDIUM
        assert "nothing takes the result of `w2` (last operation: " in found[0].detail
        assert ("Relu_1" in found[0].detail) is (name != "dropped")


def test_weights_of_another_model_are_low(tmp_path: Path) -> None:
    """As the last layers of a network whose features are used: restored, and not changed."""
    (found,), _ = _audited(tmp_path, "restored", None, "GradientDescent")
    assert found.severity is Severity.LOW
    assert "left of another model" in found.detail


OPS = ("MatMul", "Relu", "Identity", "Add", "ArgMax", "Assign", "NoOp", "ApplyGradientDescent")


def _first(reference: str) -> str:
    return reference.partition(":")[0]


@pytest.mark.parametrize("seed", range(200))
def test_by_following_every_result_to_its_end(seed: int) -> None:
    """Random graphs, with rings; the results of a product are followed step by step."""
    rng = np.random.default_rng(seed)
    names = [f"n{number}" for number in range(12)]
    nodes = [GraphNode("w", "VariableV2", ()), GraphNode("other", "VariableV2", ())]
    nodes += [GraphNode("step", "ApplyGradientDescent", ("other", "n0"))]
    for name in names:
        op = str(rng.choice(OPS[:5] if rng.random() < 0.9 else OPS))
        taken = [str(each) for each in rng.choice([*names, "w", "other"], 2)]
        mark = "^" if rng.random() < 0.1 else ""
        nodes.append(GraphNode(name, op, (taken[0] + ":0", mark + taken[1])))
    found = unused_results(Graph((), tuple(nodes), trainable=("w", "other")), ["w"], ())

    def takers(name: str) -> list[GraphNode]:
        return [x for x in nodes if name in map(_first, x.inputs)]

    def closure(start: set[str], passes: tuple[str, ...]) -> set[str]:
        while True:
            more = start | {x.name for name in start for x in takers(name) if x.op in passes}
            if more == start:
                return start
            start = more

    carriers = closure({"w"}, ("Identity",))
    products = {x.name for name in carriers for x in takers(name) if x.op == "MatMul"}
    reached = closure(products, OPS)
    kinds = {x.op for x in nodes if x.name in reached}
    updated = any(x.op == OPS[-1] and x.inputs[0] == "w:0" for x in nodes)
    given = any(x.op == "Assign" and "w" in map(_first, x.inputs) for x in nodes)
    if not given:
        unused = products and kinds <= {"MatMul", "Relu", "Identity", "Add"} and not updated
        assert bool(found) == bool(unused)


def test_a_difference_of_itself_as_an_initializer() -> None:
    """A made graph: the limits of a uniform law are two constants, and nothing else."""
    nodes = (
        *(GraphNode("w", "VariableV2", ()), GraphNode("b", "VariableV2", ())),
        GraphNode("drawn", "RandomUniform", ()),
        GraphNode("ring", "Sub", ("ring", "ring")),
        GraphNode("scaled", "Mul", ("drawn", "ring")),
        GraphNode("assign", "Assign", ("w", "scaled")),
        GraphNode("product", "MatMul", ("w", "w")),
        GraphNode("step", "ApplyGradientDescent", ("b", "b", "b")),
    )
    (found,) = unused_results(Graph((), nodes, trainable=("w", "b")), ["w"], ())
    assert found.spread is None and found.ends == ("product",)


def _audited(folder: Path, name: str, more: Any, optimizer: str) -> tuple[list[Finding], Any]:
    """What MA433 says of unused results, and TensorFlow's gradient of the loss for the layer."""
    tf = importlib.import_module("tensorflow")
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x, y = (v1.placeholder(tf.float32, [None, size]) for size in (8, 3))
        names = {"w1": (8, 16), "w2": (16, 16), "w3": (16, 3), "b1": (16,), "b2": (16,), "b3": (3,)}
        made = {
            each: v1.get_variable(
                each,
                shape,
                initializer=v1.random_normal_initializer(seed=1),
                trainable=(name, each) != ("frozen", "w2"),
            )
            for each, shape in names.items()
        }
        first = tf.nn.relu(x @ made["w1"] + made["b1"])
        second = tf.nn.relu(first @ made["w2"] + made["b2"])
        scores = (second if name == "sound" else first) @ made["w3"] + made["b3"]
        loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=y, logits=scores))
        given = more and more(v1, second=second, weights=made["w2"], other=made["w1"])
        total = loss if given is None or more is not _loss else loss + given
        if name != "inference":
            getattr(v1.train, f"{optimizer}Optimizer")(0.01).minimize(total)
        session.run(v1.global_variables_initializer())
        if name == "restored":
            rng = np.random.default_rng(0)
            made["w2"].load(rng.normal(0, 0.1, (16, 16)), session)
        v1.train.Saver().save(session, str(folder / "m"))
        gradient = tf.gradients(total, made["w2"])[0]
    artifact = read(folder / "m", Limits())
    facts = Facts(artifact, measurements=measure(artifact))
    findings = run_rule(rule("MA433"), facts).findings
    return [each for each in findings if "nothing takes" in each.detail], gradient
