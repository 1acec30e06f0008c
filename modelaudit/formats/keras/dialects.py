"""Translation of layer configs of Keras 1, 2 and 3 to the keys of Keras 2.

The other readers use the result of `to_keras2`. Sources: the legacy-interface tables of Keras 2.0
(Chollet et al., 2017) and the signatures of the layers in Keras 1.2, 2.x and 3.x.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from modelaudit.facts import Json
from modelaudit.formats.keras import json_config as kj
from modelaudit.formats.keras.builtin_layers import words
from modelaudit.layer_classes import ALIASES

KERAS1_ONLY = words(
    "Merge MaxoutDense Highway TimeDistributedDense AtrousConvolution1D AtrousConvolution2D "
    "Deconvolution2D ParametricSoftplus SReLU"
)
# Layers of Keras 1 that Keras 2.0 and 2.1 kept (keras.legacy.layers) and wrote into their files.
KEPT_IN_2_1 = words("Merge MaxoutDense Highway")
_KERAS2_KEYS = words("units filters use_bias kernel_initializer kernel_regularizer")
KERAS1_KEYS = words(
    "nb_filter nb_row border_mode dim_ordering subsample filter_length pool_length gamma_init "
    "inner_init inner_activation W_regularizer b_regularizer"
)

# Keras 1 key -> Keras 2 key, for all classes.
_RENAMED = {
    "nb_filter": "filters",
    "border_mode": "padding",
    "subsample": "strides",
    "subsample_length": "strides",
    "stride": "strides",
    "filter_length": "kernel_size",
    "pool_length": "pool_size",
    "atrous_rate": "dilation_rate",
    "bias": "use_bias",
    "init": "kernel_initializer",
    "inner_init": "recurrent_initializer",
    "inner_activation": "recurrent_activation",
    "depthwise_init": "depthwise_initializer",
    "pointwise_init": "pointwise_initializer",
    "gamma_init": "gamma_initializer",
    "beta_init": "beta_initializer",
    "p": "rate",
    "length": "size",
}
_KERNEL_SIZES = (
    ("nb_row", "nb_col"),
    ("kernel_dim1", "kernel_dim2", "kernel_dim3"),
)
_ORDERINGS: Mapping[Json, str] = {"th": "channels_first", "tf": "channels_last"}
_MERGES: Mapping[Json, str] = {
    "sum": "Add",
    "mul": "Multiply",
    "ave": "Average",
    "max": "Maximum",
    "concat": "Concatenate",
    "dot": "Dot",
    "cos": "Dot",
}
_INITIALIZERS = {
    "zero": "Zeros",
    "zeros": "Zeros",
    "one": "Ones",
    "ones": "Ones",
    "uniform": "RandomUniform",
    "normal": "RandomNormal",
    "random_uniform": "RandomUniform",
    "random_normal": "RandomNormal",
    "truncated_normal": "TruncatedNormal",
    "glorot_uniform": "GlorotUniform",
    "glorot_normal": "GlorotNormal",
    "he_uniform": "HeUniform",
    "he_normal": "HeNormal",
    "lecun_uniform": "LecunUniform",
    "lecun_normal": "LecunNormal",
    "orthogonal": "Orthogonal",
    "identity": "Identity",
    "variance_scaling": "VarianceScaling",
    "OrthogonalInitializer": "Orthogonal",
    "IdentityInitializer": "Identity",
}


NUMBERED = re.compile(r"layer_\d{1,9}/param_\d{1,9}")
"""Datasets of Keras 0.x, which numbers layers and weights."""


def is_keras1_layer(class_name: str, config: Mapping[str, Json]) -> bool:
    """Whether a layer's class or config is of Keras 1."""
    if class_name in KERAS1_ONLY or not KERAS1_KEYS.isdisjoint(config):
        return True
    return "output_dim" in config and class_name in ("Dense", "LSTM", "GRU", "SimpleRNN")


def is_keras1(layers: Sequence[tuple[str, Mapping[str, Json]]]) -> bool:
    """Whether layers, as (class name, config), are of Keras 1, not only kept by Keras 2.1."""
    old = {name: config for name, config in layers if is_keras1_layer(name, config)}
    if not old.keys() <= KEPT_IN_2_1:
        return True
    return bool(old) and all(_KERAS2_KEYS.isdisjoint(config) for _, config in layers)


def to_keras2(class_name: str, config: Mapping[str, Json]) -> tuple[str, Mapping[str, Json]]:
    """A built-in layer's class name and config, translated to Keras 2.

    Aliases (`Convolution2D`, `MaxPool2D`) become the class they are an alias of. The config is
    returned unchanged unless it is of Keras 1; unknown keys are kept.
    """
    class_name = ALIASES.get(class_name, class_name)
    if not is_keras1_layer(class_name, config):
        return class_name, config
    new = dict(config)
    new.update((_RENAMED[key], value) for key, value in config.items() if key in _RENAMED)
    if "output_dim" in new and class_name != "Embedding":
        new["units"] = new["output_dim"]
    for keys in _KERNEL_SIZES:
        if all(key in config for key in keys):
            new["kernel_size"] = [config[key] for key in keys]
    if (ordering := kj.text(config.get("dim_ordering"))) in _ORDERINGS:
        new["data_format"] = _ORDERINGS[ordering]
    if class_name == "Merge":
        class_name = _MERGES.get(_hashable(config.get("mode")), "Merge")
        new["axis"] = config.get("concat_axis", -1)
        new["axes"] = config.get("dot_axes")
        new["normalize"] = config.get("mode") == "cos"
    elif class_name == "GRU":
        new["reset_after"] = False
    return class_name, new


def _hashable(value: Json) -> Json:
    return None if isinstance(value, (list, dict)) else value


def initializer(value: Json) -> Mapping[str, Json] | None:
    """A saved initializer as `{"class_name", "config"}`; None if there is none.

    `glorot_uniform`, `{"class_name": "GlorotUniform", ...}` and Keras 3's form with `module` give
    the same class name. Keras before 2.3 saved the named initializers as `VarianceScaling`, which
    is not changed.
    """
    if isinstance(value, str) and value:
        return {"class_name": _INITIALIZERS.get(value, value), "config": {}}
    if not isinstance(value, dict) or not isinstance(value.get("class_name"), str):
        return None
    name = kj.text(value["class_name"])
    return {
        "class_name": _INITIALIZERS.get(name, name),
        "config": kj.mapping(value.get("config")),
    }


def activation(value: Json) -> str | None:
    """Name of a saved activation; None if there is none or its form is unknown."""
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        return None
    if value.get("class_name") == "function":  # {"class_name": "function", "config": "my_act"}
        return kj.text(value.get("config")) or None
    return kj.text(value.get("class_name")) or None


def channels_first(config: Mapping[str, Json]) -> bool:
    """Whether the layer's data have the shape (batch, channels, ...)."""
    return config.get("data_format") == "channels_first"
