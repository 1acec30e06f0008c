"""What the model is sensitive to that augmentation teaches to ignore, as a table."""

from __future__ import annotations

from modelaudit.audit_types.sensitivity import AugmentationNeed
from modelaudit.diagnosis.augmentation import HEADS
from modelaudit.report.blocks import Block, Cell, Table, prose
from modelaudit.report.wording import text
from modelaudit.schema import Audit

LONGEST = 400  # characters of one text
SAID = (
    "Whether a change alters the label is not in the data: only you can decide whether to train "
    "with it. What a change costs is the most that training with it can give back on inputs that "
    "are changed so."
)


def blocks(audit: Audit) -> list[Block]:
    """The table, with what to consider before anything is added; empty without curves."""
    needs = audit.diagnosis.augmentation
    if not needs:
        return []
    table = Table(
        "Augmentation: what it would change",
        ("Change", "The model is", "Measured", "Keras layer, and when not to use it"),
        tuple(_row(need) for need in needs),
        print_rows=16,
    )
    return [prose(SAID, tone="terms"), table]


def _row(need: AugmentationNeed) -> tuple[Cell, ...]:
    layer = text.shorten(need.code or need.layer, 120)
    if need.condition:
        layer = f"{layer}{', ' if layer else ''}not if {text.shorten(need.condition, 120)}"
    return (
        Cell(text.shorten(need.change, 30)),
        Cell(HEADS[need.state].lower()),
        Cell(text.shorten(need.text, LONGEST)),
        Cell(layer or "–"),
    )
