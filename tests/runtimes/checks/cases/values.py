"""Cases of the causes in `modelaudit/runtimes/checks/values.py`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.runtimes.checks.cases.case import K2, K3, Case
from tests.runtimes.checks.cases.shared import (
    after,
    archive,
    dense,
    h5,
    in_keras2,
    in_keras3,
    mixed,
)
from tests.runtimes.checks.making import Config, Keras, deleting, objects, of_class, setting, stack


def norm(k: Keras) -> Any:
    return stack(k, (4,), k.layers.Dense(3), k.layers.BatchNormalization(), k.layers.Dense(2))


def attention(k: Keras) -> Any:
    one, other = k.Input((5, 4)), k.Input((5, 4))
    return k.Model([one, other], k.layers.Attention()([one, other]))


POLICY = {"class_name": "Policy", "config": {"name": "mixed_float16"}}


ODD_POLICY = {
    "module": "keras",
    "class_name": "DTypePolicy",
    "config": {"name": "float32", "odd": 1},
    "registered_name": None,
}


ARRAY = {"type": "ndarray", "value": 0.25}


def leaky(k: Keras) -> Any:
    return stack(k, (4,), k.layers.Dense(3), k.layers.LeakyReLU())


def hashing(k: Keras) -> Any:
    value = k.Input((1,), dtype="string")
    return k.Model(value, k.layers.Hashing(3)(value))


def slashed(config: Config) -> None:
    text = json.dumps(config).replace('"last"', '"la/st"')
    config.clear()
    config.update(json.loads(text))


def unslashed(config: Config) -> None:
    text = json.dumps(config).replace('"la/st"', '"last"')
    config.clear()
    config.update(json.loads(text))


def list_axis(config: Config) -> None:
    for each in of_class(config, "BatchNormalization"):
        axis = each["config"]["axis"]
        each["config"]["axis"] = axis if isinstance(axis, list) else [axis]


def number_axis(config: Config) -> None:
    for each in of_class(config, "BatchNormalization"):
        axis = each["config"]["axis"]
        each["config"]["axis"] = axis[0] if isinstance(axis, list) else axis


def plain_policy(config: Config) -> None:
    for each in objects(config):
        dtype = each.get("dtype")
        if isinstance(dtype, dict) and dtype.get("class_name") in ("Policy", "DTypePolicy"):
            each["dtype"] = dtype["config"]["name"]


def plain_array(config: Config) -> None:
    for each in objects(config):
        for key, value in each.items():
            if isinstance(value, dict) and value.get("type") == "ndarray":
                each[key] = value["value"]


def known_words(k: Keras) -> Any:
    value = k.Input((1,), dtype="string")
    return k.Model(value, k.layers.StringLookup(vocabulary=["a"])(value))


def noisy(k: Keras) -> Any:
    return stack(k, (4,), k.layers.GaussianNoise(2.0), k.layers.Dense(2))


def causal(k: Keras) -> Any:
    layers = k.layers
    convolution = layers.SeparableConv1D(2, 3, padding="causal")
    return stack(k, (8, 2), convolution, layers.GlobalAveragePooling1D())


def gated(k: Keras) -> Any:
    return stack(k, (5, 3), k.layers.GRU(4, reset_after=False), k.layers.Dense(2))


def normalized(k: Keras) -> Any:
    return stack(k, (3,), k.layers.Normalization(), k.layers.Dense(2))


def sized(size: int | None) -> Callable[[Config], None]:
    """The size of the input, as the first layers state it."""

    def change(config: Config) -> None:
        given, first, *_ = config["config"]["layers"]
        given["config"]["batch_input_shape"] = [None, size]
        first["config"]["batch_input_shape"] = [None, size]

    return change


CASES = (
    Case(
        "reset-after-not-stated",
        K2,
        h5(gated, deleting("GRU", "reset_after")),
        {"reset_after=false": after(setting("GRU", reset_after=False), in_keras2)},
    ),
    Case(
        "reset-after-not-stated",
        K3,
        h5(gated, deleting("GRU", "reset_after", "time_major")),
        {"reset_after=false": after(setting("GRU", reset_after=False), in_keras3)},
    ),
    Case(
        "unknown-axis",
        K2,
        h5(normalized, sized(None)),
        {"size of its mean": after(sized(3), in_keras2)},
    ),
    Case(
        "unknown-axis",
        K3,
        h5(normalized, sized(None)),
        {"size of its mean": after(sized(3), in_keras3)},
    ),
    Case("argument-refused", K3, h5(noisy)),
    Case("argument-refused", K3, h5(causal), note="a word"),
    Case("argument-refused", K3, archive(noisy), note="archive"),
    Case(
        "axis-is-list",
        K3,
        archive(norm, list_axis),
        {"with the number": after(number_axis, in_keras3)},
    ),
    Case(
        "slash-in-name", K3, h5(dense, slashed), {"Rename the layer": after(unslashed, in_keras3)}
    ),
    Case(
        "slash-in-name",
        K3,
        archive(dense, slashed, keras2=False),
        {"Rename the layer": after(unslashed, in_keras3)},
        note="archive",
    ),
    Case(
        "text-taken-for-function",
        K3,
        h5(attention, plain=True),
        {
            "Delete score_mode": after(deleting("Attention", "score_mode"), in_keras3),
            ".keras": in_keras2,
        },
    ),
    Case(
        "number-as-array",
        K3,
        h5(leaky, setting("LeakyReLU", alpha=ARRAY), plain=True),
        {"with its value": after(plain_array, in_keras3)},
    ),
    Case(
        "number-as-array",
        K2,
        h5(leaky, setting("LeakyReLU", alpha=ARRAY), plain=True),
        {"with its value": after(plain_array, in_keras2)},
    ),
    Case(
        "dtype-of-integer-layer",
        K3,
        h5(hashing, setting("Hashing", dtype="float32")),
        {'"int64"': after(setting("Hashing", dtype="int64"), in_keras3)},
    ),
    Case(
        "dtype-of-integer-layer",
        K2,
        h5(known_words, setting("StringLookup", dtype="float32"), plain=True),
        {'"int64"': after(setting("StringLookup", dtype="int64"), in_keras2)},
    ),
    Case(
        "dtype-policy",
        K3,
        h5(mixed, setting("Dense", dtype=POLICY), plain=True),
        {'"mixed_float16"': after(plain_policy, in_keras3)},
    ),
    Case(
        "dtype-policy-class", K3, archive(dense, setting("Dense", dtype=ODD_POLICY), keras2=False)
    ),
)
