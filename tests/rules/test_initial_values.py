"""Which kernels that look as drawn are a fault: everything else in the file decides."""

from __future__ import annotations

import pytest

from modelaudit.audit_types.kernels import BatchNormState, KernelInitialization
from modelaudit.facts import TensorStats
from modelaudit.findings import Severity
from modelaudit.rules import examples
from modelaudit.rules.initial_values import left_initial, never_trained
from modelaudit.structs import replace

HIGH, MEDIUM, LOW, INFO = Severity.HIGH, Severity.MEDIUM, Severity.LOW, Severity.INFO


def drawn(route, weights=4608, bias=True, *, guessed=False, state="fresh", **tests):
    """A kernel that looks as drawn; its bias is at its start, has moved (False) or is absent."""
    own = {"fits": True, "bias_initial": bias} | tests
    return KernelInitialization(
        route, f"{route}/kernel", "GlorotUniform", state, "", weights, own, guessed
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


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [
        (drawn("a"), HIGH),
        (drawn("a", 300), HIGH),  # small, but its bias did not move, as all others did
        (drawn("a", bias=None), HIGH),
        (drawn("a", 600, bias=None, state="undecidable"), MEDIUM),
        (drawn("a", 300, bias=None, state="undecidable"), None),  # fits by chance
        (drawn("a", bias=False, state="trained"), MEDIUM),  # only the kernel was replaced
        (drawn("a", 300, bias=False, state="trained"), None),
        (drawn("a", guessed=True), MEDIUM),
        (drawn("a", 300, bias=None, guessed=True, state="undecidable"), None),
        (drawn("a", trainable=False), INFO),  # random features
    ],
)
def test_one_layer_among_three_that_moved(kernel, expected):
    found = severities(kernel, moved("b"), moved("c"), moved("d"))
    assert found == ({} if expected is None else {"a": expected})


def test_a_lightly_trained_model_looks_as_drawn_everywhere():
    """Every bias has moved, and hardly any kernel yet."""
    kernels = [drawn(name, bias=False, state="trained") for name in "abc"]
    assert severities(*kernels) == {}
    assert severities(*kernels, moved("d")) == {}
    without = [drawn(name, bias=None) for name in "abc"]
    assert severities(*without, moved("d", 64)) == {}


def test_a_skipped_layer_of_a_lightly_trained_model_has_its_first_bias():
    kernels = [drawn(name, bias=False, state="trained") for name in "bcd"]
    assert severities(drawn("a"), *kernels) == {"a": HIGH}


def test_biases_of_zero_everywhere_prove_nothing():
    """A model converted from one without biases."""
    assert severities(drawn("a"), moved("b", bias=True)) == {"a": HIGH}  # by its weights
    small = drawn("a", 300)
    assert severities(small, moved("b", bias=True), drawn("c", 300), drawn("d", 300)) == {}


def test_a_frozen_layer_among_frozen_trained_ones_was_skipped():
    kernels = (drawn("a", trainable=False), moved("b", trainable=False), moved("c"))
    assert severities(*kernels) == {"a": HIGH}


def test_a_kernel_without_optimizer_state_was_frozen_in_training():
    kernels = (drawn("a"), moved("b"), moved("c"))
    assert severities(*kernels, artifact=model((5, 5))) == {"a": INFO}
    assert severities(*kernels, artifact=model((48, 96))) == {"a": HIGH}


def test_a_kernel_whose_moments_are_zero_received_no_gradient():
    kernels = (drawn("a"), moved("b"), moved("c"))
    others = replace(examples.tensor("m/others", (5, 5)), role="optimizer")
    dead = replace(untouched_slots(), tensors=(*untouched_slots().tensors, others))
    (only,) = left_initial(dead, kernels)
    assert (only.severity, "no gradient" in only.against) == (MEDIUM, True)


def test_without_a_config_one_of_two_kernels_may_be_random_features():
    assert severities(drawn("a", guessed=True), moved("b")) == {}
    assert severities(drawn("a", guessed=True), moved("b"), moved("c")) == {"a": MEDIUM}


def test_both_weights_of_a_recurrent_layer_count_as_one_layer():
    pair = [
        drawn(f"lstm/{role}", 600, bias=None, guessed=True, state="undecidable")
        for role in ("kernel", "recurrent_kernel")
    ]
    assert severities(*pair, moved("b"), moved("c")) == {
        "lstm/kernel": LOW,
        "lstm/recurrent_kernel": LOW,
    }
    assert severities(*pair, moved("b")) == {}


def test_left_over_copies_are_not_the_model():
    kernels = (drawn("a"), moved("b"), moved("c"))
    assert severities(*kernels, artifact=model(unclaimed=["a/kernel"])) == {}
    bare = replace(model(), architecture=None)
    copy = (drawn("old/b", guessed=True), moved("b"), moved("c"))
    assert severities(*copy, artifact=bare) == {}
    assert never_trained(bare, copy) == (False, "")
    assert severities(drawn("old/b", 99), moved("b"), moved("c"), artifact=bare) == {"old/b": HIGH}


def test_an_untrained_model_is_not_a_partial_restore():
    kernels = (drawn("a"), drawn("b"), drawn("c", 300))
    assert severities(*kernels) == {}
    assert never_trained(model(), kernels) == (True, "")
    one_by_chance = (*kernels, moved("d", 64, bias=True))
    assert severities(*one_by_chance) == {}


def trained_slots():
    moments = replace(examples.tensor("m", (48, 96)), role="optimizer")
    return replace(model(), tensors=(*model().tensors, moments))


def untouched_slots():
    zero = TensorStats(0.0, 0.0, 0.0, 0.0, 4608, 0)
    moments = replace(examples.tensor("m", (48, 96), zero), role="optimizer")
    return replace(model(), tensors=(*model().tensors, moments))


@pytest.mark.parametrize(
    ("kernels", "artifact", "norms", "why"),
    [
        ((drawn("a"),), model(), (), None),
        ((drawn("a"),), untouched_slots(), (), None),
        ((drawn("a", bias=None),), trained_slots(), (), "optimizer"),
        ((drawn("a"), drawn("b", bias=False)), trained_slots(), (), "optimizer"),
        # Training moves biases: the weights are not those that the optimizer trained.
        ((drawn("a"),), trained_slots(), (), None),
        ((drawn("a", guessed=True),), model(), (), "guess"),
        ((drawn("a"), drawn("b", 9000, None, state="undecidable")), model(), (), "larger"),
        ((drawn("a"), drawn("b", 100, None, state="undecidable")), model(), (), None),
        ((drawn("a"),), model(), (BatchNormState("n", 4, True, True, 1.0),), None),
        ((drawn("a"),), model(), (BatchNormState("n", 4, False, True, 0.5),), "statistics"),
    ],
)
def test_never_trained_needs_more_than_kernels_as_drawn(kernels, artifact, norms, why):
    never, said = never_trained(artifact, kernels, norms)
    assert never is (why is None)
    assert (why or "") in said
