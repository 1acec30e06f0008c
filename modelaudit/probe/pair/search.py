"""Which form of the inputs makes an export answer as its source does to the inputs as they are.

All orientations, value ranges, orders of channels and normalizations are tried on a few inputs:
first one change at a time, then all of them together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from msgspec import Struct

from modelaudit.measures.behaviour.output_forms import (
    OutputForm,
    in_form,
    output_forms,
    reordered,
)
from modelaudit.measures.value_transforms import DomainTransform, changes
from modelaudit.probe.study.combinations import variant_name
from modelaudit.probe.study.runner import AS_GIVEN, Array, InputVariant
from modelaudit.thresholds.restoration import EXPORT_FLOAT, EXPORT_GAIN

MOST_ORDERED = 64  # classes up to which orders are tried for every form of the inputs
ALIKE = 1.25  # errors up to this factor apart are alike, and the simplest form of them counts

Ask = Callable[[InputVariant], Array | None]  # the export's output (n, k); None if it fails


class PairForm(Struct, frozen=True):
    """A form of the inputs, with the form of the outputs that fits best.

    Attributes:
        variant: the form of the export's inputs.
        output: the form of its outputs.
        error: `OutputForm.error`.
    """

    variant: InputVariant
    output: OutputForm
    error: float

    @property
    def complexity(self) -> int:
        """How many things differ from inputs and outputs as they are."""
        name = variant_name(self.variant)
        ordered = 0 if self.output.order is None else 2
        return (changes(name) if name else 0) + bool(self.output.name) + ordered


class FormSearch:
    """A search for the form of inputs and outputs in which an export is its source.

    Args:
        wanted: the source's output (n, k) for the inputs as they are.
        ask: runs the export on a form of them.
        moves: names of the spatial transforms.
        domains: the value transforms.
        enough: error up to which a form explains the difference.
    """

    def __init__(
        self,
        wanted: Array,
        ask: Ask,
        moves: Sequence[str],
        domains: Sequence[DomainTransform],
        enough: float,
    ) -> None:
        self.wanted, self.ask, self.enough = wanted.astype(np.float64), ask, enough
        self.swap = next((each for each in domains if each.name == "BGR"), None)
        self.moves, self.domains = moves, [each for each in domains if each.name != "BGR"]
        self.tried: dict[str, PairForm] = {}

    def run(self) -> PairForm | None:
        """The simplest of the forms with the smallest error; None if the export gives nothing."""
        for stage, enough in (
            (self._as_given(), EXPORT_FLOAT.value),
            (self._single(), self.enough),
            (self._together(), self.enough),
        ):
            self._try(stage)
            best = self.best()
            if best is None or best.error <= enough:
                break
        return self.best()

    def best(self) -> PairForm | None:
        """The simplest of the forms with about the smallest error."""
        known = sorted(self.tried.values(), key=lambda each: each.error)
        alike = [each for each in known if each.error <= ALIKE * known[0].error]
        return min(alike, key=lambda each: each.complexity, default=None)

    def _as_given(self) -> Iterator[InputVariant]:
        yield AS_GIVEN

    def _single(self) -> Iterator[InputVariant]:
        yield from (InputVariant("e", domain) for domain in self.domains)
        if self.swap is not None:
            yield InputVariant("e", self.swap)
        yield from (InputVariant(move) for move in self.moves)

    def _together(self) -> Iterator[InputVariant]:
        for move in ("e", *self.moves):
            for domain in (None, *self.domains):
                yield InputVariant(move, domain)
                if self.swap is not None:
                    swapped = domain.swapped(*self.swap.flip) if domain else self.swap
                    yield InputVariant(move, swapped)

    def _try(self, variants: Iterable[InputVariant]) -> None:
        for variant in variants:
            name = variant_name(variant) or "e"
            if name in self.tried:
                continue
            got = self.ask(variant)
            if got is None or got.shape != self.wanted.shape:
                continue
            self.tried[name] = self._fitted(variant, got.astype(np.float64))

    def _fitted(self, variant: InputVariant, got: Array) -> PairForm:
        forms = [*output_forms(self.wanted, got)]
        if got.shape[1] <= MOST_ORDERED or variant is AS_GIVEN:
            forms += [each for each in map(reordered, forms) if each is not None]
        tried = [PairForm(variant, form, form.error) for form in forms]
        return simplest(tried)


def for_all(found: PairForm, wanted: Array, got: Array) -> PairForm:
    """A form that was found on a few inputs, for outputs (n, k) of all of them.

    An order of classes is fitted again: a few inputs do not show all classes.
    """
    form = in_form(found.output.name, wanted, got)
    if found.output.order is not None:
        form = reordered(form) or form
    return PairForm(found.variant, form, form.error)


def simplest(forms: Sequence[PairForm]) -> PairForm:
    """Of forms of one output the one that fits best, unless a simpler one fits about as well.

    Another form must fit much better than the outputs as they are, the first.
    """
    best = min(forms, key=lambda each: each.error)
    alike = [each for each in forms if each.error <= ALIKE * best.error]
    found = min(alike, key=lambda each: each.complexity)
    return found if found.error < EXPORT_GAIN.value * forms[0].error else forms[0]
