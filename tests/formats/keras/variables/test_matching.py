"""Binding of stored tensors: every layout, and every kind of misplaced weight."""

from __future__ import annotations

import pytest

from modelaudit.facts import Json
from modelaudit.formats.keras.config import parse_architecture
from modelaudit.formats.keras.variables.matching import Binding, bind
from modelaudit.settings import Limits
from tests.formats.bindings import PLAIN, SHAPES, conv, faults, layer, missing, sequential, weight


def legacy(
    config: dict[str, Json], groups: dict[str, list[str]], shapes: dict[str, tuple[int, ...]]
) -> Binding:
    """Bind an HDF5 file that holds `groups`; a weight's shape is that of its short name."""
    routes = {
        name: [f"model_weights/{name}/{w}" for w in weights] for name, weights in groups.items()
    }
    tensors = [
        weight(f"model_weights/{name}/{w}", *shapes[w.removesuffix(":0")])
        for name, weights in groups.items()
        for w in weights
    ]
    architecture = parse_architecture(config, limits=Limits())
    return bind(architecture, tensors, "h5_legacy", groups=routes)


def healthy_groups() -> dict[str, list[str]]:
    return {
        name: [f"{name}/kernel:0", f"{name}/bias:0"] for name in ("conv2d", "conv2d_1", "dense")
    } | {"flatten": []}


def test_a_healthy_legacy_file() -> None:
    binding = legacy(PLAIN, healthy_groups(), SHAPES)
    assert faults(binding) == ((), (), ())
    assert binding.architecture.layer("conv2d_1").variables == {
        "kernel": "model_weights/conv2d_1/conv2d_1/kernel:0",
        "bias": "model_weights/conv2d_1/conv2d_1/bias:0",
    }


def test_swapped_groups_are_named() -> None:
    groups = healthy_groups()
    groups["conv2d"], groups["conv2d_1"] = groups["conv2d_1"], groups["conv2d"]
    binding = legacy(PLAIN, groups, SHAPES)
    assert len(binding.misordered) == 4
    assert "model_weights/conv2d/conv2d_1/kernel:0" in binding.misordered
    # Keras loads by position in the file, so the binding by position is reported.
    bound = binding.architecture.layer("conv2d").variables["kernel"]
    assert bound == "model_weights/conv2d/conv2d_1/kernel:0"


def test_a_scope_numbered_by_tensorflow_1_is_not_a_swap() -> None:
    groups = {
        "conv2d": ["conv2d_1/kernel:0", "conv2d_1/bias:0"],
        "conv2d_1": ["conv2d_1_1/kernel:0", "conv2d_1_1/bias:0"],
        "dense": ["dense_2/kernel:0", "dense_2/bias:0"],
    }
    shapes = SHAPES | {
        "conv2d_1_1/kernel": (3, 3, 4, 4),
        "conv2d_1_1/bias": (4,),
        "dense_2/kernel": (256, 2),
        "dense_2/bias": (2,),
    }
    assert faults(legacy(PLAIN, groups, shapes)) == ((), (), ())


def test_weight_names_in_the_wrong_order() -> None:
    groups = healthy_groups() | {"dense": ["dense/bias:0", "dense/kernel:0"]}
    binding = legacy(PLAIN, groups, SHAPES)
    assert set(binding.misordered) == {
        "model_weights/dense/dense/bias:0",
        "model_weights/dense/dense/kernel:0",
    }
    assert binding.architecture.layer("dense").variables["bias"].endswith("bias:0")


def test_missing_unclaimed_and_mismatched_weights() -> None:
    groups = healthy_groups()
    groups["dense"] = ["dense/kernel:0"]
    groups["stranger"] = ["stranger/kernel:0"]
    shapes = SHAPES | {"conv2d/kernel": (3, 3, 1, 4), "stranger/kernel": (1,)}
    binding = legacy(PLAIN, groups, shapes)
    assert missing(binding) == (("dense", "bias"),)
    assert binding.unclaimed == ("model_weights/stranger/stranger/kernel:0",)
    # A tensor of another shape stays where the file has it: a rule compares the two.
    bound = binding.architecture.layer("conv2d")
    assert bound.expected["kernel"] == (3, 3, 4, 4)
    assert bound.variables["kernel"] == "model_weights/conv2d/conv2d/kernel:0"


def test_only_weights_are_bound() -> None:
    architecture = parse_architecture(PLAIN, limits=Limits())
    tensors = [weight("optimizer/momentum", 3, role="optimizer"), weight("left", 7)]
    assert bind(architecture, tensors, "h5_v3").unclaimed == ("left",)


NESTED = sequential(
    layer("InputLayer", "input", batch_input_shape=[None, 8, 8, 4]),
    sequential(
        layer("InputLayer", "inner_input", batch_input_shape=[None, 8, 8, 4]),
        conv("conv2d", 4),
        layer("BatchNormalization", "bn", axis=[3]),
        conv("conv2d_1", 4),
        name="body",
    ),
    layer("Flatten", "flatten"),
    layer("Dense", "dense", units=2),
)
NESTED_SHAPES = SHAPES | {
    f"bn/{role}": (4,) for role in ("gamma", "beta", "moving_mean", "moving_variance")
}


def nested_order() -> list[str]:
    trainable = ["conv2d/kernel", "conv2d/bias", "bn/gamma", "bn/beta"]
    return [
        f"{name}:0"
        for name in (
            *trainable,
            "conv2d_1/kernel",
            "conv2d_1/bias",
            "bn/moving_mean",
            "bn/moving_variance",
        )
    ]


def test_a_nested_model_keeps_its_weights_in_one_group() -> None:
    groups = {"body": nested_order(), "dense": ["dense/kernel:0", "dense/bias:0"]}
    binding = legacy(NESTED, groups, NESTED_SHAPES)
    assert faults(binding) == ((), (), ())
    bound = binding.architecture.layer("body/bn").variables
    assert bound["moving_mean"] == "model_weights/body/bn/moving_mean:0"


def test_a_swap_inside_a_nested_model() -> None:
    order = nested_order()
    order[0], order[4] = order[4], order[0]
    groups = {"body": order, "dense": ["dense/kernel:0", "dense/bias:0"]}
    binding = legacy(NESTED, groups, NESTED_SHAPES)
    assert set(binding.misordered) == {
        "model_weights/body/conv2d/kernel:0",
        "model_weights/body/conv2d_1/kernel:0",
    }


def test_keras_1_names() -> None:
    config: dict[str, Json] = {
        "class_name": "Sequential",
        "config": [
            {
                "class_name": "Convolution2D",
                "config": {
                    "name": "convolution2d_1",
                    "nb_filter": 6,
                    "nb_row": 5,
                    "nb_col": 3,
                    "subsample": [2, 2],
                    "border_mode": "valid",
                    "dim_ordering": "tf",
                    "init": "he_normal",
                    "activation": "relu",
                    "batch_input_shape": [None, 20, 21, 2],
                },
            },
            {
                "class_name": "BatchNormalization",
                "config": {"name": "bn", "axis": -1, "gamma_init": "one", "beta_init": "zero"},
            },
            {"class_name": "Flatten", "config": {"name": "flatten"}},
            {
                "class_name": "Dense",
                "config": {"name": "dense_1", "output_dim": 3, "init": "uniform"},
            },
        ],
    }
    shapes = {
        "convolution2d_1_W": (5, 3, 2, 6),
        "convolution2d_1_b": (6,),
        **{f"bn_{name}": (6,) for name in ("gamma", "beta", "running_mean", "running_std")},
        "dense_1_W": (480, 3),
        "dense_1_b": (3,),
    }
    groups = {
        "convolution2d_1": ["convolution2d_1_W:0", "convolution2d_1_b:0"],
        "bn": ["bn_gamma:0", "bn_beta:0", "bn_running_mean:0", "bn_running_std:0"],
        "flatten": [],
        "dense_1": ["dense_1_W:0", "dense_1_b:0"],
    }
    binding = legacy(config, groups, shapes)
    assert faults(binding) == ((), (), ())
    assert binding.architecture.dialect == "keras1"
    first, dense = binding.kernels
    assert (first.axes, first.strides, first.padding) == ("hwio", (2, 2), "valid")
    assert first.initializer == {"class_name": "HeNormal", "config": {}}
    assert first.activation == "relu"
    assert dense.grid == (8, 10, 6)


V3_PATHS = (
    ("layers/conv2d/vars/0", "layers/conv2d_1/vars/0", "layers/dense/vars/0"),
    (
        "_layer_checkpoint_dependencies\\conv2d/vars/0",
        "_layer_checkpoint_dependencies\\conv2d_1/vars/0",
        "_layer_checkpoint_dependencies\\dense/vars/0",
    ),
    # Keras 2.12 counted each layer with weights twice.
    (
        "_layer_checkpoint_dependencies/conv2d/vars/0",
        "_layer_checkpoint_dependencies/conv2d_2/vars/0",
        "_layer_checkpoint_dependencies/dense/vars/0",
    ),
)


@pytest.mark.parametrize("paths", V3_PATHS)
def test_containers_are_recognised_by_class_and_not_by_name(paths: tuple[str, ...]) -> None:
    config = sequential(
        layer("InputLayer", "input", batch_input_shape=[None, 8, 8, 4]),
        conv("zebra", 4, use_bias=False),
        conv("aardvark", 4, use_bias=False),
        layer("Flatten", "flatten"),
        layer("Dense", "conv2d", units=2, use_bias=False),
    )
    shapes = ((3, 3, 4, 4), (3, 3, 4, 4), (256, 2))
    tensors = [weight(path, *shape) for path, shape in zip(paths, shapes, strict=True)]
    binding = bind(parse_architecture(config, limits=Limits()), tensors, "h5_v3")
    assert faults(binding) == ((), (), ())
    bound = [k.tensor for k in binding.kernels]
    assert bound == list(paths)
    assert [k.route for k in binding.kernels] == ["zebra", "aardvark", "conv2d"]


def test_a_group_with_the_name_of_another_layer() -> None:
    architecture = parse_architecture(PLAIN, limits=Limits())
    paths = {name: f"layers/{name}/vars" for name in ("conv2d", "conv2d_1", "dense")}
    tensors = [
        weight(f"{path}/{i}", *SHAPES[f"{name}/{role}"])
        for name, path in paths.items()
        for i, role in enumerate(("kernel", "bias"))
    ]
    names = {t.name: t.name.split("/")[1] for t in tensors}
    assert bind(architecture, tensors, "h5_v3", var_names=names).misordered == ()
    names["layers/conv2d/vars/0"] = "conv2d_1"
    assert bind(architecture, tensors, "h5_v3", var_names=names).misordered == (
        "layers/conv2d/vars/0",
    )


def test_an_unknown_class_keeps_its_variables_under_their_own_names() -> None:
    config = sequential(layer("Mystery", "mystery"), layer("Dense", "dense", units=2))
    binding = legacy(
        config,
        {"mystery": ["mystery/w:0", "mystery/deep/w:0"], "dense": ["dense/kernel:0"]},
        {"mystery/w": (3,), "mystery/deep/w": (4,), "dense/kernel": (7, 2)},
    )
    assert binding.unclaimed == ()
    assert len(binding.architecture.layer("mystery").variables) == 2
    assert missing(binding) == (("dense", "bias"),)
    # The input of the Dense is unknown, so any width is accepted.
    assert binding.architecture.layer("dense").expected["kernel"] == (None, 2)


def test_an_unknown_layout() -> None:
    architecture = parse_architecture(PLAIN, limits=Limits())
    with pytest.raises(ValueError, match="layout"):
        bind(architecture, [], "pickle")


@pytest.mark.parametrize(
    ("scopes", "sound"),
    [
        (("dense", "dense_1", "dense_2"), True),  # counted from 0, as tf.keras of TensorFlow 1 does
        (("dense_1", "dense_2", "dense_3"), True),
        (("dense_2", "dense_3", "dense_1"), False),
        (("dense", "dense_2", "dense_1"), False),  # shifted, and two of them exchanged
    ],
)
def test_scopes_that_are_all_counted_from_another_number(scopes, sound):
    names = ("dense_1", "dense_2", "dense_3")
    config = sequential(
        layer("InputLayer", "input", batch_input_shape=[None, 4]),
        *(layer("Dense", name, units=4) for name in names),
    )
    groups = {
        name: [f"{scope}/kernel:0", f"{scope}/bias:0"]
        for name, scope in zip(names, scopes, strict=True)
    }
    shapes = {f"{scope}/kernel": (4, 4) for scope in scopes}
    shapes |= {f"{scope}/bias": (4,) for scope in scopes}
    binding = legacy(config, groups, shapes)
    assert (binding.misordered == ()) is sound
    assert (binding.unclaimed, missing(binding)) == ((), ())


@pytest.mark.parametrize("order", [("bn", "conv1/bn"), ("conv1/bn", "bn")])
@pytest.mark.parametrize("inner", [False, True])
def test_a_layer_is_known_by_the_whole_of_a_name_with_slashes(
    order: tuple[str, str], inner: bool
) -> None:
    """DenseNet has layers `conv1/bn` and `bn`; TensorFlow.js has their weights by name only."""
    start = layer("InputLayer", "input", batch_input_shape=[None, 8, 8, 4])
    layers = [layer("BatchNormalization", name, axis=[3]) for name in order]
    config = sequential(start, *layers, name="body")
    roles = ("gamma", "beta", "moving_mean", "moving_variance")
    scopes = {"bn": "bn", "conv1/bn": "conv1/bn"}
    if inner:  # one of them lies in a model, which variables may name as well
        config = sequential(start, config)
        scopes["bn"] = "body/bn"
    names = {f"{scopes[name]}/{role}": (name, role) for name in order for role in roles}
    architecture = parse_architecture(config, limits=Limits())
    found = bind(architecture, [weight(name, 4) for name in names], "checkpoint")
    assert faults(found) == ((), (), ())
    route = "body/" if inner else ""
    for stored, (name, role) in names.items():
        assert found.architecture.layer(f"{route}{name}").variables[role] == stored
