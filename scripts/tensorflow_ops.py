"""Write the list of operations that stock TensorFlow registers, for the rule on custom operations.

Run it with the Python that has the TensorFlow release to be listed:

    python scripts/tensorflow_ops.py > modelaudit/formats/graph/tensorflow_ops.txt

One operation per line: its name, then its attributes that hold functions (a `*` marks lists).
TensorFlow does not remove registered operations, so a newer list covers older models. Missing are
the operations of `tf.contrib`, which were in separate libraries.
"""

from __future__ import annotations

import sys

import tensorflow as tf
from tensorflow.core.framework import op_def_pb2
from tensorflow.python.client import pywrap_tf_session


def main() -> None:
    """Print the list."""
    listed = pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList())
    registered = op_def_pb2.OpList.FromString(listed)
    lines = [
        f"# Operations registered by TensorFlow {tf.__version__} (CPU, Linux, x86-64).",
        "# Made by scripts/tensorflow_ops.py: name, then attributes that hold functions.",
    ]
    for operation in sorted(registered.op, key=lambda each: each.name):
        functions = [
            attribute.name + ("*" if attribute.type.startswith("list") else "")
            for attribute in operation.attr
            if attribute.type in ("func", "list(func)")
        ]
        lines.append(" ".join((operation.name, *functions)))
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
