"""Regular expressions with exponential time, paths outside, and long texts."""

from __future__ import annotations

import re

import pytest

from modelaudit.rules.security.config.paths import leads_out
from modelaudit.rules.security.config.resource_exhaustion import repeats_a_repeat, repeats_often
from tests.growth import LINEAR, growth
from tests.rules.configs import dense, judged, wrapped


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "(a*)*", "((ab)+c)*", "(a|a)+", "(x{2,}){3,}", "(a?){30}a{30}"],
)
def test_exponential_patterns_are_found(pattern: str) -> None:
    assert repeats_a_repeat(pattern)


@pytest.mark.parametrize(
    ("pattern", "often"), [(".*.*.*.*.*.*=", True), (r".*/enc\*[*]/.*/[0-9]+.*", False)]
)
def test_unbounded_repetitions_are_counted(pattern: str, often: bool) -> None:
    assert repeats_often(pattern) is often


def grows(pattern: str) -> float:
    """The factor by which Python's engine takes longer for a text that nearly matches."""
    match = re.compile(pattern).match
    return growth(lambda n: "a" * n + "!", lambda text: [match(text) for _ in range(1_000)], 3)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a*)*$", "(a|aa)+$"])
def test_found_patterns_take_exponential_time(pattern: str) -> None:
    assert repeats_a_repeat(pattern)
    assert grows(pattern) > LINEAR


@pytest.mark.parametrize("pattern", ["enc/.*", "a+b+", "(ab)+", "[(+)]+", r"\(a+\)+", "a|b"])
def test_other_patterns_pass(pattern: str) -> None:
    assert not repeats_a_repeat(pattern)
    assert grows(pattern) < LINEAR


@pytest.mark.parametrize(
    ("path", "out"),
    [("/x", True), ("C:\\x", True), ("a/../../x", True), ("..\\x", True), ("s3://b/x", True),
     ("a\0b", True), ("file:/x", True), ("~/x", True), ("words.txt", False),
     ("a/b..c", False), ("b:0", False), ("", False)],
)  # fmt: skip
def test_paths_outside(path: str, out: bool) -> None:
    assert bool(leads_out(path)) is out


def test_long_hostile_texts_take_linear_time() -> None:
    def judge(size: int) -> None:
        half = size // 2
        for text in (" " * size + "!", "a" * size + "!", "a." * half, "('" * half):
            judged(wrapped({"class_name": "Lambda", "config": {"function": text}}))
            judged(wrapped(dense(dtype={"class_name": "DTypePolicyMap", "config": {
                "policy_map": {"(*" * half: "x"}}})))  # fmt: skip

    assert growth(int, judge, 10_000) < LINEAR
