"""Attributes and constants of nodes."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.formats.graph.attr_values import ConstArray, attr_json
from modelaudit.formats.graph.frozen_graph import read_frozen_graph
from modelaudit.formats.graph.graph_def import graph_facts
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.settings import Limits
from tests.formats.graph.graph_makers import add

LIMITS = Limits()


def test_attributes_are_json_and_lazy():
    graph = pb.GraphDef()
    add(graph, "c", "Const", value=np.arange(3, dtype="int32"), s=b"a\xffb", flag=True)
    (node,) = graph_facts(graph, "g", LIMITS).nodes
    assert node.attrs["value"] == {"dtype": "int32", "shape": [3], "value": [0, 1, 2]}
    assert (node.attrs["s"], node.attrs["flag"]) == ("a\\xffb", True)
    assert sorted(node.attrs) == ["flag", "s", "value"]
    assert (len(node.attrs), "none" in node.attrs, node.attrs.get("none")) == (3, False, None)
    with pytest.raises(KeyError):
        node.attrs["none"]
    assert len(node.attrs) == 3  # access does not add items
    assert node.attrs == dict(node.attrs)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (pb.AttrValue(type=pb.DT_HALF), "float16"),
        (pb.AttrValue(type=pb.DataType.ValueType(101)), "float32_ref"),
        (pb.AttrValue(type=pb.DataType.ValueType(77)), "type_77"),
        (pb.AttrValue(shape=pb.TensorShapeProto(unknown_rank=True)), None),
        (pb.AttrValue(i=-1), -1),
        (pb.AttrValue(func=pb.NameAttrList(name="f")), {"function": "f"}),
        (pb.AttrValue(list=pb.AttrValue.ListValue(b=[True])), [True]),
        (pb.AttrValue(list=pb.AttrValue.ListValue()), []),
        (pb.AttrValue(s=b"x" * 5000), "x" * 4096),
        (pb.AttrValue(), None),
    ],
)
def test_attribute_values(value, expected):
    assert attr_json(value) == expected


@pytest.mark.parametrize("unknown", [False, True])
def test_large_constants_are_not_shown(unknown):
    shape = pb.TensorShapeProto(dim=[pb.TensorShapeProto.Dim(size=1 << 40)], unknown_rank=unknown)
    tensor = pb.TensorProto(dtype=pb.DT_FLOAT, tensor_shape=shape, float_val=[1.0])
    assert "value" not in attr_json(pb.AttrValue(tensor=tensor))


def test_a_constant_repeats_its_last_value():
    tensor = pb.TensorProto(dtype=pb.DT_FLOAT, float_val=[1.0, 2.0])
    tensor.tensor_shape.dim.add(size=5)
    assert list(ConstArray(tensor, "f").array()) == [1, 2, 2, 2, 2]
    assert [len(piece) for piece in ConstArray(tensor, "f").raw(8)] == [8, 8, 4]
    empty = pb.TensorProto(dtype=pb.DT_INT64)
    assert ConstArray(empty, "f").array() == 0
    half = pb.TensorProto(dtype=pb.DT_HALF, half_val=[0x3C00])
    assert ConstArray(half, "f").array() == 1.0


def test_constants_that_declare_terabytes_are_not_allocated(tmp_path):
    graph = pb.GraphDef()
    node = add(graph, "huge", "Const", value=np.ones(1, "float32"))
    node.attr["value"].tensor.tensor_shape.dim[0].size = 1 << 45
    (tmp_path / "g.pb").write_bytes(graph.SerializeToString())
    artifact = read_frozen_graph(tmp_path / "g.pb", LIMITS)
    (problem,) = artifact.problems
    assert (problem.kind, problem.route) == ("limit-exceeded", "huge")


@pytest.mark.parametrize(("kind", "dtype"), [(pb.DT_INT32, "<i4"), (pb.DT_INT64, "<i8")])
@pytest.mark.parametrize(("shape", "told"), [((100,), True), ((10, 10), False), ((64,), False)])
def test_the_largest_of_many_integers(kind, dtype, shape, told):
    values = np.random.default_rng(3).permutation(np.arange(-7, 93))[: np.prod(shape)]
    tensor = pb.TensorProto(dtype=kind, tensor_content=values.astype(dtype).tobytes())
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    seen = attr_json(pb.AttrValue(tensor=tensor))
    assert seen.get("largest") == (int(values.max()) if told else None)
    assert seen.get("value") == (values.tolist() if shape == (64,) else None)


@pytest.mark.parametrize("content", [b"", b"12345678", bytes(8 * 65 + 1)])
def test_the_largest_of_bytes_that_do_not_fill_the_shape(content):
    tensor = pb.TensorProto(dtype=pb.DT_INT64, tensor_content=content)
    tensor.tensor_shape.dim.add(size=65)
    assert "largest" not in attr_json(pb.AttrValue(tensor=tensor))
