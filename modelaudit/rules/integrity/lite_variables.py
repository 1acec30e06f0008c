"""Variables of TensorFlow Lite models: resources that operators read and assign by name."""

from __future__ import annotations

from modelaudit.graphs import LiteModel

_HANDLE, _READ = "VAR_HANDLE", "READ_VARIABLE"


def variables_without_values(lite: LiteModel) -> tuple[int, list[str]]:
    """How many variables operators read, and the names of those that nothing gives a value.

    An operator that takes the handle for anything but reading may assign the variable: one for
    assignments, or one that calls another subgraph.
    """
    read: dict[tuple[str, str], None] = {}
    others: set[tuple[str, str]] = set()
    for graph in lite.subgraphs:
        handles = {
            operator.outputs[0]: (
                str(operator.options.get("container", "")),
                str(operator.options.get("shared_name", "")),
            )
            for operator in graph.operators
            if operator.name == _HANDLE and operator.outputs
        }
        others |= {handles[index] for index in graph.outputs if index in handles}
        for operator in graph.operators:
            used = [handles[index] for index in operator.inputs if index in handles]
            if operator.name == _READ:
                read |= dict.fromkeys(used)
            else:
                others.update(used)
    return len(read), [name for container, name in read if (container, name) not in others]
