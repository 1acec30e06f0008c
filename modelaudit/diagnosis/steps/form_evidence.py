"""What predictions for unlabelled inputs in other forms say about the form that is right."""

from __future__ import annotations

from modelaudit.audit_types.behaviour import BatchNormFit, InformationGain, OutputBehaviour
from modelaudit.diagnosis.case import FLIPS, answered_alike, capacity, information
from modelaudit.measures.input_corrections import parts, simplest_first, words_of
from modelaudit.measures.value_transforms import JOIN, SWAPS
from modelaudit.thresholds.answers import (
    AGREE_Z,
    ALIKE_AGREED,
    ALIKE_EQUAL,
    ALIKE_INFORMED,
    GAIN,
    GAIN_Z,
    MIN_CLASSES,
    SCALE_Z,
    SURER_Z,
    TIED_Z,
)
from modelaudit.thresholds.weights import MISFIT_ALIKE, OFF_SCALE, ON_SCALE


def informed_orientations(output: OutputBehaviour) -> list[str]:
    """Orientations that carry more information, beyond sampling error; the simplest first."""
    if (output.collapse.classes or 0) < MIN_CLASSES.value:
        return []
    moves = {name: gain for name, gain in output.gains.items() if name in FLIPS}
    best = max(moves, key=lambda name: moves[name].bits, default="")
    swapped = max((g.bits for name, g in output.gains.items() if name in SWAPS), default=0.0)
    if not best or not is_gain(moves[best]) or swapped > moves[best].bits:
        best = agreed_form(output)
    if best not in moves or not distinguishes(output, best):
        return []
    as_good = {name for name in moves[best].also if name in moves}
    tied = {best, *(name for name in as_good if is_gain(moves[name]) or agrees(moves[name]))}
    return [name for name, _ in simplest_first({name: moves[name].bits for name in tied})]


def agreed_form(output: OutputBehaviour) -> str:
    """The form in which predictions for images and their mirror images agree best, or "".

    It needs no batch statistics, and values that are larger only do not raise it.
    """
    most = max(output.gains, key=lambda name: output.gains[name].mirror_bits or 0.0, default="")
    return most if most and agrees(output.gains[most]) else ""


def agrees(gain: InformationGain) -> bool:
    """Whether predictions agree clearly better than as given, and say no less."""
    if gain.mirror_bits is None or gain.mirror_z is None:
        return False
    told = gain.z if gain.equal_z is None else gain.equal_z
    clear = gain.mirror_bits >= GAIN.value and gain.mirror_z >= AGREE_Z.value
    return clear and told > -TIED_Z.value


def distinguishes(output: OutputBehaviour, name: str) -> bool:
    """Whether a form gains more than what images of one kind show.

    They get one prediction, and in any other form, several wrong ones, of which the model is less
    sure. Larger values alone make these confident, so other values are judged at equal confidence.
    """
    if not answered_alike(output) and not output.collapse.collapsed:
        return True
    gain, room = output.gains[name], capacity(output)
    surer = gain.surer_z is not None and gain.surer_z >= SURER_Z.value
    if parts(name)[1] in {"", *SWAPS} and (
        surer or information(output) + gain.bits >= ALIKE_INFORMED.value * room
    ):
        return True
    equal, agreed = gain.equal_bits or 0.0, gain.mirror_bits or 0.0
    return equal >= ALIKE_EQUAL.value * room or min(equal, agreed) >= ALIKE_AGREED.value * room


def is_gain(gain: InformationGain) -> bool:
    """Whether the predictions carry clearly more information, for forms that keep the values."""
    return gain.bits >= GAIN.value and gain.z >= GAIN_Z.value


def informed_scale(output: OutputBehaviour, first: BatchNormFit | None) -> str:
    """The other scale or channel order that carries more information, or "".

    Larger values alone make predictions more confident, so scales are compared at equal
    confidence. The first batch normalization must not speak against it.
    """
    if (output.collapse.classes or 0) < MIN_CLASSES.value:
        return ""
    others = {
        name: gain
        for name, gain in output.gains.items()
        if name not in FLIPS and JOIN not in name and not _contradicted(first, name)
    }
    equal = {
        name: gain.equal_bits or 0.0
        for name, gain in output.gains.items()
        if name in others or name in FLIPS
    }
    best = max(others, key=lambda name: equal[name], default="")
    if (
        best
        and (others[best].equal_z or 0.0) >= SCALE_Z.value
        and equal[best] >= max(GAIN.value, *equal.values())
    ):
        sure = first is not None and (
            first.mean_deviation > OFF_SCALE.value
            or (first.misfit > MISFIT_ALIKE.value and first.domain.get(best, 1.0) < ON_SCALE.value)
        )
        return best if sure or distinguishes(output, best) else ""
    kept = {name: gain.bits for name, gain in output.gains.items() if name in {*FLIPS, *SWAPS}}
    most = max(kept, key=lambda name: kept[name], default="")
    if most in SWAPS and is_gain(output.gains[most]) and distinguishes(output, most):
        return most
    agreed = agreed_form(output)
    return agreed if agreed in others and distinguishes(output, agreed) else ""


def _contradicted(first: BatchNormFit | None, name: str) -> bool:
    """Whether the first batch normalization fits inputs in a form worse than inputs as given."""
    if first is None:
        return False
    return first.domain.get(name, 0.0) > max(first.mean_deviation, ON_SCALE.value)


def agreement_text(name: str, gain: InformationGain) -> str:
    """How much better the predictions for images and their mirror images agree in a form."""
    return (
        f"For images {words_of(name)}, the predictions for each image and for its mirror image "
        f"agree better than as given: by {gain.mirror_bits or 0.0:.2f} bits, "
        f"{gain.mirror_z or 0.0:.0f} standard errors."
    )
