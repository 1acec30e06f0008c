"""The diagnosis of a file that must not be loaded: it says so first, and gives no other advice."""

from __future__ import annotations

from modelaudit.audit_types.diagnosis import Diagnosis, NextStep
from modelaudit.findings import Finding
from modelaudit.structs import replace

STEPS = (
    NextStep("Do not load this file, and inform whoever you got it from."),
    NextStep(
        "Get a clean copy from whoever trained the model, and audit the copy before anything loads "
        "it.",
        "modelaudit audit COPY",
    ),
)


def forbid(diagnosis: Diagnosis, danger: Finding) -> Diagnosis:
    """`diagnosis` without steps that load the file or help to load it.

    The explanation of the weights stays: it may show where the file comes from.
    """
    first, *others = diagnosis.causes
    why = danger.detail.rstrip(".")
    return replace(
        diagnosis,
        answer=f"Do not load this file: {why} ({danger.code}). {diagnosis.answer}",
        causes=(
            replace(first, next_steps=STEPS),
            *(replace(other, next_steps=()) for other in others),
        ),
    )
