"""What a repair compared and found, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.repair import LabelledEffect, Repair, RepairProof


def evidence(repair: Repair) -> Iterator[str]:
    """What proves a repair, and the effect of what labelled inputs judge."""
    if repair.proof is not None:
        yield from _proof(repair.proof)
    if repair.recalibration is not None:
        yield f"new moving statistics {_effect(repair.recalibration)}"
    if names := repair.renamed_classes:
        moved = sum(map(str.__ne__, names.names, names.before))
        yield f"{names.file}: {moved} names moved {_effect(names.effect)}"


def _proof(proof: RepairProof) -> Iterator[str]:
    scaled = f", and {proof.tensors_scaled} scaled as said" if proof.tensors_scaled else ""
    replaced = f", and {proof.layers_replaced} replaced as said" if proof.layers_replaced else ""
    yield f"weights: {proof.tensors_equal} of {proof.tensors} equal byte for byte{scaled}"
    yield f"layers: {proof.layers_equal} of {proof.layers} with the same name and class{replaced}"
    outputs = proof.outputs
    if outputs is not None:
        said = f"{outputs.tolerance:.2g} is rounding"
        if outputs.rounding:
            said = f"rounding of its weights moves those of the original by {outputs.rounding:.2g}"
        yield (
            f"outputs for {outputs.samples} inputs differ by at most {outputs.difference:.2g} "
            f"({said})"
        )
    elif proof.why_no_outputs:
        yield f"outputs: not compared, because {proof.why_no_outputs}"
    if proof.golden_outputs:
        yield f"golden record: {proof.golden_outputs} of its outputs reproduced"
    elif proof.why_no_golden:
        yield f"golden record: not compared, because {proof.why_no_golden}"
    if proof.restored_in:
        yield f"loaded in {proof.restored_in}"
    if proof.predicted and not proof.restored_in:
        yield "not loaded; the target is predicted to load it"


def _effect(effect: LabelledEffect) -> str:
    return (
        f"on the evidence of {effect.calibrated_on} inputs: {effect.right_after} of "
        f"{effect.judged_on} others right, {effect.right_before} before (p = {effect.p_value:.1g})"
    )
