"""What stands in an audit must not depend on the run that made it."""

from __future__ import annotations

from dataclasses import replace

from modelaudit.probe.protocol import Observation, Status
from modelaudit.sections import observation_sections


def test_observations_of_two_runs_are_equal_whatever_they_cost() -> None:
    seen = Observation("here", "load_model", Status.LOADED, seconds=1.0, peak_memory=100)
    dearer = replace(seen, seconds=9.0, peak_memory=900)
    assert observation_sections((seen,)) == observation_sections((dearer,))


def test_observations_that_differ_in_what_was_seen_differ() -> None:
    seen = Observation("here", "load_model", Status.LOADED)
    failed = replace(seen, status=Status.FAILED, error="no such class")
    assert observation_sections((seen,)) != observation_sections((failed,))
