"""Globs of models, and words for rules."""

from __future__ import annotations

import pytest

from modelaudit.settings.selection import Selection, fits


@pytest.mark.parametrize(
    ("path", "pattern", "expected"),
    [
        ("a/b/model.h5", "*.h5", True),
        ("a/b/model.h5", "model.*", True),
        ("a/b/model.h5", "a", True),
        ("a/b/model.h5", "b/", True),
        ("a/b/model.h5", "a/b", True),
        ("a/b/model.h5", "a/*/model.h5", True),
        ("a/b/model.h5", "b/model.h5", False),
        ("a/b/model.h5", "mod", False),
        ("Model.h5", "model.h5", False),
    ],
)
def test_a_glob_fits_a_path_a_directory_in_it_or_a_name(path, pattern, expected):
    assert fits(path, [pattern]) is expected


def test_what_is_excluded_is_not_taken_although_it_is_included():
    chosen = Selection(include=("*.h5",), exclude=("old",))
    assert [chosen.takes(path) for path in ("a.h5", "old/a.h5", "a.keras")] == [True, False, False]
    assert Selection().takes("anything")


@pytest.mark.parametrize(
    ("select", "ignore", "expected"),
    [
        ((), (), True),
        (("MA7",), (), False),
        (("MA2", "MA7"), (), True),
        (("compatibility",), (), True),
        (("load-fails",), (), True),
        (("MA210",), (), True),
        ((), ("MA210",), False),
        ((), ("MA21",), False),
        ((), ("security",), True),
        (("compatibility",), ("load-fails",), False),
    ],
)
def test_a_rule_is_reported(select, ignore, expected):
    chosen = Selection(select=select, ignore=ignore)
    assert chosen.reports("MA210", "load-fails", "compatibility") is expected
