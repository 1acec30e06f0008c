"""The charts of sensitivity curves and of directional filters."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree as ET

import pytest
import report_samples as samples
from chart_reading import chart_of, read
from sample_audits import changed

from modelaudit.report import charts
from modelaudit.report.charts import style
from modelaudit.report.sections import augmentation

SVG = "{http://www.w3.org/2000/svg}"
CHANGES = {
    "rotation": ("°", (5, 15, 30)),
    "shift": ("px", (1, 2)),
    "translation": ("of the side", (0.05, 0.1)),
    "blur": ("px", (0.5, 1)),
    "noise": ("of the range", (0.05, 0.1)),
}


def curve(change, *, labelled=True, moderate=1):
    unit, strengths = CHANGES[change]
    points = [
        {
            "strength": strength,
            "n": 200,
            "agreement": 0.9 - 0.2 * place,
            "sure": 150,
            "sure_changed": 0.1 * place,
            **(
                {"score": 0.8 - 0.2 * place, "lost": 0.1 + 0.2 * place, "p": 1e-4}
                if labelled
                else {}
            ),
        }
        for place, strength in enumerate(strengths)
    ]
    told = {"measure": "accuracy", "given": 0.9} if labelled else {}
    control = points[-1] | {"score": 0.35} if labelled else points[-1] | {"agreement": 0.35}
    at = strengths[min(moderate, len(strengths) - 1)]
    return {"output": "y", "change": change, "unit": unit, "moderate": at, "points": points} | {
        **told,
        "control": control,
    }


def audit(*, labelled=True, **changes):
    curves = [curve(change, labelled=labelled) for change in CHANGES]
    return changed(samples.healthy(), behaviour={"sensitivity": curves}, **changes)


def directional(leading="left-right", values=None):
    shown = values or [[-1.0, 0.0, 1.0]] * 3
    part = {"share": 0.4, "expected": 0.25, "z": 9.0}
    shares = dict.fromkeys(("left-right", "up-down", "bars", "diagonal", "none"), part)
    filters = [{"index": i, "share": 0.2, "values": shown} for i in range(6)]
    layers = [
        {
            "route": f"conv_{i}",
            "shape": [3, 3, 1, 8],
            "slices": 8,
            "shares": shares,
            "leading": leading,
            "filters": filters,
        }
        for i in range(5)
    ]
    return changed(samples.healthy(), symmetry={"directions": layers})


@pytest.mark.parametrize("labelled", [True, False])
def test_every_curve_has_its_panel_with_points_at_their_values(labelled):
    chart = chart_of(audit(labelled=labelled), "figure-sensitivity")
    words, paths = read(chart)
    said = [text for text, *_ in words]
    assert sorted(text for text in said if text in CHANGES) == sorted(CHANGES)
    assert {"as given", "changed", "control", "30°", "10\N{NO-BREAK SPACE}%"} <= set(said)
    dots = sum(path.count("h0") for path in paths[style.BLUE])
    assert dots == sum(len(strengths) for _, strengths in CHANGES.values()) + 1  # and the legend
    assert sum(path.count("h0") for path in paths[style.ORANGE]) == len(CHANGES) + 1
    first = chart.table.rows[0]
    assert [cell.text for cell in first[:3]] == ["rotation", "5°", "0.8" if labelled else "0.9"]


def test_what_is_missing_is_the_summary():
    need = {"change": "blur", "state": "missing", "text": "Blurred, less is right."}
    found = audit(diagnosis={"augmentation": [need]})
    assert chart_of(found, "figure-sensitivity").summary == (
        "The model is sensitive to blur, which augmentation reduces where the label stays the same."
    )
    other = chart_of(audit(), "figure-sensitivity").summary
    assert other.startswith("Of all moderate changes, rotation (15°) matters most: it changes the")


def test_the_report_lists_what_is_missing_with_its_condition():
    need = {
        "change": "blur",
        "state": "missing",
        "text": "Blurred, less is right.",
        "code": "RandomGaussianBlur(7)",
        "condition": "sharpness tells classes apart",
    }
    _, table = augmentation.blocks(audit(diagnosis={"augmentation": [need]}))
    assert [cell.text for cell in table.rows[0]] == [
        *("blur", "sensitive to", "Blurred, less is right."),
        "RandomGaussianBlur(7), not if sharpness tells classes apart",
    ]
    assert augmentation.blocks(audit()) == []


@pytest.mark.parametrize("made", [audit, directional])
def test_phones_get_the_same_within_their_width_and_nothing_overlaps(made):
    anchor = "figure-sensitivity" if made is audit else "figure-directions"
    (chart,) = (each for each in charts.build(made()) if each.anchor == anchor)
    for shown, width in ((chart, 643), (chart.phone, 340)):
        root = ET.fromstring(shown.svg)
        assert float(root.get("width")) == width
        rows = {}
        for each in root.iter(f"{SVG}text"):
            assert 0 <= float(each.get("x")) <= width
            if each.get("text-anchor") == "middle":
                rows.setdefault(each.get("y"), []).append((float(each.get("x")), len(each.text)))
        for found in rows.values():
            for (x, length), (other, others) in itertools.pairwise(sorted(found)):
                assert other - x > 0.61 * 10.67 * (length + others) / 2
        for each in root.iter(f"{SVG}image"):
            assert float(each.get("x")) + float(each.get("width")) <= width
    assert chart.phone.alt == chart.alt


def test_filters_of_the_first_layers_with_a_leading_direction_are_drawn():
    chart = chart_of(directional(), "figure-directions")
    assert len(list(ET.fromstring(chart.svg).iter(f"{SVG}image"))) == 3 * 6
    assert chart.summary.startswith("The filters of conv_0 prefer changes from left to right")
    assert len(chart.table.rows) == 5
    hidden = (*map(directional, ("", "none", "sideways")), directional(values=[[]]))
    for each in hidden:
        assert "figure-directions" not in {chart.anchor for chart in charts.build(each)}


@pytest.mark.parametrize("strength", ["nan", "inf", 0, -1, 1e300])
def test_strange_numbers_of_an_audit_draw_nothing_strange(strength):
    made = curve("blur")
    made["points"][0]["strength"] = strength
    found = changed(samples.healthy(), behaviour={"sensitivity": [made]})
    assert "figure-sensitivity" not in {each.anchor for each in charts.build(found)}
