"""Decisions about repeated runs of a model, at the edges of `modelaudit.thresholds.answers`."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.facts import Architecture, Layer
from modelaudit.probe.study.determinism import run_repeatedly
from modelaudit.structs import replace
from tests.probe.fake_session import artifact_of
from tests.thresholds.edges import Edges, check

EDGES = Edges()
at = EDGES.at


class Runs:
    """A model with outputs from 0 to 1, the first changed in some kinds of calls."""

    batch_size = 32

    def __init__(self, **changed):
        self.changed, self.calls = changed, 0

    def predict(self, name="x", batch_size=None, rows=None, training=False, traced=True):
        self.calls += 1
        kind = "again" if self.calls == 2 else "given"
        if batch_size:
            kind = "other"
        elif training is None:
            kind = "plain" if self.calls == 4 or not traced else "twice"
        elif not traced:
            kind = "called"
        values = np.array([[0.0], [1.0]])
        values[0] += self.changed.get(kind, 0.0)
        return {"y": values}


def repeated(flag=None, **changed):
    layer = Layer("layer", "layer", "Dropout", call_kwargs=({"training": flag},))
    architecture = Architecture("Functional", "m", "keras3", (layer,), ("layer",), ("layer",))
    artifact = replace(artifact_of(np.ones((4, 2)), np.zeros(2)), architecture=architecture)
    return run_repeatedly(Runs(**changed), artifact)


@at("answers.ROUNDING", {0.99e-4: True, 1e-4: True, 1.01e-4: False})
def deterministic(difference):
    return repeated(again=difference).deterministic


@at("answers.ROUNDING", {1e-4: False, 1.01e-4: True})
def drawn_again(difference):
    assert repeated(other=difference).repeat_differs is False
    return repeated(again=difference).repeat_differs


@at("answers.OTHER_INPUTS", {0.99e-2: True, 1e-2: True, 1.01e-2: False})
def independent_of_the_batch(difference):
    return repeated(other=difference).deterministic


@at("answers.ROUNDING", {1e-4: False, 1.01e-4: True})
def training_flag_matters(difference):
    return repeated(plain=difference, twice=difference).training_flag_matters


@at("answers.ROUNDING", {1e-4: False, 1.01e-4: True})
def training_flag_matters_more_than_the_call(difference):
    return repeated(plain=0.5 + difference, called=0.5).training_flag_matters


@at("answers.ROUNDING", {1e-4: True, 1.01e-4: False})
def deterministic_with_a_saved_flag(difference):
    return repeated(flag=True, twice=difference).deterministic


@pytest.mark.parametrize(("edge", "number"), EDGES.cases())
def test_decision(edge, number):
    check(edge, number)
