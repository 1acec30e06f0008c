"""The fit of the odds: against Bayes' rule on made cases, and the shipped file from its table."""

from __future__ import annotations

import math

import pytest

from benchmarks.population import estimate as fitting
from modelaudit.odds.posterior import posterior
from modelaudit.odds.table import shipped_table

pytestmark = pytest.mark.slow


def cases(causes: tuple[str, ...], count: int, share: float):
    """Cases of which a share has a severe finding about the file."""
    families = dict.fromkeys(("body", "data", "task", "saver"), "one")
    return [
        fitting.Row(
            i,
            False,
            families,
            "made",
            causes,
            "labelled",
            {"damage": 3.0 * (i < share * count)},
        )
        for i in range(count)
    ]


def test_a_single_statistic_gets_the_ratio_of_its_frequencies():
    """90 % of the damaged files have such a finding, and 2 % of all others."""
    rows = [
        row
        for causes in fitting.hypotheses()
        for row in cases(causes or ("sound",), 50, 0.9 if causes == ("damaged",) else 0.02)
    ]
    made = fitting.fit(rows, ridge=1e-3)
    found = posterior({"damage": 3.0}, made)
    odds = found.alone["damaged"] / found.sound
    assert math.log(odds) == pytest.approx(math.log(0.0375 / 0.5 * 0.9 / 0.02), abs=0.2)


def test_the_shipped_file_is_what_its_table_gives():
    rows = fitting.usable(fitting.read(fitting.TABLE))
    made = fitting.fit(rows)
    assert (made.sound, made.causes) == (shipped_table().sound, shipped_table().causes)
    assert (len(rows), len({row.net for row in rows})) == (
        shipped_table().cases,
        shipped_table().networks,
    )


def test_no_case_of_the_first_look_is_fitted():
    from benchmarks.population import nets

    used = {row.net for row in fitting.usable(fitting.read(fitting.TABLE))}
    assert not [number for number in used if nets.net(number).apart]
