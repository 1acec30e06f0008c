"""What every threshold decides at its edge.

Each edge is a function of one number with the decisions expected just below, at and just above the
threshold. The numbers are literals, so that a changed threshold fails a test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from modelaudit.diagnosis.case import Case
from modelaudit.diagnosis.model import CauseFound
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Need
from tests.diagnosis.cases import facts, judged


@dataclass(frozen=True)
class Edge:
    """A decision on both sides of a threshold."""

    threshold: str
    decide: Callable[[Any], object]
    expected: Mapping[float, object]


class Edges:
    """The edges of one module of thresholds."""

    def __init__(self) -> None:
        self.all: list[Edge] = []

    def at(self, threshold: str, expected: Mapping[float, object]):
        """Register the decorated function; it maps a number to a decision."""

        def register(decide):
            self.all.append(Edge(threshold, decide, expected))
            return decide

        return register

    def cases(self):
        """One parameter per edge and number."""
        return [
            pytest.param(each, number, id=f"{each.threshold}-{each.decide.__name__}-{number:g}")
            for each in self.all
            for number in each.expected
        ]


def check(edge: Edge, number: float) -> None:
    """The decision at this number is the expected one."""
    assert edge.decide(number) == edge.expected[number]


def case(seen, measured=None) -> Case:
    """A diagnosis of this behaviour, without findings."""
    return Case(facts(seen, measured), ())


def found(step, seen, measured=None) -> bool:
    """Whether a step of the diagnosis finds its cause."""
    return isinstance(step(case(seen, measured)), CauseFound)


def answer(step, seen, measured=None) -> str:
    """The kind of result of a step."""
    return type(step(case(seen, measured))).__name__.removeprefix("Cause").lower()


def outcome(code: str, given) -> str:
    """How a rule ends on these facts."""
    after = Need.DIAGNOSIS in rule(code).needs
    return str((judged(code, given) if after else run_rule(rule(code), given)).outcome)


def severities(code, facts):
    """The severities of a rule's findings."""
    return [finding.severity.value for finding in run_rule(rule(code), facts).findings]
