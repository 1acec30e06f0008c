"""The parts that a class writes into its config, and in which order they can be joined."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import pytest

from modelaudit.errors import LimitExceeded
from modelaudit.settings import Limits
from tests.made.keras_configs import input_layer, layer, parse


def net(name, size, units):
    layers = [input_layer("x", size), layer("Dense", "last", units=units)]
    return {"class_name": "Sequential", "config": {"name": name, "layers": layers}}


def own(given=None, **config):
    built = {} if given is None else {"build_config": {"input_shape": given}}
    return {
        "class_name": "Net",
        "module": None,
        "registered_name": "k>Net",
        "config": config,
    } | built


def ends(model):
    return model.inputs, model.outputs


def test_parts_in_lists_and_objects_and_what_is_no_part():
    initial = {"class_name": "Identity", "module": "keras.initializers", "config": {"name": "i"}}
    other = {"class_name": "Theirs", "module": "their.code", "config": {"net": net("c", 3, 4)}}
    model = parse(
        own(
            towers=[net("a", 3, 4), net("b", 5, 6)],
            more={"bare": layer("Dense", "fc", units=2)},
            size=3,
            kernel_initializer=initial,
            loss={"class_name": "MeanSquaredError", "config": {"name": "mse"}},
            theirs=other,
        )
    )
    assert [each.config_route for each in model.layers if "/config/" not in each.config_route] == [
        *("config/towers/0", "config/towers/1", "config/more/bare"),
    ]
    assert model.layer("a/last").expected == {"kernel": (3, 4), "bias": (4,)}
    assert (model.assumed, ends(model)) == (True, ((), ()))


@pytest.mark.parametrize(
    ("given", "parts", "order"),
    [
        ([None, 8], {"one": net("a", 3, 4), "two": net("b", 8, 3)}, ("b", "a")),
        ([None, 8], {"one": net("a", 8, 3), "two": net("b", 3, 8)}, ("a", "b")),
        # Which of two alike comes first is told by their names only.
        ([None, 8], {"one": net("a", 8, 8), "two": net("b", 8, 8)}, ()),
        ([None, 8], {"encoder": net("a", 8, 8), "head": net("b", 8, 8)}, ("a", "b")),
        ([None, 8], {"head": net("a", 8, 8), "encoder": net("b", 8, 8)}, ("b", "a")),
        (None, {"one": net("a", 8, 3), "two": net("b", 3, 2)}, ()),
        (None, {"body": net("a", 8, 3), "top": net("b", 3, 2)}, ("a", "b")),
        ([[None, 8], [None, 8]], {"one": net("a", 8, 3), "two": net("b", 3, 2)}, ()),
        # Names that contradict the shapes: something between them is not in the config.
        ([None, 8], {"one": net("a", 8, 3), "encoder": net("b", 3, 8)}, ()),
        ([None, 9], {"one": net("a", 8, 3), "two": net("b", 3, 2)}, ()),
        ([None, 8], {str(n): net(f"n{n}", 8 + n, 9 + n) for n in range(6)}, ()),
    ],
)
def test_the_only_order_that_fits(given, parts, order):
    model = parse(own(given, **parts))
    assert ends(model) == (order[:1], order[-1:])
    assert not order or model.layer(order[1]).inbound == ((order[0],),)


def test_a_head_whose_input_is_not_known_to_be_that_of_a_part():
    model = parse(own([None, 8], a=net("a", 8, 3), b=net("b", 8, 3), head=net("h", 6, 2)))
    assert ends(model) == ((), ("h",))
    assert model.layer("h").inbound == ()


def test_nothing_below_an_overlong_key_is_looked_at():
    """Each route below it is as long: 40,000 of them would take 4 GB."""
    long = "k" * 100_000
    tracemalloc.start()
    model = parse(own(body=net("a", 8, 3), **{long: [0] * 40_000}))
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()
    assert [each.route for each in model.layers][:1] == ["a"]


def test_an_invalid_part_is_the_affair_of_the_class():
    broken = {"class_name": "Functional", "config": {"name": "f", "layers": [3]}}
    assert parse(own(a=broken)).layers == ()


def test_the_limit_of_layers_counts_parts():
    from modelaudit.formats.keras.config import parse_architecture

    with pytest.raises(LimitExceeded):
        parse_architecture(own(a=[net(str(i), 2, 2) for i in range(9)]), limits=Limits(layers=20))


def in_list(class_name, name, given=None, **config):
    built = {} if given is None else {"build_config": {"input_shape": given}}
    return layer(class_name, name, **config) | built


def dense(name, given, units):
    return in_list("Dense", name, given, units=units)


def norm(name, given):
    return in_list("BatchNormalization", name, given)


SOFTMAX = in_list("Softmax", "c")


@pytest.mark.parametrize(
    ("parts", "order"),
    [
        ({"hidden": [dense("a", [2, 8], 5), dense("b", [2, 5], 3)]}, "ab"),
        ({"x": [dense("a", [2, 8], 5)], "head": [dense("b", [2, 5], 3), SOFTMAX]}, "abc"),
        # Listed the other way round in the config, and a list that no shape contradicts.
        ({"head": [dense("b", [2, 5], 3), SOFTMAX], "x": [dense("a", [2, 8], 5)]}, "abc"),
        # Towers side by side, twins that would fit in a row as well, and layers of unknown shapes.
        ({"towers": [dense("a", [2, 8], 5), dense("b", [2, 8], 3)]}, ""),
        ({"towers": [dense("a", [2, 8], 8), dense("b", [2, 8], 8)]}, ""),
        ({"hidden": [dense("a", None, 5), dense("b", None, 3)]}, ""),
        # Layers of two lists in turn.
        (
            {
                "hidden": [dense("a", [2, 8], 5), dense("b", [2, 5], 3)],
                "norms": [norm("c", [2, 5]), norm("d", [2, 3])],
            },
            "",
        ),
        ({"members": [net("a", 8, 3), net("b", 3, 8)]}, "ab"),
    ],
)  # fmt: skip
def test_lists_of_layers_that_can_only_follow_each_other(parts, order):
    model = parse(own([2, 8], **parts))
    assert ends(model) == (tuple(order[:1]), tuple(order[-1:]))
    for before, behind in pairwise(order):
        assert model.layer(behind).inbound == ((before,),)


@pytest.mark.parametrize(
    ("parts", "order"),
    [
        ({"body": [dense("a", [2, 8], 5)], "fc": dense("b", [2, 5], 3), "probs": SOFTMAX}, "abc"),
        # Dropout has no place, but no effect on the output; a ReLU has one.
        ({"x": dense("a", [2, 8], 5), "drop": in_list("Dropout", "d"), "probs": SOFTMAX}, "ac"),
        ({"x": dense("a", [2, 8], 5), "relu": in_list("ReLU", "d"), "probs": SOFTMAX}, ""),
        ({"x": dense("a", [2, 8], 5), "own": SOFTMAX, "other": in_list("Softmax", "d")}, ""),
    ],
)
def test_probabilities_that_are_a_part_are_those_of_the_output(parts, order):
    model = parse(own([2, 8], **parts))
    assert ends(model) == (tuple(order[:1]), tuple(order[-1:]))
    for before, behind in pairwise(order):
        assert model.layer(behind).inbound == ((before,),)


def test_a_list_that_is_a_head_where_the_rest_is_not_known():
    head = [dense("b", [2, 5], 3), SOFTMAX]
    model = parse(own([2, 8], a=dense("a", [2, 7], 4), classifier=head))
    assert ends(model) == ((), ("c",))
    assert (model.layer("b").inbound, model.layer("c").inbound) == ((), (("b",),))
