"""What the object graph of a checkpoint says of its keys."""

from __future__ import annotations

import pytest

from modelaudit.errors import ReadError
from modelaudit.formats.checkpoint.object_graph import (
    checkpoint_objects,
    joined,
    key_roles,
    saved_objects,
)
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from tests.formats.checkpoint.objects import object_graph


def test_roles_follow_the_object_graph():
    roles = key_roles(checkpoint_objects(object_graph(), "f"))
    assert roles == {
        "k3": "weight",
        "k5": "optimizer",
        "k6": "optimizer",
        "k7": "metric",
        "k8": "other",
    }


@pytest.mark.parametrize(("name", "role"), [("base_optimizer", "optimizer"), ("base", "weight")])
def test_the_loss_scale_of_tensorflow_2_2_is_the_state_of_an_optimizer(name, role):
    """`LossScaleOptimizer` then had no steps of its own, but those of the one that it wraps."""
    graph = object_graph()
    wrapper, scale, value = (graph.nodes.add() for _ in range(3))
    graph.nodes[0].children[0].node_id = 9
    wrapper.children.add(local_name=name, node_id=4)
    wrapper.children.add(local_name="loss_scale", node_id=10)
    scale.children.add(local_name="current_loss_scale", node_id=11)
    value.attributes.add(name="VARIABLE_VALUE", checkpoint_key="k11")
    roles = key_roles(checkpoint_objects(graph, "f"))
    assert (roles["k11"], roles["k5"], roles["k3"]) == (role, "optimizer", "weight")


def test_a_checkpoint_with_an_optimizer_and_a_loss_scale_is_no_optimizer():
    """`tf.train.Checkpoint(model=…, base_optimizer=…, loss_scale=…)`."""
    graph = object_graph()
    scale = graph.nodes.add()
    scale.attributes.add(name="VARIABLE_VALUE", checkpoint_key="k9")
    graph.nodes[0].children.add(local_name="base_optimizer", node_id=4)
    graph.nodes[0].children.add(local_name="loss_scale", node_id=9)
    roles = key_roles(checkpoint_objects(graph, "f"))
    assert (roles["k3"], roles["k5"]) == ("weight", "optimizer")


def test_weights_below_a_keras3_optimizer_are_weights():
    graph = object_graph()
    graph.nodes[1].children.pop(0)  # the model has no path to its kernel
    del graph.nodes[4].slot_variables[:]
    graph.nodes[4].children.add(local_name="_trainable_variables", node_id=2)
    roles = key_roles(checkpoint_objects(graph, "f"))
    assert (roles["k3"], roles["k5"]) == ("weight", "optimizer")


@pytest.mark.parametrize("target", [-1, 9, 1 << 30])
def test_references_out_of_the_object_graph_are_corrupt(target):
    graph = object_graph()
    graph.nodes[0].children[0].node_id = target
    with pytest.raises(ReadError):
        checkpoint_objects(graph, "f")
    graph = object_graph()
    graph.nodes[4].slot_variables[0].slot_variable_node_id = target
    with pytest.raises(ReadError):
        checkpoint_objects(graph, "f")


def test_saved_objects_get_their_keys_by_equal_names():
    stored = checkpoint_objects(object_graph(), "f")
    saved = pb.SavedObjectGraph()
    nodes = [saved.nodes.add() for _ in range(6)]  # another order, one branch less
    nodes[0].children.add(local_name="model", node_id=3)
    nodes[0].children.add(local_name="optimizer", node_id=4)
    nodes[3].children.add(local_name="layer", node_id=2)
    nodes[2].children.add(local_name="kernel", node_id=1)
    nodes[4].slot_variables.add(original_variable_node_id=1, slot_name="m", slot_variable_node_id=5)
    nodes[1].variable.name = nodes[5].variable.name = "v"
    result = joined(saved_objects(saved, "f"), stored)
    keys = {node.index: node.attributes for node in result if node.attributes}
    assert {index: item["VARIABLE_VALUE"]["key"] for index, item in keys.items()} == {
        1: "k3",
        5: "k6",
    }
