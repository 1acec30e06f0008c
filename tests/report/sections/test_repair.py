"""The chapter of a repaired file: what was changed, and what proves it."""

from __future__ import annotations

import report_samples as samples
from sample_audits import changed

from modelaudit.audit_types.loading import Agreement
from modelaudit.audit_types.repair import (
    LabelledEffect,
    RenamedClasses,
    Repair,
    RepairChange,
    RepairedFile,
    RepairProof,
    RepairStatus,
    RepairWay,
)
from modelaudit.report.pages.html import render_html
from modelaudit.report.sections import repair as chapter
from modelaudit.store.typed_json import encode

AGREEMENT = Agreement("tf-keras", "load_model", difference=1e-7, tolerance=1e-5, samples=8)


def made(**others):
    done = Repair(
        "old.h5",
        "tf==2.21.0",
        RepairStatus.REPAIRED,
        original=RepairedFile("old.h5", "legacy-h5-full", "ab" * 32),
        way=RepairWay.TRANSLATED,
        changes=(RepairChange("left out groups", "conv<1>", 3), RepairChange("named it")),
        proof=RepairProof(4, 4, 2, 1, layers_replaced=1, outputs=AGREEMENT, restored_in="keras"),
        **others,
    )
    audit = samples.healthy()
    return changed(audit, restore={"repair": encode(done)})


def test_a_file_that_was_not_repaired_has_no_chapter():
    assert chapter.build(samples.healthy()) == ()
    assert "What was written differently" not in render_html(samples.healthy(), samples.RULES)


def test_the_chapter_has_the_original_every_change_and_the_proof():
    (section,) = chapter.build(made())
    told, changes, compared = section.blocks
    said = "".join(span.text for paragraph in told.paragraphs for span in paragraph.spans)
    assert "made from old.h5 (SHA-256 " + "ab" * 32 in said
    rows = [tuple(cell.text for cell in row) for row in changes.rows]
    assert rows == [("conv<1>", "3", "left out groups"), ("the model", "1", "named it")]
    proof = ["".join(span.text for span in item) for item in compared.items]
    assert proof[0] == "weights: 4 of 4 equal byte for byte"
    assert proof[2].startswith("outputs for 8 inputs differ by at most 1e-07")
    page = render_html(made(), samples.RULES)
    assert "conv&lt;1&gt;" in page
    assert "conv<1>" not in page


def test_what_labelled_inputs_judged_is_told():
    effect = LabelledEffect(64, 64, 3, 61, 1e-9)
    names = RenamedClasses("labels.txt", ("b", "a", "c"), ("a", "b", "c"), effect)
    (section,) = chapter.build(made(recalibration=effect, renamed_classes=names))
    said = ["".join(span.text for span in item) for item in section.blocks[-1].items]
    assert said[-2].startswith("new moving statistics on the evidence of 64 inputs: 61 of 64")
    assert said[-1].startswith("labels.txt: 2 names moved")
