"""Measures of the weights, and results of running the model."""

from __future__ import annotations

from msgspec import UNSET

from modelaudit.audit_types.behaviour import BehaviourSection
from modelaudit.audit_types.kernels import SymmetrySection
from modelaudit.measures.summary import Measurements
from modelaudit.rules.model import Facts
from modelaudit.structs import converted


def symmetry_section(measurements: Measurements | None) -> SymmetrySection:
    """Static measures of the kernels; empty if nothing was measured."""
    if measurements is None:
        return SymmetrySection()
    return converted(SymmetrySection, measurements, layers=measurements.symmetry)


def behaviour_section(facts: Facts) -> BehaviourSection:
    """Results of running the model, or why it was not run."""
    seen = facts.behaviour
    if seen is None:
        reason = facts.probe_skipped or "the model returned no output to measure"
        return BehaviourSection(skipped_reason=reason)
    return converted(BehaviourSection, seen, skipped_reason=UNSET)
