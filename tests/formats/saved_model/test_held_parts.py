"""Layers that a subclassed model holds, by the configs that Keras writes beside its own."""

from __future__ import annotations

import pytest

from modelaudit.facts import ObjectNode
from modelaudit.formats.keras.saved_model_metadata import KerasMetadata

DENSE = {"class_name": "Dense", "config": {"units": 3}}
DROPOUT = {"class_name": "Dropout", "config": {"rate": 0.9}}


def parts(own, children, **objects):
    """The config with the parts that nodes 1 to 3 are, the third a list of the other two."""
    root = {"class_name": "Net", "config": own}
    nodes = (
        ObjectNode(0, "user_object", children),
        ObjectNode(1, "user_object", {}),
        ObjectNode(2, "user_object", {}),
        ObjectNode(3, "user_object", {"0": 1, "1": 2}),
    )
    told = {0: root, 1: {**DENSE, "name": "dense", "dtype": "float32"}, 2: DROPOUT, **objects}
    return KerasMetadata(told, root).with_parts(nodes)["config"]


def test_attributes_and_lists():
    children = {"head": 1, "layer-0": 1, "layer_with_weights-0": 1, "drop": 2, "both": 3}
    assert parts({"size": 2}, children) == {
        "size": 2,
        "head": DENSE,
        "drop": DROPOUT,
        "both": [DENSE, DROPOUT],
    }


@pytest.mark.parametrize("own", [{"layers": []}, {"head": DENSE}])
def test_a_config_that_tells_of_layers_is_left_as_it_is(own):
    assert parts(own, {"head": 1, "drop": 2}) == own


def test_what_is_no_layer_and_places_that_are_none():
    assert parts({}, {"head": 9, "other": -1, "drop": 2}) == {"drop": DROPOUT}
    assert parts({"head": 1}, {"head": 1}) == {"head": 1}


def test_no_model():
    assert KerasMetadata().with_parts(()) is None
