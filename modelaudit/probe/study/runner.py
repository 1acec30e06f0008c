"""Asking a session the questions of a study: feeds, transforms, and answers that are arrays.

A session answers with an `Observation` where it has no answer; here that becomes an exception,
so that a study reads as a sequence of measurements.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from numpy.typing import NDArray

from modelaudit.measures.transforms import DomainTransform, Transform
from modelaudit.probe.host import feed
from modelaudit.probe.host.feed import ActivationRequest
from modelaudit.probe.host.session import Session
from modelaudit.probe.protocol import Observation

Array = NDArray[Any]
T = TypeVar("T")


class StudyEnded(Exception):
    """The child died or hung: the study is over, and `observation` says how it ended."""

    def __init__(self, observation: Observation) -> None:
        super().__init__(observation.error)
        self.observation = observation


class MeasurementUnavailable(Exception):
    """One question has no answer for this model; the study goes on."""


@dataclass(frozen=True, slots=True)
class InputVariant:
    """What is done to the inputs before they are fed: a move by name, then a rescaling."""

    move: str = "e"
    domain: DomainTransform | None = None


AS_GIVEN = InputVariant()


@dataclass(frozen=True, slots=True)
class Runner:
    """A loaded model whose inputs can be put and transformed.

    Attributes:
        moves: for each input the transforms that it has, by name; an input without a transform
            of that name stays as it is (a vector beside an image).
        rescaled: for each input whether a change of the value range is meant for it.
        batch_size: samples a call.
        most: samples that may be in one call at all; None where any number may.
    """

    session: Session
    moves: tuple[Mapping[str, Transform], ...]
    rescaled: tuple[bool, ...]
    batch_size: int = 32
    most: int | None = None

    def put(self, name: str, arrays: Sequence[Array]) -> None:
        """Keep one array per input under `name`."""
        named = {f"{name}.{i}": array for i, array in enumerate(arrays)}
        self._need(self.session.put(named))

    def drop(self, name: str) -> None:
        """Forget what was put under `name`."""
        self._need(self.session.put({}, drop=[f"{name}.{i}" for i in range(len(self.moves))]))

    def _feeds(self, name: str, variant: InputVariant) -> list[feed.Feed]:
        feeds = []
        for i, (moves, rescaled) in enumerate(zip(self.moves, self.rescaled, strict=True)):
            move = moves.get(variant.move)
            domain = variant.domain if rescaled else None
            done = feed.InputTransform(
                perm=move.perm if move else None,
                flip=(*(move.flip if move else ()), *(domain.flip if domain else ())),
                scale=domain.scale if domain else 1.0,
                offset=domain.offset if domain else 0.0,
            )
            feeds.append(feed.Feed(f"{name}.{i}", done))
        return feeds

    def predict(
        self,
        name: str = "x",
        variant: InputVariant = AS_GIVEN,
        *,
        training: bool | None = False,
        batch_size: int | None = None,
        rows: int | None = None,
        traced: bool = True,
    ) -> Mapping[str, Array]:
        """Outputs by name for the inputs `name` (for the first `rows` of them), one row a sample.

        `traced` as in `Session.predict`.

        Raises:
            Ended: the child is gone.
            Unavailable: the model has no answer to this.
        """
        feeds, size = self._feeds(name, variant), batch_size or self.batch_size
        answer = self.session.predict(
            feeds, batch_size=size, training=training, rows=rows, traced=traced
        )
        return self._need(answer) or {}

    def activations(
        self,
        watches: Sequence[ActivationRequest],
        name: str = "x",
        variant: InputVariant = AS_GIVEN,
    ) -> tuple[Mapping[str, Array], ...]:
        """What one pass shows of layers, for each watch; see `Session.activations`.

        Raises:
            Ended: the child is gone.
            Unavailable: inner activations cannot be seen.
        """
        feeds = self._feeds(name, variant)
        answer = self.session.activations(feeds, watches, batch_size=self.batch_size)
        return self._need(answer) or ()

    @contextmanager
    def assigned(self, values: Mapping[str, Array]) -> Iterator[None]:
        """Within, variables of this copy of the model have other values."""
        try:
            self._need(self.session.assign(values))
            yield
        finally:
            if self.session.alive:
                self._need(self.session.restore())

    @contextmanager
    def refitted(self, layers: Mapping[str, tuple[str, str]], name: str) -> Iterator[None]:
        """Within, batch normalisations hold the statistics of the inputs `name`, `most` of them."""
        try:
            self._need(self.session.refit(self._feeds(name, AS_GIVEN), layers, rows=self.most))
            yield
        finally:
            if self.session.alive:
                self._need(self.session.restore())

    def _need(self, answer: T | Observation | None) -> T | None:
        if isinstance(answer, Observation):
            if not self.session.alive:
                raise StudyEnded(answer)
            raise MeasurementUnavailable(answer.failure)
        return answer
