"""Layers with the hard_sigmoid of the other generation of Keras."""

from __future__ import annotations

from modelaudit.formats.keras.json_config import mapping
from modelaudit.repairs.translate.objects import HARD_SIGMOID, dtype_name
from modelaudit.repairs.translate.translation import Config, Node, Translation, Untranslatable


def is_redefined(config: Config, translation: Translation, route: str) -> bool:
    """Whether the layer's activation is a hard_sigmoid that the target defines differently.

    Raises:
        Untranslatable: it is that of a recurrent layer's candidate, which cannot be taken apart.
    """
    if config.get("activation") != HARD_SIGMOID or translation.hard_sigmoid_scale == 1.0:
        return False
    if "recurrent_activation" in config:
        raise Untranslatable(route, "its candidate uses another generation's hard_sigmoid")
    return True


def taken_apart(
    item: Config, name: str, translation: Translation, route: str
) -> list[tuple[Config, str]]:
    """The layer without its activation, a scale, and the target's hard_sigmoid; with names."""
    config = mapping(item.get("config"))
    factor = translation.hard_sigmoid_scale
    translation.note(
        route, f"scaled the input of its hard_sigmoid by {factor:.3g}, as where it was saved"
    )
    dtype = dtype_name(config.get("dtype", "float32"))
    scale: Node = {"name": f"{name}_scale", "trainable": True, "dtype": dtype}
    scale |= {"scale": factor, "offset": 0.0}
    last: Node = {"name": f"{name}_hard_sigmoid", "trainable": True, "dtype": dtype}
    last |= {"activation": HARD_SIGMOID}
    linear = {**item, "config": {**config, "activation": "linear"}}
    return [
        (linear, name),
        ({"class_name": "Rescaling", "config": scale}, f"{name}_scale"),
        ({"class_name": "Activation", "config": last}, f"{name}_hard_sigmoid"),
    ]
