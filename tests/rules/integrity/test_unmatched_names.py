"""Weights under names that tell no layer are not missing, where objects hold them."""

from __future__ import annotations

import pytest

from modelaudit.facts import Format
from modelaudit.findings import Outcome
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.integrity.unmatched_names import under_other_names
from modelaudit.rules.model import Facts
from modelaudit.structs import replace

KERNEL, BIAS = (4, 2), (2,)


def _artifact(kind=Format.SAVEDMODEL_TF2, shapes=(KERNEL, BIAS, KERNEL, BIAS), own=()):
    """Three layers, of which two lack their weights, and tensors of these shapes beside them.

    `own`: the names of those that a layer of an unknown class seems to have.
    """
    first = examples.layer("first")
    bare = [examples.layer(name, variables={}) for name in ("inner/dense", "dense")]
    strange = replace(
        examples.layer("strange", "Direction", {f"k{n}": name for n, name in enumerate(own)}),
        expected={},
    )
    names = [f"trainable_variables/{n}" for n in range(len(shapes))]
    tensors = [examples.tensor("first/kernel", KERNEL), examples.tensor("first/bias", BIAS)]
    tensors += [examples.tensor(name, shape) for name, shape in zip(names, shapes, strict=True)]
    unclaimed = [name for name in names if name not in own]
    return examples.model(
        first, *bare, strange, tensors=tuple(tensors), extra={"unclaimed": unclaimed}, kind=kind
    )


def _outcomes(artifact):
    return [run_rule(rule(code), Facts(artifact)).outcome for code in ("MA112", "MA113")]


@pytest.mark.parametrize("own", [(), ("trainable_variables/0", "trainable_variables/1")])
def test_tensors_that_fit_are_not_missing_and_belong_to_somebody(own):
    lacks, surplus = _outcomes(_artifact(own=own))
    assert lacks is Outcome.NOT_APPLICABLE
    assert surplus is not Outcome.FAIL


@pytest.mark.parametrize(
    "shapes",
    [(KERNEL, BIAS, KERNEL), (KERNEL, BIAS, KERNEL, (3,)), (KERNEL, BIAS, BIAS, BIAS), ()],
)
def test_one_that_is_absent_is_missing(shapes):
    assert _outcomes(_artifact(shapes=shapes))[0] is Outcome.FAIL


def test_in_a_file_that_is_loaded_by_names_they_are_missing():
    """What has another name there is not found."""
    assert _outcomes(_artifact(Format.KERAS_ARCHIVE)) == [Outcome.FAIL, Outcome.FAIL]


def test_what_is_more_than_layers_lack_belongs_to_none():
    artifact = _artifact(shapes=(KERNEL, BIAS, KERNEL, BIAS, (7,)))
    assert artifact.architecture is not None
    assert len(under_other_names(artifact, artifact.architecture.layers)) == 4
    assert _outcomes(artifact) == [Outcome.NOT_APPLICABLE, Outcome.FAIL]


def test_a_shape_that_is_known_in_part_is_served_last():
    artifact = _artifact(shapes=(KERNEL, BIAS, KERNEL, BIAS))
    assert artifact.architecture is not None
    open_ones = [
        replace(each, expected={"kernel": (None, 2), "bias": (2,)})
        if each.name == "dense"
        else each
        for each in artifact.architecture.layers
    ]
    assert len(under_other_names(artifact, open_ones)) == 4
