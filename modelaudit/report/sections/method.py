"""How the audit works, and its limits."""

from __future__ import annotations

from modelaudit.findings import Outcome, Severity
from modelaudit.measures.architecture.modality_words import ModalityWords, words_for
from modelaudit.report.blocks import Block, Cell, FactList, Section, bullets, prose
from modelaudit.report.wording import vocabulary
from modelaudit.schema import Audit

STATIC = (
    "The file was read without executing anything in it: no TensorFlow, no unpickling, and every "
    "read is bounded. Results on files, layers, weights and compatibility come from this step."
)
PROBED = (
    "The model was then loaded and run in a sandboxed process. Results on behaviour and restored "
    "weights come from this step."
)
NOT_PROBED = "The model was not run, so everything in this report comes from the file alone."
KEPT_BACK = (
    "A model with a critical finding, or with code that is not known to be harmless, is not run. "
    "`--probe-unsafe` runs it in the sandbox anyway, to observe its behaviour; that does not make "
    "it safe to load."
)

LIMITS = """
A pass means that the listed rules passed for this file. It says nothing about the accuracy of the \
model on its task, its training data or its licence.
Intervals are 95 % intervals for the probe inputs used. They do not carry over to other kinds of \
inputs.
Versions named in a file are claims of its author; they are shown and used for predictions, never \
to suppress a finding.
""".strip().splitlines()
KERNELS = (
    "Kernel symmetry scores are supporting evidence: a network with asymmetric kernels can be "
    "invariant to flips, and one with nearly symmetric kernels can depend on them."
)


def _synthetic(words: ModalityWords) -> str:
    """What synthetic inputs show."""
    shown = f"The probe inputs were synthetic, not real {words.many}. They show whether the output "
    if not words.oriented:
        return f"{shown}depends on the input at all; they do not show how well it fits real data."
    return (
        f"{shown}depends on the input at all and whether it is exactly invariant to flips; whether "
        f"flips matter for real {words.many} can only be measured on real {words.many}."
    )


def _not_run(audit: Audit) -> tuple[str, ...]:
    critical = any(
        finding.severity is Severity.CRITICAL and finding.outcome is Outcome.FAIL
        for finding in audit.findings
    )
    return (NOT_PROBED, KEPT_BACK) if critical else (NOT_PROBED,)


def build(audit: Audit) -> Section:
    """The chapter's content."""
    inputs = audit.behaviour.inputs
    words = words_for(audit.model.modality)
    limits = [_synthetic(words)] if inputs and inputs.kind == "synthetic" else []
    limits += [*LIMITS[:1], *([KERNELS] if words.oriented else []), *LIMITS[1:]]
    severities = FactList(
        tuple(
            (vocabulary.mark(severity.value).word, Cell(vocabulary.SEVERITY_MEANING[severity]))
            for severity in reversed(Severity)
        )
    )
    blocks: list[Block] = [
        prose(STATIC, *((PROBED,) if inputs or audit.observations else _not_run(audit))),
        prose(
            "Every rule asks one question and ends as passed, failed, not applicable, error or "
            "waived. The worst open finding decides the verdict; there is no score. The verdict is "
            "Fail for findings of the `--fail-on` severity or higher (High by default), Pass with "
            "warnings for lesser ones, and Incomplete if something required could not be read or "
            "run."
        ),
        prose("Severities:"),
        severities,
        bullets("Limits", limits),
    ]
    return Section("method", "Method and limits", tuple(blocks))
