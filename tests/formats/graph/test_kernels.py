from __future__ import annotations

import pytest

from modelaudit.errors import LimitExceeded
from modelaudit.facts import Kernel, Signature, Tensor
from modelaudit.formats.graph.graph_def import graph_facts
from modelaudit.formats.graph.kernels import config_differences, find_kernels
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.graph.restore_ops import restored_variables, unrestored
from modelaudit.settings import Limits
from tests.formats.graph.graph_makers import add, conv_graph, function, strings

LIMITS = Limits()


def stored(name, *shape):
    return Tensor(name, shape, "float32", 0, "x")


def kernels(message, tensors, **kwargs):
    facts = graph_facts(message, "g", LIMITS)
    holders = {tensor.name: tensor.name for tensor in tensors}
    return find_kernels(facts, tensors, holders, {}, **kwargs)


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
