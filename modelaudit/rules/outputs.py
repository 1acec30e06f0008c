"""MA607, MA608: outputs must be finite, and move with the input as the user declared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.measures.summary import TransformEffect
from modelaudit.rules import examples_behaviour as made
from modelaudit.rules.model import Facts, Family, Limit, Need, NotApplicable, Rule
from modelaudit.settings import TRANSFORMS, Expectation, Settings

HOLDS = 0.20  # variation up to which a declared action is taken to hold
NAMES = {"equivariant": "spatial"}  # declared word -> the measured action's name
TO_DO = {
    "invariant": "stay the same",
    "spatial": "move along",
    "odd": "change its sign",
    "swap": "exchange its classes",
}
DOES = {
    "invariant": "stays the same",
    "spatial": "moves along",
    "odd": "changes its sign",
    "swap": "exchanges its classes",
}


def _non_finite(rule: Rule, facts: Facts) -> Iterator[Finding]:
    assert facts.behaviour is not None
    for output in facts.behaviour.outputs:
        if output.nonfinite > 0:
            yield rule.finding(
                f"Output {output.name} is NaN or infinite for {output.nonfinite:.0%} of "
                f"{facts.behaviour.inputs.n} ordinary inputs.",
                route=output.name,
                evidence={
                    "measured": output.nonfinite,
                    "unit": "of the values (as a share)",
                    "threshold": 0.0,
                    "n": facts.behaviour.inputs.n,
                },
            )


def declared(facts: Facts, output: str, transform: str) -> Expectation | None:
    """What the settings declare of a transform of an output; the last that fits counts."""
    fitting = [each for each in facts.settings.expectations if each.covers(output, transform)]
    return fitting[-1] if fitting else None


def _as_declared(rule: Rule, facts: Facts) -> Iterator[Finding]:
    if not facts.settings.expectations:
        raise NotApplicable("the settings declare nothing of this model's outputs (`[[expect]]`)")
    assert facts.behaviour is not None
    limit, judged = rule.threshold(facts), 0
    for output in facts.behaviour.outputs:
        for effect in output.transforms:
            expected = declared(facts, output.name, effect.name)
            if expected is None or expected.action == "none" or effect.nfv is None:
                continue  # without a variation the output has collapsed, which MA602 tells
            judged += 1
            action = NAMES.get(expected.action, expected.action)
            left = remaining(effect, action)
            if left is None or left >= limit:
                yield rule.finding(
                    f"Output {output.name} is declared to {TO_DO[action]} when the input is "
                    f"{TRANSFORMS[effect.name]}; {_measured(effect, action, left, limit)}.",
                    route=output.name,
                    evidence={
                        "measured": left,
                        "unit": "times what another input changes",
                        "threshold": limit,
                        "n": effect.n,
                        "declared": expected.action,
                        "found": effect.action,
                    },
                    key=effect.name,
                )
    if not judged:
        raise NotApplicable("no measured output and transform is covered by an expectation")


def remaining(effect: TransformEffect, action: str) -> float | None:
    """The variation that is left once an action is undone; None where none was seen at all."""
    if effect.action == action:
        return effect.nfv
    left = effect.detail.get(f"nfv_{action}")
    return float(left) if isinstance(left, int | float) else None


def _measured(effect: TransformEffect, action: str, left: float | None, limit: float) -> str:
    """What the output does in place of what is declared."""
    far = "times as far as from one input to another"
    nfv = effect.nfv or 0.0
    if left is None:
        told = f"it does not, and moves {nfv:.2g} {far}"
    elif action == "invariant":
        told = f"it moves {left:.2g} {far} (limit {limit:g})"
    else:
        told = f"with that undone it still moves {left:.2g} {far} (limit {limit:g})"
    if effect.action != action and nfv < limit:
        told += f": it {DOES[effect.action]} instead"
    return told


def _nan() -> Facts:
    return made.behave(replace(made.HEALTHY, nonfinite=0.25))


def _declared(action: str) -> Facts:
    settings = Settings(expectations=(Expectation(action),))
    return replace(made.lively(), settings=settings)


RULES = (
    Rule(
        code="MA607",
        name="non-finite-output",
        family=Family.BEHAVIOUR,
        severity=Severity.HIGH,
        confidence=Confidence.CERTAIN,
        needs=(Need.BEHAVIOUR,),
        summary="The output holds NaN or infinite values",
        pass_title="Every output is finite",
        why="NaN compares as false with everything, so code behind the model takes it for an "
        "ordinary answer.",
        fix="Look for non-finite weights first; then for divisions and logarithms of values that "
        "the probe inputs reach and training never did.",
        check=_non_finite,
        bad=_nan,
        good=made.lively,
    ),
    Rule(
        code="MA608",
        name="declared-expectation-broken",
        family=Family.BEHAVIOUR,
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        needs=(Need.BEHAVIOUR,),
        summary="An output does not move with the input as the settings declare",
        pass_title="Every output moves with the input as the settings declare",
        why="Whoever declared the expectation relies on it: a steering angle that does not change "
        "its sign in the mirror, say, steers the wrong way.",
        fix="Train with the inputs and labels transformed together, or correct the declaration in "
        "`[[expect]]`.",
        check=_as_declared,
        limit=Limit(HOLDS, 0.001, 10.0, "times what another input changes"),
        bad=lambda: _declared("odd"),
        good=lambda: _declared("invariant"),
    ),
)
