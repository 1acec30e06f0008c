"""Settings of one model: what path patterns are matched with, and the resulting settings."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from modelaudit.settings import (
    Expectation,
    Policy,
    ProbeSettings,
    Settings,
    Waiver,
    declared_task,
)
from modelaudit.structs import replace

PLACE = PurePosixPath("/models/reg/vision/a.keras")


@pytest.mark.parametrize(
    ("base", "passed", "pattern", "fits"),
    [
        ("", "vision/a.keras", "vision/*", True),
        ("", "a.keras", "vision/*", False),
        ("/models/reg", "a.keras", "vision/*", True),
        ("/models", "a.keras", "vision/*", False),
        ("/models", "a.keras", "reg/vision/*", True),
        ("/models", "vision/a.keras", "vision/*", True),
        ("/elsewhere", "a.keras", "*/a.keras", False),
        ("/models/re", "a.keras", "*vision*", False),
    ],
)
def test_a_pattern_is_of_the_path_passed_or_of_the_settings_file(base, passed, pattern, fits):
    settings = Settings(
        base=base,
        waivers=(Waiver("", "r", path=pattern),),
        expectations=(Expectation("odd", path=pattern),),
        policies=(Policy(pattern, targets=("tf==2.16",)),),
    )
    mine = settings.for_model(passed, PLACE)
    assert bool(mine.waivers) == bool(mine.expectations) == bool(mine.targets) == fits
    assert mine.for_model(passed, PLACE) == mine


def test_a_name_that_is_not_utf_8_is_matched_as_shown_in_the_audit():
    settings = Settings(base="/reg")
    place = PurePosixPath("/reg/v\udcff.h5")
    assert settings.names("x", place) == ("x", "v\\xff.h5")


def test_tasks_are_declared_by_model_and_output_and_an_option_overrides_them():
    of_file = (Expectation(path="scores/*", task="regression"), Expectation("odd", task="map"))
    settings = Settings(expectations=of_file)
    place = PurePosixPath("/models/scores/a.keras")
    mine = settings.for_model("scores/a.keras", place)
    assert declared_task(mine.probe.tasks, "head") == "map"  # the last one
    other = replace(settings, expectations=of_file[:1])
    assert declared_task(other.for_model("scores/a.keras", place).probe.tasks, "x") == "regression"
    elsewhere = other.for_model("b.keras", PurePosixPath("/models/b.keras"))
    assert declared_task(elsewhere.probe.tasks, "x") is None
    asked = replace(other, probe=ProbeSettings(tasks=(("*", "classes"),)))
    again = asked.for_model("scores/a.keras", place).for_model("scores/a.keras", place)
    assert declared_task(again.probe.tasks, "x") == "classes"
    with pytest.raises(ValueError, match="action must be"):
        Expectation()
    assert not Expectation(task="map").covers("x", "H")
