from __future__ import annotations

from modelaudit.registry.across import together


def row(path, sha256="a", keras="3.1.0"):
    return {"path": path, "sha256": sha256, "saved_with": {"keras": keras}}


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


def test_rows_that_say_nothing_say_nothing_together():
    assert together([]) == ()
    assert together([{"path": "a", "sha256": None, "saved_with": None}]) == ()
