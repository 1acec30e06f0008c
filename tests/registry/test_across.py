from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from modelaudit.registry.across import Together, news, together


def row(path, sha256="a", keras="3.1.0", weights="", *found):
    said = {"path": path, "sha256": sha256, "saved_with": {"keras": keras}, "weights": weights}
    return said | {"findings": [*found]}


def test_models_of_the_same_content_are_told_together():
    rows = [row("c"), row("b", "x"), row("a"), row("d", "x"), row("e", "y"), row("f", None),
            row("g", None)]  # fmt: skip
    found = together(rows)
    assert [(each.kind, each.models) for each in found] == [
        ("same-content", ("a", "c")),
        ("same-content", ("b", "d")),
    ]


def test_generations_of_keras_side_by_side_are_told():
    rows = [row("a", "1", "3.15.1"), row("b", "2", "2.15.0"), row("c", "3", "3.0.0"),
            row("d", "4", ""), row("e", "5", "nonsense")]  # fmt: skip
    (found,) = together(rows)
    assert (found.kind, found.models) == ("mixed-keras", ("b",))
    assert found.title == "2 saved by Keras 3 and 1 by an older Keras"
    assert together(rows[2:]) == ()


def test_the_same_weights_in_other_files_are_told():
    rows = [row("b.h5", "1", weights="w"), row("a.keras", "2", weights="w"),
            row("c", "3", weights="v"), row("d", "3", weights="v"), row("e", None, weights="u"),
            row("f", "4", weights="u"), row("g", "5"), row("h", "6")]  # fmt: skip
    assert [(each.kind, each.models) for each in together(rows)] == [
        ("same-content", ("c", "d")),  # whose weights are the same with everything else
        ("same-weights", ("a.keras", "b.h5")),
    ]


def test_versions_that_break_their_callers_are_told_unless_waived():
    breaks = {"name": "breaking-version", "waived_by": None}
    rows = [row("a/2", "1", "3.1.0", "", {"name": "other"}, breaks),
            row("b/2", "2", "3.1.0", "", breaks | {"waived_by": "known"})]  # fmt: skip
    (found,) = together(rows)
    assert (found.kind, found.models) == ("breaking-version", ("a/2",))
    assert found.title == "1 version breaks callers of the version before"


ROWS = st.lists(
    st.builds(row, st.sampled_from("abcdef"), st.sampled_from("123"),
              st.sampled_from(["2.15.0", "3.1.0"]), st.sampled_from(["", "v", "w"])),
    unique_by=lambda each: each["path"],
)  # fmt: skip


@given(ROWS, ROWS)
def test_news_is_what_was_not_known(before, after):
    old, new = together(before), together(after)
    assert news(old, old) == ()
    assert news((), new) == new
    told = news(old, new)
    for each in new:
        known = [other for other in old if other.kind == each.kind]
        if each.kind == "mixed-keras":
            assert (each in told) is not bool(known)
        else:
            assert (each in told) is not any(set(each.models) <= set(k.models) for k in known)


def test_news_of_many_groups_takes_no_time():
    """20,000 groups in each of two nights: by pairs that would be 400 million comparisons."""
    found = together([row(f"{n:05}", str(n // 2)) for n in range(40_000)])
    changed = (*found[1:], Together("same-content", "", "", ("00000", "00002")))
    began = time.process_time()
    assert news(found, found) == ()
    assert news(found, changed) == changed[-1:]
    assert time.process_time() - began < 10


def test_rows_that_say_nothing_say_nothing_together():
    assert together([]) == ()
    assert together([{"path": "a", "sha256": None, "saved_with": None}]) == ()
