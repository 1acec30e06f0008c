"""Text of programs and files without control sequences for terminals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.facts import Problem, ProblemKind
from modelaudit.findings import Severity
from modelaudit.probe.host.validation import error_text
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.rules.engine import judge, run_rules
from modelaudit.rules.examples import layer, model
from modelaudit.rules.model import Facts
from modelaudit.terminal_text import elided, first_of, plain

# As Keras 3 writes the errors of layers.
KERAS = "Exception encountered when calling Dense.call().\n\n\x1b[1mInvalid input\x1b[0m"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (KERAS, "Exception encountered when calling Dense.call().\n\nInvalid input"),
        ("a\x1b[38;5;196mb\x1b[Kc", "abc"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x07", "link"),
        ("\x1b]0;title", ""),
        ("\x9b1mbold", "bold"),
        ("\x1bPdata\x1b\\x\x1bcy", "xy"),
        ("10%\r100%\r\ndone", "10%\n100%\ndone"),
        ("nul\x00 bell\x07 \x85", "nul\\x00 bell\\x07 \\x85"),
        ("tab\tline\n[1m] é 日本 \u200d", "tab\tline\n[1m] é 日本 \u200d"),
    ],
)
def test_control_sequences_are_removed(text: str, expected: str) -> None:
    assert plain(text) == expected
    assert error_text(text) == expected.strip()


@given(st.text(alphabet=st.sampled_from("\x1b[]0;1mK\x07\x9b\\P\n a\x00")))
def test_no_control_character_remains(text: str) -> None:
    assert not {c for c in plain(text) if ord(c) < 32 or 127 <= ord(c) < 160} - {"\n", "\t"}


@pytest.mark.parametrize("kind", [*ProblemKind])
def test_a_file_s_text_reaches_no_result_with_control_sequences(kind: ProblemKind) -> None:
    problem = Problem(kind, "x\x1b[2J.keras", "has \x1b[1ma name\x1b[0m", "a\x1b[1m")
    facts = Facts(model(layer(name="d\x1b[1mense"), problems=(problem,)))
    results = run_rules(CATALOGUE, facts)
    told = [each.reason for each in results]
    told += [text for r in results for f in r.findings for text in (f.title, f.detail, f.fix)]
    told.append(judge(results, facts, Severity.HIGH)[1])
    assert not [text for text in told if "\x1b" in text]


@pytest.mark.parametrize(
    ("items", "separator", "expected"),
    [
        ("", ", ", ""),
        ("ab", ", ", "a, b"),
        ("abc", ", ", "a, b and 1 more"),
        ("abcd", "; ", "a; b; and 2 more"),
        ("a" * 1234, ", ", "a, a and 1,232 more"),
    ],
)
def test_what_is_not_listed_is_counted(items: str, separator: str, expected: str) -> None:
    assert first_of(items, 2, separator) == expected


@pytest.mark.parametrize(
    ("line", "width", "shown"),
    [
        ("      it fails for two", 20, "      it fails for …"),
        ("      it fails for two", 22, "      it fails for …"),
        ("      it fails for two", 24, "      it fails for two …"),
        ("      incomprehensibly", 12, "      incom…"),
    ],
)
def test_what_was_cut_ends_after_a_whole_word(line, width, shown):
    assert elided(line, width) == shown
