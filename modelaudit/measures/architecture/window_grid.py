"""Positions of a layer's windows, and whether that grid is mirror-symmetric.

With stride or padding, convolution and pooling can treat the left and the right of a map
differently; then no kernel makes the layer exactly equivariant (Alsallakh et al., "Mind the Pad",
ICLR 2021).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from modelaudit.audit_types.architecture import WindowGrid
from modelaudit.facts import Json, Layer
from modelaudit.layer_classes import Trait, has


class LayerWindow(Struct, frozen=True):
    """A layer's window per spatial axis. `padding` is valid, same or causal.

    The windows of a `transposed` convolution are on its output: its grid is that of the
    corresponding forward convolution on the output map.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    padding: str
    transposed: bool = False


def extent(kernel: int, dilation: int) -> int:
    """Number of positions that a dilated kernel spans."""
    return (kernel - 1) * dilation + 1


def output_size(size: int, kernel: int, stride: int, dilation: int, padding: str) -> int:
    """Number of windows along one axis, as computed by TensorFlow; at least 0."""
    if padding == "valid":
        return max(0, (size - extent(kernel, dilation)) // stride + 1)
    return -(-size // stride)


def padding_before(size: int, kernel: int, stride: int, dilation: int, padding: str) -> int:
    """Number of padded positions before the map in the first window."""
    reach = extent(kernel, dilation)
    if padding == "causal":
        return reach - 1
    if padding == "valid":
        return 0
    windows = output_size(size, kernel, stride, dilation, padding)
    return max((windows - 1) * stride + reach - size, 0) // 2


def grid_symmetric(
    size: int,
    kernel: int,
    stride: int,
    dilation: int,
    padding: str,
    explicit: tuple[int, int] = (0, 0),
) -> bool:
    """Whether the windows along one axis of `size` positions are mirror-symmetric.

    The first window starts at -p and the last one ends at (m - 1) s - p + reach - 1; they are
    mirror images if size + 2 p - reach = (m - 1) s. `explicit` is the (before, after) padding of a
    padding layer directly before (negative for a cropping layer).
    """
    padded = size + sum(explicit)
    windows = output_size(padded, kernel, stride, dilation, padding)
    if size == 1 and windows == 1:  # one position mirrors onto itself
        return True
    before = explicit[0] + padding_before(padded, kernel, stride, dilation, padding)
    return size + 2 * before - extent(kernel, dilation) == (windows - 1) * stride


def transposed_size(size: int, kernel: int, stride: int, dilation: int, padding: str) -> int:
    """Output size of a transposed convolution along one axis."""
    if padding == "same":
        return size * stride
    return size * stride + max(extent(kernel, dilation) - stride, 0)


def axis_symmetric(window: LayerWindow, axis: int, size: int, explicit: tuple[int, int]) -> bool:
    """`grid_symmetric` for one axis of a layer on a map of `size` before explicit padding."""
    k, s, d = window.kernel[axis], window.strides[axis], window.dilations[axis]
    if not window.transposed:
        return grid_symmetric(size, k, s, d, window.padding, explicit)
    output = transposed_size(size + sum(explicit), k, s, d, window.padding)
    return explicit[0] == explicit[1] and grid_symmetric(output, k, s, d, window.padding)


def layer_window(layer: Layer, rank: int) -> LayerWindow | None:
    """The window of a convolution or local pooling layer on `rank` axes; None for others."""
    name = layer.class_name
    config = layer.config
    pooling = "Pool" in name and "Global" not in name and "Adaptive" not in name
    convolution = ("Conv" in name or "Deconv" in name) and "LSTM" not in name
    if f"{rank}D" not in name or not (pooling or convolution):
        return None
    key = "pool_size" if pooling else "kernel_size"
    kernel = _axes(config.get(key, _keras1(config, pooling)), rank)
    if kernel is None:
        return None
    default = kernel if pooling else (1,) * rank
    saved_strides = config.get("strides", config.get("subsample"))
    strides = _axes(saved_strides, rank) if saved_strides is not None else default
    dilations = _axes(config.get("dilation_rate", 1), rank)
    padding = config.get("padding", config.get("border_mode", "valid"))
    if strides is None or dilations is None or padding not in ("valid", "same", "causal"):
        return None
    return LayerWindow(
        kernel, strides, dilations, str(padding), "Transpose" in name or "Deconv" in name
    )


def explicit_padding(layer: Layer, rank: int) -> tuple[tuple[int, int], ...] | None:
    """(before, after) per axis for a ZeroPadding layer, negative for Cropping; else None."""
    cropping = layer.class_name == f"Cropping{rank}D"
    if not cropping and layer.class_name != f"ZeroPadding{rank}D":
        return None
    saved = layer.config.get("cropping" if cropping else "padding")
    if isinstance(saved, int) or (rank == 1 and isinstance(saved, list)):
        saved = [saved] * rank if isinstance(saved, int) else [saved]
    if not isinstance(saved, list) or len(saved) != rank:
        return None
    pairs = [_pair(entry) for entry in saved]
    sign = -1 if cropping else 1
    found = tuple((sign * p[0], sign * p[1]) for p in pairs if p is not None)
    return found if len(found) == rank else None


def _pair(entry: Json) -> tuple[int, int] | None:
    if isinstance(entry, int):
        return +entry, +entry
    if isinstance(entry, list) and len(entry) == 2:
        before, after = entry
        if isinstance(before, int) and isinstance(after, int):
            return +before, +after
    return None


def _axes(value: Json, rank: int) -> tuple[int, ...] | None:
    entries: Sequence[Json] = value if isinstance(value, list) else [value] * rank
    # `True` is a number for Python; `+` makes it one for `audit.json` too.
    found = tuple(+e for e in entries if isinstance(e, int) and 0 < e < 1 << 31)
    return found if len(found) == rank == len(entries) else None


def _keras1(config: object, pooling: bool) -> Json:
    """Kernel size from the keys of Keras 1 (`nb_row`, `filter_length`, `pool_length` …)."""
    if not isinstance(config, dict):
        return None
    if pooling:
        length: Json = config.get("pool_length")
        return length
    if "nb_row" in config:
        return [config["nb_row"], config.get("nb_col")]
    if "kernel_dim1" in config:
        return [config.get(f"kernel_dim{axis}") for axis in (1, 2, 3)]
    size: Json = config.get("filter_length")
    return size


def always_beyond(grid: WindowGrid) -> bool:
    """Whether some weights of the window lie beyond the map wherever it stands, on any axis."""
    for size, kernel, dilation in zip(grid.size, grid.kernel, grid.dilations, strict=False):
        reach = extent(kernel, dilation) - 1
        farthest = reach if grid.padding == "causal" else math.ceil(reach / 2)
        if grid.padding in {"same", "causal"} and farthest >= size:
            return True
    return False


def unread(grid: WindowGrid) -> tuple[float, ...]:
    """The share of each axis that is behind the last window."""
    if grid.padding != "valid" or "Transpose" in grid.class_name:
        return ()
    return tuple(
        1 - (((size - extent(k, d)) // s) * s + extent(k, d)) / size
        for size, k, s, d in zip(grid.size, grid.kernel, grid.strides, grid.dilations, strict=False)
        if size >= extent(k, d)
    )


def pooled_whole(grids: Sequence[WindowGrid], least: int) -> bool:
    """Whether one of them pools a map with sides of `least` or more to a single position."""
    return any(
        has(grid.class_name, Trait.LOCAL_POOLING)
        and min(grid.size) >= least
        and all(k >= n for k, n in zip(grid.kernel, grid.size, strict=True))
        for grid in grids
    )


def reaches_all(grid: WindowGrid) -> bool:
    """Whether the window reaches over the whole map from every position in it."""
    return all(k >= 2 * n - 1 for k, n in zip(grid.kernel, grid.size, strict=True))
