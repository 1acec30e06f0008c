"""Requests of a study to a session: inputs, transforms, and results as arrays.

A session returns an `Observation` if it has no result. Here this becomes an exception, so that a
study reads as a sequence of measurements.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from msgspec import Struct
from numpy.typing import NDArray

from modelaudit.measures.transforms import Transform
from modelaudit.measures.value_transforms import DomainTransform
from modelaudit.probe.host import feed
from modelaudit.probe.host.feed import ActivationRequest
from modelaudit.probe.host.session import Session
from modelaudit.probe.protocol import Observation

Array = NDArray[Any]
T = TypeVar("T")


class StudyEnded(Exception):
    """The child died or hung, which ends the study; `observation` has the reason."""

    def __init__(self, observation: Observation) -> None:
        super().__init__(observation.error)
        self.observation = observation


class MeasurementUnavailable(Exception):
    """A measurement is not possible for this model; the study continues."""


class InputVariant(Struct, frozen=True):
    """A transform of the inputs by name, followed by a rescaling."""

    move: str = "e"
    domain: DomainTransform | None = None


AS_GIVEN = InputVariant()


class Runner(Struct, frozen=True):
    """A loaded model with stored inputs, which can be transformed.

    Attributes:
        session: session with the model.
        moves: for each input, its transforms by name; inputs without a transform of that name are
            not changed (such as a vector in addition to an image).
        rescaled: for each input, whether value transforms apply to it.
        batch_size: samples per call.
        most: maximum number of samples per call; None for no limit.
    """

    session: Session
    moves: tuple[Mapping[str, Transform], ...]
    rescaled: tuple[bool, ...]
    batch_size: int = 32
    most: int | None = None

    def put(self, name: str, arrays: Sequence[Array]) -> None:
        """Store one array per input under `name`."""
        named = {f"{name}.{i}": array for i, array in enumerate(arrays)}
        self._need(self.session.put(named))

    def drop(self, name: str) -> None:
        """Delete the arrays stored under `name`."""
        self._need(self.session.put({}, drop=[f"{name}.{i}" for i in range(len(self.moves))]))

    def _feeds(self, name: str, variant: InputVariant) -> list[feed.Feed]:
        feeds = []
        for i, (moves, rescaled) in enumerate(zip(self.moves, self.rescaled, strict=True)):
            move = moves.get(variant.move)
            domain = variant.domain if rescaled else None
            done = feed.InputTransform(
                perm=move.perm if move else None,
                flip=(*(move.flip if move else ()), *(domain.flip if domain else ())),
                scale=domain.scale if domain else (1.0,),
                offset=domain.offset if domain else (0.0,),
                channels=domain.channels if domain else -1,
                each=domain is not None and domain.each,
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
        """Outputs by name for the inputs `name` (or the first `rows`), with one row per sample.

        `traced` as in `Session.predict`.

        Raises:
            StudyEnded: the child has ended.
            MeasurementUnavailable: the model cannot be run in this way.
        """
        feeds, size = self._feeds(name, variant), batch_size or self.batch_size
        answer = self.session.predict(
            feeds, batch_size=size, training=training, rows=rows, traced=traced
        )
        return self._need(answer) or {}

    def predict_once(
        self, arrays: Sequence[Array], *, batch_size: int | None = None
    ) -> Mapping[str, Array]:
        """Outputs by name for one array per input, which are stored for this call only.

        Raises as `predict`.
        """
        self.put("once", arrays)
        outputs = self.predict("once", batch_size=batch_size)
        self.drop("once")
        return outputs

    def activations(
        self,
        watches: Sequence[ActivationRequest],
        name: str = "x",
        variant: InputVariant = AS_GIVEN,
    ) -> tuple[Mapping[str, Array], ...]:
        """Activations in one pass, for each watch; see `Session.activations`.

        Raises:
            StudyEnded: the child has ended.
            MeasurementUnavailable: activations cannot be captured.
        """
        feeds = self._feeds(name, variant)
        answer = self.session.activations(feeds, watches, batch_size=self.batch_size)
        return self._need(answer) or ()

    @contextmanager
    def assigned(self, values: Mapping[str, Array]) -> Iterator[None]:
        """Context in which variables of this copy of the model have other values."""
        try:
            self._need(self.session.assign(values))
            yield
        finally:
            if self.session.alive:
                self._need(self.session.restore())

    @contextmanager
    def refitted(self, layers: Mapping[str, tuple[str, str]], name: str) -> Iterator[None]:
        """Context in which batch normalizations have the statistics of at most `most` inputs."""
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
