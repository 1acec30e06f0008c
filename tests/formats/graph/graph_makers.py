"""Graphs made node by node."""

from __future__ import annotations

import numpy as np

from modelaudit.formats.graph.protos import saved_messages_pb2 as pb


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


def conv_graph():
    graph = pb.GraphDef()
    add(graph, "x", "Placeholder")
    add(graph, "c/kernel", "VarHandleOp")
    add(graph, "c/bias", "VarHandleOp")
    add(graph, "read", "ReadVariableOp", "c/kernel")
    add(graph, "read_bias", "ReadVariableOp", "c/bias")
    return graph
