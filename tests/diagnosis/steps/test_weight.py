"""Steps that need only the file: how sure they are, and what they name."""

from __future__ import annotations

import pytest

from modelaudit.audit_types.behaviour import Intervention
from modelaudit.diagnosis.steps.weight import partial_restore, statistics_lost
from tests.diagnosis.cases import behaviour, initial, measurements, norm
from tests.thresholds.edges import case


def untouched(layers, after=None):
    """Layers of batch normalization beside trained kernels; `after` recalibration, 1 bit before."""
    tried = (
        {} if after is None else {"recalibrate_batchnorm": Intervention(before=1.0, after=after)}
    )
    seen = behaviour(interventions=tried)
    return statistics_lost(case(seen, measurements(initial("conv"), batchnorm=layers)))


@pytest.mark.parametrize(
    ("layers", "after"),
    [
        ([norm(lost=True, affine=True)], None),
        ([norm(lost=True, affine=True), norm()], None),
        ([norm(lost=True, affine=True)], 1.0),
        ([norm(lost=True, affine=True)], 1.5),
    ],
)
def test_recalibration_that_helps_is_evidence_of_untrained_normalization(layers, after):
    found = untouched(layers, after)
    assert any("from 1.00 to" in each.text for each in found.evidence) is (after == 1.5)


@pytest.mark.parametrize(("count", "where"), [(5, "d, e"), (6, "d, e and 1 more")])
def test_at_most_five_layers_are_named(count, where):
    fresh = [initial(name, "fresh") for name in "abcdef"[:count]]
    found = partial_restore(case(behaviour(), measurements(initial("head"), *fresh)))
    assert found.where == f"a, b, c, {where}"
