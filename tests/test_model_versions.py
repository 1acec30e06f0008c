"""Versions and equal values of models, compared with a search over all pairs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from modelaudit.model_versions import is_version, newer_versions, unique_by_value

NAMES = st.sampled_from(["1", "2", "03", "10", "x", "1x", "٣"])
SPOTS = st.tuples(
    st.sampled_from(["/a", "/b"]),
    st.builds("{}{}".format, st.sampled_from(["", "m/", "n/m/"]), NAMES),
)


def series(spot):
    root, path = spot
    base, _, name = path.rpartition("/")
    return root, base, int(name) if name.isascii() and name.isdecimal() else None


@given(st.sets(SPOTS), st.sets(SPOTS))
def test_a_version_is_older_than_the_highest_beside_it(before, present):
    expected = set()
    for spot in before - present:
        rivals = [other for other in present if series(other)[:2] == series(spot)[:2]]
        numbers = [series(other)[2] for other in rivals if series(other)[2] is not None]
        own = series(spot)[2]
        if own is not None and max(numbers, default=-1) > own:
            expected.add((spot, max(numbers)))
    found = newer_versions(before, present)
    assert {(spot, int(path.rpartition("/")[2])) for spot, path in found.items()} == expected
    assert all((spot[0], path) in present for spot, path in found.items())


@given(st.lists(st.tuples(st.integers(), st.sampled_from(["", "x", "y", "z", None, 3]))))
def test_models_with_unique_values(values):
    told = [value for _, value in values]
    expected = {v: k for k, v in values if isinstance(v, str) and v and told.count(v) == 1}
    assert unique_by_value(values) == expected


def test_versions_are_whole_numbers():
    said = {name: is_version(name) for name in ("1", "007", "", "1.0", "-1", "v1", "٣")}
    assert [name for name, is_one in said.items() if is_one] == ["1", "007"]
