"""Recurrent kernels that look as drawn: skipped, or not used in sequences of one step."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.facts import Graph, GraphNode, TensorStats
from modelaudit.findings import Severity
from modelaudit.pipeline import static_facts
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.initial_weights.initial_explained import FIRST_STEP, NO_SECOND_STEP
from modelaudit.rules.initial_weights.initial_values import left_initial
from modelaudit.settings import Settings
from modelaudit.structs import replace
from tests.made.training import train
from tests.rules.initial_kernels import drawn, model, moved, severities

HIGH, LOW, INFO = Severity.HIGH, Severity.LOW, Severity.INFO


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


@pytest.mark.parametrize(("steps", "severity"), [(1, INFO), (20, HIGH)])
def test_the_steps_are_those_of_the_layer_itself(steps, severity):
    """Attention behind a GRU leaves one step of its sequence, which a `Flatten` takes."""
    name = "gru/recurrent_kernel"
    kernel = drawn(name, 1200, bias=False, state="trained", law="orthogonal")
    gru = replace(
        examples.layer("gru", "GRU"),
        variables={"recurrent_kernel": name},
        input_shapes=((None, steps, 20),),
    )
    flat = replace(examples.layer("flatten", "Flatten"), input_shapes=((None, 1, 20),))
    artifact = replace(examples.model(gru, flat), tensors=(examples.tensor(name, (20, 60)),))
    found = severities(
        replace(kernel, tensor=name), moved("gru/kernel"), moved("b"), artifact=artifact
    )
    assert found == {name: severity}


@pytest.mark.parametrize(
    ("steps", "backwards", "explained", "severity"),
    [
        (20, False, FIRST_STEP, Severity.MEDIUM),
        (None, True, FIRST_STEP, Severity.MEDIUM),
        (None, False, NO_SECOND_STEP, LOW),  # any number of steps, of which training used one
    ],
)
def test_a_recurrent_kernel_that_no_gradient_reached(steps, backwards, explained, severity):
    name = "gru/recurrent_kernel"
    kernel = drawn(name, 1200, bias=False, state="trained", law="orthogonal")
    gru = replace(
        examples.layer("gru", "GRU"),
        config={"go_backwards": backwards},
        variables={"recurrent_kernel": name, "kernel": "gru/kernel"},
        input_shapes=((None, steps, 20),),
    )
    zero = TensorStats(0.0, 0.0, 0.0, 0.0, 1200, 0)
    tensors = (
        examples.tensor(name, (20, 60)),
        examples.tensor("gru/kernel", (30, 60)),
        *(
            replace(examples.tensor(f"Adam/{part}/{name}:0", (20, 60), zero), role="optimizer")
            for part in "mv"
        ),
        *(
            replace(examples.tensor(f"Adam/{part}/gru/kernel:0", (30, 60)), role="optimizer")
            for part in "mv"
        ),
    )
    artifact = replace(examples.model(gru), tensors=tensors)
    (found,) = left_initial(
        artifact, (replace(kernel, tensor=name), moved("gru/kernel"), moved("b"))
    )
    assert (found.against, found.severity) == (explained, severity)


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


@pytest.mark.parametrize(
    ("shape", "steps", "backwards", "severity"),
    [
        ((None, 1), 1, False, LOW),
        ((None, 1), 5, False, None),
        ((5, 1), 5, True, LOW),  # of which the last position, its first step, is used
    ],
)
def test_forget_gates_tell_of_sequences_of_one_step(
    keras, tmp_path, shape, steps, backwards, severity
):
    """The shape of the input does not: the number of steps is open."""
    keras.utils.set_random_seed(3)
    layers = keras.layers
    lstm = layers.LSTM(12, return_sequences=backwards)
    model = keras.Sequential(
        [layers.Input(shape)]
        + ([layers.Bidirectional(lstm), layers.Lambda(_last, (24,))] if backwards else [lstm])
        + [layers.Dense(16, "tanh"), layers.Dense(1)]
    )
    model.compile("adam", "mse")
    inputs = np.random.default_rng(1).normal(size=(256, steps, 1)).astype("float32")
    train(model, inputs, inputs.sum(axis=1) ** 2, epochs=20)
    path = tmp_path / "model.keras"
    keras.Model(model.inputs, model.outputs).save(path)  # without the state of the optimizer
    facts = static_facts(path, Settings())
    found = [x for x in run_rule(rule("MA405"), facts).findings if "lstm" in x.detail]
    assert [each.severity for each in found] == ([severity] if severity else [])
    assert all("sequences of one step" in each.detail for each in found)


GRUS = [(False, None), (True, None), (True, 5)]


@pytest.mark.parametrize(("after", "shape"), GRUS)
@pytest.mark.parametrize("steps", [1, 5])
def test_reset_gates_tell_of_sequences_of_one_step(keras, tmp_path, after, shape, steps):
    """With two biases they are trained, too: then nothing tells but the number of steps."""
    facts = _trained_gru(keras, tmp_path, after, (shape and steps, 1), steps)[0]
    found = [x for x in run_rule(rule("MA405"), facts).findings if "gru" in x.detail]
    first = {(False, None): LOW, (True, None): Severity.MEDIUM, (True, 5): INFO}[after, shape]
    assert [each.severity for each in found] == [first] * (steps == 1)
    text = "sequences of one step"
    assert all(text in each.detail and "skipped" not in each.detail for each in found)


@pytest.mark.parametrize(("after", "shape"), GRUS)
def test_a_skipped_recurrent_kernel_of_a_gru(keras, tmp_path, after, shape):
    facts, model, before = _trained_gru(keras, tmp_path, after, (shape, 1), 5)
    trained = model.get_layer("gru").get_weights()
    model.get_layer("gru").set_weights([trained[0], before[1], trained[2]])
    model.save(facts.artifact.root)
    facts = static_facts(facts.artifact.root, Settings())
    (found,) = [x for x in run_rule(rule("MA405"), facts).findings if "gru" in x.detail]
    unknown = after and shape is None
    assert found.severity == (Severity.MEDIUM if unknown else HIGH)
    assert ("or the kernel is not the one that was trained" in found.detail) is unknown


def _trained_gru(keras, folder, after, shape, steps):
    keras.utils.set_random_seed(3)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input(shape),
            layers.GRU(12, reset_after=after, name="gru"),
            layers.Dense(16, "tanh"),
            layers.Dense(1),
        ]
    )
    before = model.layers[0].get_weights()
    model.compile(keras.optimizers.Adam(0.01), "mse")
    inputs = np.random.default_rng(1).normal(size=(256, steps, 1)).astype("float32")
    train(model, inputs, inputs.sum(axis=1) ** 2, steps=40)
    path = folder / "model.keras"
    plain = keras.Model(model.inputs, model.outputs)  # without the state of the optimizer
    plain.save(path)
    return static_facts(path, Settings()), plain, before


def test_a_skipped_recurrent_layer_has_its_other_gates_as_drawn_too(keras, tmp_path):
    keras.utils.set_random_seed(3)
    layers = keras.layers
    model = keras.Sequential(
        [layers.Input((None, 1)), layers.LSTM(12), layers.Dense(16, "tanh"), layers.Dense(1)]
    )
    model.compile("adam", "mse")
    inputs = np.random.default_rng(1).normal(size=(256, 5, 1)).astype("float32")
    drawn_before = model.layers[0].get_weights()
    train(model, inputs, inputs.sum(axis=1) ** 2, epochs=20)
    trained = model.layers[0].get_weights()
    model.layers[0].set_weights([trained[0], drawn_before[1], trained[2]])
    path = tmp_path / "model.keras"
    keras.Model(model.inputs, model.outputs).save(path)
    findings = run_rule(rule("MA405"), static_facts(path, Settings())).findings
    assert [each.severity for each in findings if "lstm" in each.detail] == [HIGH]


def _last(x):
    return x[:, -1]


@pytest.mark.slow
@pytest.mark.parametrize("chosen", [True, False])
def test_a_reservoir_in_tensors_alone_may_be_meant(keras, tensorflow, tmp_path, chosen):
    """Keras draws recurrent kernels orthogonal: of another kind, somebody chose how."""
    keras.utils.set_random_seed(12)
    own = {"class_name": "RandomNormal", "config": {"stddev": 0.09}}
    draw = {"recurrent_initializer": own} if chosen else {}
    of = keras.layers
    layers = [keras.Input((20, 8)), of.SimpleRNN(48, trainable=False, name="echo", **draw)]
    layers += [of.Dense(32, "tanh"), of.Dense(24, "relu"), of.Dense(2)]
    network = keras.Sequential(layers)
    x = np.random.default_rng(12).uniform(-1, 1, (512, 20, 8))
    network.compile(keras.optimizers.Adam(0.01), "mse")
    train(network, x, x[:, -1, :2] * x[:, -2, 2:4], epochs=12)
    tensors = {
        f"{layer.name}/{weight.name}": weight.numpy()
        for layer in network.layers
        for weight in layer.weights
    }
    names, values = list(tensors), list(tensors.values())
    prefix = str(tmp_path / "model.ckpt")
    tensorflow.raw_ops.SaveV2(
        prefix=prefix, tensor_names=names, shape_and_slices=[""] * len(names), tensors=values
    )
    facts = static_facts(tmp_path / "model.ckpt", Settings())
    found = run_rule(rule("MA405"), facts).findings
    assert any("reservoir" in each.detail for each in found) is chosen
    assert not chosen or {each.severity for each in found} == {LOW}


def test_what_a_graph_calls_trainable_may_have_been_frozen():
    """A layer of Keras that is frozen stays among the trainable variables of a graph."""
    input_kernel = drawn("rnn/kernel", 600, guessed=True, law="uniform")
    own = replace(moved("rnn/recurrent_kernel", bias=True), guessed=True, state="undecidable")
    others = [moved(name) for name in "abcd"]
    graph = Graph((), (), trainable=("rnn/kernel",))
    of_tf1 = replace(model(), architecture=None, graphs=(graph,))
    assert severities(input_kernel, own, *others, artifact=of_tf1)["rnn/kernel"] is LOW
    usual = replace(own, tests=dict(own.tests) | {"fits": True, "law": "orthogonal"})
    assert severities(input_kernel, usual, *others, artifact=of_tf1)["rnn/kernel"] is HIGH


def test_a_frozen_embedding_does_not_tell_that_a_base_was_trained():
    """An embedding has no bias, and may be drawn by an initializer that an export does not name."""
    frozen = drawn("a", guessed=True, law="uniform", trainable=False)
    table = replace(moved("words/embeddings", bias=None, trainable=False), guessed=True)
    export = replace(model(), architecture=None)
    others = [moved(name) for name in "bcde"]
    assert severities(frozen, table, *others, artifact=export)["a"] is INFO
    base = moved("f", trainable=False)
    assert severities(frozen, table, base, *others, artifact=export)["a"] is HIGH
