"""Variables that a loop reads, frozen into constants; TensorFlow tells what it imports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.settings import Settings


def _loop(path: Path, *, whole: bool, queue: bool = False) -> Path:
    """A graph of a loop that reads a variable, frozen with all that reads it or without."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        v1.disable_control_flow_v2()
        if queue:
            start = v1.FIFOQueue(4, tf.float32, shapes=[(2,)], name="queue").dequeue(name="taken")
        else:
            start = v1.placeholder(tf.float32, (2,), name="x")
        weight = v1.get_variable("w", (2,), use_resource=True)
        _, end = v1.while_loop(
            lambda count, _: count < 3,
            lambda count, value: (count + 1, value * weight.read_value()),
            (tf.constant(0), start),
        )
        tf.identity(end, name="y")
        session.run(weight.initializer)
        definition = graph.as_graph_def()
        if whole:
            frozen = v1.graph_util.convert_variables_to_constants(session, definition, ["y"])
        else:
            frozen = v1.graph_util.extract_sub_graph(definition, ["y"])
            for node in frozen.node:
                if node.op == "VarHandleOp":
                    name, value = node.name, np.ones(2, "float32")
                    constant = v1.NodeDef(name=name, op="Const")
                    constant.attr["dtype"].type = tf.float32.as_datatype_enum
                    constant.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
                    node.CopyFrom(constant)
    path.write_bytes(frozen.SerializeToString())
    return path


def _refused(path: Path) -> bool:
    """Whether TensorFlow refuses to import the graph."""
    import tensorflow as tf

    definition = tf.compat.v1.GraphDef.FromString(path.read_bytes())
    try:
        with tf.Graph().as_default():
            tf.graph_util.import_graph_def(definition)
    except ValueError as error:
        assert "incompatible with expected resource" in str(error)
        return True
    return False


def _findings(path: Path, code: str) -> tuple[Any, ...]:
    return run_rule(rule(code), static_facts(path, Settings())).findings


@pytest.mark.slow
@pytest.mark.parametrize("whole", [False, True])
def test_a_variable_frozen_without_what_reads_it_is_told(tmp_path: Path, whole: bool) -> None:
    path = _loop(tmp_path / "frozen.pb", whole=whole)
    assert _refused(path) is not whole
    found = _findings(path, "MA760")
    assert bool(found) is not whole
    for each in found:
        assert "read them as variables" in each.detail
        assert "Enter" in each.detail
        assert "convert_variables_to_constants" in each.fix  # which makes the graph that is sound


@pytest.mark.slow
@pytest.mark.parametrize("computes", [False, True])
def test_a_graph_of_constants_computes_nothing(tmp_path: Path, computes: bool) -> None:
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        number = tf.constant([1.0, 2.0], name="weights")
        if computes:
            tf.identity(number * tf.compat.v1.placeholder(tf.float32, (2,)), name="y")
    path = tmp_path / "frozen.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    found = _findings(path, "MA760")
    assert bool(found) is not computes
    for each in found:
        assert each.title == "The graph computes nothing"
        assert "`weights`" in each.detail


@pytest.mark.slow
@pytest.mark.parametrize("whole", [False, True])
def test_the_queue_of_a_graph_that_nothing_imports_is_not_fed(tmp_path: Path, whole: bool) -> None:
    path = _loop(tmp_path / "frozen.pb", whole=whole, queue=True)
    (found,) = _findings(path, "MA753")
    assert ("feed_dict" in found.fix) is whole
    assert ("waits for ever" in found.detail) is whole
    assert "reeze the model again from a graph whose inputs are placeholders" in found.fix
