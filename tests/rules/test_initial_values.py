"""Which kernels that look as drawn are a fault: everything else in the file decides."""

from __future__ import annotations

import pytest

from modelaudit.audit_types.kernels import BatchNormState, KernelInitialization
from modelaudit.facts import Graph, GraphNode, TensorStats
from modelaudit.findings import Severity
from modelaudit.rules import examples
from modelaudit.rules.initial_values import SIBLINGS, left_initial, never_trained
from modelaudit.structs import replace

HIGH, MEDIUM, LOW, INFO = Severity.HIGH, Severity.MEDIUM, Severity.LOW, Severity.INFO


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


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [
        (drawn("a"), HIGH),
        (drawn("a", 300), HIGH),  # small, but its bias did not move, as all others did
        (drawn("a", bias=None), LOW),  # trained kernels can keep their distribution
        (drawn("a", 600, bias=None, state="undecidable"), LOW),
        (drawn("a", bias=None, law="constant"), HIGH),  # but not be all the same
        (drawn("a", 300, bias=None, state="undecidable"), None),  # fits by chance
        (
            drawn("a", bias=False, state="trained"),
            LOW,
        ),  # or it moved little
        (drawn("a", 300, bias=False, state="trained"), None),
        (drawn("a", guessed=True), HIGH),  # by the usual initializer
        (drawn("a", guessed=True, initializer="HeNormal"), MEDIUM),
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


@pytest.mark.parametrize(("bias", "expected"), [(True, INFO), (False, HIGH)])
def test_frozen_layers_of_an_initializer_that_the_file_does_not_name(bias, expected):
    """Random features of a small deviation, or pretrained ones, of which a layer was skipped."""
    bare = replace(model(), architecture=None)
    odd = [
        replace(moved(name, bias=bias, trainable=False), guessed=True) for name in ("b", "c", "d")
    ]
    kernel = drawn("a", guessed=True, trainable=False, law="uniform")
    found = severities(kernel, *odd, moved("head"), artifact=bare)
    assert found == {"a": expected}


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
    bare = replace(model(), architecture=None)
    one = drawn("a", guessed=True, law="uniform")
    assert severities(one, moved("b"), artifact=bare) == {"a": LOW}
    assert severities(drawn("a", guessed=True), moved("b"), moved("c")) == {"a": HIGH}


def test_kernels_for_kinds_of_samples_that_were_not_in_the_data():
    """One kernel for each degree of an atom: nothing tells that a restore skipped some."""
    names = [f"conv/kernel_{i}" for i in range(6)]
    tensors = tuple(examples.tensor(name, (48, 96)) for name in names)
    bare = replace(model(), architecture=None, tensors=tensors)

    def named(kernel):
        return replace(kernel, tensor=kernel.route)

    used = [named(moved(name, bias=None)) for name in names[:4]]
    unused = [
        named(drawn(name, bias=None, guessed=True, law="uniform", state="undecidable"))
        for name in names[4:]
    ]
    found = left_initial(bare, [*used, *unused])
    assert {(each.severity, each.against) for each in found} == {(LOW, SIBLINGS)}
    assert len(found) == 2
    (alone,) = left_initial(bare, [*used, unused[0]])  # the only one of its kind: skipped
    assert alone.severity is HIGH
    apart = [
        replace(kernel, tensor=kernel.tensor.replace("conv", f"c{i}"))
        for i, kernel in enumerate([*used, *unused])
    ]
    assert {each.severity for each in left_initial(bare, apart)} == {HIGH}


def test_both_weights_of_a_recurrent_layer_count_as_one_layer():
    pair = [
        drawn(f"lstm/{role}", 600, bias=None, guessed=True, state="undecidable", law="uniform")
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


def uniform(route, weights=4608, bias=None, **tests):
    """A kernel of which no weight is beyond the bound of its uniform initializer."""
    return drawn(route, weights, bias, **{"state": "undecidable", "law": "uniform"} | tests)


def beyond(route, share, weights=4608, **tests):
    """A trained kernel with this share of its weights beyond its first bound."""
    return moved(route, weights, outside=share, **tests)


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [
        (uniform("a", 400), HIGH),  # 3 % of 400 weights, or more, would be beyond the bound
        (uniform("a", 400, bias=False), HIGH),
        (uniform("a", 200), None),
        (uniform("a", 400, guessed=True), HIGH),
        (uniform("a", 400, guessed=True, initializer="HeUniform"), None),  # one of many guesses
        (drawn("a", 400, None, state="undecidable"), None),  # without a bound
        (drawn("a", 64, None, guessed=True, law="orthogonal", initializer="Orthogonal"), HIGH),
        (uniform("a", 400, trainable=False), INFO),
    ],
)
def test_weights_that_stay_within_their_bound_where_others_do_not(kernel, expected):
    found = severities(kernel, beyond("b", 0.09), beyond("c", 0.2), beyond("d", 0.4))
    assert found == ({} if expected is None else {"a": expected})


def test_a_model_that_was_trained_less_proves_less():
    lightly = (beyond("b", 0.009), beyond("c", 0.2))
    assert severities(uniform("a", 400), *lightly) == {}
    assert severities(uniform("a", 2000), *lightly) == {"a": LOW}
    assert severities(uniform("a", 4000), *lightly) == {"a": HIGH}
    # Kernels beside trained biases look as drawn as well.
    twins = [uniform(name, 4000, bias=False) for name in "de"]
    assert severities(*twins, *lightly) == {}


def test_a_normalization_at_initial_values_accuses_the_kernel_before_it():
    """Unless normalizations behind kernels that have moved are at initial values as well."""
    kernel = drawn("a", 768, None, law="truncated", initializer="HeNormal", batchnorm_initial=True)
    trained = [moved(name, bias=None, batchnorm_initial=False) for name in "bc"]
    reset = [moved(name, bias=None, batchnorm_initial=True) for name in "bc"]
    assert severities(kernel, *trained)["a"] in (HIGH, MEDIUM)
    assert severities(kernel, *reset) == {"a": LOW}


def test_a_recurrent_kernel_is_not_used_in_sequences_of_one_step():
    kernel = drawn("lstm/recurrent_kernel", 900, bias=False, state="trained", law="orthogonal")
    others = (moved("lstm/kernel"), moved("b"))

    def of(*shape, **config):
        layer = examples.layer(class_name="InputLayer")
        return examples.model(replace(layer, output_shape=(None, *shape), config=config))

    assert severities(kernel, *others, artifact=of(7, 3)) == {"lstm/recurrent_kernel": HIGH}
    assert severities(kernel, *others, artifact=of(1, 3)) == {"lstm/recurrent_kernel": INFO}
    given = examples.layer("lstm", "LSTM", config={"batch_input_shape": [None, 1, 3]})
    first = examples.model(given)
    assert severities(kernel, *others, artifact=first) == {"lstm/recurrent_kernel": INFO}
    reshaped = of(3, target_shape=[1, 3])
    assert severities(kernel, *others, artifact=reshaped) == {"lstm/recurrent_kernel": INFO}
    unknown = replace(model(), architecture=None)
    assert severities(kernel, *others, artifact=unknown) == {"lstm/recurrent_kernel": LOW}
    fed = GraphNode("x", "Placeholder", (), {"shape": [None, 7, 3]})
    graph = replace(unknown, graphs=(Graph((), (fed,)),))
    assert severities(kernel, *others, artifact=graph) == {"lstm/recurrent_kernel": HIGH}
    # With its input kernel as drawn, it is the layer that was skipped, however long it runs.
    first = drawn("lstm/kernel", 900, state="fresh")
    layer = replace(kernel, tests=dict(kernel.tests) | {"bias_initial": True})
    found = severities(first, layer, moved("b"), moved("c"), moved("d"), artifact=of(1, 3))
    assert found["lstm/recurrent_kernel"] is HIGH


@pytest.mark.parametrize(("steps", "severity"), [(1, INFO), (4, HIGH)])
def test_one_step_is_what_pooling_leaves_of_a_sequence(steps, severity):
    """A ConvLSTM of a graph: its scope exchanges time and batch, the axes of an image follow."""
    name = "lstm/recurrent_kernel"
    kernel = drawn(name, 2304, bias=False, state="trained", law="orthogonal")
    shape = [steps, None, 6, 10, 4]
    nodes = (
        GraphNode("x", "Placeholder", (), {"shape": [None, 8, 60, 100, 3]}),
        GraphNode("other/transpose", "Transpose", (), {"_output_shapes": [[1, None, 6, 10, 4]]}),
        GraphNode("lstm/transpose", "Transpose", (), {"_output_shapes": [shape]}),
    )
    artifact = replace(
        examples.model(tensors=(examples.tensor(name, (3, 3, 4, 16)),)),
        architecture=None,
        graphs=(Graph((), nodes),),
    )
    found = severities(
        replace(kernel, tensor=name), moved("lstm/kernel"), moved("b"), artifact=artifact
    )
    assert found == {name: severity}


def test_more_layers_as_drawn_than_trained_may_be_random_features():
    """Unless the file tells that they are not frozen."""
    kernels = [drawn(name, guessed=True, law="uniform") for name in "abc"]
    bare = replace(model(), architecture=None)
    found = severities(*kernels, beyond("d", 0.1), artifact=bare)
    assert found == dict.fromkeys("abc", LOW)
    found = severities(*kernels, beyond("d", 0.1), beyond("e", 0.1), artifact=bare)
    assert found == dict.fromkeys("abc", MEDIUM)
    listed = replace(bare, graphs=(Graph(("serve",), (), trainable=("a/kernel",)),))
    found = severities(*kernels, beyond("d", 0.1), artifact=listed)
    assert found == dict.fromkeys("abc", HIGH)


def norm(route, initial, norms):
    tests = {"law": "constant", "norms": norms, "initial": initial}
    return drawn(route, 32, initializer="Ones", **tests)


def test_a_normalization_at_initial_values_among_trained_ones_was_skipped():
    trained = (moved("b"), moved("c"))
    assert severities(norm("a", 1, 3), *trained) == {"a": HIGH}
    assert severities(norm("a", 1, 1), *trained) == {"a": HIGH}  # by the config, it was trained
    bare = replace(model(), architecture=None)
    assert severities(norm("a", 1, 1), *trained, artifact=bare) == {"a": MEDIUM}


def test_a_guessed_model_without_any_trained_weight_was_never_trained():
    bare = replace(model(), architecture=None)
    kernels = (drawn("a", guessed=True, law="uniform"), drawn("b", guessed=True, law="uniform"))
    assert never_trained(bare, kernels) == (True, "")
    assert "guess" in never_trained(bare, (*kernels, drawn("c", guessed=True)))[1]
    no_bias = [replace(k, tests=dict(k.tests) | {"bias_initial": None}) for k in kernels]
    assert "guess" in never_trained(bare, no_bias)[1]


@pytest.mark.parametrize(
    ("law", "bias", "said"),
    [
        ("truncated", False, {}),
        ("normal", False, {}),
        ("uniform", False, {"a": LOW}),
        ("truncated", None, {"a": LOW}),
    ],
)
def test_a_guess_without_a_bound_proves_nothing_beside_a_trained_bias(law, bias, said):
    """Of an export, the file does not name the initializers; every third kernel fits some."""
    kernel = drawn(
        "a", bias=bias, guessed=True, state="trained", initializer="GlorotNormal", law=law
    )
    assert severities(kernel, moved("b"), moved("c"), moved("d")) == said


def keeping_their_law(*names):
    """Trained kernels of initializers without a bound, which say nothing by their distribution."""
    return [drawn(name, bias=False, state="trained") for name in names]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (drawn("head", 128), {"head": HIGH}),  # the only bias that has not moved
        (drawn("head", 128, bias=False, state="trained"), {}),
        (drawn("head", 128, bias=None, state="undecidable"), {}),
    ],
)
def test_a_small_layer_whose_bias_is_the_only_one_that_has_not_moved(head, expected):
    others = keeping_their_law("a", "b", "c", "d")
    assert severities(head, *others, moved("e", 48)) == expected
    # Where many biases are at 0, as in a converted model, that of the head says nothing.
    zero = [drawn(name, 128) for name in "fgh"]
    assert severities(head, *others, *zero, moved("e", 48)).get("head") is not HIGH


def test_trained_batch_normalization_shows_that_the_bias_of_the_head_should_have_moved():
    """A network whose only bias is that of the head."""
    norms = (BatchNormState("norm", 8, False, False, 0.5),)
    others = [moved(name, bias=None) for name in "ab"]
    head = drawn("head", 96, law="uniform")
    (only,) = left_initial(model(), [head, *others], norms)
    assert only.severity is HIGH
    untouched = (replace(norms[0], affine_initial=True),)
    (only,) = left_initial(model(), [head, *others], untouched)
    assert only.severity is MEDIUM


def test_kernels_without_a_bound_do_not_excuse_one_with_a_bound():
    """A recurrent kernel drawn anew beside its trained bias, among kernels of a normal law."""
    kernel = uniform("x", 1000, bias=False)
    others = [beyond(name, 0.2) for name in "abcd"]
    assert severities(kernel, *others, *keeping_their_law("e", "f")) == {"x": HIGH}
    # Others with a bound that look as drawn beside a trained bias do.
    light = [uniform(name, 1000, bias=False) for name in "ef"]
    assert severities(kernel, *others, *light) == {}


@pytest.mark.parametrize(("statistics", "expected"), [(True, True), (False, False)])
def test_where_no_batch_normalization_has_moved_no_kernel_has(statistics, expected):
    """In an export of unknown initializers: a step changes the statistics of all of them."""
    bare = replace(model(), architecture=None)
    norms = (BatchNormState("norm", 8, statistics, True, 0.5),)
    odd = replace(moved("b", bias=True), guessed=True, state="undecidable")
    kernels = (drawn("a", guessed=True, initializer="HeNormal"), odd)
    assert never_trained(bare, kernels, norms)[0] is expected
    assert never_trained(bare, (*kernels, moved("c")), norms) == (False, "")


@pytest.mark.parametrize(
    ("change", "expected"), [({}, True), ({"bias": False}, False), ({"trainable": False}, False)]
)
def test_an_orthogonal_matrix_shows_that_no_step_was_made(change, expected):
    """Beside kernels without a bound, in an export, which names no initializer."""
    bare = replace(model(), architecture=None)
    own = {"guessed": True, "law": "orthogonal", "initializer": "Orthogonal"} | change
    kernels = (drawn("rnn", 1024, **own), drawn("b", 256, guessed=True, initializer="HeNormal"))
    assert never_trained(bare, kernels)[0] is expected
    assert never_trained(bare, kernels[1:])[0] is False
    assert never_trained(bare, (*kernels, moved("c", bias=None)))[0] is False
