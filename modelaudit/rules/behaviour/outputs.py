"""MA607, MA608: outputs must be finite and must respond to transforms as the user declared."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.behaviour import TransformEffect
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.rules import examples_behaviour
from modelaudit.rules.behaviour.probes import made_up, unless_made_up
from modelaudit.rules.model import Facts, Family, Limit, Need, NotApplicable, Rule
from modelaudit.settings import TRANSFORMS, Expectation, Settings
from modelaudit.structs import replace
from modelaudit.thresholds.flips import SENSITIVE

NAMES = {"equivariant": "spatial"}  # declared word -> name of the measured action
TO_DO = {
    "invariant": "stay the same",
    "spatial": "transform with the input",
    "odd": "change sign",
    "swap": "swap classes",
}
DOES = {
    "invariant": "stays the same",
    "spatial": "transforms with the input",
    "odd": "changes sign",
    "swap": "swaps classes",
}


def _non_finite(rule: Rule, facts: Facts) -> Iterator[Finding]:
    assert facts.behaviour is not None
    for output in facts.behaviour.outputs:
        if output.nonfinite > 0:
            yield rule.finding(
                f"Output `{output.name}` is NaN or infinite for {output.nonfinite:.0%} of "
                f"{facts.behaviour.inputs.n} {made_up(facts.behaviour)}inputs.",
                route=output.name,
                severity=unless_made_up(facts.behaviour),
                evidence={
                    "measured": output.nonfinite,
                    "unit": "of the values (as a share)",
                    "threshold": 0.0,
                    "n": facts.behaviour.inputs.n,
                },
            )


def declared(facts: Facts, output: str, transform: str) -> Expectation | None:
    """What the settings declare for a transform of an output; the last matching entry wins."""
    fitting = [each for each in facts.settings.expectations if each.covers(output, transform)]
    return fitting[-1] if fitting else None


def _as_declared(rule: Rule, facts: Facts) -> Iterator[Finding]:
    if not facts.settings.expectations:
        raise NotApplicable("the settings declare no expectations for this model (`[[expect]]`)")
    assert facts.behaviour is not None
    limit, judged = rule.threshold(facts), 0
    for output in facts.behaviour.outputs:
        for effect in output.transforms:
            expected = declared(facts, output.name, effect.name)
            if expected is None or expected.action == "none" or effect.nfv is None:
                continue  # without a variation the output has collapsed, which MA602 reports
            judged += 1
            action = NAMES.get(expected.action, expected.action)
            left = remaining(effect, action)
            if left is None or left >= limit:
                yield rule.finding(
                    f"Output `{output.name}` is declared to {TO_DO[action]} when the input is "
                    f"{TRANSFORMS[effect.name]}; {_measured(effect, action, left, limit)}.",
                    route=output.name,
                    evidence={
                        "measured": left,
                        "unit": "times the change from one input to another",
                        "threshold": limit,
                        "n": effect.n,
                        "declared": expected.action,
                        "found": effect.action,
                    },
                    key=effect.name,
                )
    if not judged:
        raise NotApplicable("no expectation covers a measured output and transform")


def remaining(effect: TransformEffect, action: str) -> float | None:
    """The variation that remains after an action is undone; None where none was measured."""
    if effect.action == action:
        return effect.nfv
    left = effect.detail.get(f"nfv_{action}")
    return float(left) if isinstance(left, int | float) else None


def _measured(effect: TransformEffect, action: str, left: float | None, limit: float) -> str:
    """What the output does instead of what is declared."""
    far = "times as much as from one input to another"
    nfv = effect.nfv or 0.0
    if left is None:
        told = f"it does not, and changes {nfv:.2g} {far}"
    elif action == "invariant":
        told = f"it changes {left:.2g} {far} (limit {limit:g})"
    else:
        told = f"after undoing this it still changes {left:.2g} {far} (limit {limit:g})"
    if effect.action != action and nfv < limit:
        told += f"; instead it {DOES[effect.action]}"
    return told


def _nan() -> Facts:
    return examples_behaviour.with_behaviour(replace(examples_behaviour.HEALTHY, nonfinite=0.25))


def _declared(action: str) -> Facts:
    settings = Settings(expectations=(Expectation(action),))
    return replace(examples_behaviour.sound_behaviour(), settings=settings)


RULES = (
    Rule(
        code="MA607",
        name="non-finite-output",
        family=Family.BEHAVIOUR,
        severity=Severity.HIGH,
        confidence=Confidence.CERTAIN,
        needs=(Need.BEHAVIOUR,),
        summary="The output contains NaN or infinite values",
        pass_title="Every output is finite",
        why="Every comparison with NaN is false, so code that uses the output treats NaN as an "
        "ordinary prediction.",
        fix="Look for non-finite weights first, then for divisions and logarithms of values that "
        "the probe inputs reach but training did not.",
        check=_non_finite,
        bad=_nan,
        good=examples_behaviour.sound_behaviour,
    ),
    Rule(
        code="MA608",
        name="declared-expectation-broken",
        family=Family.BEHAVIOUR,
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        needs=(Need.BEHAVIOUR,),
        summary="An output does not respond to a transform as the settings declare",
        pass_title="Every output responds to transforms as the settings declare",
        why="Whoever declared the expectation relies on it. For example, a steering angle that "
        "does not change sign under mirroring steers the wrong way.",
        fix="Train with inputs and labels transformed together, or correct the declaration in "
        "`[[expect]]`.",
        check=_as_declared,
        limit=Limit(SENSITIVE.value, 0.001, 10.0, SENSITIVE.unit),
        bad=lambda: _declared("odd"),
        good=lambda: _declared("invariant"),
    ),
)
