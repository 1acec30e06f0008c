"""The table of bounds of versions: each is used, and lies between two versions with a profile."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import modelaudit
from modelaudit.runtimes import version_bounds
from modelaudit.runtimes.catalogue import shipped_profiles
from modelaudit.runtimes.version_bounds import VersionBound

BOUNDS = {k: v for k, v in vars(version_bounds).items() if isinstance(v, VersionBound)}
PACKAGE = Path(modelaudit.__file__).parent / "runtimes"


def test_each_bound_is_used():
    used: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        if path.name != "version_bounds.py":
            tree = ast.walk(ast.parse(path.read_text()))
            used |= {each.id for each in tree if isinstance(each, ast.Name)}
    assert BOUNDS.keys() - used == set()


@pytest.mark.parametrize("bound", BOUNDS.values(), ids=BOUNDS)
def test_each_bound_lies_between_two_profiles(bound):
    versions = {
        version
        for profile in (entry.read() for entry in shipped_profiles())
        for version in [profile.keras if bound.library == "keras" else profile.tensorflow]
    }
    assert {bound.covers(version) for version in versions} == {True, False}
    assert bound.what


def test_a_bound_with_an_end():
    bound = VersionBound("keras", (2, 5), "does it", end=(2, 12))
    found = [bound.covers(x) for x in ((2, 4), (2, 5), (2, 11, 1), (2, 12), (3,))]
    assert found == [False, True, True, False, False]
