"""Compares the restored architecture with the saved config, layer by layer."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Set

from msgspec import Struct

from modelaudit.audit_types.values import number
from modelaudit.facts import Architecture, Json, Layer, Shape
from modelaudit.formats.keras.dialects import to_keras2
from modelaudit.formats.keras.json_config import mapping
from modelaudit.layer_classes import Trait, classes, has
from modelaudit.probe.protocol import Observation
from modelaudit.thresholds.restoration import SAME_SETTING

# Settings that do not affect inference, or that each version writes in its own way.
IGNORED = frozenset(
    (
        # Its name and the location of its code.
        *("name", "module", "module_name", "registered_name", "class_name", "shared_object_id"),
        *("function_type", "output_shape_type", "output_shape_module"),
        # What it was built with.
        *("batch_input_shape", "batch_shape", "input_shape", "input_dim", "input_length"),
        *("input_spec", "build_config", "query_shape", "key_shape", "value_shape"),
        # What is compared separately: the layers of a model are compared one by one.
        *("layers", "input_layers", "output_layers"),
        # What assets hold.
        *("vocabulary", "vocabulary_size", "has_input_vocabulary", "idf_weights"),
        # How it is computed, randomised or trained.
        *("dtype", "dynamic", "sparse", "ragged", "optional", "implementation", "synchronized"),
        *("renorm", "zero_output_for_mask", "quantization_config", "lora_rank", "lora_alpha"),
        *("seed", "seed_generator", "rng_type"),
    )
)
TRAINING_ONLY = ("_initializer", "_regularizer", "_constraint")
# Layers whose function is restored only as a name.
CODE = classes(Trait.TENSORFLOW_OPERATION) | {"Lambda"}
SHOWN = 80  # characters of a value


class LayerDifference(Struct, frozen=True):
    """One layer that was not restored as it was saved.

    Attributes:
        what: text for users.
        certain: False for sizes of a shape, which may have been inferred from the config.
    """

    route: str
    what: str
    certain: bool = True

    def __str__(self) -> str:
        """`conv: strides is [1, 1], saved as [2, 2]`."""
        return f"{self.route}: {self.what}"


def compare_layers(
    architecture: Architecture, seen: Observation
) -> tuple[tuple[LayerDifference, ...], int]:
    """Every difference between the saved layers and those of a restored Keras model.

    Returns:
        The differences, and the number of saved layers that were compared.

    Compared are the layers themselves, their classes, their output shapes, and the settings that
    both sides have and that affect what a model computes. Layers inside wrappers are settings of
    the wrapper.
    """
    wrappers = {layer.route for layer in architecture.layers if not layer.is_model}
    saved = {layer.route: layer for layer in architecture.layers if _listed(layer, wrappers)}
    training = any(
        kwargs.get("training") is True
        for layer in architecture.layers
        for kwargs in layer.call_kwargs
    )
    return tuple(_differences(saved, seen, training)), len(saved)


def _differences(
    saved: Mapping[str, Layer], seen: Observation, training: bool
) -> Iterator[LayerDifference]:
    """`training`: whether a layer is always called with `training=True`."""
    renamed = _renamed(saved, seen)
    for route, layer in saved.items():
        named = renamed.get(route, route)
        found = seen.layers.get(named)
        if found is None:
            yield LayerDifference(route, f"the saved {layer.class_name} is not in the model")
            continue
        expected, restored = _class(layer.class_name), _class(found)
        if expected != restored and not layer.is_model:
            yield LayerDifference(route, f"has class {found}, saved as {layer.class_name}")
            continue
        details = seen.details.get(named, {})
        config = dict(layer.config)
        # A frozen layer computes what a trainable one does, except batch normalization in
        # training mode, which uses the moving statistics only while it is frozen.
        if not (training and has(layer.class_name, Trait.BATCH_NORMALISATION)):
            config.pop("trainable", None)
        for text in _settings(config, mapping(details.get("config")), layer):
            yield LayerDifference(route, text)
        shape = details.get("shape")
        saved_shape = layer.output_shape
        if saved_shape is not None and isinstance(shape, list) and _other(saved_shape, shape):
            told = f"has output shape {_text(shape)}, saved as {_text([*saved_shape])}"
            yield LayerDifference(route, told, certain=len(shape) != len(saved_shape))
    for route, found in seen.layers.items():
        known = route in saved or route in renamed.values()
        if not known and _class(found) != "InputLayer":
            yield LayerDifference(route, f"{found} layer that was not saved")


def _renamed(saved: Mapping[str, Layer], seen: Observation) -> dict[str, str]:
    """Saved route -> restored route of what has another name in the restored model.

    Keras names operations such as `Cast` anew at each load, and Keras 2.1 saved no names of nested
    Sequential models. Operations without weights and models of one class and one parent are
    matched in order, if there are as many as before; layers of a model follow it.
    """
    before: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    after: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for route, layer in saved.items():
        if route not in seen.layers and not (layer.variables or layer.expected):
            before[route.rpartition("/")[0], _class(layer.class_name)].append(route)
    for route, found in seen.layers.items():
        if route not in saved:
            after[route.rpartition("/")[0], _class(found)].append(route)
    pairs = [(routes, after[key]) for key, routes in before.items()]
    renamed = {
        a: b for old, new in pairs if len(old) == len(new) for a, b in zip(old, new, strict=True)
    }
    models = {a: b for a, b in renamed.items() if saved[a].is_model}
    for route in saved:
        for model, name in models.items():
            if route.startswith(f"{model}/"):
                renamed[route] = f"{name}/{route.removeprefix(f'{model}/')}"
    return renamed


def _listed(layer: Layer, wrappers: Set[str]) -> bool:
    """Whether a restored model lists it: inputs and wrapped layers are not listed."""
    if layer.class_name == "InputLayer":
        return False
    parts = layer.route.split("/")
    return not any("/".join(parts[:end]) in wrappers for end in range(1, len(parts)))


def _class(name: str) -> str:
    """The current Keras name of a class."""
    plain = name.rpartition(">")[2].removesuffix("V1").removesuffix("V2")
    return to_keras2(plain, {})[0]


def _settings(
    saved: Mapping[str, Json], restored: Mapping[str, Json], layer: Layer, above: str = ""
) -> Iterator[str]:
    for key, value in saved.items():
        if key in IGNORED or key.endswith(TRAINING_ONLY) or key not in restored:
            continue
        if layer.class_name in CODE and key in {"function", "arguments", "output_shape", "mask"}:
            continue
        found, name = restored[key], f"{above}{key}"
        inner = mapping(value).get("config"), mapping(found).get("config")
        if isinstance(inner[0], dict) and isinstance(inner[1], dict) and key != "activation":
            yield from _settings(inner[0], inner[1], layer, f"{name}.")
        elif not (
            _equal(_plain(value), _plain(found), layer) or _default(key, value, found, saved)
        ):
            yield f"{name} is {_text(found)}, saved as {_text(value)}"


def _default(key: str, value: Json, restored: Json, config: Mapping[str, Json]) -> bool:
    """Whether a setting is saved as None, and restored as what None stands for."""
    if value is not None:
        return False
    if key == "data_format":
        return restored in ("channels_last", "channels_first")
    stands_for: Json = "linear" if key.endswith("activation") else None
    if key == "strides":  # of pooling
        stands_for = config.get("pool_size", config.get("pool_length"))
    return stands_for is not None and _plain(restored) == _plain(stands_for)


def _plain(value: Json) -> Json:
    """A function or class as its name, a tuple as a list."""
    if isinstance(value, dict) and "class_name" in value:
        inner = value.get("config")
        if isinstance(inner, str):
            return inner
        if value["class_name"] in {"__tuple__", "TensorShape"}:
            return value.get("items", inner)
        return str(value["class_name"]).lower()
    return value


def _equal(saved: Json, restored: Json, layer: Layer) -> bool:
    if _same_factors(saved, restored, layer) or _same_factors(restored, saved, layer):
        return True
    if isinstance(saved, list) and isinstance(restored, list):
        return len(saved) == len(restored) and all(
            _equal(_plain(a), _plain(b), layer) for a, b in zip(saved, restored, strict=True)
        )
    if isinstance(saved, list):  # 3 stands for [3, 3]
        return bool(saved) and all(_equal(each, restored, layer) for each in saved)
    if isinstance(restored, list):
        return bool(restored) and all(_equal(saved, each, layer) for each in restored)
    a, b = number(saved), number(restored)
    if a is not None and b is not None:
        if math.isclose(a, b, rel_tol=SAME_SETTING.value):
            return True
        ranks = {len(shape) for shape in (layer.output_shape, *layer.input_shapes) if shape}
        return abs(a - b) in ranks and min(a, b) < 0  # two forms of one axis
    return saved == restored


def _same_factors(single: Json, pair: Json, layer: Layer) -> bool:
    """Whether an augmentation layer makes this `pair`, its lower and upper factor, of a number.

    0.1 stands for (-0.1, 0.1), or for (0, 0.1) where no factor is negative.
    """
    size = number(single)
    if size is None or not has(layer.class_name, Trait.AUGMENTATION):
        return False
    low, high = map(number, pair) if isinstance(pair, list) and len(pair) == 2 else (None, None)
    if low is None or high is None:
        return False
    return math.isclose(high, abs(size), rel_tol=SAME_SETTING.value) and any(
        math.isclose(low, least, rel_tol=SAME_SETTING.value) for least in (-abs(size), 0.0)
    )


def _other(saved: Shape, restored: list[Json]) -> bool:
    """Whether two shapes are incompatible; batch and unknown axes match anything."""
    if len(saved) != len(restored):
        return True
    pairs = list(zip(saved, restored, strict=True))[1:]
    return any(a is not None and b is not None and a != b for a, b in pairs)


def _text(value: Json) -> str:
    said = str(_plain(value))
    return said if len(said) <= SHOWN else said[:SHOWN] + " …"
