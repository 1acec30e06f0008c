from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from modelaudit.registry.cross_model import cross_model_facts, new_facts
from modelaudit.structs import replace
from tests import rows as made
from tests.growth import LINEAR, growth


def row(path, sha256="a", keras="3.1.0", weights="", *found):
    return made.row(path, "pass", *found, sha256=sha256, keras=keras, weights=weights)


def test_models_of_the_same_content_are_grouped():
    rows = [row("c"), row("b", "x"), row("a"), row("d", "x"), row("e", "y"), row("f", None),
            row("g", None)]  # fmt: skip
    found = cross_model_facts(rows)
    assert [(each.kind, each.models) for each in found] == [
        ("same-content", ("a", "c")),
        ("same-content", ("b", "d")),
    ]


def test_models_of_several_keras_generations_are_reported():
    rows = [row("a", "1", "3.15.1"), row("b", "2", "2.15.0"), row("c", "3", "3.0.0"),
            row("d", "4", ""), row("e", "5", "nonsense")]  # fmt: skip
    (found,) = cross_model_facts(rows)
    assert (found.kind, found.models) == ("mixed-keras", ("b",))
    assert found.title == "2 saved by Keras 3, 1 by an older Keras"
    assert cross_model_facts(rows[2:]) == ()


def test_equal_weights_in_different_files_are_reported():
    rows = [row("b.h5", "1", weights="w"), row("a.keras", "2", weights="w"),
            row("c", "3", weights="v"), row("d", "3", weights="v"), row("e", None, weights="u"),
            row("f", "4", weights="u"), row("g", "5"), row("h", "6"),
            row("0.h5", "1", weights="w")]  # fmt: skip
    assert [(each.kind, each.models) for each in cross_model_facts(rows)] == [
        ("same-content", ("0.h5", "b.h5")),
        ("same-content", ("c", "d")),  # their weights are equal because their files are
        ("same-weights", ("0.h5", "a.keras")),  # b.h5 is grouped with 0.h5
    ]


def test_versions_with_breaking_changes_are_reported_unless_waived():
    breaks = made.finding(name="breaking-version")
    waived = replace(breaks, waived_by="known")
    rows = [row("a/2", "1", "3.1.0", "", made.finding(name="other"), breaks),
            row("b/2", "2", "3.1.0", "", waived)]  # fmt: skip
    (found,) = cross_model_facts(rows)
    assert (found.kind, found.models) == ("breaking-version", ("a/2",))
    assert found.title == "1 version breaks callers of the previous version"


def test_exports_are_reported_with_their_sources():
    differs = made.finding(name="export-differs")
    waived = replace(differs, waived_by="known")

    def export(path, same, *found, ran=True):
        told = row(path, path, "", "", *found)
        return replace(told, exported_from="a.h5", same_as_source=same, ran_as_source=ran)

    rows = [export("a.tflite", "equal"), export("b.tflite", "different", differs),
            export("c.tflite", "different", waived), export("d.tflite", "could not be told"),
            row("a.h5", "1", ""), export("e.tflite", "equal within quantization"),
            export("f.tflite", "equal", ran=False)]  # fmt: skip
    other, same, still = cross_model_facts(rows)
    assert (other.kind, other.models) == ("export-differs", ("b.tflite",))
    assert (same.kind, same.models) == ("export-agrees", ("a.tflite", "e.tflite"))
    assert (still.kind, still.models) == ("export-agrees", ("f.tflite",))
    assert (other.title, same.title, still.title) == (
        "1 export is not the same model as the source",
        "2 exports are the same model as the source",
        "1 export has the weights of the source; not run",
    )
    assert "b.tflite: different, source a.h5" in other.detail


FILES = {"1": "v", "2": "v", "3": "w", "4": "w", "5": ""}  # file digest -> weights digest
ROWS = st.lists(
    st.builds(
        lambda path, digest, keras: row(path, digest, keras, FILES[digest]),
        st.sampled_from("abcdef"),
        st.sampled_from([*FILES]),
        st.sampled_from(["2.15.0", "3.1.0"]),
    ),
    unique_by=lambda each: each.path,
)


@given(ROWS, ROWS)
def test_only_unknown_groups_are_news(before, after):
    assert new_facts(before, before) == ()
    assert new_facts((), after) == cross_model_facts(after)
    told, kinds = new_facts(before, after), {each.kind for each in cross_model_facts(before)}
    for each in cross_model_facts(after):
        if each.kind == "mixed-keras":
            assert (each in told) is (each.kind not in kinds)
        elif each.kind not in kinds:
            assert each in told


@given(ROWS, st.permutations("abcdefghijkl"), st.sets(st.integers(0, 5)))
def test_new_names_and_removed_models_are_no_news(rows, names, gone):
    """Whichever models are renamed or removed, everything about the others was known."""
    new = dict(zip("abcdef", names, strict=False))
    unlike = {name for name in new.values() if name in new}  # no new name may be an old one
    after = [
        each if new[each.path] in unlike else replace(each, path=new[each.path])
        for index, each in enumerate(rows)
        if index not in gone
    ]
    assert new_facts(rows, after) == ()


def kinds(before, after):
    return [(each.kind, each.models) for each in new_facts(before, after)]


def test_an_added_model_is_news():
    two = [row("a"), row("b")]
    assert kinds(two, [*two, row("c")]) == [("same-content", ("a", "b", "c"))]
    assert kinds(two, [row("b"), row("c"), row("d")]) == [("same-content", ("b", "c", "d"))]
    # c was another model before, so it is not a renamed b.
    assert kinds([*two, row("c", "x")], [row("a"), row("c")]) == [("same-content", ("a", "c"))]


def test_files_that_differ_are_news_but_not_their_copies():
    weights = [row("b", "1", weights="w"), row("c", "2", weights="w")]
    copied = [*weights, row("a", "1", weights="w")]
    assert kinds(weights, copied) == [("same-content", ("a", "b"))]
    assert kinds(copied, weights) == []
    assert kinds(copied, copied[:1] + copied[2:]) == []
    third = row("d", "3", weights="w")
    assert kinds(weights, [*weights, third]) == [("same-weights", ("b", "c", "d"))]
    assert kinds(weights, [weights[0], third]) == []  # c, renamed and saved again


def test_a_renamed_version_still_has_breaking_changes():
    breaks = made.finding(name="breaking-version")
    before = [row("a/2", "1", "3.1.0", "", breaks), row("b/2", "2", "3.1.0", "", breaks)]
    assert kinds(before, [row("c/2", "1", "3.1.0", "", breaks)]) == []
    assert kinds(before, [row("c/2", "3", "3.1.0", "", breaks)]) == [("breaking-version", ("c/2",))]


def test_news_of_many_groups_take_linear_time():
    def grouped(count):
        return [row(f"{n:05}", str(n // 2), weights=str(n // 4)) for n in range(count)]

    def alike(count):
        return [row(f"{n:05}", str(n < count // 2), weights="w") for n in range(count)]

    def moved(rows):
        assert new_facts(rows, rows) == ()
        now = [*rows[1:], row("z", "0", weights="0"), row("zz", "0", weights="0")]
        assert kinds(rows, now) == [("same-content", ("00001", "z", "zz"))]

    def joined(rows):
        now = [*rows, row("z", "z", weights="w")]
        assert [each[0] for each in kinds(rows, now)] == ["same-weights"]

    assert growth(grouped, moved, 1_500) < LINEAR
    assert growth(alike, joined, 1_500) < LINEAR


def test_rows_without_digests_are_not_grouped():
    assert cross_model_facts([]) == ()
    assert cross_model_facts([row("a", None, None)]) == ()


def test_the_same_rows_have_nothing_new():
    """An unchanged night compares each row with itself; one row more is compared with all."""
    rows = [row(f"{name}.h5", sha256="a" * 64) for name in "ab"]
    assert new_facts(rows, [*rows]) == ()
    assert [each.models for each in new_facts(rows[:1], rows)] == [("a.h5", "b.h5")]
