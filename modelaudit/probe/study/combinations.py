"""Combinations of transforms: what labels like best of each kind, applied together.

Inputs may differ from the training inputs in several ways. Each single correction then helps a
little or not at all, so the best of each kind are tried together.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from modelaudit.facts import Artifact
from modelaudit.measures.behaviour.numbering import other_numbering
from modelaudit.measures.behaviour.paired import p_better
from modelaudit.measures.value_transforms import JOIN, DomainTransform
from modelaudit.probe.study.feeding import PreparedInputs
from modelaudit.probe.study.labels import fitted, ranked
from modelaudit.probe.study.output import Outputs, finite_values
from modelaudit.probe.study.output_tasks import kind_of
from modelaudit.probe.study.runner import InputVariant
from modelaudit.settings import declared_task

TEMPTING_P = 0.2  # of a paired comparison, below which a variant is combined with others
MOVES, SCALES = 2, 3  # spatial and value transforms that are combined


def variant_name(variant: InputVariant) -> str:
    """The name of a variant: its transforms, joined by ` + `."""
    names = [] if variant.move == "e" else [variant.move]
    return JOIN.join([*names, *([variant.domain.name] if variant.domain else [])])


def combinations(
    singles: Mapping[str, Outputs],
    fed: PreparedInputs,
    artifact: Artifact,
    moves: Collection[str],
    domains: Sequence[DomainTransform],
) -> Iterator[InputVariant]:
    """Combinations worth trying; none if labels suggest no single transform, or for maps.

    Args:
        singles: outputs by transform, with `e` for the inputs as given.
        fed: the inputs, with labels.
        artifact: the model's file.
        moves, domains: the spatial transforms and the value transforms of the inputs.
    """
    given, y = singles["e"], fed.y
    if len(given) != 1 or y is None:
        return
    (output,) = given
    values = {name: finite_values(outputs[output]) for name, outputs in singles.items()}
    kind = kind_of(
        values["e"], artifact, y, name=output, task=declared_task(fed.tasks, output)
    ).name
    order = other_numbering(values, kind, y)
    rows = ranked(values, kind, y, order.order if order and order.log_odds > 0 else None)
    rows = rows or fitted(values, kind, y)
    if not rows or (
        (order is None or order.log_odds <= 0)
        and all(p_better(rows["e"], each) > TEMPTING_P for each in rows.values())
    ):
        return

    def best(names: Collection[str], most: int) -> list[str]:
        known = [name for name in names if name in rows]
        return sorted(known, key=lambda name: -float(rows[name].mean()))[:most]

    by_name = {domain.name: domain for domain in domains}
    swap = by_name.pop("BGR", None)
    scales = [by_name[name] for name in best(by_name, SCALES)]
    swapped = [scale.swapped(*swap.flip) for scale in scales] if swap else []
    for move in best(moves, MOVES):
        for domain in (*scales, *([swap] if swap else []), *swapped):
            yield InputVariant(move, domain)
    for domain in [scale.swapped(*swap.flip) for scale in by_name.values()] if swap else ():
        yield InputVariant("e", domain)
