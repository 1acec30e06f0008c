"""Graphs made by hand: deep ones, rings, forged operations, and what converters fuse."""

from __future__ import annotations

import math
import sys
from types import FrameType

import pytest

from modelaudit.facts import Endpoint, Format, Graph, GraphFunction, GraphNode, Kernel, Signature
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.rules.plain_graphs.architecture import graph_architecture
from modelaudit.structs import replace
from tests.rules.plain_graphs.exports import RULES


@pytest.mark.parametrize("ring", [False, True])
def test_graphs_of_any_depth_and_rings_are_read(ring) -> None:
    """Thousands of convolutions of one pixel in a row, and one that takes its own result."""
    window = {"value": {"dtype": "float32", "shape": [1, 1, 3, 3]}}
    nodes = [GraphNode("x", "Placeholder", ()), GraphNode("w", "Const", (), window)]
    names = [f"conv{n}" for n in range(2900)]
    before = [names[-1] if ring else "x", *names]
    nodes += [GraphNode(n, "Conv2D", (b, "w")) for n, b in zip(names, before, strict=False)]
    tensor = examples.tensor("w", (1, 1, 3, 3))
    output = Endpoint("y", f"{names[-1]}:0", "float32", (None, 8, 8, 3))
    signature = Signature("serving_default", "", (), (output,), ("serve",))
    kernel = Kernel("w", "w", "conv", "hwio", 2, (1, 1, 3, 3), None, (1, 1), (1, 1), "same")
    artifact = replace(
        examples.model(tensors=(tensor,)),
        architecture=None,
        format=Format.SAVEDMODEL_TF1,
        graphs=(Graph(("serve",), tuple(nodes)),),
        signatures=(signature,),
        kernels=(kernel,),
    )
    shown = graph_architecture(artifact)
    assert ring or len(shown.layers) == 2901
    for code in RULES:
        assert run_rule(rule(code), Facts(artifact)).outcome.value != "error"


def _signed(nodes, tensors=(), kernels=(), functions=None, end="y:0"):
    """A SavedModel of these operations."""
    signature = Signature(
        "serving_default", "", (), (Endpoint("y", end, "float32", (None, 2)),), ("serve",)
    )
    return replace(
        examples.model(tensors=tuple(tensors)),
        architecture=None,
        format=Format.SAVEDMODEL_TF1,
        graphs=(Graph(("serve",), tuple(nodes), functions or {}),),
        signatures=(signature,),
        kernels=tuple(kernels),
    )


X = GraphNode("x", "Placeholder", ())


def _number(name, value):
    held = {"dtype": "float32", "shape": [], "value": [value]}
    return GraphNode(name, "Const", (), {"value": held})


def _range(end, step):
    numbers = [_number("a", 0.0), _number("b", end), _number("c", step)]
    return [
        X,
        *numbers,
        GraphNode("r", "Range", ("a", "b", "c")),
        GraphNode("y", "Mean", ("x", "r")),
    ]


def _product(op="MatMul", **attributes):
    value = {"value": {"dtype": "float32", "shape": []}}
    return [X, GraphNode("w", "Const", (), value), GraphNode("y", op, ("x", "w"), attributes)]


FORGED = {
    "endless": _range(math.inf, 1.0),
    "no number": _range(math.nan, 1.0),
    "tiny steps": _range(1.0, 5e-324),
    "scalar": _product(),
    "shapes": _product("_FusedMatMul", fused_ops=[[1, 2], {"function": "f"}]),
}


@pytest.mark.parametrize("kind", FORGED)
def test_forged_operations_end_no_rule(kind) -> None:
    kernels = [Kernel("w", "w", "dense", "io", 0, (), None, (), (), "")]
    artifact = _signed(FORGED[kind], [examples.tensor("w", ())], kernels)
    for code in RULES:
        assert run_rule(rule(code), Facts(artifact)).outcome.value != "error"


def _functions(levels: int):
    """A model of functions, each of which calls the one before twice: 2 ** levels layers."""
    inner = (GraphNode("s/n", "Relu", ("i",)),)
    functions = {"f0": GraphFunction("f0", ("i",), inner, {"o": "s/n:activations:0"})}
    for level in range(1, levels + 1):
        called = {"f": {"function": f"f{level - 1}"}}
        calls = [
            GraphNode(name, "PartitionedCall", (given,), called)
            for name, given in (("c1", "i"), ("c2", "c1:output:0"))
        ]
        functions[f"f{level}"] = GraphFunction(
            f"f{level}", ("i",), tuple(calls), {"o": "c2:output:0"}
        )
    main = [X, GraphNode("y", "PartitionedCall", ("x",), {"f": {"function": f"f{levels}"}})]
    return _signed(main, functions=functions)


def _work(levels: int) -> int:
    """Instructions of Python that reading the model takes."""
    artifact, count = _functions(levels), 0

    def counted(frame: FrameType, event: str, _argument: object) -> object:
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return counted

    before = sys.gettrace()
    sys.settrace(counted)
    try:
        shown = graph_architecture(artifact)
    finally:
        sys.settrace(before)
    assert len({each.route for each in shown.layers}) == len(shown.layers) == 2**levels + 1
    return count


def test_functions_that_call_each_other_twice_are_read_in_linear_time() -> None:
    """Twice as many layers take twice the work, not four times."""
    assert _work(9) < 2.2 * _work(8)


@pytest.mark.parametrize(
    ("fused", "activation"),
    [(["BiasAdd"], "linear"), (["BiasAdd", "Relu"], "relu"), (["BiasAdd", "Prelu"], None)],
)
def test_what_a_converter_fuses_into_a_product_is_its_activation(fused, activation) -> None:
    """As TensorFlow.js writes graphs; what is no layer of Keras is not taken for a linear one."""
    shapes = {"k": (4, 3), "b": (3,), "k2": (3, 2), "b2": (2,)}
    nodes = [GraphNode("x", "Placeholder", ())]
    nodes += [
        GraphNode(name, "Const", (), {"value": {"dtype": "float32", "shape": [*shape]}})
        for name, shape in shapes.items()
    ]
    one, two = {"fused_ops": fused}, {"fused_ops": ["BiasAdd"]}
    nodes.append(GraphNode("d", "_FusedMatMul", ("x", "k", "b"), one))
    nodes.append(GraphNode("e", "_FusedMatMul", ("d", "k2", "b2"), two))
    signature = Signature(
        "serving_default", "", (), (Endpoint("y", "e:0", "float32", (None, 2)),), ("serve",)
    )
    artifact = replace(
        examples.model(tensors=tuple(examples.tensor(n, s) for n, s in shapes.items())),
        architecture=None,
        format=Format.SAVEDMODEL_TF1,
        graphs=(Graph(("serve",), tuple(nodes)),),
        signatures=(signature,),
        kernels=tuple(
            Kernel(n, n, "dense", "io", 0, shapes[n], None, (), (), "") for n in ("k", "k2")
        ),
    )
    layers = {each.class_name: each for each in graph_architecture(artifact).layers}
    shown = [x for x in graph_architecture(artifact).layers if x.class_name == "Dense"]
    told = [each.config.get("activation") for each in shown]
    assert told == ([activation, "linear"] if activation else ["linear"])
    assert (len(layers) > 0) and all(each.config["use_bias"] for each in shown)
    linear = run_rule(rule("MA309"), Facts(artifact)).findings
    assert bool(linear) == (activation == "linear")
