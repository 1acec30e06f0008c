"""MA220: what stops each runtime that cannot load a model, and advice that all causes leave valid."""

from __future__ import annotations

from collections.abc import Iterable

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.findings import Remedy
from modelaudit.rules.compatibility.repair_advice import repair_command, with_repair
from modelaudit.rules.compatibility.uncompiled import COMPILED
from modelaudit.rules.grammar import counted
from modelaudit.rules.model import Facts
from modelaudit.runtimes.catalogue import find_profile, saving_runtime
from modelaudit.runtimes.model import LoadCall, Prediction, Reason

_OTHER = "tf-keras"
SHOWN = 4  # causes that are told, and for which there is advice


def nearest_first(facts: Facts, failing: Iterable[Prediction]) -> tuple[Prediction, ...]:
    """Runtimes of the generation of Keras that saved the file first, then by their causes.

    The one with the fewest causes says best what is wrong with the file.
    """
    writer = saving_runtime(facts.artifact)

    def distance(prediction: Prediction) -> tuple[bool, int]:
        other = writer is not None and writer.keras3 != find_profile(prediction.runtime).keras3
        return other, len(prediction.because)

    return tuple(sorted(failing, key=distance))


def causes(prediction: Prediction) -> tuple[Reason, ...]:
    """One reason of each kind by which the call fails, in the order in which a loader meets it."""
    found: dict[str, Reason] = {}
    for each in prediction.because:
        if each.predicted is LoadOutcome.FAILS:
            found.setdefault(each.code, each)
    return tuple(found.values())


def told(facts: Facts, prediction: Prediction) -> str:
    """What the loader meets first, and what would stop it after that.

    What is in the settings for training is left out: `compile=False` avoids it (MA213).
    """
    first, *others = causes(prediction)
    call = f"{prediction.call}, or {first.later}," if first.later else prediction.call
    if first.loads:
        call = f"{first.later} that {prediction.call} returns"
    compiles = prediction.call == LoadCall.LOAD_MODEL and bool(facts.artifact.training)
    text = (
        f"{prediction.runtime}: {call} fails{', also with compile=False,' if compiles else ''} because "
        f"{first.text}.{first.expected(' with compile=False' if compiles else '')}"
    )
    compiling = "".join(
        f" With the default compile=True, a cause in the settings stops it as well: {each.text}."
        for each in prediction.compiling[:1]
    )
    if not others:
        return text + compiling
    shown = "; ".join(each.text for each in others[: SHOWN - 1])
    left = len(others) - (SHOWN - 1)
    more = f"; and {counted(left, 'more cause', 'more causes')}" if left > 0 else ""
    stop = "another cause stops" if len(others) == 1 else f"{len(others)} other causes stop"
    what = others[0].later if all(each.loads and each.later for each in others) else "it"
    return f"{text} If this is mended, {stop} {what}: {shown}{more}.{compiling}"


def advice(facts: Facts, prediction: Prediction) -> Remedy:
    """What makes the model load; of several causes, nothing that only one of them needs."""
    found = causes(prediction)
    if len(found) == 1:
        fix = found[0].fix + _compiling(facts, prediction, found[0].fix)
        return with_repair(facts, prediction.runtime, fix)
    loads = next(
        (
            each.runtime
            for each in facts.predictions
            if each.call == prediction.call and each.predicted is LoadOutcome.LOADS
        ),
        "",
    )
    compiled = any(each.runtime == loads and each.call == COMPILED for each in facts.predictions)
    how = " with compile=False" if compiled else " as it is"
    use = f"Use {loads}, which is predicted to load the file{how}." if loads else ""
    if loads and prediction.call == LoadCall.FROM_JSON:
        beside = facts.artifact.extra.get("architecture_from")
        use = (
            f"Use {loads}: its model_from_json is predicted to read `{beside}` as it is. Then load "
        )
        use += "the weights with load_weights."
    use = use or _where_the_program_can(facts, prediction)
    if use or repair_command(facts, prediction.runtime):
        return with_repair(facts, prediction.runtime, use)
    fixes = tuple(dict.fromkeys(each.fix for each in found[:SHOWN]))
    if len(fixes) == 1:
        return Remedy(fixes[0])
    steps = " ".join(f"({number}) {fix}" for number, fix in enumerate(fixes, 1))
    return Remedy(f"Each cause needs a change, in this order: {steps}")


def _compiling(facts: Facts, prediction: Prediction, fix: str) -> str:
    """What stops the tf-keras that the advice names, where only its defaults do; "" for nothing."""
    for each in facts.predictions if _OTHER in fix else ():
        if each.call == COMPILED and each.runtime.startswith(_OTHER) and each.because:
            same = each.runtime == prediction.runtime
            why = each.because[0].text
            return "" if same else f" There, compile=False is needed as well: {why} (MA213)."
    return ""


def _where_the_program_can(facts: Facts, prediction: Prediction) -> str:
    """The runtime that loads the file if the program gives it what it lacks; "" without one."""
    for each in facts.predictions:
        if each.call == prediction.call and each.conditions:
            given = " and ".join(dict.fromkeys(reason.unless for reason in each.conditions))
            return f"Use {each.runtime}, which is predicted to load the file if {given}."
    return ""
