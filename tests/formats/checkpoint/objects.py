"""An object graph as `tf.train.Checkpoint` writes it, for tests to change."""

from __future__ import annotations

from modelaudit.formats.graph.protos import saved_messages_pb2 as pb


def object_graph():
    """Root -> model -> layer -> kernel; root -> optimizer with a slot; a metric; a counter."""
    graph = pb.TrackableObjectGraph()
    nodes = [graph.nodes.add() for _ in range(9)]

    def link(parent, name, child):
        nodes[parent].children.add(local_name=name, node_id=child)

    link(0, "optimizer", 4)
    link(0, "model", 1)
    link(0, "save_counter", 8)
    link(1, "layer", 2)
    link(1, "metrics", 7)
    link(2, "kernel", 3)
    link(4, "iter", 5)
    link(4, "learning_rate", 6)
    nodes[4].slot_variables.add(original_variable_node_id=3, slot_name="m", slot_variable_node_id=6)
    for index in (3, 5, 6, 7, 8):
        nodes[index].attributes.add(name="VARIABLE_VALUE", checkpoint_key=f"k{index}")
    return graph
