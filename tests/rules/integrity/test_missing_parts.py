"""MA422 to MA425: parts whose absence no loader reports."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.facts import FileEntry, Format, Graph, Json, ObjectNode
from modelaudit.findings import Outcome, Severity
from modelaudit.pipeline import static_facts
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.settings import Settings
from modelaudit.structs import replace
from tests.made.training import train

GRAPH = (Graph((), ()),)


def result_of(code, facts):
    return run_rule(rule(code), facts)


def checkpoint(unclaimed=(), graphs=GRAPH, form=Format.TF1_CHECKPOINT):
    roles = {"one/kernel": "weight", "one/kernel/Adam": "optimizer", "mid/kernel": "weight"}
    tensors = tuple(replace(examples.tensor(name), role=role) for name, role in roles.items())
    restore: dict[str, Json] = {"unclaimed": [*unclaimed]}
    artifact = examples.model(tensors=tensors, extra={"restore": restore}, kind=form)
    return Facts(replace(artifact, graphs=graphs))


@pytest.mark.parametrize(
    ("unclaimed", "severity"),
    [
        (["mid/kernel"], Severity.HIGH),
        (["mid/kernel", "one/kernel/Adam"], Severity.HIGH),
        (["one/kernel/Adam"], Severity.LOW),  # a graph for inference
        ([], None),
    ],
)
def test_variables_that_the_graph_lacks(unclaimed, severity):
    found = [f.severity for f in result_of("MA422", checkpoint(unclaimed)).findings]
    assert found == ([severity] if severity else [])


def test_without_a_graph_nothing_can_be_compared():
    facts = checkpoint(["mid/kernel"], ())
    assert result_of("MA422", facts).outcome is Outcome.NOT_APPLICABLE
    (finding,) = result_of("MA423", facts).findings
    assert finding.severity is Severity.MEDIUM
    assert finding.location.file.endswith(".meta")
    assert result_of("MA423", checkpoint()).outcome is Outcome.PASS


@pytest.mark.parametrize("code", ["MA422", "MA423", "MA424", "MA425"])
def test_other_formats_have_no_such_parts(code):
    result = result_of(code, examples.healthy())
    assert (result.outcome, result.moot) == (Outcome.NOT_APPLICABLE, True)


def compiled(*shapes, trainable=True):
    first, norm = examples.layer("a"), examples.layer("bn")
    norm = replace(norm, variables={"gamma": "bn/gamma", "moving_mean": "bn/moving_mean"})
    weights = [examples.tensor("a/kernel"), examples.tensor("a/bias", (2,))]
    weights += [examples.tensor(name, (2,)) for name in norm.variables.values()]
    state = [
        replace(examples.tensor(f"optimizer/vars/{number}", shape), role="optimizer")
        for number, shape in enumerate(shapes)
    ]
    layers = (first, replace(norm, trainable=trainable))
    artifact = examples.model(*layers, tensors=(*weights, *state))
    return Facts(replace(artifact, training={"loss": "mse"}))


STEP = ((), ())  # iterations and learning rate


@pytest.mark.parametrize(
    ("shapes", "trainable", "outcome"),
    [
        ((), True, Outcome.FAIL),
        (STEP, True, Outcome.PASS),  # not trained yet, or plain gradient descent
        ((*STEP, (4, 2), (2,), (2,)), True, Outcome.PASS),  # momentum
        ((*STEP, (4, 2), (4, 2), (2,), (2,), (2,), (2,)), True, Outcome.PASS),  # Adam
        ((*STEP, (4, 2), (4, 2), (2,), (2,)), False, Outcome.PASS),  # frozen normalization
        ((*STEP, (4, 2), (4, 2), (2,), (2,)), True, Outcome.FAIL),
        ((*STEP, (4, 2), (4, 2)), True, Outcome.FAIL),
        ((*STEP, (2,)), True, Outcome.FAIL),  # part of one variable for each: momentum
        ((*STEP, (4,), (2,)), True, Outcome.NOT_APPLICABLE),  # Adafactor keeps rows and columns
    ],
)
def test_the_optimizer_keeps_as_much_for_every_trained_weight(shapes, trainable, outcome):
    result = result_of("MA424", compiled(*shapes, trainable=trainable))
    assert result.outcome is outcome
    assert all(finding.severity is Severity.LOW for finding in result.findings)


def test_the_state_of_a_random_generator_is_no_trained_weight():
    facts = compiled(*STEP, (4, 2), (2,), (2,))
    architecture = facts.artifact.architecture
    noise = replace(examples.layer("noise"), variables={"state": "noise/state"})
    state = replace(examples.tensor("noise/state", (3,)), dtype="int64")
    artifact = replace(
        facts.artifact,
        architecture=replace(architecture, layers=(*architecture.layers, noise)),
        tensors=(*facts.artifact.tensors, state),
    )
    assert result_of("MA424", replace(facts, artifact=artifact)).outcome is Outcome.PASS


@pytest.mark.parametrize(
    "inside", ["layers/functional/optimizer/vars", "body/optimizer/_variables"]
)
def test_the_optimizer_of_a_model_inside_is_another(inside):
    """A body that was trained for itself before it became a part of this model."""
    facts = compiled(*STEP, (4, 2), (2,), (2,))
    own = [replace(examples.tensor(f"{inside}/{n}", (2,)), role="optimizer") for n in range(4)]
    artifact = replace(facts.artifact, tensors=(*facts.artifact.tensors, *own))
    assert result_of("MA424", replace(facts, artifact=artifact)).outcome is Outcome.PASS


def test_tensorflow_js_keeps_no_optimizer():
    facts = compiled()
    artifact = replace(facts.artifact, format=Format.TFJS_LAYERS)
    assert result_of("MA424", replace(facts, artifact=artifact)).findings == ()


@pytest.mark.parametrize(
    ("name", "outcome"), [("Adam", Outcome.FAIL), ("Nadam", Outcome.FAIL), ("SGD", Outcome.PASS)]
)
def test_adam_keeps_two_variables_for_every_weight(name, outcome):
    """All averages of squares are lost; of SGD with momentum, nothing is."""
    facts = compiled(*STEP, (4, 2), (2,), (2,))
    training = {"optimizer": {"class_name": name, "config": {}}}
    facts = replace(facts, artifact=replace(facts.artifact, training=training))
    assert result_of("MA424", facts).outcome is outcome


@pytest.mark.parametrize(
    ("metadata", "files", "outcome"),
    [("", (), Outcome.FAIL), ("{}", (), Outcome.PASS), ("", ("keras_metadata.pb",), Outcome.PASS)],
)
def test_configs_of_keras_objects(metadata, files, outcome):
    detail: dict[str, Json] = {"identifier": "_tf_keras_sequential", "metadata": metadata}
    artifact = examples.model(kind=Format.SAVEDMODEL_TF2)
    nodes = (ObjectNode(0, "user_object", {}, detail),)
    entries = tuple(FileEntry(name, 1, None) for name in files)
    facts = Facts(replace(artifact, object_graph=nodes, files=entries))
    assert result_of("MA425", facts).outcome is outcome
    # A module or a policy that holds the layer has never had such a file.
    held = (ObjectNode(0, "user_object", {"net": 1}, {"identifier": "_generic_user_object"}),)
    held += (replace(nodes[0], index=1),)
    facts = Facts(replace(artifact, object_graph=held, files=entries))
    assert result_of("MA425", facts).outcome is Outcome.NOT_APPLICABLE


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("drawn", [True, False])
def test_layers_that_were_frozen_in_training_have_no_state(keras, tmp_path, drawn):
    """Of other layers than those that are as drawn, it may have been lost."""
    draw, layers = np.random.default_rng(0), keras.layers
    hidden = [layers.Dense(30, activation="relu") for _ in range(2)]
    model = keras.Sequential([keras.Input((20,)), *hidden, layers.Dense(1)])
    for each in hidden:
        each.trainable = False
    model.compile(keras.optimizers.Adam(0.01), "mse")
    if not drawn:
        for each in hidden:
            each.set_weights([draw.normal(size=w.shape) for w in each.get_weights()])
    x = draw.normal(size=(64, 20))
    train(model, x, x[:, :1], steps=12)
    for each in hidden:
        each.trainable = True
    model.save(tmp_path / "m.keras")
    said = run_rule(rule("MA424"), static_facts(tmp_path / "m.keras", Settings())).findings
    assert ["unless their layers were frozen" in x.detail for x in said] == [True] * (not drawn)
