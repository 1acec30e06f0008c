"""What is certain to be a mistake is medium or higher; what sound models do as well stays lower."""

from __future__ import annotations

import pytest

from modelaudit.audit_types.kernels import KernelInitialization
from modelaudit.measures.summary import Measurements
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.training_steps import adam
from modelaudit.rules.untrained_bodies import only_head_moved
from modelaudit.structs import replace
from tests.rules.test_made_designs import HEAD, dense, found, layer, names

ONE = dense(1, "softmax", name="score")


@pytest.mark.parametrize("last, loss", [("softmax", "Sparse"), ("sigmoid", "Binary")])
def test_probabilities_where_the_loss_expects_scores(last, loss):
    name = "SparseCategoricalCrossentropy" if loss == "Sparse" else "BinaryCrossentropy"
    head = dense(5 if loss == "Sparse" else 1, last, name="head")

    def said(logits):
        settings = {"class_name": name, "config": {"from_logits": logits}}
        return found("MA306", head, training={"loss": settings})

    assert names(said(True), "from_logits=False") == "medium"
    assert said(False) == []


def test_one_unit_for_a_number_and_for_two_classes():
    assert names(found("MA305", ONE, training={"loss": "mse"}), 'activation="linear"') == "high"
    classes = found("MA305", ONE, training={"loss": "binary_crossentropy"})
    assert names(classes, 'activation="sigmoid"') == "high"


@pytest.mark.parametrize(
    "metric, right",
    [
        ({"class_name": "BinaryIoU", "config": {"threshold": 0.5}}, {"threshold": 0.0}),
        ({"class_name": "F1Score", "config": {"threshold": 0.5}}, {"threshold": 0.0}),
        ({"class_name": "Recall", "config": {"thresholds": 0.5}}, {"thresholds": 0.0}),
    ],
)
def test_thresholds_of_scores(metric, right):
    head = dense(1, "linear", name="score")

    def said(config):
        loss = {"class_name": "BinaryCrossentropy", "config": {"from_logits": True}}
        made = {**metric, "config": config}
        return found("MA320", head, training={"loss": loss, "metrics": [made]})

    ((key, _),) = right.items()
    assert names(said(metric["config"]), f"{metric['class_name']}({key}=0.0)") == "low"
    assert said(right) == []


def test_series_whose_channels_come_first():
    def said(*shape):
        given = replace(layer("InputLayer", name="x"), output_shape=(None, *shape))
        return found("MA311", given, layer("Conv1D", filters=8, kernel_size=[2]), HEAD)

    assert names(said(2, 128), "(128, 2)") == "low"
    assert said(128, 2) == said(24, 300) == []


def test_answers_for_positions_that_windows_chose():
    def said(*hidden, answers=(4, 4), given=(16, 16), classes=5):
        x = replace(layer("InputLayer", name="x"), output_shape=(None, *given, 3))
        head = dense(classes, "softmax", name="head")
        return found("MA327", x, *hidden, replace(head, output_shape=(None, *answers, classes)))

    pooled = (layer("Conv2D", filters=8), layer("MaxPooling2D"))
    assert names(said(*pooled), "GlobalAveragePooling2D") == "low"
    assert said(*pooled, layer("UpSampling2D"), answers=(16, 16)) == []
    assert said(layer("Conv2D", filters=8), answers=(16, 16)) == []  # a class for each pixel
    # A decoder gives as many answers as it was made for.
    assert said(layer("Conv1D", filters=8), layer("LSTM"), answers=(4,), given=(16,)) == []


def _state(route, *, bias=True, norm=None, fits=True):
    tests = {"fits": fits, "bias_initial": bias, "batchnorm_initial": norm}
    return KernelInitialization(route, f"{route}/kernel", "GlorotUniform", "fresh", tests=tests)


def _body(*, frozen, norms=False):
    base = replace(examples.layer("base", "Functional", {}), is_model=True, trainable=not frozen)
    inner = [examples.layer(f"base/{name}") for name in "ab"]
    bias, norm = (None, True) if norms else (True, None)
    kernels = [_state(x.route, bias=bias, norm=norm) for x in inner]
    moved = _state("head", bias=False, fits=False)
    made = examples.model(base, *inner, examples.layer("head"))
    return only_head_moved(made, (*kernels, moved))


@pytest.mark.parametrize("norms", [False, True])
def test_a_base_frozen_as_a_whole_at_its_initial_values(norms):
    assert [str(each.severity) for each in _body(frozen=True, norms=norms)] == ["medium"] * 2
    # Layers that were frozen one by one may be random features on purpose.
    assert [str(each.severity) for each in _body(frozen=False, norms=norms)] == ["low"] * 2


def test_a_frozen_head_at_its_initial_values():
    def said(bias):
        hidden, head = dense(name="hidden"), dense(5, "softmax", name="head")
        facts = examples.chain(hidden, replace(head, trainable=False), training={"loss": "mse"})
        undecidable = replace(_state("head", bias=bias), state="undecidable")
        trained = replace(_state("hidden", bias=False, fits=False), state="trained")
        measured = Measurements(initialization=(undecidable, trained))
        (seen,) = run_rule(rule("MA321"), replace(facts, measurements=measured)).findings
        return str(seen.severity)

    assert said(bias=True) == "medium"
    assert said(bias=False) == "low"  # trained before it was frozen


def test_a_few_first_steps_of_a_head_on_a_frozen_base():
    def said(moved):
        facts = adam(("base", 0.1, 0.1), ("head", 0.1, 0.1), steps=3, rate=1e-3)
        stats = replace(examples.ORDINARY, minimum=-0.5, maximum=0.5)
        own = replace(stats, minimum=-moved, maximum=moved)
        biases = (
            examples.tensor("base/bias", (2,), stats),
            examples.tensor("head/bias", (2,), own),
        )
        architecture = facts.artifact.architecture
        assert architecture is not None
        layers = tuple(
            replace(
                each,
                trainable=each.name == "head",
                variables={**each.variables, "bias": f"{each.name}/bias"},
            )
            for each in architecture.layers
        )
        artifact = replace(
            facts.artifact,
            architecture=replace(architecture, layers=layers),
            tensors=(*facts.artifact.tensors, *biases),
        )
        (seen,) = run_rule(rule("MA432"), replace(facts, artifact=artifact)).findings
        return str(seen.severity)

    assert said(0.002) == "medium"
    assert said(0.2) == "low"  # compiled again after a longer training
