"""Which key a saver restores each variable from, and what finding it costs."""

from __future__ import annotations

from collections import UserDict

from modelaudit.facts import Graph, GraphNode
from modelaudit.formats.graph.restore_ops import restored_slices

MANY = 300


class Counted(UserDict):
    """Attributes that count how often their value is read."""

    reads = 0

    def get(self, key, default=None):
        self.reads += key == "value"
        return super().get(key, default)


def test_the_names_that_all_variables_of_a_saver_share_are_read_once():
    names = Counted(value={"value": [f"key{n}" for n in range(MANY)], "shape": [MANY]})
    parts = Counted(value={"value": [""] * MANY, "shape": [MANY]})
    nodes = [
        GraphNode("prefix", "Const", ()),
        GraphNode("names", "Const", (), names),
        GraphNode("parts", "Const", (), parts),
        GraphNode("restore", "RestoreV2", ("prefix", "names", "parts")),
    ]
    for n in range(MANY):
        nodes.append(GraphNode(f"v{n}", "VariableV2", ()))
        nodes.append(GraphNode(f"assign{n}", "Assign", (f"v{n}", f"restore:{n}")))
    found = restored_slices(Graph((), tuple(nodes)))
    assert found == {f"v{n}": (f"key{n}", "") for n in range(MANY)}
    assert names.reads <= 2
    assert parts.reads <= 2
