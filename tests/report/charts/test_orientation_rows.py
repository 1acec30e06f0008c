from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
import report_samples as samples
from chart_reading import (
    PLACE,
    PLAIN,
    SHARE,
    bars,
    chart_of,
    dots,
    drawn,
    labelled,
    read_off,
    with_output,
)
from sample_audits import json_of

from modelaudit import schema
from modelaudit.report import charts
from modelaudit.report.charts import style


def test_bars_end_at_their_value_on_the_axis():
    audit = samples.healthy()
    profile = json_of(audit)["behaviour"]["outputs"][0]["orientation"]
    words, paths = drawn(audit, "figure-orientation")
    number = read_off(words, PLAIN)
    assert [number(x) for _, x, _ in bars(words, paths)] == pytest.approx(
        list(profile.values()), abs=0.01
    )


def test_agreement_and_variation_have_separate_axes():
    audit = samples.healthy()
    effects = json_of(audit)["behaviour"]["outputs"][0]["transforms"]
    words, paths = drawn(audit, "figure-flips")
    share, nfv = read_off(words, SHARE), read_off(words, PLAIN)
    found = dots(paths)
    middle = (max(x for t, x, _ in words if "%" in t) + min(x for t, x, _ in words if t == "0")) / 2
    left, right = ([d for d in found if (d[1] < middle) == side] for side in (True, False))
    assert [share(x) / 100 for _, x, _ in left] == pytest.approx(
        [effect["agreement"] for effect in effects], abs=0.01
    )
    assert [nfv(x) for _, x, _ in right] == pytest.approx(
        [effect["nfv"] for effect in effects], abs=0.01
    )
    rows = sorted(y for _, x, y in words if x < 200)
    for row, (y, *_), (beside, *_) in zip(rows, left, right, strict=True):
        assert y == beside
        assert abs(row - y) < 8  # pixels: less than half a row
    lines = re.findall(rf"M{PLACE} {PLACE}L{PLACE} {PLACE}", "".join(paths[style.INK]))
    assert [[share(float(x)) / 100 for x in (a, b)] for a, _, b, _ in lines] == [
        pytest.approx(effect["agreement_ci"], abs=0.01) for effect in effects
    ]
    titles = {text for text, *_ in words}
    assert {"inputs that keep their prediction", "NFV: size of the change"} <= titles


@pytest.mark.parametrize("large", [0.5, 3.0, 20.0])
def test_the_line_at_1_is_at_1(large):
    audit = samples.healthy()
    effects = [dict(e, nfv=large) for e in json_of(audit)["behaviour"]["outputs"][0]["transforms"]]
    words, paths = drawn(with_output(audit, transforms=effects), "figure-flips")
    (line,) = re.findall(rf"M{PLACE} [0-9.]+V", "".join(paths[style.QUIET]))
    middle = max(x for t, x, _ in words if "%" in t)
    number = read_off([word for word in words if word[1] > middle], PLAIN)
    assert number(float(line)) == pytest.approx(1, abs=0.01 * max(large, 1))


@pytest.mark.parametrize(("missing", "left"), [("nfv", SHARE), ("agreement", PLAIN)])
def test_what_was_not_measured_has_no_axes(missing, left):
    audit = samples.healthy()
    effects = [{k: v for k, v in e.items() if not k.startswith(missing)}
               for e in json_of(audit)["behaviour"]["outputs"][0]["transforms"]]  # fmt: skip
    words, paths = drawn(with_output(audit, transforms=effects), "figure-flips")
    assert len(dots(paths)) == len(effects)
    other = SHARE if left == PLAIN else PLAIN
    assert not any(re.fullmatch(other, text) for text, *_ in words)


def test_all_figures_of_orientations_name_and_colour_rows_alike():
    audit = samples.healthy()
    output = json_of(audit)["behaviour"]["outputs"][0]
    audit = with_output(audit, orientation=dict(output["orientation"], V=3.2))
    right = {"e": 0.1, "H": 0.2, "V": 0.9} | dict.fromkeys(("r90", "r180", "r270", "T", "AT"), 0.3)
    told = bars(*drawn(audit, "figure-orientation"))
    alike = bars(*drawn(audit, "figure-answers"))
    correct = bars(*drawn(with_output(audit, accuracy=right), "figure-right"))
    names = [{name for name, *_ in found} for found in (told, alike, correct)]
    assert names[0] == names[1] == names[2]
    assert len(names[0]) == 8
    for found, outstanding in (
        (told, "mirrored up-down"),
        (alike, "transposed (anti-diagonal)"),
        (correct, "mirrored up-down"),
    ):
        colours = {name: colour for name, _, colour in found}
        assert colours.pop("as given") == style.BLUE
        assert colours.pop(outstanding) == style.ORANGE
        assert set(colours.values()) == {style.GREY}


def wilson_interval(count: int):
    """Of a share of 64, by scipy."""
    from scipy import stats  # only here: importing it takes a second

    return stats.binomtest(count, 64).proportion_ci(method="wilson")


@pytest.mark.parametrize(
    ("given", "other", "stands_out"), [(40, 64, True), (60, 64, False), (50, 50, False)]
)
def test_a_row_is_highlighted_only_beyond_the_intervals(given, other, stands_out):
    """By scipy's intervals, 40 and 64 of 64 differ, 60 and 64 do not."""
    ends = [wilson_interval(k) for k in (given, other)]
    assert bool(ends[1].low > ends[0].high) is stands_out
    audit = labelled(e=given / 64, H=other / 64)
    found = bars(*drawn(audit, "figure-right"))
    assert (found[1][2] == style.ORANGE) is stands_out
    chart = chart_of(audit, "figure-right")
    assert ("mirrored left-right" in chart.summary) is stands_out
    assert ("orange" in chart.explanation) is stands_out


def test_accuracies_have_the_intervals_of_their_counts():
    counts = {"e": 63, "H": 12, "V": 0, "r180": 64}
    audit = labelled(**{code: count / 64 for code, count in counts.items()}, **{"/255": 0.5})
    words, paths = drawn(audit, "figure-right")
    number = read_off(words, SHARE)
    found = {name: number(x) / 100 for name, x, _ in bars(words, paths)}
    ends = re.findall(rf"M{PLACE} [0-9.]+L{PLACE} [0-9.]+", "".join(paths[style.INK]))
    for count, share, line in zip(counts.values(), found.values(), ends, strict=True):
        known = wilson_interval(count)
        assert share == pytest.approx(count / 64, abs=0.005)
        assert [number(float(x)) / 100 for x in line] == pytest.approx([*known], abs=0.005)
    table = chart_of(audit, "figure-right").table
    assert [[cell.text for cell in row] for row in table.rows][1] == [
        "mirrored left-right",
        "18.8\N{NO-BREAK SPACE}%",
        "11\N{NO-BREAK SPACE}% to 30\N{NO-BREAK SPACE}%",
    ]


def test_accuracies_are_shown_with_labels_only():
    def anchors(audit):
        return [chart.anchor for chart in charts.build(audit)]

    plain, known = anchors(samples.healthy()), anchors(labelled(e=0.9, H=0.8))
    assert "figure-right" not in plain
    at = plain.index("figure-orientation")
    assert known == [*plain[:at], "figure-right", *plain[at + 1 :]]


@pytest.mark.parametrize("share", [-0.5, 1.5, 1e308])
def test_an_invalid_share_is_not_drawn(share):
    found = charts.build(labelled(e=0.5, H=share))
    assert "figure-right" not in [chart.anchor for chart in found]


def test_a_collapsed_output_is_not_described_as_invariant_or_following():
    collapsed = samples.failing()
    assert json_of(collapsed)["behaviour"]["outputs"][0]["collapse"]["collapsed"]
    assert "figure-flips" not in [chart.anchor for chart in charts.build(collapsed)]
    summary = chart_of(collapsed, "figure-residuals").summary
    assert "are not informative" in summary
    assert "follow" not in summary


@pytest.mark.parametrize(
    ("missing", "said", "unsaid"),
    [
        ("", "left of the NFV axis", ""),
        ("nfv", "at the right", "NFV"),
        ("agreement", "at the left", "interval"),
    ],
)
def test_the_caption_describes_only_the_axes_shown(missing, said, unsaid):
    audit = samples.healthy()
    effects = [{k: v for k, v in e.items() if not (missing and k.startswith(missing))}
               for e in json_of(audit)["behaviour"]["outputs"][0]["transforms"]]  # fmt: skip
    caption = chart_of(with_output(audit, transforms=effects), "figure-flips").explanation
    assert said in caption
    assert not unsaid or unsaid not in caption


def test_figures_have_no_powers_of_ten_but_the_audit_has():
    audit = samples.healthy()
    codes = json_of(audit)["behaviour"]["outputs"][0]["orientation"]
    small = {code: 5.9e-05 * (k + 1) for k, code in enumerate(codes)}
    effects = [dict(e, nfv=1e-7) for e in json_of(audit)["behaviour"]["outputs"][0]["transforms"]]
    audit = with_output(
        audit, orientation=small, transforms=effects, orientation_ci={"e": [1e-9, 5.9e-05]}
    )
    chart = chart_of(audit, "figure-orientation")
    assert "carries hardly any information" in chart.summary
    assert "<\N{NO-BREAK SPACE}0.001" in chart.summary
    rows = [[cell.text for cell in row] for row in chart.table.rows]
    assert rows[0] == ["as given", *["<\N{NO-BREAK SPACE}0.001"] * 2]
    for chart in charts.build(audit):
        cells = [cell.text for row in chart.table.rows for cell in row]
        words = [e.text or "" for e in ET.fromstring(chart.svg).iter()]
        assert not any(re.search(r"\de[-−]\d", text) for text in (*cells, *words, chart.alt))
    assert "5.9e-05" in schema.dumps(audit)
