"""How `modelaudit repair` made the file: what it wrote differently, why, and what proves it."""

from __future__ import annotations

from msgspec import UNSET

from modelaudit.report.blocks import Bullets, Cell, Section, Table, name, num, prose, spans
from modelaudit.report.wording.repair import evidence
from modelaudit.schema import Audit

PRINTED_CHANGES = 24
WAYS = {
    "translated": "its saved config was translated, and its weights were copied",
    "converted": "its translation was loaded, and saved in another format",
    "resaved": "it was loaded in its own Keras and saved there, and that was translated",
}


def build(audit: Audit) -> tuple[Section, ...]:
    """The chapter; none if the file was not made by a repair."""
    repair = audit.restore.repair
    if repair is UNSET:
        return ()
    original = repair.original
    source = f"`{original.path}`" if original else "another file"
    digest = f" (SHA-256 `{original.sha256}`)" if original and original.sha256 else ""
    way = WAYS.get(str(repair.way), "")
    rows = tuple(
        (name(each.layer or "the model"), num(str(each.layers)), Cell(each.what))
        for each in repair.changes
    )
    changes = Table(
        "What was written differently",
        ("First layer", "Layers", "Change"),
        rows,
        print_rows=PRINTED_CHANGES,
    )
    found = Bullets("What was compared", tuple(spans(each) for each in evidence(repair)))
    said = f"It was made from {source}{digest} so that {repair.target} loads it: {way}."
    blocks = (prose(said), *((changes,) if rows else ()), found)
    return (Section("repair", "Repair", blocks),)
