"""Operations that change what the graph has no variable for, compared with TensorFlow."""

from __future__ import annotations

import pytest

from modelaudit.facts import Format, GraphNode
from modelaudit.facts import Graph as GraphFacts
from modelaudit.formats.graph.op_registry import known_operations
from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.security.graph.examples import harmless
from modelaudit.rules.security.graph.runnable import facts_with
from modelaudit.settings import Settings
from modelaudit.structs import replace

CHANGES = ("assign", "gradient", "adam", "scatter", "count", "chain", "read")


def graph_of(tf, change):
    """A graph of TensorFlow 1 that changes its variable, or only reads it."""
    v1, ops = tf.compat.v1, tf.raw_ops
    with tf.Graph().as_default() as graph:
        start = [[0.0, 1.0]] if change != "count" else 0
        weights = v1.Variable(start, use_resource=False, name="w")
        x = v1.placeholder(weights.dtype.base_dtype, weights.shape, name="x")
        ref = weights._ref()
        if change in {"assign", "chain"}:
            changed = ops.AssignAdd(ref=ref, value=x)
            if change == "chain":
                ops.AssignSub(ref=changed, value=x)
        elif change == "gradient":
            ops.ApplyGradientDescent(var=ref, alpha=0.1, delta=x)
        elif change == "adam":
            rates = {"beta1_power": 0.9, "beta2_power": 0.9, "lr": 0.1, "beta1": 0.9, "beta2": 0.9}
            ops.ApplyAdam(var=ref, m=ref, v=ref, **rates, epsilon=0.1, grad=x)
        elif change == "scatter":
            ops.ScatterUpdate(ref=ref, indices=[0], updates=x)
        elif change == "count":
            ops.CountUpTo(ref=ref, limit=3)
        tf.identity(ref + x, name="y")
    message = graph.as_graph_def()
    if change == "read":  # the operation that initializes the variable changes it
        kept = [node for node in message.node if node.op != "Assign"]
        del message.node[:]
        message.node.extend(kept)
    return message


def frozen(tf, message):
    """The graph with a constant in place of its variable, and else as it is."""
    copy = type(message)()
    copy.CopyFrom(message)
    for node in copy.node:
        if node.op == "VariableV2":
            shape = node.attr["shape"].shape
            dtype = tf.dtypes.as_dtype(node.attr["dtype"].type)
            value = tf.make_tensor_proto(0, dtype, [each.size for each in shape.dim])
            node.op = "Const"
            for key in [*node.attr]:
                del node.attr[key]
            node.attr["dtype"].type = dtype.as_datatype_enum
            node.attr["value"].tensor.CopyFrom(value)
    return copy


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_a_frozen_graph_that_changes_its_variables_is_refused(tmp_path, change):
    import tensorflow as tf

    whole = graph_of(tf, change)
    for name, message in (("whole", whole), ("frozen", frozen(tf, whole))):
        path = tmp_path / f"{name}.pb"
        path.write_bytes(message.SerializeToString())
        try:
            with tf.Graph().as_default():
                tf.import_graph_def(message, name="")
            refused = False
        except ValueError as error:
            refused = True
            assert "_ref" in str(error)
        assert refused is (name == "frozen" and change != "read")
        found = run_rule(rule("MA760"), static_facts(path, Settings())).findings
        assert [each.key for each in found] == ["references"] * refused
        assert all("extract_sub_graph" in each.fix for each in found)


@pytest.mark.parametrize(
    ("maker", "attributes", "told"),
    [
        ("Const", {}, True),
        ("Identity", {"T": "float32"}, True),
        ("Identity", {"T": "float32_ref"}, False),
        ("RefIdentity", {}, False),
        ("VariableV2", {}, False),
        ("AnOperationOfAnAuthor", {}, False),
    ],
)
def test_only_what_is_known_to_be_a_value_is_told(maker, attributes, told):
    made = GraphNode("v", maker, (), attributes)
    change = GraphNode("change", "AssignAdd", ("v", "v"), {"T": "float32"})
    facts = facts_with(harmless(), GraphFacts((), (made, change), {}))
    keys = {each.key for each in run_rule(rule("MA760"), facts).findings}
    assert ("references" in keys) is told
    other = replace(facts, artifact=replace(facts.artifact, format=Format.TFJS_GRAPH))
    assert "references" not in {each.key for each in run_rule(rule("MA760"), other).findings}


def test_the_list_knows_references():
    known = known_operations()
    assert known["Assign"].references == known["Assign"].gives == (0,)
    assert known["ApplyAdam"].references == (0, 1, 2)
    assert known["VariableV2"].gives == (0,)
    assert (known["CountUpTo"].references, known["CountUpTo"].gives) == ((0,), ())
    assert (known["RefMerge"].references, known["RefMerge"].gives) == ((), (0,))
    assert (known["RefSelect"].references, known["Add"].gives) == ((), ())
