"""Settings of one model: what path patterns are matched with, and the resulting settings."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from modelaudit.settings import Expectation, Policy, Settings, Waiver

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
