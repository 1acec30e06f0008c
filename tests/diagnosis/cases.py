"""Facts for the diagnosis: one healthy model, and functions that change them."""

from __future__ import annotations

import math

from modelaudit.audit_types.behaviour import (
    BatchNormFit,
    BetterInputs,
    ClassNumbering,
    Collapse,
    InformationGain,
    OutputBehaviour,
    TransformEffect,
)
from modelaudit.audit_types.diagnosis import Diagnosis
from modelaudit.audit_types.kernels import BatchNormState, KernelInitialization
from modelaudit.audit_types.probe_data import ProbeInputs
from modelaudit.diagnosis import diagnose
from modelaudit.diagnosis.odds_text import DESCRIPTIONS
from modelaudit.diagnosis.procedure import PROCEDURE
from modelaudit.diagnosis.suspects import CLEARED, GUILTY, OPEN
from modelaudit.findings import Finding, Outcome, RuleResult
from modelaudit.measures.summary import Behaviour, Measurements
from modelaudit.pipeline import run_all_rules
from modelaudit.rules import examples
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.rules.engine import run_rules
from modelaudit.rules.model import Facts
from modelaudit.structs import replace

TEN = 3.3219  # log2 10


def mirror(nfv: float | None = 0.02, kappa: float | None = 0.97, **others) -> TransformEffect:
    return TransformEffect("H", 128, 0.98, (0.94, 0.99), kappa, nfv=nfv, **others)


def turned(nfv: float = 0.5) -> TransformEffect:
    return TransformEffect("V", 128, 0.4, (0.3, 0.5), 0.3, nfv=nfv)


def output(**changes) -> OutputBehaviour:
    """A classifier of ten classes, accurate as given, trained with mirrored images."""
    sound = OutputBehaviour(
        name="digit",
        kind="softmax",
        shape=(None, 10),
        collapse=Collapse(False, 3.0, 10, 1, 0.12, 0.3),
        transforms=(mirror(), turned()),
        orientation={"e": 3.0, "H": 2.98, "V": 1.2},
        domain={"/255": 0.1, "*255": 2.9, "1-x": 0.8},
        floor={"H": 1e-12},
        synthetic_information=1.5,
    )
    changed = replace(sound, **(preferred(changes) | changes))
    scales = changes.get("domain", {})
    return changed if "gains" in changes else replace(changed, gains=gained(changed, scales))


def form(name: str, bits: float = 2.5, z: float = 20.0, equal=None) -> dict[str, InformationGain]:
    """A form of the inputs that gains this, also at equal confidence."""
    return {name: InformationGain(bits, z, *(equal or (bits, z)))}


def gained(output: OutputBehaviour, scales: dict[str, float]) -> dict[str, InformationGain]:
    """The gains of an output with this information: 20 standard errors a bit.

    Values that are multiplied by 255 say nothing more at equal confidence.
    """
    given = output.orientation.get("e", output.collapse.information or 0.0)
    forms = {**output.orientation, **{n: bits for n, bits in scales.items() if n != "*255"}}
    forms.pop("e", None)
    return {
        name: InformationGain(
            *(bits - given, 20 * (bits - given)) * 2,
            tuple(n for n, b in forms.items() if n != name and abs(b - bits) <= 0.06),
        )
        for name, bits in forms.items()
        if math.isfinite(bits)
    }


def preferred(changes: dict) -> dict:
    """What a paired comparison on many inputs says of these scores: every difference is real."""
    scores, measure = changes.get("accuracy"), "accuracy"
    if not scores:
        scores, measure = changes.get("fit"), "R2"
    if not scores or "e" not in scores or max(scores.values()) <= scores["e"]:
        return {}
    best = max(scores, key=lambda name: scores[name])
    tied = [name for name, score in scores.items() if score == scores[best]]
    equal = tuple(name for name in tied if name not in {best, "e"})
    tried, given = len(scores) - 1, scores["e"]
    found = BetterInputs(best, measure, given, scores[best], 1e-9, tried, 128, equal)
    return {"better": found}


def renumbered(accuracy: float, odds: float = 200.0, **changes) -> ClassNumbering:
    """Another order of the classes in which the labels are much more likely."""
    return ClassNumbering(accuracy, odds, 10, **changes)


def silent(bits: float = 0.0, **changes) -> OutputBehaviour:
    """The same output for every input."""
    changes = {
        "transforms": (mirror(None, None),),
        "orientation": {"e": bits},
        "domain": {},
    } | changes
    return output(**({"collapse": Collapse(True, bits, 10, 3, 1.0, 1e-9)} | changes))


def regression(**changes) -> OutputBehaviour:
    """One output of a regression."""
    changes = preferred(changes) | changes
    sound = replace(output(), kind="regression", shape=(None, 1), orientation={}, domain={})
    changes = {"collapse": Collapse(False, None, None, None, None, 0.4), "gains": {}} | changes
    return replace(sound, **changes)


def behaviour(*outputs: OutputBehaviour, user: bool = True, n: int = 128, **changes) -> Behaviour:
    inputs = ProbeInputs("user" if user else "synthetic", n, (n, 16, 16, 1), (0.0, 1.0))
    sound = Behaviour("here", inputs, 1e-7, True, outputs or (output(),), dead={"relu": 0.1})
    return replace(sound, **changes)


def fit(misfit: float = 0.05, route: str = "bn", **changes) -> BatchNormFit:
    return replace(BatchNormFit(route, misfit, 0.1, misfit), **changes)


def labelled(behaviour: Behaviour, largest: float = 0.1) -> Behaviour:
    inputs = replace(behaviour.inputs, labelled=True, largest_class=largest)
    return replace(behaviour, inputs=inputs)


def initial(route: str, state: str = "trained", weights: int = 4000, **tests):
    drawn = state == "fresh"
    own = {} if state == "undecidable" else {"fits": drawn, "bias_initial": drawn}
    return KernelInitialization(
        route, f"{route}/kernel", "GlorotUniform", state, "", weights, own | tests
    )


def norm(*, lost: bool = False, affine: bool = False) -> BatchNormState:
    return BatchNormState("bn", 16, lost, affine, 1.0 if lost else 0.1)


def measurements(*kernels: KernelInitialization, batchnorm=(), **changes) -> Measurements:
    found = kernels or (initial("conv"), initial("head"))
    return Measurements(initialization=found, batchnorm=tuple(batchnorm), **changes)


def facts(seen: Behaviour | None = None, measured: Measurements | None = None) -> Facts:
    return replace(
        examples.healthy(),
        behaviour=behaviour() if seen is None else seen,
        measurements=measurements() if measured is None else measured,
    )


def diagnosed(seen: Behaviour | None = None, measured: Measurements | None = None) -> Diagnosis:
    found = facts(seen, measured)
    return diagnose(found, run_rules(CATALOGUE, found))


def judged(code: str, given: Facts) -> RuleResult:
    """A rule's outcome after the diagnosis."""
    return next(result for result in run_all_rules(given) if result.code == code)


def failing(code: str, severity) -> RuleResult:
    rule = next(rule for rule in CATALOGUE if rule.code == code)
    finding: Finding = rule.finding("what is wrong", file="model.h5", severity=severity)
    return RuleResult(rule.code, rule.name, Outcome.FAIL, findings=(finding,))


SURE = {"margin": 87.3, "domain_margin": {"/255": 9.0, "1-x": 70.0}, "domain": {"/255": 3.0}}
WAYS = {
    "domain_margin": {"/255": 9.0, "standardised": 12.0},
    "domain": {"/255": 3.0, "standardised": 3.04},
}
DISTANT = fit(0.9, mean_deviation=120.0, domain={"/255": 0.03, "1-x": 90.0})
LOW = Collapse(False, 0.2, 10, 3, 0.9, 0.1)


def quiet(**changes):
    """Little information about these images, in either orientation."""
    return output(**({"collapse": LOW, "orientation": {"e": 0.2, "H": 0.2}} | changes))


NAMED = ("training data", "filters and architecture", "restoration")


def check(diagnosis: Diagnosis) -> None:
    """Assert what must hold for any diagnosis."""
    assert [suspect.name for suspect in diagnosis.suspects] == list(NAMED)
    for suspect in diagnosis.suspects:
        assert suspect.state in {GUILTY, CLEARED, OPEN}
        assert suspect.text.rstrip().endswith(".")
    assert diagnosis.causes
    assert diagnosis.answer
    assert "{" not in diagnosis.answer
    faults = [each for each in diagnosis.causes if each.cause not in DESCRIPTIONS]
    beliefs = [1.0 if cause.belief is None else cause.belief for cause in faults]
    assert all(0 <= belief <= 1 for belief in beliefs)
    assert beliefs == sorted(beliefs, reverse=True)
    for cause in diagnosis.causes:
        assert all(evidence.text.rstrip().endswith(".") for evidence in cause.evidence)
    groups = (diagnosis.causes, diagnosis.consequences, diagnosis.ruled_out, diagnosis.undecidable)
    named = [each.cause for group in groups for each in group]
    assert len(named) == len(set(named))
    confirmed = {cause.cause for cause in diagnosis.causes}
    for step in PROCEDURE:  # steps without a result are explained by an earlier cause
        assert step.cause in named or (step.explained_by | step.skipped_after) & confirmed
