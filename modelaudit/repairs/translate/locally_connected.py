"""LocallyConnected layers, which Keras 3 does not have, as patches and a product for each place."""

from __future__ import annotations

import math

from modelaudit.facts import Format, Json
from modelaudit.formats.keras.json_config import integers, mapping, text
from modelaudit.repairs.translate.operations import IMAGE, NUMPY
from modelaudit.repairs.translate.translation import Config, Translation, Untranslatable

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
    """The layer as patches of its input and an EinsumDense of its weights, with their names.

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
        (length - window) // step + 1
        for length, window, step in zip(lengths, size, strides, strict=False)
    ]
    filters = config.get("filters")
    translation.replace(route, f"wrote {kind} as patches and an EinsumDense with a kernel for each")
    einsum: dict[str, Json] = {key: config[key] for key in _KEPT if key in config}
    einsum |= {"name": name, "equation": "apk,pkf->apf"}
    einsum |= {"output_shape": [math.prod(places), filters]}
    einsum |= {"bias_axes": "pf" if config.get("use_bias", True) else None}
    if count == 2 and "bias" in layer.variables and isinstance(filters, int):
        translation.shapes[layer.variables["bias"]] = (math.prod(places), filters)
    patches: dict[str, Json] = {"size": [*size], "strides": [*strides], "padding": "valid"}
    if count == 1:
        patches |= {"size": [*size, 1], "strides": [*strides, 1]}
    flat: dict[str, Json] = {"target_shape": [math.prod(places), math.prod(size) * lengths[-1]]}
    steps: list[tuple[str, str, dict[str, Json], str]] = [
        ("ExtractPatches", IMAGE, patches, "patches"),
        ("Reshape", "", flat, "windows"),
        ("EinsumDense", "", einsum, ""),
    ]
    if count == 1:
        steps.insert(0, ("ExpandDims", NUMPY, {"axis": 2}, "column"))
    else:
        steps.append(("Reshape", "", {"target_shape": [*places, filters]}, "places"))
    made: list[tuple[Config, str]] = []
    for class_name, module, values, suffix in steps:
        own = f"{name}_{suffix}" if suffix else name
        # Unlike those of operations, configs of layers have a dtype.
        dtype = {} if module else {"dtype": config.get("dtype", "float32")}
        part = {"class_name": class_name, "module": module}
        made.append(({**part, "config": {**values, **dtype, "name": own}}, own))
    return made
