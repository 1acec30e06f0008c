import pytest

from modelaudit.measures.architecture.layer_graph import layer_graph
from tests.measures.artifacts import architecture, chain, layer


def test_a_nested_model_is_expanded() -> None:
    graph = layer_graph(
        architecture(
            [
                layer("in", "InputLayer"),
                layer("trunk", "Functional", ("in",), is_model=True,
                      config={"output_layers": [["b", 0, 0]], "input_layers": [["x", 0, 0]]}),
                layer("trunk/x", "InputLayer"),
                layer("trunk/a", "Conv2D", ("trunk/x",)),
                layer("trunk/b", "ReLU", ("trunk/a",)),
                layer("trunk/unused", "ReLU", ("trunk/a",)),
                layer("head", "Dense", ("trunk",)),
            ]
        )
    )  # fmt: skip
    assert "trunk" not in graph.calls
    assert graph.calls["trunk/x"] == (("in",),)
    assert graph.calls["head"] == (("trunk/b",),)
    assert graph.consumers()["trunk/a"] == ("trunk/b", "trunk/unused")
    assert graph.outputs == ("head",)


def test_a_shared_trunk_has_a_call_for_each_use() -> None:
    graph = layer_graph(
        architecture(
            [
                layer("left", "InputLayer"),
                layer("right", "InputLayer"),
                layer("trunk", "Sequential", ("left",), ("right",), is_model=True),
                layer("trunk/conv", "Conv2D"),
                layer("sub", "Subtract", ("trunk", "trunk")),
            ]
        )
    )
    assert graph.calls["trunk/conv"] == (("left",), ("right",))
    assert graph.calls["sub"] == (("trunk/conv", "trunk/conv"),)


def test_layers_for_each_step() -> None:
    """A Dense layer computes the same of a sequence; a model starts without the axis of steps."""
    graph = layer_graph(
        architecture(
            [
                layer("in", "InputLayer"),
                layer("frames", "TimeDistributed", ("in",)),
                layer("frames/net", "Functional", ("in",), is_model=True),
                layer("frames/net/x", "InputLayer"),
                layer("frames/net/conv", "Conv2D", ("frames/net/x",)),
                layer("head", "TimeDistributed", ("frames",)),
                layer("head/units", "Dense", ("frames",)),
                layer("act", "ReLU", ("head",)),
            ]
        )
    )
    assert graph.get("head") is None
    assert graph.calls["head/units"] == (("frames",),)
    assert graph.calls["act"] == (("head/units",),)
    assert graph.calls["frames/net/x"] == ()
    assert graph.calls["frames/net/conv"] == (("frames/net/x",),)


def test_inner_inputs_are_replaced_by_their_sources() -> None:
    graph = layer_graph(
        architecture(
            [
                layer("a", "InputLayer"),
                layer("b", "InputLayer"),
                layer("m", "Functional", ("a", "b"), is_model=True,
                      config={"input_layers": [["q", 0, 0], ["p", 0, 0]]}),
                layer("m/p", "InputLayer"),
                layer("m/q", "InputLayer"),
                layer("m/s", "Subtract", ("m/q", "m/p")),
            ],
            outputs=["m"],
        )
    )  # fmt: skip
    assert graph.calls["m/q"] == (("a",),)
    assert graph.calls["m/p"] == (("b",),)
    assert graph.outputs == ("m/s",)


def test_models_within_models() -> None:
    graph = layer_graph(
        architecture(
            [
                layer("in", "InputLayer"),
                layer("o", "Sequential", ("in",), is_model=True),
                layer("o/i", "Sequential", is_model=True),
                layer("o/i/conv", "Conv2D"),
                layer("head", "Dense", ("o",)),
            ]
        )
    )
    assert graph.calls["o/i/conv"] == (("in",),)
    assert graph.calls["head"] == (("o/i/conv",),)


def test_values_of_several_calls_are_merged() -> None:
    layers = [
        layer("a", "InputLayer"),
        layer("b", "InputLayer"),
        layer("c", "Add", ("a",), ("b",)),
        layer("d", "Add", ("c",), ("gone",)),
    ]
    graph = layer_graph(architecture(layers))
    start = {"a": 1, "b": 5}

    def step(x, sources):
        if not sources:
            return start[x.route]
        return None if None in sources else sum(sources) + 1

    assert graph.propagate(step, max) == {"a": 1, "b": 5, "c": 6}


def test_hostile_graphs_terminate() -> None:
    loop = [layer("a", "Add", ("b",)), layer("b", "Add", ("a",))]
    assert layer_graph(architecture(loop)).propagate(lambda _, s: None if s else 1, max) == {}
    inside_out = [layer("m/x", "Conv2D"), layer("m", "Sequential", ("m",), is_model=True)]
    assert layer_graph(architecture(inside_out)).calls["m/x"] == ()
    empty = layer_graph(architecture([layer("m", "Sequential", is_model=True)]))
    assert empty.outputs == ()
    with pytest.raises(KeyError):
        empty.layer("m")


def test_chain_helper_links_layers() -> None:
    graph = layer_graph(architecture(chain(layer("a", "InputLayer"), layer("b", "ReLU"))))
    assert graph.calls["b"] == (("a",),)


def test_only_takers_of_shared_layers_end() -> None:
    """q(p(a)) and p of that again: the joined calls look like a ring."""
    graph = layer_graph(
        architecture(
            [
                layer("in", "InputLayer"),
                layer("a", "Dense", ("in",)),
                layer("p", "Dropout", ("a",), ("q",)),
                layer("q", "ReLU", ("p",)),
            ]
        )
    )
    assert [each.route for each in graph.only_takers("a", lambda _: True)] == ["p", "q"]
    assert [each.route for each in graph.only_takers("p", lambda _: True)] == ["q", "p"]
    dropout = graph.only_takers("in", lambda each: each.class_name == "Dense")
    assert [each.route for each in dropout] == ["a", "p"]


def test_the_last_layer_inside_another() -> None:
    names = ["in", "t", "t/a", "t-b", "t/z", "t/m", "t0", "t/m2/x", "u/t/k"]
    graph = layer_graph(architecture([layer(name, "Dense") for name in names]))
    for route in ("t", "t/m2", "u", "t/a", "nothing"):
        inside = [x for x in graph.layers if x.route.startswith(f"{route}/")]
        assert graph.last_inside(route) == (inside[-1] if inside else None)
