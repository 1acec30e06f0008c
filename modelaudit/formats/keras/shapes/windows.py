"""Static shapes of layers with a sliding window, padding, cropping or scaling.

Output lengths follow Dumoulin and Visin, "A guide to convolution arithmetic for deep learning"
(2016), but `same` padding is TensorFlow's: ceil(length / stride) for all kernel sizes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from modelaudit.facts import Json, Shape
from modelaudit.formats.keras import json_config as kj
from modelaudit.formats.keras.dialects import channels_first
from modelaudit.layer_classes import spatial_rank

Length: TypeAlias = "int | None"
Config: TypeAlias = Mapping[str, Json]


def channel_axis(config: Config, rank: int) -> int:
    """Index of the channel axis in a shape of `rank` axes, batch included."""
    return 1 if channels_first(config) else rank - 1


def channels(config: Config, shape: Shape) -> Length:
    """Number of input channels, None if undefined."""
    return shape[channel_axis(config, len(shape))] if len(shape) > 1 else None


def map_spatial(
    config: Config,
    shape: Shape,
    lengths: Callable[[int, Length], Length],
    n_channels: Length,
    rank: int,
) -> Shape | None:
    """Apply `lengths(axis, length)` to the spatial axes of `shape` and set the channels.

    None if `shape` does not consist of batch, `rank` spatial axes and channels, or if a length
    becomes negative.
    """
    if len(shape) != rank + 2:
        return None
    first = 2 if channels_first(config) else 1
    spatial = [lengths(i, shape[first + i]) for i in range(rank)]
    if any(n is not None and n < 0 for n in spatial):
        return None
    if channels_first(config):
        return (shape[0], n_channels, *spatial)
    return (shape[0], *spatial, n_channels)


def window_length(length: Length, size: int, stride: int, padding: str, dilation: int) -> Length:
    """Output length of a convolution or pooling; -1 if the window is longer than the input."""
    if length is None:
        return None
    if padding in ("same", "causal"):
        return math.ceil(length / stride)
    if padding != "valid":
        return None
    reach = (size - 1) * dilation + 1
    return (length - reach) // stride + 1 if length >= reach else -1


def transposed_length(
    length: Length, size: int, stride: int, padding: str, dilation: int, extra: Length
) -> Length:
    """Output length of a transposed convolution; `extra` is Keras's `output_padding`."""
    if length is None:
        return None
    reach = (size - 1) * dilation + 1
    if extra is None:
        if padding == "same":
            return length * stride
        return length * stride + max(reach - stride, 0) if padding == "valid" else None
    pad = {"same": reach // 2, "valid": 0}.get(padding)
    return None if pad is None else (length - 1) * stride + reach - 2 * pad + extra


def _numbers(config: Config, key: str, rank: int, default: int) -> tuple[int, ...] | None:
    """`rank` positive integers; `default` if the key is absent or null."""
    value = config.get(key)
    found = (default,) * rank if value is None else kj.integers(value, rank)
    return found if found and min(found) > 0 else None


def window(
    class_name: str, config: Config
) -> tuple[int, tuple[int, ...], tuple[int, ...], tuple[int, ...], str] | None:
    """(rank, kernel size, strides, dilations, padding) of a convolution, None if malformed."""
    rank = spatial_rank(class_name)
    size = _numbers(config, "kernel_size", rank, 0)
    strides = _numbers(config, "strides", rank, 1)
    dilations = _numbers(config, "dilation_rate", rank, 1)
    if not rank or size is None or strides is None or dilations is None:
        return None
    return rank, size, strides, dilations, kj.text(config.get("padding"), "valid").lower()


def convolution(class_name: str, config: Config, shape: Shape) -> Shape | None:
    """Conv*D, SeparableConv*D, LocallyConnected*D, DepthwiseConv*D and Conv*DTranspose."""
    parts = window(class_name, config)
    if parts is None:
        return None
    rank, size, strides, dilations, padding = parts
    filters = kj.size(config, "filters")
    if class_name.startswith("Depthwise"):
        n_in, multiplier = channels(config, shape), kj.size(config, "depth_multiplier")
        filters = None if n_in is None else n_in * (1 if multiplier is None else multiplier)
    elif filters is None:
        return None
    if class_name.endswith("Transpose"):
        extra = config.get("output_padding")
        extras = (None,) * rank if extra is None else kj.integers(extra, rank)
        if extras is None:
            return None
        return map_spatial(
            config,
            shape,
            lambda i, n: transposed_length(
                n, size[i], strides[i], padding, dilations[i], extras[i]
            ),
            filters,
            rank,
        )
    return map_spatial(
        config,
        shape,
        lambda i, n: window_length(n, size[i], strides[i], padding, dilations[i]),
        filters,
        rank,
    )


def pooling(class_name: str, config: Config, shape: Shape) -> Shape | None:
    """MaxPooling*D, AveragePooling*D, their Global and Adaptive forms."""
    rank = spatial_rank(class_name)
    n_channels = channels(config, shape)
    if class_name.startswith("Global"):
        if len(shape) != rank + 2:
            return None
        if kj.flag(config, "keepdims"):
            return map_spatial(config, shape, lambda _i, _n: 1, n_channels, rank)
        return (shape[0], n_channels)
    if class_name.startswith("Adaptive"):
        wanted = kj.integers(config.get("output_size"), rank)
        if wanted is None:
            return None
        return map_spatial(config, shape, lambda i, _n: wanted[i], n_channels, rank)
    size = _numbers(config, "pool_size", rank, 2)
    strides = size if config.get("strides") is None else _numbers(config, "strides", rank, 1)
    if size is None or strides is None:
        return None
    padding = kj.text(config.get("padding"), "valid").lower()
    return map_spatial(
        config,
        shape,
        lambda i, n: window_length(n, size[i], strides[i], padding, 1),
        n_channels,
        rank,
    )


def upsampling(class_name: str, config: Config, shape: Shape) -> Shape | None:
    """UpSampling*D."""
    rank = spatial_rank(class_name)
    factors = _numbers(config, "size", rank, 2)
    if factors is None:
        return None
    return map_spatial(
        config,
        shape,
        lambda i, n: None if n is None else n * factors[i],
        channels(config, shape),
        rank,
    )


def border(class_name: str, config: Config, shape: Shape) -> Shape | None:
    """ZeroPadding*D and Cropping*D."""
    rank = spatial_rank(class_name)
    adds = class_name.startswith("ZeroPadding")
    value = config.get("padding" if adds else "cropping")
    amounts = _border_amounts(value, rank)
    if amounts is None:
        return None
    sign = 1 if adds else -1
    return map_spatial(
        config,
        shape,
        lambda i, n: None if n is None else n + sign * amounts[i],
        channels(config, shape),
        rank,
    )


def _border_amounts(value: Json, rank: int) -> tuple[int, ...] | None:
    """Sum of both sides for each axis, from `2`, `[1, 2]` or `[[1, 2], [0, 1]]`."""
    if kj.integer(value) is not None:
        return tuple(2 * n for n in kj.integers(value, rank) or ())
    items = kj.sequence(value)
    flat = kj.integers(value)
    if rank == 1 and flat is not None and len(flat) == 2:
        return (sum(flat),)
    if rank == 2 and flat is not None and len(flat) == 4:  # Keras 1: top, bottom, left, right
        return (flat[0] + flat[1], flat[2] + flat[3])
    if len(items) != rank:
        return None
    if flat is not None:
        return tuple(2 * n for n in flat)
    pairs = [kj.integers(item, 2) for item in items]
    return tuple(sum(pair) for pair in pairs if pair) if all(pairs) else None


def resized(
    config: Config, shape: Shape, keys: Sequence[str] = ("height", "width")
) -> Shape | None:
    """Resizing, CenterCrop and RandomCrop: images, with or without a batch axis, of a set size."""
    height, width = (kj.size(config, key) for key in keys)
    if height is None or width is None or len(shape) not in (3, 4):
        return None
    if channels_first(config):
        return (*shape[:-2], height, width)
    return (*shape[:-3], height, width, shape[-1])
