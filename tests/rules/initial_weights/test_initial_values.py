"""Which kernels that look as drawn are a fault: everything else in the file decides."""

from __future__ import annotations

import pytest

from modelaudit.facts import Graph, Kernel, ObjectNode, TensorStats
from modelaudit.findings import Severity
from modelaudit.rules import examples
from modelaudit.rules.initial_weights.initial_explained import SIBLINGS
from modelaudit.rules.initial_weights.initial_values import left_initial, never_trained
from modelaudit.rules.training.steps import adam
from modelaudit.structs import replace
from tests.rules.initial_kernels import (
    beyond,
    drawn,
    model,
    moved,
    severities,
    uniform,
    untouched_slots,
)

HIGH, MEDIUM, LOW, INFO = Severity.HIGH, Severity.MEDIUM, Severity.LOW, Severity.INFO


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
        (drawn("a", 300, guessed=True), HIGH),
        (drawn("a", 300, guessed=True, initializer="GlorotNormal"), LOW),  # its bias may cancel
        (drawn("a", 300, bias=None, guessed=True, state="undecidable"), None),
        (drawn("a", trainable=False), INFO),  # random features
    ],
)
def test_one_layer_among_three_that_moved(kernel, expected):
    found = severities(kernel, moved("b"), moved("c"), moved("d"))
    assert found == ({} if expected is None else {"a": expected})


@pytest.mark.parametrize(
    ("law", "draws", "expected"), [("uniform", True, LOW), ("normal", False, INFO)]
)
def test_a_frozen_table_among_layers_that_moved(law, draws, expected):
    """Its vectors are draws, bit for bit: it never had the pretrained ones that freezing is for."""
    table = drawn("a", 900, bias=None, trainable=False, law="uniform")
    table = replace(table, route="a/embeddings", tests={**table.tests, "draws": draws})
    assert severities(table, moved("b"), moved("c")) == {"a/embeddings": expected}


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


def chain(*routes):
    return examples.model(*map(examples.layer, routes))


def test_a_body_that_training_left_out():
    """Whether or not it was unfrozen later: no step has moved a bias of it."""
    layers = chain("a", "b", "c", "d")
    body = [drawn(name, 192, law="uniform") for name in "abc"]
    assert severities(*body, moved("d"), artifact=layers) == dict.fromkeys("abc", LOW)
    frozen = [drawn(name, trainable=False) for name in "ab"]
    assert severities(*frozen, moved("c"), moved("d"), artifact=layers) == dict.fromkeys("ab", LOW)
    ends = [drawn(name, trainable=False) for name in "cd"]
    behind = [replace(x, trainable=x.route in "ab") for x in layers.architecture.layers]
    found = severities(moved("a"), moved("b"), *ends, artifact=examples.model(*behind))
    assert found == dict.fromkeys("cd", INFO)  # a discriminator behind its generator
    # Training went through the first layer, whose bias has moved.
    through = (moved("a"), *body[1:], moved("d"))
    assert set(severities(*through, artifact=layers).values()) <= {HIGH, MEDIUM}
    trained = [drawn(name, 192, bias=False, law="uniform") for name in "abc"]
    assert severities(*trained, moved("d"), artifact=layers) == {}


def test_queries_of_an_attention_to_a_single_position_are_not_trained():
    for steps, expected in ((1, INFO), (5, HIGH)):
        layer = examples.layer("a", "MultiHeadAttention")
        artifact = examples.model(replace(layer, input_shapes=((None, steps, 6),)))
        query = drawn("a/query")
        found = severities(query, moved("b"), moved("c"), moved("d"), artifact=artifact)
        assert found == {"a/query": expected}


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


@pytest.mark.parametrize(("kept", "expected"), [("abcd", HIGH), ("bcd", INFO)])
def test_optimizer_state_of_all_variables_but_one(kept, expected):
    """Another kernel of the shape has state, so only the references to it tell."""
    suffix = "/.ATTRIBUTES/VARIABLE_VALUE"
    nodes = [
        ObjectNode(
            place, "variable", attributes={"VARIABLE_VALUE": {"key": f"{name}/kernel{suffix}"}}
        )
        for place, name in enumerate("abcd", 1)
    ]
    slots = tuple(("abcd".index(name) + 1, "m", 0) for name in kept)
    by_graph = replace(
        model((48, 96)), object_graph=(ObjectNode(0, "optimizer", slots=slots), *nodes)
    )
    moments = [
        replace(examples.tensor(f"{name}/kernel/Adam", (48, 96)), role="optimizer") for name in kept
    ]
    by_name = replace(model(), tensors=(*model().tensors, *moments))
    for artifact in (by_graph, by_name):
        found = severities(drawn("a"), moved("b"), moved("c"), artifact=artifact)
        assert found == {"a": expected}


@pytest.mark.parametrize(
    ("steps", "bias", "dtype", "expected"),
    [
        (2, 1e-4, "float16", LOW),
        (2, 1e-4, "float32", HIGH),  # the bias of the kernel would have moved
        (2, 0.1, "float16", HIGH),
        (500, 1e-4, "float16", HIGH),
    ],
)
def test_layers_of_a_model_of_few_steps_were_not_left_out(steps, bias, dtype, expected):
    """Two steps of a rate of 1e-4 move a bias by at most 2e-4; one of 0.1 was trained before."""
    stats = TensorStats(-bias, bias, 0.0, bias / 2, 0, 0)
    count = replace(
        examples.tensor("optimizer/iterations", (), TensorStats(steps, steps, steps, 0.0, 0, 0)),
        role="optimizer",
    )
    training = {"optimizer_config": {"class_name": "Adam", "config": {"learning_rate": 1e-4}}}
    tensors = (*model().tensors, examples.tensor("b/bias", (96,), stats), count)
    typed = tuple(replace(t, dtype=dtype) if t.role == "weight" else t for t in tensors)
    artifact = replace(model(), tensors=typed, training=training)
    assert severities(drawn("a"), moved("b"), moved("c"), artifact=artifact) == {"a": expected}


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


def test_left_over_copies_are_not_the_model():
    kernels = (drawn("a"), moved("b"), moved("c"))
    assert severities(*kernels, artifact=model(unclaimed=["a/kernel"])) == {}
    bare = replace(model(), architecture=None)
    copy = (drawn("old/b", guessed=True), moved("b"), moved("c"))
    assert severities(*copy, artifact=bare) == {}
    assert never_trained(bare, copy) == (False, "")
    assert severities(drawn("old/b", 99), moved("b"), moved("c"), artifact=bare) == {"old/b": HIGH}


ROTATED = drawn("a", 64, None, guessed=True, law="orthogonal", initializer="Orthogonal")


def test_a_matrix_that_was_computed_is_orthogonal_too():
    """Principal components, a cosine transform; a constraint keeps trained ones orthogonal."""
    bare = replace(model(), architecture=None)
    for kernel, expected in (
        (ROTATED, LOW),
        (replace(ROTATED, route="a/recurrent_kernel"), HIGH),  # starts so by default
        (replace(ROTATED, tests={**ROTATED.tests, "bias_initial": True}), HIGH),
    ):
        found = severities(kernel, moved("b"), moved("c"), moved("d"), artifact=bare)
        assert found == {kernel.route: expected}
    for constraint, expected in ((None, HIGH), ("Stiefel", LOW)):
        layer = examples.layer("a", config={"kernel_constraint": constraint})
        kernel = replace(ROTATED, guessed=False)
        found = severities(kernel, moved("b"), moved("c"), artifact=examples.model(layer))
        assert found == {"a": expected}


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [
        (uniform("a", 400), HIGH),  # 3 % of 400 weights, or more, would be beyond the bound
        (uniform("a", 400, bias=False), HIGH),
        (uniform("a", 200), None),
        (uniform("a", 16, draws=True), HIGH),  # bit for bit as drawn
        (uniform("a", 15, draws=True), None),
        (uniform("a", 64, draws=False), None),
        (uniform("a", 64, draws=True, trainable=False), INFO),
        (uniform("a", 400, guessed=True), HIGH),
        (uniform("a", 400, guessed=True, initializer="HeUniform"), None),  # one of many guesses
        (drawn("a", 400, None, state="undecidable"), None),  # without a bound
        # By a spread that somebody chose, as of random features, which weights alone do not tell.
        (drawn("a", 400, None, guessed=True, initializer="RandomNormal", draws=True), LOW),
        (drawn("a", 400, True, guessed=True, initializer="RandomNormal", draws=True), MEDIUM),
        (ROTATED, LOW),
        (drawn("a", 64, True, guessed=True, law="orthogonal", initializer="Orthogonal"), HIGH),
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


def optimized(m, steps, *, dtype="float32", counted=True):
    """Four layers after these steps of Adam at 1e-4; the moment of `a` is m."""
    found = adam(("a", m, m * m), *((x, 0.1, 0.1) for x in "bcd"), steps=steps, rate=1e-4).artifact
    kept = [t for t in found.tensors if counted or t.shape]
    typed = [replace(t, dtype=dtype) if t.role == "weight" else t for t in kept]
    return replace(found, tensors=tuple(typed))


@pytest.mark.parametrize(
    ("artifact", "bias", "expected"),
    [
        (optimized(1e-3, 50), None, LOW),  # at most 0.01, of a spread of 0.5
        (optimized(1e-3, 50), True, HIGH),  # which would have moved the bias
        (optimized(1e-3, 5000), True, HIGH),  # trained, and drawn anew
        (optimized(1e-3, 5000, dtype="float16"), True, LOW),  # rounding may have lost every update
        (optimized(1e-3, 5000, counted=False), None, LOW),
        (optimized(0.0, 50), True, MEDIUM),  # no gradient reached it
    ],
)
def test_a_kernel_that_gradients_reached_may_have_moved_too_little_to_show(
    artifact, bias, expected
):
    kernels = (uniform("a", bias=bias), moved("b"), moved("c"), moved("d"))
    assert severities(*kernels, artifact=artifact) == {"a": expected}


@pytest.mark.parametrize(("moved_by", "expected"), [(0.005, LOW), (0.02, HIGH)])
def test_a_bias_moved_further_than_the_steps_could_shows_that_its_kernel_was_lost(
    moved_by, expected
):
    """50 steps at 1e-4 move it by at most 0.01: the bias was loaded, its kernel was not."""
    stats = TensorStats(-moved_by, moved_by, 0.0, moved_by / 2, 0, 0)
    artifact = optimized(1e-3, 50)
    artifact = replace(
        artifact,
        tensors=(*artifact.tensors, examples.tensor("a/bias", (2,), stats)),
        kernels=(Kernel("a", "a/kernel", "dense", "io", 0, (4, 2), bias="a/bias"),),
    )
    kernels = (uniform("a", bias=False), *(beyond(x, 0.2) for x in "bcd"))
    assert severities(*kernels, artifact=artifact) == {"a": expected}
