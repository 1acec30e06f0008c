"""LocallyConnected layers, which Keras 3 does not have, as windows and a product for each place."""

from __future__ import annotations

import math

from modelaudit.facts import Format, Json
from modelaudit.formats.keras.json_config import integers, mapping, text
from modelaudit.repairs.translate.operations import MATH, NUMPY
from modelaudit.repairs.translate.translation import Config, Translation, Untranslatable

_Step = tuple[str, str, dict[str, Json], str]  # class, module, config, end of its name
_DIMENSIONS = {"LocallyConnected1D": 1, "LocallyConnected2D": 2}
_KEPT = (
    *("trainable", "dtype", "activation", "activity_regularizer"),
    *("kernel_initializer", "kernel_regularizer", "kernel_constraint"),
    *("bias_initializer", "bias_regularizer", "bias_constraint"),
)


def is_lacking(item: Config, translation: Translation) -> bool:
    """Whether the target has no such layer, but the operations to replace it."""
    name = text(item.get("class_name"))
    target = translation.target
    return name in _DIMENSIONS and target.keras3 and not target.is_public("keras.layers", name)


def as_products(
    item: Config, name: str, translation: Translation, route: str
) -> list[tuple[Config, str]]:
    """The layer as windows of its input and an EinsumDense of its weights, with their names.

    Each place has its own kernel. Weights are (places, window * channels, filters) in both; a bias
    (rows, columns, filters) gets the shape (places, filters).

    Raises:
        Untranslatable: its weights are in another order, or its shape is not known.
    """
    config, kind = mapping(item.get("config")), text(item.get("class_name"))
    count = _DIMENSIONS[kind]
    source, layer = translation.source, translation.layer(route)
    size = integers(config.get("kernel_size"), count)
    strides = integers(config.get("strides"), count)
    shape = layer.input_shapes[0] if layer is not None and layer.input_shapes else ()
    lengths = [each for each in shape[1:] if each is not None]
    plain = config.get("implementation", 1) == 1 and config.get("padding", "valid") == "valid"
    if not plain or config.get("data_format", "channels_last") != "channels_last":
        raise Untranslatable(route, f"{kind} with weights in another order than by place")
    if size is None or strides is None or len(lengths) != count + 1 or layer is None:
        raise Untranslatable(route, f"{kind} of an unknown shape")
    if source is not None and source.format is Format.KERAS_ARCHIVE:
        raise Untranslatable(route, f"{kind} in an archive, whose weights are stored by class")
    places = [
        (length - window) // stride + 1
        for length, window, stride in zip(lengths, size, strides, strict=False)
    ]
    filters = config.get("filters")
    translation.replace(route, f"wrote {kind} as windows and an EinsumDense with a kernel for each")
    einsum: dict[str, Json] = {key: config[key] for key in _KEPT if key in config}
    einsum |= {"name": name, "equation": "apk,pkf->apf"}
    einsum |= {"output_shape": [math.prod(places), filters]}
    einsum |= {"bias_axes": "pf" if config.get("use_bias", True) else None}
    if count == 2 and "bias" in layer.variables and isinstance(filters, int):
        translation.shapes[layer.variables["bias"]] = (math.prod(places), filters)
    flat: dict[str, Json] = {"target_shape": [math.prod(places), math.prod(size) * lengths[-1]]}
    steps = [
        *_windows(size, strides),
        ("Reshape", "", flat, "windows"),
        ("EinsumDense", "", einsum, ""),
    ]
    if count == 2:
        steps.append(("Reshape", "", {"target_shape": [*places, filters]}, "places"))
    made: list[tuple[Config, str]] = []
    for class_name, module, values, suffix in steps:
        own = f"{name}_{suffix}" if suffix else name
        # Unlike those of operations, configs of layers have a dtype.
        dtype = {} if module else {"dtype": config.get("dtype", "float32")}
        part = {"class_name": class_name, "module": module}
        made.append(({**part, "config": {**values, **dtype, "name": own}}, own))
    return made


def _windows(size: tuple[int, ...], strides: tuple[int, ...]) -> list[_Step]:
    """Operations for the windows of a sequence or an image: (places …, window …, channels).

    Not ExtractPatches, which fails for strides up to Keras 3.8.
    """

    def turned(number: int, *axes: int) -> _Step:
        return "Transpose", NUMPY, {"axes": [*axes]}, f"turned_{number}"

    def framed(axis: int) -> _Step:
        config: dict[str, Json] = {"sequence_length": size[axis], "sequence_stride": strides[axis]}
        return "ExtractSequences", MATH, config, f"framed_{axis + 1}"

    if len(size) == 1:
        return [turned(1, 0, 2, 1), framed(0), turned(2, 0, 2, 3, 1)]
    rows = [turned(1, 0, 3, 2, 1), framed(0)]  # (channels, columns, places of rows, rows)
    columns = [turned(2, 0, 1, 3, 4, 2), framed(1)]
    return [*rows, *columns, turned(3, 0, 2, 4, 3, 5, 1)]
