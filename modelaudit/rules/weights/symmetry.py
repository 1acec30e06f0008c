"""MA5xx: what the symmetry of the filters shows, and what it does not.

Symmetric weights are evidence, not a fault: a network can be flip-invariant through mirrored
pairs of asymmetric filters, and orientation-sensitive with symmetric mean kernels. Findings of
these rules are therefore informational; the behaviour rules give the verdict.
"""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.kernels import KernelSymmetry
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.measures.summary import Measurements
from modelaudit.rules import examples
from modelaudit.rules.grammar import every
from modelaudit.rules.model import Facts, Family, Need, NotRelevant, Rule
from modelaudit.thresholds.weights import EXACT_SYMMETRY

FLIP_NAMES = {"H": "left-right", "V": "up-down", "r180": "half-turn", "flip": "time reversal"}


def _defined(facts: Facts) -> list[KernelSymmetry]:
    layers = facts.measurements.symmetry if facts.measurements else ()
    defined = [layer for layer in layers if not layer.undefined]
    if not defined:
        raise NotRelevant("the model has no kernel with spatial extent")
    return defined


def _symmetric_filters(rule: Rule, facts: Facts) -> Iterator[Finding]:
    defined = _defined(facts)
    for name, words in FLIP_NAMES.items():
        scored = [layer for layer in defined if name in layer.score]
        if scored and all(layer.score[name] >= EXACT_SYMMETRY.value for layer in scored):
            yield rule.finding(
                every(len(scored), "spatial kernel is", "spatial kernels are")
                + f" exactly symmetric under the {words} flip.",
                route=scored[0].route,
                evidence={
                    "measured": 1.0,
                    "unit": "as symmetry score",
                    "threshold": EXACT_SYMMETRY.value,
                    "n": len(scored),
                },
                key=name,
            )


def _mirrored_twins(rule: Rule, facts: Facts) -> Iterator[Finding]:
    defined = _defined(facts)
    for name, words in FLIP_NAMES.items():
        matched = [layer for layer in defined if name in layer.twins]
        closed = [
            layer
            for layer in matched
            if layer.twins[name].get("score", 0.0) >= EXACT_SYMMETRY.value
        ]
        individually = all(layer.score.get(name, 0.0) >= EXACT_SYMMETRY.value for layer in closed)
        if matched and len(closed) == len(matched) and not individually:
            yield rule.finding(
                f"In every layer, each filter has its exact {words} mirror image among the other "
                "filters: the set of filters is closed under the flip although individual filters "
                "are asymmetric.",
                route=closed[0].route,
                evidence={
                    "measured": 1.0,
                    "unit": "as symmetry score",
                    "threshold": EXACT_SYMMETRY.value,
                    "n": len(closed),
                },
                key=name,
            )


def _kernel(score: float, twin: float = 0.1) -> Measurements:
    kernel = KernelSymmetry(
        "conv", "conv", (3, 3, 1, 8), 8, score={"H": score}, twins={"H": {"score": twin}}
    )
    return Measurements(symmetry=(kernel,))


RULES = (
    Rule(
        code="MA501",
        name="symmetric-filters",
        family=Family.SYMMETRY,
        severity=Severity.INFO,
        confidence=Confidence.CERTAIN,
        needs=(Need.SIDES, Need.MEASUREMENTS),
        summary="All filters are exactly symmetric under a flip",
        pass_title="The filters are not exactly symmetric",
        why="With a symmetric sampling grid and a head that pools over positions, such a network "
        "cannot distinguish a mirrored input from the original. This is either intended or a "
        "mistake.",
        fix="If the output must not depend on flips, no action is needed. If left and right must "
        "be distinguished, use unconstrained kernels.",
        check=_symmetric_filters,
        bad=examples.measured(_kernel(1.0)),
        good=examples.measured(_kernel(0.2)),
        references=("Dudar & Semenov (2018), arXiv:1805.09421",),
    ),
    Rule(
        code="MA502",
        name="mirrored-twin-filters",
        family=Family.SYMMETRY,
        severity=Severity.INFO,
        confidence=Confidence.CERTAIN,
        needs=(Need.SIDES, Need.MEASUREMENTS),
        summary="Every filter has its exact mirror image in the same layer",
        pass_title="The filter sets are not closed under mirroring",
        why="Group-equivariant layers have this structure: the network is flip-equivariant up to a "
        "permutation of channels.",
        fix="No action is needed.",
        check=_mirrored_twins,
        bad=examples.measured(_kernel(0.1, twin=1.0)),
        good=examples.measured(_kernel(0.2)),
        references=("Bökman & Kahl (NeurIPS 2023), arXiv:2305.17017",),
    ),
)
