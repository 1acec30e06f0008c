from __future__ import annotations

import base64
import io
import math
import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import report_samples as samples
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from modelaudit.report import charts
from modelaudit.report.charts import heatmap, style
from modelaudit.report.charts.scales import Scale, powers_of_two, round_numbers

NUMBER = st.floats(-1e6, 1e6)


@given(NUMBER, st.floats(1e-3, 1e6), st.integers(5, 12))
def test_round_numbers_are_even_and_round_and_few(low, span, most):
    high = low + span
    found = round_numbers(low, high, most)
    slack = span * 1e-6
    assert 2 <= len(found) <= most
    assert all(low - slack <= number <= high + slack for number in found)
    steps = np.diff(found)
    assert np.allclose(steps, steps[0], rtol=1e-6)
    assert any(
        math.isclose(factor * 10.0**power, steps[0], rel_tol=1e-6)
        for power in range(-6, 8)
        for factor in (1, 2, 5)
    )
    assert not low < 0 < high or min(map(abs, found)) < slack


@pytest.mark.parametrize("ends", [(0, 0), (1, 0), (0, math.inf), (0, 1e308), (-math.inf, 0)])
def test_a_range_without_length_or_end_has_no_numbers(ends):
    assert round_numbers(*ends) == []


@given(NUMBER, NUMBER, st.floats(allow_nan=False), st.booleans())
def test_everything_lies_on_the_paper(low, high, value, log):
    assert 0 <= Scale(low, high, log).fraction(value) <= 1


def test_scales_keep_distances_and_ratios():
    assert Scale(-1, 3).fraction(0) == pytest.approx(1 / 4)
    assert Scale(3, -1).fraction(0) == pytest.approx(3 / 4)
    assert Scale(2, 32, log=True).fraction(8) == pytest.approx(1 / 2)
    assert Scale(-1e308, 1e308).fraction(0) == pytest.approx(1 / 2)


def test_powers_of_two_stay_few():
    assert powers_of_two(32) == [1, 2, 4, 8, 16, 32]
    assert powers_of_two(31) == [1, 2, 4, 8, 16]
    assert powers_of_two(781) == [1, 4, 16, 64, 256]
    assert len(powers_of_two(1e308)) <= 6


def drawn(audit, anchor):
    """The words of a chart with their places, and its paths by colour."""
    (svg,) = (chart.svg for chart in charts.build(audit) if chart.anchor == anchor)
    root = ET.fromstring(svg)
    space = "{http://www.w3.org/2000/svg}"
    words = [
        (e.text, float(e.get("x", 0)), float(e.get("y", 0))) for e in root.iter(space + "text")
    ]
    paths = {}
    for e in root.iter(space + "path"):
        paths.setdefault(e.get("stroke", e.get("fill")), []).append(e.get("d"))
    return words, paths


def read_off(words, pattern):
    """What turns a place on paper into a number: by the numbers beside the axis."""
    ticks = [(float(t.replace("−", "-")), x) for t, x, _ in words if re.fullmatch(pattern, t)]
    numbers, places = zip(*ticks, strict=True)
    slope, start = np.polyfit(places, numbers, 1)
    return lambda x: slope * x + start


def test_bars_end_where_the_axis_says():
    audit = samples.healthy()
    profile = audit.behaviour["outputs"][0]["orientation"]
    words, paths = drawn(audit, "figure-orientation")
    number = read_off(words, r"[0-9.]+")
    ends = [
        float(end)
        for path in paths[style.BLUE] + paths[style.GREY]
        for end in re.findall(r"H([0-9.]+)", path)
    ]
    assert sorted(map(number, ends)) == pytest.approx(sorted(profile.values()), abs=0.01)


def test_rows_stand_beside_their_words():
    audit = samples.healthy()
    effects = audit.behaviour["outputs"][0]["transforms"]
    words, paths = drawn(audit, "figure-flips")
    number = read_off(words, r"[0-9.]+")
    dots = re.findall(r"M([0-9.]+) ([0-9.]+)h0", "".join(paths[style.BLUE]))[1:]  # after the key
    rows = sorted(y for text, x, y in words if x < 200 and not text.startswith(("Agree", "NFV")))
    assert [number(float(x)) for x, _ in dots] == pytest.approx(
        [effect["agreement"] for effect in effects], abs=0.01
    )
    for row, (_, y) in zip(rows, dots, strict=True):
        assert abs(row - float(y)) < 8  # pixels: less than half a row


def test_wild_numbers_break_no_chart():
    base = samples.healthy()
    for wild in (1e308, -1e308, 5e-324, 0.0):
        output = dict(base.behaviour["outputs"][0])
        output["transforms"] = [dict(e, nfv=wild, agreement=wild) for e in output["transforms"]]
        output["orientation"] = dict.fromkeys(output["orientation"], wild)
        layers = [dict(layer, score={"H": wild, "V": wild}) for layer in base.symmetry["layers"]]
        fields = [{"route": f"l{i}", "maximum": [wild * i]} for i in range(1, 5)]
        audit = replace(
            base,
            behaviour=dict(base.behaviour, outputs=[output]),
            symmetry=dict(base.symmetry, layers=layers),
            architecture={"profile": {"fields": fields, "input_size": [wild]}},
        )
        for chart in charts.build(audit):
            ET.fromstring(chart.svg)
            assert "nan" not in chart.svg
            assert "inf" not in chart.svg.replace("information", "")


def test_names_in_charts_stay_text():
    for chart in charts.build(samples.hostile()):
        tags = {element.tag.rpartition("}")[2] for element in ET.fromstring(chart.svg).iter()}
        assert tags <= {"svg", "style", "path", "text", "image"}
        assert not re.search("[\u202e\u202c\u200b\x1b\x00]", chart.svg)


def test_a_heat_map_shows_sign_size_and_gaps():
    image = Image.open(io.BytesIO(heatmap.png(np.array([[-1, -0.5, 0, 0.5, 1, np.nan]]))))
    pixels = np.asarray(image, dtype=int)[0]
    light = pixels[:, :3].sum(axis=1)
    assert pixels.shape == (6, 4)
    assert light[0] < light[1] < light[2] > light[3] > light[4]  # darker away from zero
    assert pixels[0, 0] > pixels[0, 2]  # brown holds more red than blue,
    assert pixels[4, 2] > pixels[4, 0]  # purple more blue than red
    assert list(pixels[:, 3]) == [255] * 5 + [0]


def test_dark_colours_are_for_words_and_rules_only():
    source = charts.build(samples.healthy())[0].source
    svg = base64.b64decode(source.partition(",")[2]).decode()
    sheet = ET.fromstring(svg).find("{http://www.w3.org/2000/svg}style").text
    assert sheet.startswith("@media (prefers-color-scheme:dark){")
    assert set(re.findall(r"#[0-9a-f]{6}", sheet)) == set(style.DARK.values())
