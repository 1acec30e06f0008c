"""Labelled inputs: one half makes a change to a model, the other one judges it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from modelaudit.audit_types.repair import LabelledEffect
from modelaudit.facts import Artifact
from modelaudit.measures.behaviour.accuracy import class_labels
from modelaudit.measures.behaviour.paired import binomial_tail
from modelaudit.probe.host.feed import Feed, InputTransform
from modelaudit.probe.host.session import Session
from modelaudit.probe.protocol import Observation
from modelaudit.probe.study.feeding import prepare_inputs
from modelaudit.probe.study.inputs import Unprobeable
from modelaudit.repairs.translate.translation import Untranslatable
from modelaudit.settings import Settings

CALIBRATED, JUDGED = "calibrated", "judged"


class LabelledInputs(Struct, frozen=True):
    """Inputs (n, ...), their class indices (n,), and the names that these refer to, if known."""

    x: NDArray[np.generic]
    y: NDArray[np.int64]
    classes: tuple[str, ...] = ()

    def put_halves(self, session: Session) -> None:
        """Store every second input to change the model, and the others to judge it.

        Inputs in the order of their classes are thereby shared out evenly.
        """
        asked(session.put({CALIBRATED: self.x[0::2], JUDGED: self.x[1::2]}))


def labelled_inputs(
    seen: Observation, artifact: Artifact, images: Path, settings: Settings
) -> LabelledInputs:
    """The inputs at a path, as `--probe-data` takes them.

    Raises:
        Untranslatable: they have no class labels, or do not fit the model.
    """
    fed = prepare_inputs(seen, artifact, settings.probe, images)
    if isinstance(fed, Unprobeable):
        raise Untranslatable("", fed.reason)
    labels = None if fed.y is None else class_labels(fed.y)
    if labels is None or len(fed.arrays) != 1:
        raise Untranslatable("", f"{images} has no class labels, or does not fit the model's input")
    return LabelledInputs(fed.arrays[0], labels, fed.classes)


def class_scores(session: Session, name: str) -> NDArray[np.floating]:
    """Scores (n, K) of stored inputs.

    Raises:
        Untranslatable: the model cannot be run, or its output is another one.
    """
    answer = session.predict([Feed(name, InputTransform())])
    asked(answer)
    assert not isinstance(answer, Observation)
    values = next(iter(answer.values())) if len(answer) == 1 else np.zeros(())
    if values.ndim != 2:
        raise Untranslatable("", "it has not one output of class scores")
    return values


def effect_of(
    before: NDArray[np.bool_], after: NDArray[np.bool_], labels: NDArray[np.int64]
) -> LabelledEffect:
    """The effect of a change.

    Args:
        before, after: (n,) whether each judged input gets its class.
        labels: those of all inputs.
    """
    gained, lost = int((after & ~before).sum()), int((before & ~after).sum())
    return LabelledEffect(
        calibrated_on=len(labels) - len(before),
        judged_on=len(before),
        right_before=int(before.sum()),
        right_after=int(after.sum()),
        p_value=binomial_tail(gained, gained + lost),
    )


def asked(answer: object) -> None:
    """Raise if a request to a session failed."""
    if isinstance(answer, Observation):
        raise Untranslatable("", f"it cannot be run: {answer.failure}")
