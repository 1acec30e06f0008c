"""Asking a session the questions of a study: feeds, transforms, and answers that are arrays.

A session answers with an `Observation` where it has no answer; here that becomes an exception,
so that a study reads as a sequence of measurements.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from numpy.typing import NDArray

from modelaudit.measures.dihedral import Element, elements
from modelaudit.probe.protocol import Observation
from modelaudit.probe.session import Feed, Outputs, Session, Transform

Array = NDArray[Any]
T = TypeVar("T")

RANK_SEQUENCE, RANK_IMAGE, RANK_VOLUME = 3, 4, 5  # ranks with the batch axis
SMALLEST_IMAGE = 8  # pixels per side from which a plane without channels is taken as an image


class Ended(Exception):
    """The child died or hung: the study is over, and `observation` says how it ended."""

    def __init__(self, observation: Observation) -> None:
        super().__init__(observation.error)
        self.observation = observation


class Unavailable(Exception):
    """One question has no answer for this model; the study goes on."""


@dataclass(frozen=True, slots=True)
class Spatial:
    """Where the spatial axes of an input are. `first` counts the batch axis 0."""

    first: int
    sizes: tuple[int, ...]

    @property
    def elements(self) -> tuple[Element, ...]:
        """The transforms of the input's symmetry group, without the identity."""
        return elements(self.sizes)


def spatial_axes(shape: Sequence[int], *, sequence_layers: bool = False) -> Spatial | None:
    """The spatial axes of an input of this shape (batch first), None where it has none.

    Args:
        shape: with the batch axis.
        sequence_layers: the model slides or recurs over its first axis, so that a plane is a
            sequence of feature vectors rather than an image without a channel axis.
    """
    inner = tuple(shape[1:])
    if len(shape) == RANK_VOLUME:
        return Spatial(1, inner[:3])
    if len(shape) == RANK_IMAGE:
        first = inner[0] in {1, 3} and inner[2] not in {1, 3}
        return Spatial(2, inner[1:]) if first else Spatial(1, inner[:2])
    if len(shape) == RANK_SEQUENCE:
        if min(inner) >= SMALLEST_IMAGE and not sequence_layers:
            return Spatial(1, inner)
        return Spatial(1, inner[:1])
    return None


def as_transform(element: Element, spatial: Spatial, rank: int) -> Transform:
    """A group element on an input of `rank` axes, as the child applies it."""
    axes = list(range(rank))
    first = spatial.first
    axes[first : first + len(element.perm)] = [first + axis for axis in element.perm]
    flip = tuple(first + axis for axis, flipped in enumerate(element.flip) if flipped)
    return Transform(perm=tuple(axes) if axes != sorted(axes) else None, flip=flip)


@dataclass(slots=True)
class Runner:
    """A loaded model with its inputs put.

    Attributes:
        ranks: rank of each input, batch axis included.
        spatial: spatial axes of each input, None for inputs that are not flipped.
    """

    session: Session
    ranks: tuple[int, ...]
    spatial: tuple[Spatial | None, ...]
    batch_size: int = 32
    asked: int = field(default=0)

    def put(self, name: str, arrays: Sequence[Array]) -> None:
        """Keep one array per input under `name`.

        Raises:
            Ended, Unavailable: see `need`.
        """
        self.need(self.session.put({f"{name}.{i}": array for i, array in enumerate(arrays)}) or {})

    def drop(self, name: str) -> None:
        """Forget what was put under `name`."""
        keys = [f"{name}.{i}" for i in range(len(self.ranks))]
        self.need(self.session.put({}, drop=keys) or {})

    def feeds(
        self, name: str, element: Element | None = None, scale: float = 1.0, offset: float = 0.0
    ) -> list[Feed]:
        """The inputs `name`, moved by `element` where they have spatial axes, then rescaled."""
        feeds = []
        for i, (rank, spatial) in enumerate(zip(self.ranks, self.spatial, strict=True)):
            move = as_transform(element, spatial, rank) if element and spatial else Transform()
            if spatial or len(self.ranks) == 1:
                move = Transform(move.perm, move.flip, scale, offset)
            feeds.append(Feed(f"{name}.{i}", move))
        return feeds

    def predict(
        self,
        name: str,
        element: Element | None = None,
        *,
        scale: float = 1.0,
        offset: float = 0.0,
        training: bool | None = False,
        batch_size: int | None = None,
    ) -> Outputs:
        """Outputs for the inputs `name`, transformed.

        Raises:
            Ended, Unavailable: see `need`.
        """
        self.asked += 1
        feeds = self.feeds(name, element, scale, offset)
        size = batch_size or self.batch_size
        return self.need(self.session.predict(feeds, batch_size=size, training=training))

    def activations(
        self,
        name: str,
        routes: Iterable[str],
        element: Element | None = None,
        *,
        into: bool = False,
        statistics: bool = False,
        scale: float = 1.0,
        offset: float = 0.0,
    ) -> Outputs:
        """What flows through layers; see `Session.activations`."""
        self.asked += 1
        return self.need(
            self.session.activations(
                self.feeds(name, element, scale, offset),
                routes,
                batch_size=self.batch_size,
                into=into,
                statistics=statistics,
            )
        )

    def assign(self, values: Mapping[str, Array]) -> None:
        """Overwrite variables of this copy of the model."""
        self.need(self.session.assign(values) or {})

    def restore(self) -> None:
        """Undo every `assign`."""
        self.need(self.session.restore() or {})

    def need(self, answer: T | Observation) -> T:
        """The answer itself.

        Raises:
            Ended: the child is gone.
            Unavailable: the child lives, but has no answer to this.
        """
        if isinstance(answer, Observation):
            if not self.session.alive:
                raise Ended(answer)
            raise Unavailable(f"{answer.error_type}: {answer.error}".strip(": "))
        return answer
