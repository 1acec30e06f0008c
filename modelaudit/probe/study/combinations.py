"""Combinations of transforms: the best single ones, applied together.

Inputs may differ from the training inputs in several ways. Each single correction then helps a
little or not at all, so the best of each kind are tried in pairs, and the best pairs with a third.
Without labels, other values are combined with a mirror image only, whose predictions must agree.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from modelaudit.facts import Artifact
from modelaudit.measures.behaviour.accuracy import chance_p, explained_variance
from modelaudit.measures.behaviour.information_gain import information_gains
from modelaudit.measures.behaviour.numbering import other_numbering
from modelaudit.measures.behaviour.outputs import CLASSES, probabilities
from modelaudit.measures.behaviour.paired import p_better
from modelaudit.measures.value_transforms import JOIN, SWAPS, DomainTransform
from modelaudit.probe.study.feeding import PreparedInputs
from modelaudit.probe.study.labels import Scores, fitted, ranked
from modelaudit.probe.study.output import Outputs, finite_values
from modelaudit.probe.study.output_tasks import kind_of
from modelaudit.probe.study.runner import InputVariant
from modelaudit.settings import declared_task
from modelaudit.thresholds.answers import CHANCE_P, OPEN_P, UNINFORMED

Ask = Callable[[InputVariant], Outputs | None]

BEAM = 4  # spatial transforms, and value transforms, that are combined with each other
EXTENDED = 2  # pairs that are combined with a third
MIRRORED = 3  # forms with the most information whose mirror images are predicted, and BGR


def variant_name(variant: InputVariant) -> str:
    """The name of a variant: its transforms, joined by ` + `."""
    names = [] if variant.move == "e" else [variant.move]
    return JOIN.join([*names, *([variant.domain.name] if variant.domain else [])])


class CombinationSearch:
    """A search for the combination that scores best on labels.

    Args:
        singles: outputs by transform, with `e` for the inputs as given.
        moves, domains: the spatial transforms and the value transforms of the inputs.
        fed: the inputs; without labels nothing is searched, nor for maps or several outputs.
        ask: runs the model on a variant; None if that is not possible.
    """

    def __init__(
        self,
        singles: Mapping[str, Outputs],
        moves: Collection[str],
        domains: Sequence[DomainTransform],
        fed: PreparedInputs,
        artifact: Artifact,
        ask: Ask,
    ) -> None:
        self._ask, self._moves = ask, moves
        self._outputs, self._y = dict(singles), fed.y
        self._asked: dict[str, InputVariant] = {}
        self._scales = {domain.name: domain for domain in domains}
        self._swap = self._scales.pop("BGR", None)
        self._rows: Scores = {}
        if len(singles["e"]) == 1 and fed.y is not None:
            (self._name,) = singles["e"]
            task = declared_task(fed.tasks, self._name)
            given = self._values("e")
            self._kind = kind_of(given, artifact, fed.y, name=self._name, task=task).name
            self._score()

    def run(self) -> dict[str, Outputs]:
        """Outputs by name of combination.

        None if labels suggest no single transform and the model recognises the inputs as given.
        """
        if not self._rows or not self._tempting():
            return {}
        # Of inputs that are not recognised, the order of single ones says little: all are combined.
        most = BEAM if self._renumbered or self._recognised() else len(self._rows)
        moves, scales = self._best(self._moves, most), self._best(self._scales, most)
        domains = [self._scales[name] for name in scales]
        self._try(InputVariant(move, domain) for move in moves for domain in domains)
        # With a wrong order of the channels, the right scale may seem worse than others.
        self._try(self._exchanged("e", domain) for domain in self._scales.values())
        for swap in (name for name in self._scales if name in SWAPS):
            self._try(InputVariant(move, self._scales[swap]) for move in self._moves)
        self._try(self._exchanged(move, None) for move in self._moves)
        self._score()
        for name in self._best(self._asked, EXTENDED):
            move, domain = self._asked[name].move, self._asked[name].domain
            if move == "e":
                self._try(InputVariant(each, domain) for each in moves[:EXTENDED])
            elif domain is self._swap:
                self._try(self._exchanged(move, each) for each in domains[:EXTENDED])
            else:
                self._try([self._exchanged(move, domain)])
        return {name: self._outputs[name] for name in self._asked if name in self._outputs}

    def _exchanged(self, move: str, domain: DomainTransform | None) -> InputVariant | None:
        """The variant with red and blue exchanged; None if there are no colours, or if they are."""
        if self._swap is None or (domain is not None and domain.name in SWAPS):
            return None
        exchanged = domain.swapped(*self._swap.flip) if domain else self._swap
        return InputVariant(move, exchanged)

    def _try(self, variants: Iterable[InputVariant | None]) -> None:
        for variant in variants:
            if variant is None or variant_name(variant) in {*self._outputs, *self._asked}:
                continue
            self._asked[variant_name(variant)] = variant
            outputs = self._ask(variant)
            if outputs is not None:
                self._outputs[variant_name(variant)] = outputs

    def _values(self, name: str) -> NDArray[np.floating]:
        return finite_values(self._outputs[name][self._name])

    def _score(self) -> None:
        """Score all outputs on labels, in the order of the classes that seems best."""
        if self._y is None:
            return
        values = {name: self._values(name) for name in self._outputs}
        order = other_numbering(values, self._kind, self._y)
        self._renumbered = order is not None and order.log_odds > 0
        meant = order.order if order is not None and self._renumbered else None
        rows = ranked(values, self._kind, self._y, meant)
        self._rows = rows or fitted(values, self._kind, self._y)

    def _tempting(self) -> bool:
        return self._renumbered or not self._recognised() or self._helped()

    def _recognised(self) -> bool:
        """Whether the inputs as given are, in the order of the classes as given."""
        assert self._y is not None
        given = self._values("e")
        by_chance = chance_p(given, self._kind, self._y)
        if by_chance is not None:
            return by_chance < CHANCE_P.value
        fit = explained_variance(given, self._y)
        return fit is None or fit >= UNINFORMED.value

    def _helped(self) -> bool:
        """Whether a single transform seems to score better than the inputs as given."""
        return any(p_better(self._rows["e"], each) < OPEN_P.value for each in self._rows.values())

    def _best(self, names: Iterable[str], most: int) -> list[str]:
        known = [name for name in names if name in self._rows]
        return sorted(known, key=lambda name: -float(self._rows[name].mean()))[:most]


def mirrored_outputs(
    given: Outputs,
    rescaled: Mapping[str, Outputs],
    domains: Sequence[DomainTransform],
    fed: PreparedInputs,
    artifact: Artifact,
    ask: Ask,
) -> dict[str, Outputs]:
    """Outputs for mirror images in the most informative other values, by value transform.

    None with labels, which show more.

    Args:
        given: outputs for the inputs as given.
        rescaled: outputs by value transform.
        domains: the value transforms.
        ask: runs the model on a variant; None if that is not possible.
    """
    if fed.y is not None or not fed.oriented or not any("H" in moves for moves in fed.moves):
        return {}
    for name, raw in given.items():
        values, task = finite_values(raw), declared_task(fed.tasks, name)
        known = kind_of(values, artifact, None, name=name, single=len(given) == 1, task=task)
        if known.name not in CLASSES or known.guessed:
            continue
        forms = {"e": values} | {key: finite_values(each[name]) for key, each in rescaled.items()}
        p = {key: probabilities(each, known.name) for key, each in forms.items()}
        told = {key: each for key, each in p.items() if each is not None}
        gains = information_gains(told, np.random.default_rng(0))
        equal = {key: gain.equal_bits or 0.0 for key, gain in gains.items()}
        best = sorted(equal, key=lambda key: -equal[key])[:MIRRORED]
        asked = [each for each in domains if each.name in {*best, *SWAPS}]
        got = {each.name: ask(InputVariant("H", each)) for each in asked}
        return {key: outputs for key, outputs in got.items() if outputs is not None}
    return {}
