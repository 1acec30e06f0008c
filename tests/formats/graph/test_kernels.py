from __future__ import annotations

import numpy as np
import pytest

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import Format, Kernel, Signature, Tensor
from modelaudit.formats.graph.attr_values import ConstArray, attr_json
from modelaudit.formats.graph.frozen_graph import read_frozen_graph
from modelaudit.formats.graph.graph_def import graph_facts
from modelaudit.formats.graph.kernels import config_differences, find_kernels
from modelaudit.formats.graph.nested_graphs import nested_graphs
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.graph.restore_ops import restored_variables, unrestored
from modelaudit.formats.sniff import sniff
from modelaudit.settings import Limits

LIMITS = Limits()


def add(graph, name, op, *inputs, **attrs):
    """Append a node to a GraphDef, or to the `node_def` of a FunctionDef."""
    nodes = graph.node if isinstance(graph, pb.GraphDef) else graph.node_def
    node = nodes.add(name=name, op=op, input=inputs)
    for key, value in attrs.items():
        target = node.attr[key]
        if isinstance(value, list):
            target.list.i.extend(value)
        elif isinstance(value, bytes):
            target.s = value
        elif isinstance(value, bool):
            target.b = value
        elif key == "f":
            target.func.name = value
        elif isinstance(value, np.ndarray):
            tensor = target.tensor
            tensor.dtype = {"f": pb.DT_FLOAT, "i": pb.DT_INT32}[value.dtype.kind]
            tensor.tensor_shape.dim.extend(pb.TensorShapeProto.Dim(size=n) for n in value.shape)
            tensor.tensor_content = value.astype(f"<{value.dtype.kind}4").tobytes()
        else:
            target.CopyFrom(value)
    return node


def strings(*values):
    tensor = pb.TensorProto(dtype=pb.DT_STRING, string_val=[value.encode() for value in values])
    tensor.tensor_shape.dim.add(size=len(values))
    return pb.AttrValue(tensor=tensor)


def function(graph, name, args, returns):
    message = graph.library.function.add()
    message.signature.name = name
    message.signature.input_arg.extend(pb.OpDef.ArgDef(name=arg) for arg in args)
    for output, source in returns.items():
        message.signature.output_arg.add(name=output)
        message.ret[output] = source
    return message


def stored(name, *shape):
    return Tensor(name, shape, "float32", 0, "x")


def kernels(message, tensors, **kwargs):
    facts = graph_facts(message, "g", LIMITS)
    holders = {tensor.name: tensor.name for tensor in tensors}
    return find_kernels(facts, tensors, holders, {}, **kwargs)


def conv_graph():
    graph = pb.GraphDef()
    add(graph, "x", "Placeholder")
    add(graph, "c/kernel", "VarHandleOp")
    add(graph, "c/bias", "VarHandleOp")
    add(graph, "read", "ReadVariableOp", "c/kernel")
    add(graph, "read_bias", "ReadVariableOp", "c/bias")
    return graph


def test_conv_followed_by_bias_and_activation():
    graph = conv_graph()
    add(graph, "conv", "Conv2D", "x", "read", strides=[1, 2, 3, 1], padding=b"SAME")
    add(graph, "add", "AddV2", "conv", "read_bias")
    add(graph, "out", "Tanh", "add")
    (kernel,) = kernels(graph, [stored("c/kernel", 3, 5, 2, 4), stored("c/bias", 4)])
    assert kernel == Kernel(
        route="c",
        tensor="c/kernel",
        kind="conv",
        axes="hwio",
        spatial=2,
        shape=(3, 5, 2, 4),
        bias="c/bias",
        strides=(2, 3),
        dilations=(1, 1),
        padding="same",
        activation="tanh",
    )


def test_beta_is_that_of_the_normalization_directly_behind_the_bias():
    graph = conv_graph()
    add(graph, "c/beta", "VarHandleOp")
    add(graph, "read_beta", "ReadVariableOp", "c/beta")
    add(graph, "conv", "Conv2D", "x", "read", strides=[1, 1, 1, 1])
    add(graph, "add", "BiasAdd", "conv", "read_bias")
    add(graph, "norm", "FusedBatchNormV3", "add", "gamma", "read_beta", "mean", "variance")
    tensors = [stored("c/kernel", 3, 3, 2, 4), stored("c/bias", 4), stored("c/beta", 4)]
    (kernel,) = kernels(graph, tensors)
    assert (kernel.bias, kernel.beta, kernel.activation) == ("c/bias", "c/beta", None)
    add(graph, "relu", "Relu", "add")
    (kernel,) = kernels(graph, tensors)
    assert (kernel.bias, kernel.beta) == ("c/bias", None)  # not alone


def test_a_bias_whose_values_are_not_in_the_file_is_no_bias():
    graph = conv_graph()
    add(graph, "conv", "Conv2D", "x", "read", strides=[1, 1, 1, 1])
    add(graph, "add", "AddV2", "conv", "read_bias")
    holders = {"c/kernel": "c/kernel", "c/bias": "c/bias"}
    tensors = [stored("c/kernel", 3, 3, 2, 4)]
    (kernel,) = find_kernels(graph_facts(graph, "g", LIMITS), tensors, holders, {})
    assert (kernel.tensor, kernel.bias) == ("c/kernel", None)


def test_channels_first_strides_are_the_spatial_ones():
    graph = conv_graph()
    add(graph, "conv", "Conv2D", "x", "read", strides=[1, 1, 2, 3], data_format=b"NCHW")
    (kernel,) = kernels(graph, [stored("c/kernel", 3, 3, 2, 4)])
    assert (kernel.strides, kernel.data_format) == ((2, 3), "channels_first")


@pytest.mark.parametrize("between", ["Mul", "MaxPool", "Add"])
def test_other_operations_in_between_hide_bias_and_activation(between):
    graph = conv_graph()
    add(graph, "conv", "Conv2D", "x", "read", strides=[1, 1, 1, 1])
    add(graph, "between", between, "conv", "x")
    add(graph, "relu", "Relu", "between")
    (kernel,) = kernels(graph, [stored("c/kernel", 3, 3, 2, 4), stored("c/bias", 4)])
    assert (kernel.bias, kernel.activation) == (None, None)


def test_an_output_used_twice_has_no_activation_of_its_own():
    graph = conv_graph()
    add(graph, "conv", "Conv2D", "x", "read", strides=[1, 1, 1, 1])
    add(graph, "relu", "Relu", "conv")
    add(graph, "skip", "Neg", "conv")
    (kernel,) = kernels(graph, [stored("c/kernel", 3, 3, 2, 4)])
    assert kernel.activation is None


def test_only_nodes_reachable_from_signatures_count():
    graph = conv_graph()
    add(graph, "used/w", "VarHandleOp")
    add(graph, "dense", "MatMul", "x", "used/w")
    add(graph, "conv", "Conv2D", "x", "read", strides=[1, 1, 1, 1])
    tensors = [stored("c/kernel", 3, 3, 2, 4), stored("used/w", 2, 2)]
    assert {kernel.tensor for kernel in kernels(graph, tensors)} == {"c/kernel", "used/w"}
    from modelaudit.facts import Endpoint

    signature = Signature("s", "", (), (Endpoint("y", "dense:0", "float32", None),))
    reached = kernels(graph, tensors, signatures=[signature])
    assert [kernel.tensor for kernel in reached] == ["used/w"]


@pytest.mark.parametrize(("source", "found"), [("zeros", 0), ("x", 1)])
def test_what_is_applied_to_zeros_is_no_kernel(source, found):
    """ConvLSTM of TensorFlow 1 computes its initial state with a variable of zeros."""
    graph = conv_graph()
    add(graph, "zeros", "ZerosLike", "x")
    add(graph, "sum", "Sum", source, "axes")
    add(graph, "conv", "Conv2D", "sum", "read", strides=[1, 1, 1, 1])
    assert len(kernels(graph, [stored("c/kernel", 3, 3, 4, 4)])) == found


def test_transposed_factors_and_wrong_ranks_are_not_kernels():
    graph = conv_graph()
    add(graph, "conv", "Conv2D", "x", "read", strides=[1, 1, 1, 1])
    add(graph, "dense", "MatMul", "x", "read_bias", transpose_b=True)
    assert kernels(graph, [stored("c/kernel", 4, 4), stored("c/bias", 4, 4)]) == ()


def nested_calls(depth, calls):
    """Functions that each call the next `calls` times; the last applies the kernel."""
    graph = pb.GraphDef()
    add(graph, "x", "Placeholder")
    add(graph, "w", "VarHandleOp")
    for level in range(depth):
        body = function(graph, f"f{level}", ["a", "b"], {"y": "call0:output:0"})
        for i in range(calls):
            add(body, f"call{i}", "PartitionedCall", "a", "b", f=f"f{level + 1}")
    last = function(graph, f"f{depth}", ["a", "b"], {"y": "m:product:0"})
    add(last, "m", "MatMul", "a", "b")
    add(graph, "call", "PartitionedCall", "x", "w", f="f0")
    return graph


def test_weights_are_followed_through_calls():
    (kernel,) = kernels(nested_calls(10, 1), [stored("w", 2, 3)])
    assert (kernel.tensor, kernel.kind) == ("w", "dense")


def test_calls_that_double_are_a_limit_not_a_hang():
    with pytest.raises(LimitExceeded):
        kernels(nested_calls(40, 2), [stored("w", 2, 3)])


def test_recursive_functions_and_cycles_end():
    graph = pb.GraphDef()
    add(graph, "w", "VarHandleOp")
    body = function(graph, "f", ["a"], {"y": "again:output:0"})
    add(body, "again", "PartitionedCall", "a", f="f")
    add(graph, "call", "PartitionedCall", "w", f="f")
    add(graph, "loop1", "Identity", "loop2")
    add(graph, "loop2", "Identity", "loop1")
    add(graph, "m", "MatMul", "call", "loop1")
    add(graph, "m2", "MatMul", "loop1", "call")
    assert kernels(graph, [stored("w", 2, 2)]) == ()


def test_functions_without_signature_are_bound_by_their_captures():
    graph = pb.GraphDef()
    body = function(graph, "f", ["x", "w"], {"y": "m:product:0"})
    add(body, "m", "MatMul", "x", "w")
    (kernel,) = kernels(graph, [stored("v", 2, 3)], functions=[("f", {"w": "v"})])
    assert kernel.tensor == "v"


def restoring_graph():
    graph = pb.GraphDef()
    for name in ("a", "b", "c"):
        add(graph, name, "VarHandleOp")
    add(graph, "names", "Const", value=strings("key_a", "key_b"), dtype=pb.AttrValue(type=7))
    add(graph, "restore", "RestoreV2", "prefix", "names", "slices")
    add(graph, "save/Assign", "AssignVariableOp", "a", "restore")
    add(graph, "save/Assign_1", "AssignVariableOp", "b", "restore:1")
    add(graph, "serve", "PartitionedCall", "a", "b", "c", f="none")
    return graph


def test_the_saver_s_assignments_give_the_keys_of_variables():
    facts = graph_facts(restoring_graph(), "g", LIMITS)
    keys = restored_variables(facts)
    assert keys == {"a": "key_a", "b": "key_b"}
    assert unrestored(facts, keys) == ["c"]
    assert unrestored(facts, {}) == []


def test_config_and_graph_are_compared_where_both_have_values():
    config = Kernel("d", "w", "conv", "hwio", 2, (3, 3, 1, 1), strides=(1, 1), activation="relu")
    same = Kernel("g", "w", "conv", "hwio", 2, (3, 3, 1, 1), strides=(1, 1), activation="relu")
    other = Kernel("g", "w", "conv", "hwio", 2, (3, 3, 1, 1), strides=(2, 2), activation="tanh")
    assert config_differences([config], [same]) == []
    assert config_differences([config], []) == []
    assert config_differences([config], [other]) == [
        {"tensor": "w", "field": "strides", "config": [1, 1], "graph": [2, 2]},
        {"tensor": "w", "field": "activation", "config": "relu", "graph": "tanh"},
    ]


@pytest.mark.parametrize(
    ("config", "graph", "differs"),
    [("causal", "valid", False), ("causal", "same", True), ("valid", "same", True)],
)
def test_a_causal_convolution_is_padded_by_an_operation_of_its_own(config, graph, differs):
    said = Kernel("d", "w", "conv", "hwio", 1, (3, 1, 1), padding=config)
    done = Kernel("g", "w", "conv", "hwio", 1, (3, 1, 1), padding=graph)
    assert bool(config_differences([said], [done])) is differs


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


def test_graphs_in_string_constants_are_found_at_every_level():
    inner = pb.GraphDef()
    add(inner, "bad", "WriteFile", "name", "contents")
    message = inner
    for level in range(3):
        outer = pb.GraphDef()
        tensor = pb.TensorProto(dtype=pb.DT_STRING, string_val=[message.SerializeToString()])
        body = function(outer, "f", [], {}) if level == 1 else outer
        value = pb.AttrValue(tensor=tensor)
        add(body, f"c{level}", "Const", value=value, dtype=pb.AttrValue(type=pb.DT_STRING))
        message = outer
    found = list(nested_graphs(message, "g", LIMITS))
    assert [graph.held_by for graph in found] == ["c2", "c2/f/c1", "c2/f/c1/c0"]
    assert found[-1].nodes[0].op == "WriteFile"


def test_a_graph_is_detected_whatever_its_first_field(tmp_path):
    graph = conv_graph()
    function(graph, "f", [], {})
    library = pb.GraphDef(library=graph.library)
    graph.ClearField("library")
    path = tmp_path / "g.pb"
    path.write_bytes(library.SerializeToString() + graph.SerializeToString())
    assert sniff(path) is Format.FROZEN_GRAPH


def test_plain_strings_are_not_graphs():
    graph = pb.GraphDef()
    for i, text in enumerate(["\n\tindented text of a file", "", "word", "\n\x05hello there"]):
        add(graph, f"c{i}", "Const", value=strings(text), dtype=pb.AttrValue(type=pb.DT_STRING))
    assert list(nested_graphs(graph, "g", LIMITS)) == []


def test_number_of_nodes_is_bounded():
    graph = conv_graph()
    function(graph, "f", [], {}).node_def.add(name="n", op="NoOp")
    with pytest.raises(LimitExceeded):
        graph_facts(graph, "g", Limits(graph_nodes=5))
    assert len(graph_facts(graph, "g", Limits(graph_nodes=6)).nodes) == 5


def test_frozen_graph_as_text_and_as_garbage(tmp_path):
    path = tmp_path / "g.pbtxt"
    path.write_text('node { name: "x" op: "Placeholder" } versions { producer: 21 }')
    artifact = read_frozen_graph(path, LIMITS)
    assert (artifact.graphs[0].nodes[0].op, artifact.provenance.producer) == ("Placeholder", 21)
    for content in (b"", b"hello", b"\x0a\x02\x0a\x00", b"\xff" * 30):
        path.write_bytes(content)
        with pytest.raises(ReadError):
            read_frozen_graph(path, LIMITS)
