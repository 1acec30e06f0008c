"""Kernels that look as drawn or have moved, and what is said of them."""

from __future__ import annotations

from modelaudit.audit_types.kernels import KernelInitialization
from modelaudit.facts import TensorStats
from modelaudit.rules import examples
from modelaudit.rules.initial_weights.initial_values import left_initial
from modelaudit.structs import replace


def drawn(
    route,
    weights=4608,
    bias=True,
    *,
    guessed=False,
    state="fresh",
    initializer="GlorotUniform",
    **tests,
):
    """A kernel that looks as drawn; its bias is at its start, has moved (False) or is absent."""
    own = {"fits": True, "bias_initial": bias, "law": "normal"} | tests
    return KernelInitialization(
        route, f"{route}/kernel", initializer, state, "", weights, own, guessed
    )


def moved(route, weights=4608, bias=False, **tests):
    own = {"fits": False, "bias_initial": bias} | tests
    return KernelInitialization(
        route, f"{route}/kernel", "GlorotUniform", "trained", "", weights, own
    )


def model(*slots, unclaimed=()):
    """An artifact with kernels of shape (48, 96), and optimizer state of these shapes."""
    weights = [examples.tensor(f"{name}/kernel", (48, 96)) for name in "abcd"]
    state = [
        replace(examples.tensor(f"optimizer/{number}", shape), role="optimizer")
        for number, shape in enumerate(slots)
    ]
    found = examples.model(examples.layer(), tensors=(*weights, *state))
    return replace(found, extra={"unclaimed": [*unclaimed]})


def severities(*kernels, artifact=None):
    found = left_initial(artifact or model(), kernels)
    return {each.kernel.route: each.severity for each in found}


def trained_slots():
    moments = replace(examples.tensor("m", (48, 96)), role="optimizer")
    return replace(model(), tensors=(*model().tensors, moments))


def untouched_slots():
    zero = TensorStats(0.0, 0.0, 0.0, 0.0, 4608, 0)
    moments = replace(examples.tensor("m", (48, 96), zero), role="optimizer")
    return replace(model(), tensors=(*model().tensors, moments))


def uniform(route, weights=4608, bias=None, **tests):
    """A kernel of which no weight is beyond the bound of its uniform initializer."""
    return drawn(route, weights, bias, **{"state": "undecidable", "law": "uniform"} | tests)


def beyond(route, share, weights=4608, **tests):
    """A trained kernel with this share of its weights beyond its first bound."""
    return moved(route, weights, outside=share, **tests)
