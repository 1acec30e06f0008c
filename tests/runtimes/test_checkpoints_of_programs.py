"""Checkpoints of classes whose code is given: Keras is the oracle, it loads them a second time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.runtimes.model import LoadCall, LoadRequest
from tests.runtimes.fitting_code import if_it_fits
from tests.runtimes.made_programs import (
    DIFFERS,
    LOADS,
    TARGETS,
    made,
    observed,
    predicted,
)

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("name", ["BothWays", "ByTimes"])
def test_checkpoints_of_keras_2_in_keras_3(tmp_path: Path, name: str) -> None:
    """A list of layers is not found there, but each of them by an attribute of its own."""
    tf, keras = pytest.importorskip("tensorflow"), pytest.importorskip("keras")
    saved = made(pytest.importorskip("tf_keras"), name, trained=False)
    prefix = tf.train.Checkpoint(saved).write(str(tmp_path / "c"))
    outcome = observed(
        lambda fresh: tf.train.Checkpoint(fresh).restore(prefix).expect_partial(),
        made(keras, name, trained=False),
        saved,
    )
    assert outcome is (LOADS if name == "BothWays" else DIFFERS)
    request = LoadRequest(LoadCall.RESTORE)
    assert if_it_fits(predicted(Path(prefix), "tf==2.21.0", request)) is outcome


@pytest.mark.parametrize(
    ("name", "outcome"), [("Critic", LOADS), ("ByMethods", DIFFERS), ("ByTimes", DIFFERS)]
)
def test_checkpoints_of_keras_3_in_keras_2(tmp_path: Path, name: str, outcome: LoadOutcome) -> None:
    """What Keras 3 left out is not there for Keras 2, which has its lists in checkpoints."""
    tf, old = pytest.importorskip("tensorflow"), pytest.importorskip("tf_keras")
    saved = made(pytest.importorskip("keras"), name, trained=False)
    prefix = tf.train.Checkpoint(saved).write(str(tmp_path / "c"))
    request = LoadRequest(LoadCall.RESTORE)
    assert if_it_fits(predicted(Path(prefix), TARGETS["tf_keras"], request)) is outcome

    def restore(fresh: Any) -> None:
        tf.train.Checkpoint(fresh).restore(prefix).expect_partial()

    assert observed(restore, made(old, name, trained=False), saved) is outcome


@pytest.mark.parametrize(
    ("name", "trained", "outcome"),
    [
        ("Called", False, LOADS),
        ("Traced", False, DIFFERS),
        ("Holder", False, DIFFERS),
        ("Flat", False, LOADS),
        ("Gated", False, LOADS),
        ("Deep", False, DIFFERS),
        ("Counting", False, DIFFERS),
        ("Added", False, DIFFERS),
        ("LayerNormed", True, LOADS),
        ("BatchNormed", True, DIFFERS),
        ("Attending", True, DIFFERS),
        ("Pairs", True, DIFFERS),
        ("Stacked", True, DIFFERS),
        ("Methodical", True, DIFFERS),
        ("Numbered2", False, LOADS),
        ("ByVars", False, DIFFERS),
        ("ByTimes", False, DIFFERS),
        ("BySum", False, DIFFERS),
        ("ByExtending", False, DIFFERS),
        ("ByItems", False, DIFFERS),
        ("ByMethods", False, DIFFERS),
        ("BothWays", False, LOADS),
        ("TwiceMade", False, LOADS),
    ],
)
def test_checkpoints(tmp_path: Path, name: str, trained: bool, outcome: LoadOutcome) -> None:
    """With the optimizer, Keras 3 also has the weights that it trains, but no statistics."""
    tf, keras = pytest.importorskip("tensorflow"), pytest.importorskip("keras")
    model = made(keras, name, trained)
    prefix = tf.train.Checkpoint(model).write(str(tmp_path / "c"))
    request = LoadRequest(LoadCall.RESTORE, trained=trained)
    assert if_it_fits(predicted(Path(prefix), "tf==2.21.0", request)) is outcome

    def restore(fresh: Any) -> None:
        tf.train.Checkpoint(fresh).restore(prefix)

    assert observed(restore, made(keras, name, trained), model) is outcome
