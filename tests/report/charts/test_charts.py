from __future__ import annotations

import base64
import io
import itertools
import math
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import report_samples as samples
from chart_reading import PLACE, PLAIN, chart_of, drawn, read, read_off
from hypothesis import example, given
from hypothesis import strategies as st
from matplotlib import colormaps
from matplotlib.ticker import MaxNLocator
from PIL import Image
from sample_audits import changed, json_of

from modelaudit.report import charts
from modelaudit.report.charts import style
from modelaudit.report.charts.kernels import heatmap
from modelaudit.report.charts.scales import Scale, every, powers_of_two, round_numbers
from modelaudit.report.wording import number_format

NUMBER = st.floats(-1e6, 1e6)


@given(NUMBER, st.floats(1e-3, 1e6), st.integers(5, 12))
@example(1.1, 0.001, 5)
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


@given(NUMBER, st.floats(1e-3, 1e6), st.integers(5, 12))
def test_round_numbers_are_those_of_matplotlib(low, span, most):
    slack = max(1e-9 * span, 4 * math.ulp(max(abs(low), abs(low + span))))
    ends = low - slack, low + span + slack
    theirs = MaxNLocator(most - 1, steps=[1, 2, 5, 10]).tick_values(*ends)
    wanted = [tick for tick in theirs if ends[0] <= tick <= ends[1]]
    assert round_numbers(low, low + span, most) == pytest.approx(wanted, abs=slack)


@pytest.mark.parametrize("ends", [(0, 0), (1, 0), (0, math.inf), (0, 1e308), (-math.inf, 0)])
def test_a_range_without_length_or_end_has_no_numbers(ends):
    assert round_numbers(*ends) == []


@given(NUMBER, NUMBER, st.floats(allow_nan=False), st.booleans())
def test_everything_is_inside_the_drawing(low, high, value, log):
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


def test_a_residual_is_described_in_words():
    def said(value):
        base = samples.healthy()
        last = {"route": "head", "transform": "H", "identity": value, "permutation": 99.0}
        found = dict(
            json_of(base)["behaviour"], residuals=[*json_of(base)["behaviour"]["residuals"], last]
        )
        chart = chart_of(changed(base, behaviour=found), "figure-residuals")
        assert "residual" not in chart.summary
        assert "residual" in chart.explanation
        return chart.summary

    assert "head, is not equivariant" in said(33.88)
    assert "34 times as much as another input" in said(33.88)
    assert "head, is partly equivariant" in said(0.44)
    assert "44\N{NO-BREAK SPACE}% as much as another input" in said(0.44)
    assert "head, is equivariant:" in said(0.0054)


FIELD = {"minimum": [1, 1], "jump": [1, 1], "output_size": [1, 1]}


def deep(count, limit):
    """An audit of a network of `count` layers, whose receptive field grows by two pixels each."""
    fields = [
        {**FIELD, "route": f"stage/conv_{i}", "maximum": [2 * i + 3, 2]} for i in range(count)
    ]
    profile = {"fields": fields, "input_size": [limit, limit], "head": "gap"}
    return changed(samples.healthy(), architecture={"profile": profile})


@pytest.mark.parametrize("count", [3, 6, 12, 13, 25, 400])
def test_layers_are_labelled_next_to_their_receptive_field(count):
    words, paths = drawn(deep(count, 224), "figure-receptive-field")
    number = read_off(words, PLAIN, math.log2)
    ends = sorted(
        (float(y), float(x))
        for y, x in re.findall(rf"M[0-9.]+ {PLACE}H{PLACE}", *paths[style.BLUE])
    )
    assert [2 ** number(x) for _, x in ends] == pytest.approx(
        [2 * i + 3 for i in range(count)], rel=0.02
    )
    names = [(int(t.removeprefix("stage/conv_")), y) for t, _, y in words if t.startswith("stage")]
    assert names[-1][0] == count - 1
    assert min(count, 6) <= len(names) <= 12
    places = [y for _, y in names]
    assert min(np.diff(places)) >= 12  # pixels; the text is 10.67 high
    for layer, place in names:
        assert abs(ends[layer][0] + 0.36 * 10.67 - place) < 0.2
    (line,) = re.findall(rf"M{PLACE} [0-9.]+V", "".join(paths[style.QUIET]))
    assert 2 ** number(float(line)) == pytest.approx(224, rel=0.02)


@pytest.mark.parametrize("skipped", [{}, {"receptive_field": "1 layer is not followed"}])
def test_layers_that_are_not_followed_may_see_the_whole_image(skipped):
    audit = changed(deep(6, 224), symmetry={"skipped": skipped})
    chart = chart_of(audit, "figure-receptive-field")
    assert ("no layer sees the whole" in chart.summary) is not skipped


def phones(audit):
    return [chart.phone for chart in charts.build(audit)]


def test_a_phone_gets_every_chart_in_its_width_and_in_letters_of_one_size():
    audit = samples.healthy()
    for chart in charts.build(audit):
        wide, narrow = ET.fromstring(chart.svg), ET.fromstring(chart.phone.svg)
        assert float(narrow.get("width")) <= 360
        assert narrow.get("font-size") == wide.get("font-size")
        said = [
            " ".join(e.text for e in root.iter("{http://www.w3.org/2000/svg}text") if e.text)
            for root in (wide, narrow)
        ]
        assert set(said[0].split()) <= set(said[1].split())
        assert chart.phone.alt == chart.alt


def test_names_of_rows_are_above_them_on_a_phone():
    audit = samples.healthy()
    (chart,) = (c.phone for c in charts.build(audit) if c.anchor == "figure-orientation")
    words, paths = read(chart)
    number = read_off(words, PLAIN)
    rows = {y: t for t, x, y in words if x == 2}
    ends = sorted(
        (float(y), float(x))
        for colour in (style.BLUE, style.ORANGE, style.GREY)
        for path in paths.get(colour, [])
        for y, x in re.findall(rf"M[0-9.]+ {PLACE}H{PLACE}", path)
    )
    profile = json_of(audit)["behaviour"]["outputs"][0]["orientation"]
    assert [number(x) for _, x in ends] == pytest.approx(list(profile.values()), abs=0.03)
    for (bar, _), row in zip(ends, sorted(rows), strict=True):
        assert 8 <= bar - row <= 14


def test_panels_are_stacked_on_a_phone():
    (chart,) = (c.phone for c in charts.build(samples.healthy()) if c.anchor == "figure-flips")
    words, _ = read(chart)
    titles = {t: y for t, _, y in words}
    assert titles["NFV: size of the change"] > titles["inputs that keep their prediction"] + 100
    assert [t for t, *_ in words].count("mirrored left-right") == 2


def test_labels_of_an_axis_do_not_overlap():
    for chart in (*charts.build(samples.large()), *phones(samples.large())):
        root = ET.fromstring(chart.svg)
        rows = {}
        for e in root.iter("{http://www.w3.org/2000/svg}text"):
            if e.get("text-anchor") == "middle":
                rows.setdefault(e.get("y"), []).append((float(e.get("x")), len(e.text)))
        for found in rows.values():
            for (x, length), (other, others) in itertools.pairwise(sorted(found)):
                assert other - x > 0.61 * 10.67 * (length + others) / 2


@given(st.integers(1, 2000), st.integers(1, 30))
def test_a_selection_of_many_is_even_and_ends_with_the_last(count, most):
    chosen = list(every(count, most))
    assert 1 <= len(chosen) <= most
    assert chosen[-1] == count - 1
    assert chosen[0] >= 0
    assert len(set(np.diff(chosen))) <= 1
    assert len(chosen) == count or count > most


@given(st.floats(-1e300, 1e300))
def test_tiny_values_are_shown_as_such(value):
    said = number_format.number(value)
    if 0 < abs(value) < 0.001:
        assert said in ("<\N{NO-BREAK SPACE}0.001", ">\N{NO-BREAK SPACE}−0.001")
        assert said.startswith("<") is (value > 0)
    else:
        read = float(said.replace(",", "").replace("−", "-"))
        assert read == pytest.approx(value, rel=0.005)


def test_extreme_numbers_do_not_break_charts():
    base = samples.healthy()
    for wild in (1e308, -1e308, 5e-324, 0.0):
        output = dict(json_of(base)["behaviour"]["outputs"][0])
        some = {"nfv": wild, "agreement": min(abs(wild), 1.0)}
        output["transforms"] = [e | some for e in output["transforms"]]
        output["orientation"] = dict.fromkeys(output["orientation"], wild)
        output["accuracy"] = dict.fromkeys(output["orientation"], min(abs(wild), 0.5))
        layers = [
            dict(layer, score={"H": wild, "V": wild})
            for layer in json_of(base)["symmetry"]["layers"]
        ]
        wide = min(int(abs(wild)), 10**298)
        fields = [{**FIELD, "route": f"l{i}", "maximum": [wide * i]} for i in range(1, 5)]
        audit = changed(
            base,
            behaviour=dict(json_of(base)["behaviour"], outputs=[output]),
            symmetry=dict(json_of(base)["symmetry"], layers=layers),
            architecture={"profile": {"fields": fields, "input_size": [wide]}},
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
    image = Image.open(io.BytesIO(heatmap(np.array([[-1, -0.5, 0, 0.5, 1, np.nan]]))))
    pixels = np.asarray(image, dtype=int)[0]
    light = pixels[:, :3].sum(axis=1)
    assert pixels.shape == (6, 4)
    assert light[0] < light[1] < light[2] > light[3] > light[4]  # darker away from zero
    assert pixels[0, 0] > pixels[0, 2]  # brown holds more red than blue,
    assert pixels[4, 2] > pixels[4, 0]  # purple more blue than red
    assert list(pixels[:, 3]) == [255] * 5 + [0]


def test_a_heat_map_has_the_colours_of_matplotlib():
    values = np.linspace(-1, 1, 501)[None]
    image = np.asarray(Image.open(io.BytesIO(heatmap(values))), dtype=int)
    theirs = colormaps["PuOr"]((values + 1) / 2, bytes=True)
    assert np.abs(image - theirs).max() <= 3  # it rounds to one of 256 colours


def test_dark_colours_are_used_for_text_and_lines_only():
    source = charts.build(samples.healthy())[0].source
    svg = base64.b64decode(source.partition(",")[2]).decode()
    sheet = ET.fromstring(svg).find("{http://www.w3.org/2000/svg}style").text
    assert sheet.startswith("@media (prefers-color-scheme:dark){")
    assert set(re.findall(r"#[0-9a-f]{6}", sheet)) == set(style.DARK.values())


def test_every_chart_is_built():
    """Every function that draws a chart of an audit is used in `charts.build`."""
    drawing = {
        f"{path.stem}.{name}"
        for path in Path(charts.__file__).parent.glob("*.py")
        for name in re.findall(r"^def ([a-z]\w*)\(.*-> Chart \| None:", path.read_text(), re.M)
    }
    assert len(drawing) >= 8
    listed = Path(charts.__file__).read_text()
    assert [name for name in sorted(drawing) if name not in listed] == []
