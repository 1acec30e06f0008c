"""A Teachable Machine export: rejected by Keras 3 as predicted, and usable with the advice."""

from __future__ import annotations

import json
import os
import textwrap
from pathlib import Path

import numpy as np
import pytest

from modelaudit.audit_types.loading import LoadOutcome, Status
from modelaudit.pipeline import add_probe, static_facts
from modelaudit.probe.run import local_probe
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.settings import ProbeSettings, Settings
from tests.sharing import told_with_tensorflow

SAMPLES = Path(__file__).resolve().parents[2] / "sample_models"
MODEL = SAMPLES / "teachable_digits" / "keras_model.h5"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def facts() -> Facts:
    settings = Settings(probe=ProbeSettings(samples=8, timeout=120))
    with local_probe(settings) as probe:
        return add_probe(static_facts(MODEL, settings), probe)


def test_keras_3_fails_for_the_reason_that_was_predicted(facts: Facts) -> None:
    here = facts.observations[0]
    assert (here.runtime, here.status) == ("here", Status.FAILED)
    (predicted,) = [each for each in facts.predictions if each.runtime == here.target]
    assert predicted.predicted is LoadOutcome.FAILS
    expected = predicted.because[0].error.removesuffix(".")
    assert f"{here.error_type}: {here.error}".startswith(expected)
    assert "tf-keras" in predicted.because[0].fix


def test_tf_keras_loads_it_as_was_predicted(facts: Facts) -> None:
    legacy = facts.observations[1]
    assert (legacy.runtime, legacy.status) == ("here-legacy", Status.LOADED)
    (predicted,) = [each for each in facts.predictions if each.runtime == legacy.target]
    assert predicted.predicted is LoadOutcome.LOADS
    assert facts.restore is not None
    assert facts.restore.faithful
    assert facts.restore.layers == ()
    assert facts.restore.layers_compared > 20
    assert "tf-keras" in legacy.versions


def test_the_advice_works_as_it_stands(facts: Facts) -> None:
    """The finding's code, unchanged except for the model's path."""
    (finding,) = run_rule(rule("MA211"), facts).findings
    repair, _, other = finding.fix.partition("Or load it with tf-keras")
    assert "    modelaudit repair keras_model.h5 --for tf==" in repair  # as tests/repairs/ does
    code = "\n".join(line for line in other.splitlines() if line.startswith("    "))
    images = SAMPLES / "digits_probe.npz"
    program = textwrap.dedent(code).replace("MODEL", os.fspath(MODEL)) + textwrap.dedent(f"""
        import numpy
        data = numpy.load({os.fspath(images)!r})
        print(model.predict(data["x"], verbose=0).argmax(axis=1).tolist())
    """)
    answers = np.array(told_with_tensorflow("-c", program))
    rows = json.loads((SAMPLES / "manifest.json").read_text())["models"]
    (row,) = [each for each in rows if each["file"] == "teachable_digits/keras_model.h5"]
    share = float((answers == np.load(images)["y"]).mean())
    assert share == pytest.approx(row["accuracy"]["upright"], abs=0.05)
