"""The catalogue: every rule there is, in the order of their codes. Adding a rule means adding it
to its family's `RULES`; adding a family means adding it here."""

from __future__ import annotations

from modelaudit.rules import (
    architecture,
    behaviour,
    compatibility,
    completeness,
    golden,
    integrity,
    observed,
    outputs,
    registry,
    restore,
    security,
    symmetry,
    targets,
    versions,
    weights,
)
from modelaudit.rules.model import Rule

CATALOGUE: tuple[Rule, ...] = tuple(
    sorted(
        (
            *integrity.RULES,
            *completeness.RULES,
            *compatibility.RULES,
            *versions.RULES,
            *targets.RULES,
            *observed.RULES,
            *architecture.RULES,
            *weights.RULES,
            *restore.RULES,
            *golden.RULES,
            *symmetry.RULES,
            *behaviour.RULES,
            *outputs.RULES,
            *security.RULES,
            *registry.RULES,
        ),
        key=lambda rule: rule.code,
    )
)


def rule(code: str) -> Rule:
    """The rule with this code or name.

    Raises:
        KeyError: there is none.
    """
    for each in CATALOGUE:
        if code in (each.code, each.name):
            return each
    raise KeyError(code)
