"""Causes that the odds name although no single step confirms them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from modelaudit.audit_types.diagnosis import Evidence
from modelaudit.diagnosis.beliefs import Beliefs
from modelaudit.diagnosis.case import Case, scores
from modelaudit.diagnosis.features import NEED_INPUTS, STEP, said
from modelaudit.diagnosis.measured import moved, rescaled
from modelaudit.diagnosis.model import CauseFound
from modelaudit.measures.value_transforms import SWAPS
from modelaudit.thresholds.answers import DEAD

OF_FORMS = ("turn_", "values_")  # statistics of other forms of the inputs
TOLD = 3  # statistics that are named as evidence
FORMS: Mapping[str, Callable[[str], bool]] = {"orientation": moved, "values": rescaled}


def named(case: Case, known: Beliefs) -> dict[str, CauseFound]:
    """What speaks for each cause of the population that the odds are for.

    Another form of the inputs is named only with the form that is best.
    """
    found = {}
    for cause in sorted(known.chosen - (frozenset() if case.images else NEED_INPUTS)):
        form, where = _form(case, FORMS[cause]) if cause in FORMS else ("", _where(case, cause))
        other = (STEP,) if cause in FORMS else (STEP, *OF_FORMS)
        shifts = [each for each in known.shifts(cause) if not each.feature.startswith(other)]
        told = [said(each.feature, each.value) for each in shifts if each.factor > 1]
        numbered = cause != "numbering" or any(output.numbering for output in case.outputs)
        if told and numbered and (form or cause not in FORMS):
            text = f"No single check confirms it, but together: {'; '.join(told[:TOLD])}."
            against = [said(each.feature, each.value) for each in shifts if each.factor < 1]
            found[cause] = CauseFound(
                (Evidence(text),),
                where=where,
                transform=form,
                against=tuple(Evidence(f"Against it: {each}.") for each in against[:1]),
            )
    return found


def _where(case: Case, cause: str) -> str:
    """The layer that is never active; other causes name none."""
    dead = case.behaviour.dead if case.behaviour and cause == "dead" else {}
    never = [name for name in dead if dead[name] >= DEAD.value]
    return max(never, key=lambda name: dead[name], default="")


def _form(case: Case, kind: Callable[[str], bool]) -> tuple[str, str]:
    """The best form of a kind and the output that is better with it: by labels, or else bits.

    Larger values alone make predictions confident, so other values count at equal confidence.
    """
    best, most = ("", ""), 0.0
    for output in case.outputs:
        labelled = scores(output)[0]
        known = {name: value - labelled.get("e", 0.0) for name, value in labelled.items()} or {
            name: (gain.equal_bits or 0.0) if kind is rescaled and name not in SWAPS else gain.bits
            for name, gain in output.gains.items()
        }
        for name, value in known.items():
            if name != "e" and kind(name) and value > most:
                best, most = (name, output.name), value
    return best
