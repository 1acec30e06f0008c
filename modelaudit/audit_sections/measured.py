"""Measures of the weights, and results of running the model."""

from __future__ import annotations

from modelaudit.audit_types.behaviour import BehaviourSection
from modelaudit.audit_types.kernels import SymmetrySection
from modelaudit.measures.summary import Measurements
from modelaudit.rules.model import Facts


def symmetry_section(measurements: Measurements | None) -> SymmetrySection:
    """Static measures of the kernels; empty if nothing was measured."""
    if measurements is None:
        return SymmetrySection()
    return SymmetrySection(
        layers=measurements.symmetry,
        initialization=measurements.initialization,
        batchnorm=measurements.batchnorm,
        gallery=measurements.gallery,
        skipped=measurements.skipped,
    )


def behaviour_section(facts: Facts) -> BehaviourSection:
    """Results of running the model, or why it was not run."""
    seen = facts.behaviour
    if seen is None:
        reason = facts.probe_skipped or "the model returned no output to measure"
        return BehaviourSection(skipped_reason=reason)
    return BehaviourSection(
        runtime=seen.runtime,
        inputs=seen.inputs,
        noise_floor=seen.noise_floor,
        deterministic=seen.deterministic,
        outputs=seen.outputs,
        dead=seen.dead,
        residuals=seen.residuals,
        interventions=seen.interventions,
        batchnorm=seen.batchnorm,
        training_flag_matters=seen.training_flag_matters,
        skipped=seen.skipped,
    )
