"""Mirror images of the inputs in other forms, to compare the predictions for both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from modelaudit.facts import Artifact
from modelaudit.measures.behaviour.information_gain import information_gains
from modelaudit.measures.behaviour.outputs import CLASSES, probabilities
from modelaudit.measures.value_transforms import DomainTransform
from modelaudit.probe.study.combinations import Ask
from modelaudit.probe.study.feeding import PreparedInputs
from modelaudit.probe.study.output import Outputs, finite_values
from modelaudit.probe.study.output_tasks import kind_of
from modelaudit.probe.study.runner import InputVariant
from modelaudit.settings import declared_task

MIRRORED = 3  # forms with the most information whose mirror images are predicted, and BGR


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
        fed: the inputs.
        artifact: the model's file.
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
        asked = [each for each in domains if each.name in {*best, "BGR"}]
        got = {each.name: ask(InputVariant("H", each)) for each in asked}
        return {key: outputs for key, outputs in got.items() if outputs is not None}
    return {}
