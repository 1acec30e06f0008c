"""Write the list of operations that stock TensorFlow registers, for the rule on custom operations.

Run it with the Python that has the TensorFlow release to be listed:

    python scripts/tensorflow_ops.py > modelaudit/formats/graph/tensorflow_ops.txt

One operation per line: its name, its numbers of inputs and outputs as `2:1` (`*` where an attribute
says how many), then its attributes that hold functions (a `*` marks lists), then, after a `;`, the
others that have no default. Operations with references to variables have a last part, as in
`& 0 1 : 0`: which inputs have to be references, and which outputs are. Where an attribute says how
many there are, `*` stands for all.
TensorFlow does not remove registered operations, so a newer list covers older models. Missing are
the operations of `tf.contrib`, which were in separate libraries.
"""

from __future__ import annotations

import sys

import tensorflow as tf
from tensorflow.core.framework import op_def_pb2
from tensorflow.python.client import pywrap_tf_session


def _count(arguments: list[op_def_pb2.OpDef.ArgDef]) -> str:
    listed = any(each.number_attr or each.type_list_attr for each in arguments)
    return "*" if listed else str(len(arguments))


def _references(arguments: list[op_def_pb2.OpDef.ArgDef], count: str) -> list[str]:
    found = [str(index) for index, each in enumerate(arguments) if each.is_ref]
    return ["*"] if found and count == "*" else found


def main() -> None:
    """Print the list."""
    listed = pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList())
    registered = op_def_pb2.OpList.FromString(listed)
    lines = [
        f"# Operations registered by TensorFlow {tf.__version__} (CPU, Linux, x86-64).",
        "# Made by scripts/tensorflow_ops.py: name, inputs and outputs, attributes of functions;",
        "# others that have no default; & inputs : outputs that are references to variables.",
    ]
    for operation in sorted(registered.op, key=lambda each: each.name):
        functions = [
            attribute.name + ("*" if attribute.type.startswith("list") else "")
            for attribute in operation.attr
            if attribute.type in ("func", "list(func)")
        ]
        needed = [
            attribute.name
            for attribute in operation.attr
            if "func" not in attribute.type and not attribute.HasField("default_value")
        ]
        inputs, outputs = _count(operation.input_arg), _count(operation.output_arg)
        words = [operation.name, f"{inputs}:{outputs}", *functions, *(needed and (";", *needed))]
        taken = _references(operation.input_arg, inputs)
        given = _references(operation.output_arg, outputs)
        lines.append(" ".join((*words, *((taken or given) and ("&", *taken, ":", *given)))))
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
