"""The gates of recurrent layers, whose hard_sigmoid differs between Keras 2 and Keras 3."""

from __future__ import annotations

from modelaudit.facts import Artifact
from modelaudit.repairs.translate.objects import HARD_SIGMOID
from modelaudit.repairs.translate.translation import Translation, Untranslatable

# Gates in the order of the columns of the kernel; True for those with `recurrent_activation`.
_GATES = {"LSTM": (True, True, False, True), "GRU": (True, True, False)}
_ROLES = ("kernel", "recurrent_kernel", "bias")


def gate_factors(artifact: Artifact, translation: Translation) -> dict[str, tuple[float, ...]]:
    """Tensor name -> a factor for each gate, for every layer with such gates.

    Raises:
        Untranslatable: the weights of such a layer are not known.
    """
    if translation.gates == 1.0:
        return {}
    layers = artifact.architecture.layers if artifact.architecture else ()
    found: dict[str, tuple[float, ...]] = {}
    unknown = False
    for layer in layers:
        kind = next((kind for kind in _GATES if kind in layer.class_name), "")
        if not kind or layer.config.get("recurrent_activation") != HARD_SIGMOID:
            continue
        factors = tuple(translation.gates if gate else 1.0 for gate in _GATES[kind])
        names = [layer.variables[role] for role in _ROLES if role in layer.variables]
        unknown |= not names
        found |= dict.fromkeys(names, factors)
    if unknown or not found:
        raise Untranslatable(
            "", "the weights of a recurrent layer with the hard_sigmoid of Keras 2 are not known"
        )
    return found
