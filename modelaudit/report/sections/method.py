"""How the audit works, and what it cannot tell."""

from __future__ import annotations

from modelaudit.findings import Outcome, Severity
from modelaudit.report.blocks import Block, Cell, Facts, Section, bullets, prose
from modelaudit.report.wording import vocabulary as words
from modelaudit.report.wording.json_access import as_map
from modelaudit.schema import Audit

STATIC = (
    "The file was read by a reader that never runs anything in it: no TensorFlow, no unpickling, "
    "every read bounded. Statements about files, layers, weights and compatibility come from "
    "there."
)
PROBED = (
    "The model was then loaded and run in a separate process with restricted rights. Statements "
    "about behaviour and about the restored weights come from there."
)
NOT_PROBED = "The model was not run, so everything in this report comes from the file alone."
KEPT_BACK = (
    "A model with a critical finding is not run. `--probe-unsafe` would run it in the sandbox all "
    "the same, to learn what it does; that does not make it safe to load."
)

LIMITS = """
A pass means that the listed questions were answered well for this file. It is no statement about \
the accuracy of the model on its task, its training data, or its licence.
Symmetry scores of kernels are supporting evidence: a network of asymmetric kernels can ignore \
flips, and one of symmetric-looking kernels can depend on them.
Intervals are 95 % intervals for the probe inputs that were used. They say nothing about images of \
another kind.
Versions named in a file are its maker's word; they are shown and used to predict, never to excuse \
a finding.
""".strip().splitlines()
SYNTHETIC = (
    "The probe inputs were made up, not real images. They show whether the output depends on the "
    "input at all and whether a flip changes it exactly; whether flips matter for real images "
    "can only be told from real images."
)


def _not_run(audit: Audit) -> tuple[str, ...]:
    critical = any(
        finding.severity is Severity.CRITICAL and finding.outcome is Outcome.FAIL
        for finding in audit.findings
    )
    return (NOT_PROBED, KEPT_BACK) if critical else (NOT_PROBED,)


def build(audit: Audit) -> Section:
    """The chapter's content."""
    inputs = as_map(as_map(audit.behaviour).get("inputs"))
    limits = [SYNTHETIC, *LIMITS] if inputs.get("kind") == "synthetic" else LIMITS
    severities = Facts(
        tuple(
            (words.mark(severity.value).word, Cell(words.SEVERITY_MEANING[severity]))
            for severity in reversed(Severity)
        )
    )
    blocks: list[Block] = [
        prose(STATIC, *((PROBED,) if inputs or audit.observations else _not_run(audit))),
        prose(
            "Every rule asks one question and ends as passed, failed, not applicable, error or "
            "waived. The verdict is set by the worst open finding, never by a score: Fail from the "
            "chosen severity upwards (High unless the user chose another), Pass with warnings for "
            "lesser findings, Incomplete where something needed could not be read or run."
        ),
        prose("What the severities mean:"),
        severities,
        bullets("Limits", limits),
    ]
    return Section("method", "Method and limits", tuple(blocks))
