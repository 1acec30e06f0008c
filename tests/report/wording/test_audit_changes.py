"""Every kind of change and every reason has a sentence."""

from __future__ import annotations

import pytest

from modelaudit.changes import audit_change
from modelaudit.changes.audit_change import AuditChange, LayerChange, LayerPart
from modelaudit.changes.interface import InterfaceChange, InterfaceChangeKind
from modelaudit.changes.reasons import ReasonKind, RejudgedReason
from modelaudit.report.pages.model_diff import TITLES
from modelaudit.report.wording import audit_changes
from modelaudit.report.wording.audit_changes import describe, reason_words


def test_every_kind_of_change_has_a_sentence_and_a_chapter():
    kinds = AuditChange.__subclasses__()
    source = audit_changes.describe.__code__.co_names
    assert {kind.__name__ for kind in kinds} <= set(source)
    sections = {kind.section for kind in kinds}
    assert sections == set(audit_change.ChangedSection)
    assert sections - {audit_change.ChangedSection.FINDINGS} == set(TITLES)
    with pytest.raises(TypeError):
        describe(AuditChange())


def test_every_reason_has_words():
    assert all(reason_words(RejudgedReason(kind, "2026-03-01")) for kind in ReasonKind)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (LayerChange("b", "Dense", None), "b (Dense): removed"),
        (LayerChange("b", None, "Dense"), "b (Dense): added"),
        (LayerChange("b", "Dense", "Conv2D"), "b: Dense became Conv2D"),
        (
            LayerChange("b", "Dense", "Dense", (LayerPart.SETTINGS, LayerPart.TRAINABLE)),
            "b (Dense): changed settings, frozen or unfrozen",
        ),
    ],
)
def test_a_layer(change, said):
    assert describe(change) == said


def test_the_text_of_a_signature_stays_for_it_is_part_of_a_fingerprint():
    kinds = InterfaceChangeKind
    assert [
        str(InterfaceChange(kinds.REMOVED, "serving")),
        str(InterfaceChange(kinds.ADDED, "serving", "input", "x")),
        str(InterfaceChange(kinds.DTYPE, "serving", "input", "x", "int8", "int16")),
        str(InterfaceChange(kinds.SHAPE, "serving", "output", "y", "[?, 1]", "unknown")),
    ] == [
        "serving was removed",
        "serving, input x: added",
        "serving, input x: int8 became int16",
        "serving, output y: shape [?, 1] became unknown",
    ]
