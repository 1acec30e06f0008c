"""Savers of TF1 graphs name files by constants; that is no reading of files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from modelaudit.facts import Graph, GraphNode
from modelaudit.findings import Finding
from modelaudit.formats.reader import read
from modelaudit.rules.engine import run_rules
from modelaudit.rules.examples import model, tensor
from modelaudit.rules.model import Facts
from modelaudit.rules.security import RULES
from modelaudit.rules.security.graph.examples import constant, graph_facts
from modelaudit.settings import Limits

if TYPE_CHECKING:
    import tensorflow as tf


def findings(path: Path) -> list[Finding]:
    results = run_rules(RULES, Facts(read(path, Limits())))
    return [each for result in results for each in result.findings if each.code == "MA746"]


def graph_with_savers(version: int) -> tuple[tf.Graph, list[tf.compat.v1.train.Saver]]:
    import tensorflow as tf

    v1 = tf.compat.v1
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None, 4], "x")
        w = v1.get_variable("w", [4, 3], use_resource=False)
        tf.matmul(x, w, name="y")
        savers = [
            v1.train.Saver(write_version=version),
            v1.train.Saver(write_version=version, filename="elsewhere/model", sharded=True),
        ]
    return graph, savers


def saved(graph: tf.Graph, folder: Path) -> Path:
    """A SavedModel without a signature: any program decides what it runs."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with v1.Session(graph=graph) as session:
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(session, ["serve"])
        builder.save()
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("version", [1, 2])
def test_several_savers_are_no_reading_of_files(tmp_path: Path, version: int) -> None:
    import tensorflow as tf

    graph, savers = graph_with_savers(version)
    with graph.as_default(), tf.compat.v1.Session() as session:
        session.run(tf.compat.v1.global_variables_initializer())
        savers[0].save(session, str(tmp_path / "model"))
    assert findings(tmp_path / "model") == []
    with graph.as_default():
        assert findings(saved(graph, tmp_path / "export")) == []


@pytest.mark.slow
@pytest.mark.parametrize("hidden", ["result", "control", "computed"])
def test_a_restore_that_a_prediction_needs_is_one(tmp_path: Path, hidden: str) -> None:
    import tensorflow as tf

    graph, _ = graph_with_savers(2)
    with graph.as_default():
        read_there = tf.raw_ops.RestoreV2(
            prefix=tf.constant("/srv/there"),
            tensor_names=["w"],
            shape_and_slices=[""],
            dtypes=[tf.float32],
        )[0]
        if hidden == "result":
            tf.identity(read_there, name="out")
        elif hidden == "computed":
            tf.add(read_there, 1.0, name="out")
        else:
            with tf.control_dependencies([read_there]):
                tf.multiply(graph.get_tensor_by_name("y:0"), 1.0, name="out")
        path = saved(graph, tmp_path / "export")
    (found,) = findings(path)
    assert found.evidence["targets"] == ["/srv/there"]


@pytest.mark.parametrize("run", [False, True])
def test_a_saver_for_every_checkpoint(run: bool) -> None:
    """A program that makes a new `Saver` for each save; and one more reading, which is run."""
    nodes = [constant("read/path", "/srv/there"), GraphNode("x", "Placeholder", ())]
    for saver in range(40):
        nodes.append(constant(f"save_{saver}/Const", "model"))
        nodes += [
            GraphNode(f"save_{saver}/RestoreV2_{i}", "RestoreV2", (f"save_{saver}/Const",))
            for i in range(32)
        ]
    nodes.append(GraphNode("read", "RestoreV2", ("read/path",)))
    nodes.append(GraphNode("y", "Add", ("x", "read") if run else ("x", "x")))
    results = run_rules(RULES, graph_facts(Graph(("serve",), tuple(nodes)), outputs=("y",)))
    told = [each for result in results for each in result.findings if each.code == "MA746"]
    assert [each.evidence["targets"] for each in told] == [["/srv/there"]] * run


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("/.ATTRIBUTES/OBJECT_CONFIG_JSON", []),  # of the root object, by TensorFlow 1.13 to 2.0
        ("/.ATTRIBUTES/../../outside", ["MA756"]),
        ("/ATTRIBUTES/OBJECT_CONFIG_JSON", ["MA756"]),
    ],
)
def test_a_value_of_the_root_object_leads_nowhere(name: str, codes: list[str]) -> None:
    facts = Facts(model(tensors=(tensor("dense/kernel"), tensor(name))))
    results = run_rules(RULES, facts)
    assert [each.code for result in results for each in result.findings] == codes
