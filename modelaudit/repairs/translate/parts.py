"""Models and layers before their translation: what both generations take apart in the same way."""

from __future__ import annotations

from modelaudit.facts import Format, Json
from modelaudit.formats.keras.json_config import mapping, sequence, text
from modelaudit.layer_classes import Trait, has
from modelaudit.repairs.translate.hard_sigmoid import is_redefined, taken_apart
from modelaudit.repairs.translate.lambdas.layers import LambdaLayer, calls_functions
from modelaudit.repairs.translate.locally_connected import as_products, is_lacking
from modelaudit.repairs.translate.objects import is_layer
from modelaudit.repairs.translate.references import as_functional, named
from modelaudit.repairs.translate.translation import Config, Translation, Untranslatable
from modelaudit.runtimes.checks.adapted_state import TF_IDF
from modelaudit.runtimes.checks.layer_parts import takes_layers


def opened(saved: Config, translation: Translation, route: str) -> tuple[Config, bool]:
    """The config of a model, and whether it is Sequential.

    A Sequential model with a layer that has to become calls is given as a Functional one.

    Raises:
        Untranslatable: it is neither, or its Lambdas or its input cannot be read.
    """
    values = named(saved)
    if isinstance(saved.get("config"), list):
        translation.note(route, "put the list of layers into a config with a name")
    sequential = text(saved.get("class_name")) == "Sequential"
    items = map(mapping, sequence(values.get("layers")))
    lacking = any(is_lacking(item, translation) for item in items)
    if sequential and (lacking or calls_functions(values)):
        translation.replace(
            route, "wrote the Sequential model as a Functional one, which may call functions"
        )
        return as_functional(values, route), False
    if not sequential and "input_layers" not in values:
        raise Untranslatable(route, "it is a subclassed model, whose code is not in the file")
    return values, sequential


def parts_of(
    item: Config, name: str, translation: Translation, route: str
) -> list[tuple[Config, str]]:
    """The layers that take the place of one that is no model, with their names: mostly itself.

    None for a Lambda that has to become calls, which depend on its input.

    Raises:
        Untranslatable: the code of a Lambda, or an activation, has no equal.
    """
    words = has(text(item.get("class_name")), Trait.VOCABULARY)
    if words and _without_words(item, translation, route):
        raise Untranslatable(
            route,
            "its words were set by adapt(), and HDF5 does not hold them; save it as .keras, or "
            "pass vocabulary= to the layer",
        )
    if words:
        return [(_with_words(item, translation, route), name)]
    if text(item.get("class_name")) == "Lambda":
        code = LambdaLayer(item, route)
        rescaling = code.rescaling(name)
        if rescaling is None:
            return []
        code.note(translation, "Rescaling")
        return [(rescaling, name)]
    if is_lacking(item, translation):
        return as_products(item, name, translation, route)
    config = mapping(item.get("config"))
    if is_redefined(config, translation, route):
        return taken_apart(item, name, translation, route)
    target = translation.target
    if is_layer(config.get("activation"), target) and not takes_layers(target):
        return _with_own_activation(item, name, translation, route)
    return [(item, name)]


def _with_own_activation(
    item: Config, name: str, translation: Translation, route: str
) -> list[tuple[Config, str]]:
    """A layer whose activation is a layer, and that layer behind it; with names."""
    config = mapping(item.get("config"))
    if "recurrent_activation" in config:
        raise Untranslatable(route, f"{translation.target.name} takes no layer as an activation")
    translation.note(route, "put the layer that is its activation behind it")
    activation, own = mapping(config.get("activation")), f"{name}_activation"
    behind = {**activation, "config": {**mapping(activation.get("config")), "name": own}}
    return [({**item, "config": {**config, "activation": "linear"}}, name), (behind, own)]


def _without_words(item: Config, translation: Translation, route: str) -> bool:
    """Whether the file has no words for a layer that looks them up."""
    source, layer = translation.source, translation.layer(route)
    if source is None or layer is None or source.format is not Format.LEGACY_H5_FULL:
        return False
    return mapping(item.get("config")).get("vocabulary") is None and not layer.variables


def _with_words(item: Config, translation: Translation, route: str) -> Config:
    """The layer with the words that an archive keeps beside its config, which not all find there.

    Not with TF-IDF, whose weights of the words are in another place.
    """
    config, words = mapping(item.get("config")), translation.words.get(route)
    if words is None or config.get("vocabulary") is not None or config.get("output_mode") in TF_IDF:
        return item
    listed: list[Json] = [*words]
    if text(item.get("class_name")) == "IntegerLookup":
        try:
            listed = [int(word) for word in words]
        except ValueError as error:
            raise Untranslatable(route, "its integers are stored as something else") from error
    translation.note(route, "wrote its words into its config")
    return {**item, "config": {**config, "vocabulary": listed}}
