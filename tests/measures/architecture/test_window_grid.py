import ast
import itertools

import pytest

from modelaudit.facts import Layer
from modelaudit.measures.architecture import window_grid as wg
from tests.sharing import with_tensorflow

CONFIGURATIONS = [
    c
    for c in itertools.product(
        range(1, 13), range(1, 6), (1, 2, 3), (1, 2), ("valid", "same", "causal")
    )
    if c[4] != "valid" or wg.extent(c[1], c[3]) <= c[0]
]


def reads(size: int, k: int, s: int, d: int, padding: str) -> list[list[int]]:
    """Positions that each window reads, including those in the padding, by the definition.

    `same` (TensorFlow) pads so that there are ceil(size / s) windows, an odd one at the end.
    """
    if padding == "valid":
        start = 0
    elif padding == "causal":
        start = -(k - 1) * d
    else:
        needed = (-(-size // s) - 1) * s + (k - 1) * d + 1 - size
        start = -(max(needed, 0) // 2)
    windows = []
    while True:
        window = [start + tap * d for tap in range(k)]
        outside = window[-1] >= size if padding != "same" else len(windows) == -(-size // s)
        if outside:
            return windows
        windows.append(window)
        start += s


@pytest.mark.parametrize("padding", ["valid", "same", "causal"])
def test_rule_is_that_windows_mirror_onto_windows(padding: str) -> None:
    for size, k, s, d, kind in CONFIGURATIONS:
        if kind != padding:
            continue
        windows = reads(size, k, s, d, kind)
        assert len(windows) == wg.output_size(size, k, s, d, kind)
        if size == 1 and len(windows) == 1:  # a map of one position is symmetric
            assert wg.grid_symmetric(size, k, s, d, kind)
            continue
        mirrored = sorted(sorted(size - 1 - i for i in window) for window in windows)
        assert wg.grid_symmetric(size, k, s, d, kind) == (mirrored == windows), (size, k, s, d)


def test_known_cases() -> None:
    assert wg.grid_symmetric(15, 3, 2, 1, "same")
    assert not wg.grid_symmetric(16, 3, 2, 1, "same")
    assert not wg.grid_symmetric(16, 2, 1, 1, "same")
    assert wg.grid_symmetric(16, 2, 2, 1, "valid")
    # ResNet50's stem: 3 explicit on both sides, then 7x7 stride 2 valid on 230.
    assert not wg.grid_symmetric(224, 7, 2, 1, "valid", (3, 3))
    # MobileNet's: one column at the end only, and windows that use all of it.
    assert not wg.grid_symmetric(224, 3, 2, 1, "valid", (0, 1))
    assert wg.grid_symmetric(225, 3, 2, 1, "valid", (1, 1))
    # A padding that no window reaches does no harm.
    assert wg.grid_symmetric(4, 2, 2, 1, "valid", (0, 1))


@pytest.mark.parametrize(
    ("class_name", "config", "window"),
    [
        ("Conv2D", {"kernel_size": [3, 5], "strides": [2, 1], "padding": "same"},
         wg.LayerWindow((3, 5), (2, 1), (1, 1), "same")),
        ("DepthwiseConv2D", {"kernel_size": [3, 3], "dilation_rate": [2, 2]},
         wg.LayerWindow((3, 3), (1, 1), (2, 2), "valid")),
        ("MaxPooling2D", {"pool_size": [3, 3], "strides": None},
         wg.LayerWindow((3, 3), (3, 3), (1, 1), "valid")),
        ("Conv2DTranspose", {"kernel_size": 4, "strides": 2, "padding": "same"},
         wg.LayerWindow((4, 4), (2, 2), (1, 1), "same", True)),
        ("Convolution2D", {"nb_row": 3, "nb_col": 2, "subsample": [2, 2], "border_mode": "same"},
         wg.LayerWindow((3, 2), (2, 2), (1, 1), "same")),
        ("GlobalMaxPooling2D", {}, None),
        ("ConvLSTM2D", {"kernel_size": [3, 3]}, None),
        ("Conv2D", {"kernel_size": [3, "x"]}, None),
        ("Conv2D", {"kernel_size": [0, 3]}, None),
        ("Conv2D", {}, None),
        ("Dense", {"units": 3}, None),
        ("Conv1D", {"kernel_size": [3]}, None),
    ],
)  # fmt: skip
def test_windows_of_saved_layers(
    class_name: str, config: dict, window: wg.LayerWindow | None
) -> None:
    assert wg.layer_window(Layer("x", "x", class_name, config=config), 2) == window


def test_truth_values_in_a_config_become_numbers() -> None:
    """`audit.json` has numbers there, and its reader refuses others."""
    saved = Layer("x", "x", "Conv2D", config={"kernel_size": [3, True], "strides": [True, True]})
    window = wg.layer_window(saved, 2)
    assert window
    assert [type(each) for each in (*window.kernel, *window.strides)] == [int] * 4


def test_explicit_padding() -> None:
    def layer(name: str, **config: object) -> Layer:
        return Layer("x", "x", name, config=config)

    assert wg.explicit_padding(layer("ZeroPadding2D", padding=[[0, 1], [2, 3]]), 2) == (
        (0, 1),
        (2, 3),
    )
    assert wg.explicit_padding(layer("ZeroPadding2D", padding=[1, 2]), 2) == ((1, 1), (2, 2))
    assert wg.explicit_padding(layer("ZeroPadding1D", padding=[1, 2]), 1) == ((1, 2),)
    assert wg.explicit_padding(layer("Cropping2D", cropping=[[0, 1], [2, 3]]), 2) == (
        (0, -1),
        (-2, -3),
    )
    assert wg.explicit_padding(layer("ZeroPadding2D", padding="x"), 2) is None
    assert wg.explicit_padding(layer("Conv2D", padding="same"), 2) is None


TENSORFLOW = """
import itertools, sys
import numpy as np, tensorflow as tf
from modelaudit.measures.architecture import window_grid as wg

rng = np.random.default_rng(0)
wrong, pooled_ties = [], []
for n, k, s, d, padding in itertools.product(
    range(1, 13), range(1, 6), (1, 2, 3), (1, 2), ("VALID", "SAME")
):
    if padding == "VALID" and wg.extent(k, d) > n or (s > 1 and d > 1):
        continue
    said = wg.grid_symmetric(n, k, s, d, padding.lower())
    x = tf.constant(rng.normal(size=(1, n, 1)), tf.float64)
    w = rng.normal(size=(k, 1, 1))
    w = tf.constant(w + w[::-1])
    y = tf.nn.conv1d(x, w, s, padding, dilations=d)
    mirrored = tf.nn.conv1d(x[:, ::-1], w, s, padding, dilations=d)
    if said != np.allclose(y, mirrored[:, ::-1], atol=1e-9):
        wrong.append(("conv", n, k, s, d, padding))
    if d == 1:
        size = wg.transposed_size(n, k, s, 1, padding.lower())
        up = tf.nn.conv1d_transpose(x, w, [1, size, 1], s, padding)
        um = tf.nn.conv1d_transpose(x[:, ::-1], w, up.shape, s, padding)
        window = wg.LayerWindow((k,), (s,), (1,), padding.lower(), True)
        if wg.axis_symmetric(window, 0, n, (0, 0)) != np.allclose(up, um[:, ::-1], atol=1e-9):
            wrong.append(("transpose", n, k, s, d, padding))
        pool = tf.nn.avg_pool1d(x, k, s, padding)
        pm = tf.nn.avg_pool1d(x[:, ::-1], k, s, padding)
        if said and not np.allclose(pool, pm[:, ::-1], atol=1e-9):
            wrong.append(("pool", n, k, s, d, padding))
        if not said and np.allclose(pool, pm[:, ::-1], atol=1e-9):
            pooled_ties.append((n, k, s, padding))
print(len(wrong), wrong[:5], "ties", pooled_ties)
"""


@pytest.mark.slow
def test_rule_against_tensorflow() -> None:
    """Every convolution, transposed convolution and average pooling with a symmetric kernel.

    A pooling whose grid is not symmetric can still be equivariant where all its windows see the
    same (one window over the whole map, or padding only): those are listed, and are few.
    """
    wrong, ties = with_tensorflow("-c", TENSORFLOW).splitlines()[-1].split(" ties ")
    assert wrong == "0 []", wrong
    assert all(n <= k for n, k, _, _ in ast.literal_eval(ties)), ties
