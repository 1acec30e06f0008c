"""Moving averages of weights that were never updated."""

from __future__ import annotations

from modelaudit.audit_types.kernels import KernelInitialization
from modelaudit.rules.initial_values import never_trained, stale_averages
from modelaudit.structs import replace
from tests.rules.test_initial_values import beyond, drawn, model, severities


def average(route, weights=600, *, fits=True):
    own = {"fits": fits, "law": "uniform"}
    name = f"{route}/kernel/ExponentialMovingAverage"
    return KernelInitialization(name, name, "GlorotUniform", "undecidable", "", weights, own, True)


def test_moving_averages_at_initial_values_beside_trained_weights_are_stale():
    bare = replace(model(), architecture=None)
    weights = (beyond("a", 0.1), beyond("b", 0.1))
    stale, every = stale_averages((*weights, average("a"), average("b", fits=False)))
    assert [each.route for each in stale] == ["a/kernel/ExponentialMovingAverage"]
    assert len(every) == 2
    assert stale_averages((*weights, average("a", fits=False)))[0] == []
    assert stale_averages((*weights, average("a", 150)))[0] == []  # fits by chance
    assert stale_averages((*weights, *(average(name, 150) for name in "abc")))[0] != []
    # They are no layers of their own.
    assert severities(*weights, average("a"), artifact=bare) == {}
    untrained = (drawn("a", guessed=True, law="uniform"), average("a"))
    assert never_trained(bare, untrained) == (True, "")
    assert stale_averages(untrained)[0] == []
