"""The trend over runs: the drawing and the text match the numbers."""

from __future__ import annotations

import re

import pytest
import report_samples as samples
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.report.pages.index import RunSummary, render_index
from modelaudit.report.pages.verdict_trend import HEIGHT, trend
from modelaudit.report.wording import vocabulary

VERDICTS = ("fail", "incomplete", "warn", "pass")
COUNTS = st.fixed_dictionaries({}, optional={verdict: st.integers(0, 5000) for verdict in VERDICTS})
RUNS = st.lists(st.tuples(st.just("2026-03-01T02:00:00Z"), COUNTS), max_size=14)


@given(RUNS)
def test_columns_and_text_match_the_last_ten_runs(runs):
    shown = [counts for _, counts in runs[-10:]]
    most = max((sum(counts.values()) for counts in shown), default=0)
    found = trend(runs)
    if len(shown) < 2 or not most:
        assert found is None
        return
    said = {}
    for line in found.lines:
        word, told = re.fullmatch(r"([a-z ]+?) ((?:always )?[0-9].*)", line).groups()
        verdict = next(v for v in VERDICTS if vocabulary.mark(v).word.lower() == word)
        numbers = (
            [told.removeprefix("always ")] * len(shown) if "always" in told else told.split(" → ")
        )
        said[verdict] = [int(number.replace(",", "")) for number in numbers]
    for verdict in VERDICTS:
        numbers = [counts.get(verdict, 0) for counts in shown]
        assert said.get(verdict, [0] * len(shown)) == numbers
    columns = sorted({part.x for part in found.parts})
    drawn = [sum(part.height for part in found.parts if part.x == x) for x in columns]
    expected = [sum(counts.values()) * HEIGHT / most for counts in shown]
    assert drawn == pytest.approx([height for height in expected if height], abs=0.03)
    assert all(-0.01 <= part.y <= HEIGHT - part.height + 0.02 for part in found.parts)


def test_the_index_draws_it():
    runs = tuple((samples.CREATED, {"fail": count, "pass": 4 - count}) for count in (3, 2, 2))
    page = render_index([], RunSummary("/srv", samples.CREATED, "tool", trend=runs), samples.RULES)
    assert "Last 3 runs: fail 3 → 2 → 2, pass 1 → 2 → 2" in page
    drawn = re.findall(r'"is-fail" x="([0-9]+)" y="0.0" width="14" height="([^"]+)"', page)
    assert drawn == [("0", "30.0"), ("18", "20.0"), ("36", "20.0")]
    once = render_index(
        [], RunSummary("/srv", samples.CREATED, "tool", trend=runs[:1]), samples.RULES
    )
    assert 'class="trend"' not in once
