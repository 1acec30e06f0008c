import itertools

import pytest

from modelaudit.facts import Layer
from modelaudit.measures.architecture.layer_graph import layer_graph
from modelaudit.measures.architecture.profile import architecture_profile, unfollowed
from modelaudit.structs import replace
from tests.measures.artifacts import architecture, chain, layer


def image(side: int = 16) -> Layer:
    return layer("in", "InputLayer", output_shape=(None, side, side, 3))


def conv(name: str, k: int = 3, s: int = 1, padding: str = "same") -> Layer:
    config = {"kernel_size": [k, k], "strides": [s, s], "padding": padding}
    return layer(name, "Conv2D", config=config)


def pool(name: str, k: int) -> Layer:
    return layer(name, "AveragePooling2D", config={"pool_size": [k, k], "padding": "valid"})


def profile(*layers: Layer, outputs: tuple[str, ...] = (), blurs: bool = False):
    saved = architecture(layers, outputs)
    return architecture_profile(saved, layer_graph(saved), blurs)


DENSE = layer("fc", "Dense")


@pytest.mark.parametrize(
    ("layers", "head"),
    [
        ((conv("c"), layer("g", "GlobalAveragePooling2D"), DENSE), "gap"),
        ((conv("c"), layer("g", "GlobalMaxPooling2D"), DENSE, layer("s", "Softmax")), "gap"),
        ((conv("c"), layer("f", "Flatten"), layer("d", "Dropout"), DENSE), "flatten"),
        ((conv("c"), layer("f", "Reshape", config={"target_shape": [768]}), DENSE), "flatten"),
        ((conv("c"), pool("p", 16), layer("f", "Flatten"), DENSE), "gap"),
        ((conv("c"), pool("p", 4), layer("f", "Flatten"), DENSE), "flatten"),
        ((conv("c", 16, padding="valid"), layer("f", "Flatten"), DENSE), "flatten"),
        ((conv("c"), conv("d", 1), layer("a", "Activation")), "spatial"),
        ((conv("c"), layer("up", "UpSampling2D", config={"size": [2, 2]})), "spatial"),
        ((conv("c"), layer("x", "Mystery"), DENSE), "unknown"),
    ],
)
def test_heads(layers: tuple[Layer, ...], head: str) -> None:
    assert profile(*chain(image(), *layers)).head == head


def test_head_of_a_net_without_maps() -> None:
    row = layer("in", "InputLayer", output_shape=(None, 10))
    assert profile(*chain(row, layer("a", "Dense"), DENSE)).head == "dense"


def test_a_position_specific_head_counts_among_several() -> None:
    layers = [
        *chain(image(), conv("c")),
        layer("g", "GlobalAveragePooling2D", ("c",)),
        layer("f", "Flatten", ("c",)),
    ]
    assert profile(*layers, outputs=("g", "f")).head == "flatten"
    assert profile(*layers, outputs=("g",)).head == "gap"


def test_grids_of_strided_layers() -> None:
    layers = chain(image(), conv("a"), conv("b", s=2), conv("one", 1), pool("p", 2))
    found = {g.route: g for g in profile(*layers).grids}
    assert found["a"].symmetric == (True, True)
    assert found["b"].symmetric == (False, False)
    assert found["b"].size == (16, 16)
    assert found["p"].symmetric == (True, True)
    assert "one" not in found
    odd = {g.route: g for g in profile(*chain(image(15), conv("b", s=2))).grids}
    assert odd["b"].symmetric == (True, True)


def test_padding_layers_count_with_the_following_window() -> None:
    def padded(padding: list, side: int) -> tuple[bool, ...]:
        pad = layer("pad", "ZeroPadding2D", config={"padding": padding})
        layers = chain(image(side), pad, conv("c", 3, 2, "valid"))
        return profile(*layers).grids[0].symmetric

    assert padded([[0, 1], [0, 1]], 224) == (False, False)
    assert padded([[1, 1], [1, 1]], 225) == (True, True)
    assert padded([[1, 1], [0, 1]], 225) == (True, True)  # no window reaches the last column


def test_a_shared_layer_has_a_grid_for_each_size() -> None:
    layers = [
        *chain(image(16), conv("a", s=1)),
        layer("p", "AveragePooling2D", ("a",), config=pool("p", 2).config),
        layer("c", "Conv2D", ("a",), ("p",), config=conv("c", s=2).config),
    ]
    grids = [g for g in profile(*layers).grids if g.route == "c"]
    assert [g.size for g in grids] == [(16, 16), (8, 8)]


def test_augmentation_rescaling_and_blur() -> None:
    layers = chain(
        image(),
        layer("flip", "RandomFlip"),
        layer("scale", "Rescaling"),
        conv("c"),
        layer("blur", "BlurPool2D"),
    )
    found = profile(*layers)
    assert found.augmentation == ("flip",)
    assert found.rescaling == ("scale",)
    assert found.antialiased
    assert found.input_size == (16, 16)
    assert profile(*layers[:4], blurs=True).antialiased
    assert not profile(*layers[:4]).antialiased
    times = {"function": "math.multiply"}
    ops = chain(image(), layer("op", "TFOpLambda", config=times), conv("c"), DENSE)
    assert profile(*ops).rescaling == ("op",)
    late = chain(image(), conv("c"), layer("op", "TFOpLambda", config=times))
    assert profile(*late).rescaling == ()
    fourier = chain(layer("in", "InputLayer"), layer("x", "RandomFourierFeatures"))
    assert profile(*fourier).augmentation == ()


def test_total_stride() -> None:
    layers = chain(image(), conv("a", s=2), pool("p", 2), conv("b"), DENSE)
    assert profile(*layers).total_stride == (4, 4)


def test_unknown_layers_are_reported() -> None:
    graph = layer_graph(architecture(chain(image(), layer("x", "Mystery"), conv("c"))))
    assert "c (Conv2D)" in unfollowed(graph)
    assert unfollowed(layer_graph(architecture(chain(image(), conv("c"))))) == ""


def test_attention_sees_everything_and_is_not_followed() -> None:
    """Of a vision transformer only the patches have a field that can be computed."""
    tokens = layer("tokens", "Reshape", config={"target_shape": [16, 8]})
    patches = (conv("patch", 4, 4, "valid"), tokens)
    graph = layer_graph(architecture(chain(image(), *patches, layer("mix", "MultiHeadAttention"))))
    assert "mix (MultiHeadAttention)" in unfollowed(graph)


def test_a_first_layer_without_input_layer() -> None:
    first = layer("c", "Conv2D", config=conv("c", s=2).config, input_shapes=((None, 16, 12, 3),))
    found = profile(*chain(first, layer("f", "Flatten"), DENSE))
    assert found.input_size == (16, 12)
    assert found.grids[0].size == (16, 12)
    assert found.fields[0].route == "c"
    assert found.fields[-1].minimum == (17, 13)  # 8 x 6 windows of 3 with stride 2


def test_nested_models_are_expanded() -> None:
    trunk = layer("t", "Functional", ("in",), is_model=True)
    inner = [layer("t/x", "InputLayer"), layer("t/c", "Conv2D", ("t/x",), config=conv("c").config)]
    pooled = layer("g", "GlobalAveragePooling2D", ("t",))
    top = layer("s", "Sequential", ("g",), is_model=True)
    last = [layer("s/x", "InputLayer"), layer("s/fc", "Dense", ("s/x",))]
    found = profile(image(), trunk, *inner, pooled, top, *last, outputs=("s",))
    assert found.head == "gap"
    assert [g.route for g in found.grids] == ["t/c"]


def test_grids_after_a_lambda_use_the_saved_shape() -> None:
    shapes = ((None, 16, 16, 3),)
    layers = chain(image(), layer("l", "Lambda"), conv("c", s=2))
    known = [*layers[:2], replace(layers[2], input_shapes=shapes)]
    assert profile(*known).grids[0].symmetric == (False, False)
    assert profile(*layers).grids == ()


@pytest.mark.parametrize("orders", list(itertools.product(("first", "last"), repeat=3)))
@pytest.mark.parametrize("shape", [(1, 9, 8), (9, 8, 1), (5, 6, 7)])
def test_each_layer_slides_over_the_axes_of_its_own_order(orders, shape) -> None:
    """Whatever an input's shape or the layers before suggest; Keras says what each layer gets."""
    import keras

    pools = [
        keras.layers.MaxPooling2D(2, padding="same", data_format=f"channels_{order}", name=f"p{i}")
        for i, order in enumerate(orders)
    ]
    model = keras.Sequential([keras.layers.Input(shape), *pools])
    saved = [layer("in", "InputLayer", output_shape=(None, *shape))]
    for pool in model.layers:
        config = {"pool_size": [2, 2], "strides": [2, 2], "padding": "same"}
        config["data_format"] = pool.data_format
        given = ((None, *pool.input.shape[1:]),)
        saved.append(layer(pool.name, "MaxPooling2D", config=config, input_shapes=given))
    seen = {grid.route: grid.size for grid in profile(*chain(*saved)).grids}
    assert len(seen) == len(pools)
    for pool, order in zip(model.layers, orders, strict=True):
        got = pool.input.shape
        assert seen[pool.name] == tuple(got[2:] if order == "first" else got[1:-1])
