"""What an output is taken for, where only its form tells."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from modelaudit.facts import Graph, GraphNode, Kernel, Signature
from modelaudit.graphs import Endpoint
from modelaudit.probe.study.output_tasks import kind_of, task_of
from modelaudit.rules import examples
from modelaudit.structs import replace

VALUES = np.random.default_rng(0).random((32, 6))


@pytest.mark.parametrize(
    ("width", "hidden", "labels", "kind"),
    [
        (6, (4,), None, "regression"),  # autoencoders
        (6, (5, 2, 5), None, "regression"),
        (9, (4,), None, "sigmoid"),
        (6, (12,), None, "sigmoid"),  # as many labels as features
        (6, (12, 4), None, "sigmoid"),
        (6, (), None, "sigmoid"),
        (6, (4,), (VALUES > 0.5).astype(int), "sigmoid"),  # labels tell that these are classes
    ],
)
def test_outputs_like_the_inputs_are_no_classes(width, hidden, labels, kind) -> None:
    signature = Signature(
        "serving_default", "", (Endpoint("x", "x:0", "float32", (None, width)),), ()
    )
    widths = [width, *hidden, 6]
    kernels = tuple(
        Kernel(f"d{i}", f"d{i}/kernel", "dense", "io", 0, (a, b), activation="sigmoid")
        for i, (a, b) in enumerate(itertools.pairwise(widths))
    )
    artifact = replace(
        examples.model(), architecture=None, signatures=(signature,), kernels=kernels
    )
    assert kind_of(VALUES, artifact, labels).name == kind


@pytest.mark.parametrize(
    ("values", "labels", "task", "kind", "found", "sure"),
    [
        (VALUES, None, "regression", "regression", "regression", "high"),
        (VALUES, None, "multilabel", "sigmoid", "multilabel", "high"),
        (VALUES / VALUES.sum(1, keepdims=True), None, "classes", "softmax", "classes", "high"),
        (VALUES - 3, None, "classes", "logits", "classes", "high"),
        (VALUES - 3, None, None, "logits", "regression", "low"),
        (np.eye(6)[np.arange(32) % 6] * 5 + VALUES, None, None, "logits", "classes", "low"),
        (VALUES - 3, np.arange(32) % 6, None, "logits", "classes", "high"),
        (VALUES - 3, VALUES * 2, None, "regression", "regression", "high"),
        (VALUES[:, :1] - 3, np.arange(32) % 9, None, "regression", "ordinal", "medium"),
        (VALUES.reshape(8, 2, 2, 6), None, None, "spatial", "map", "medium"),
        (VALUES.reshape(8, 4, 6), None, None, "spatial", "sequence", "medium"),
        (VALUES.reshape(8, 4, 6), None, "map", "spatial", "map", "high"),
    ],
)
def test_a_task_is_declared_or_told_by_labels_and_values(
    values, labels, task, kind, found, sure
) -> None:
    artifact = replace(examples.model(), training=None)
    known = kind_of(values, artifact, labels, name="head", task=task)
    said = task_of(known, values, artifact, labels, "head", task)
    assert (known.name, said.name, said.confidence) == (kind, found, sure)


@pytest.mark.parametrize(
    ("name", "metrics", "names", "kind", "task", "sure"),
    [
        ("class_logits", None, (), "logits", "classes", "medium"),
        ("bbox", None, (), "regression", "regression", "medium"),
        ("dense_2", [["accuracy"]], (), "logits", "classes", "medium"),
        ("dense_2", ["mae"], (), "regression", "regression", "medium"),
        ("dense_2", None, tuple("abcdef"), "logits", "classes", "medium"),
        ("dense_2", None, tuple("abcde"), "logits", "regression", "low"),  # of another model
        ("box_classes", None, (), "logits", "regression", "low"),  # both words
        ("dense_2", ["mean"], (), "logits", "regression", "low"),
    ],
)
def test_words_tell_what_linear_outputs_without_a_loss_are(
    name, metrics, names, kind, task, sure
) -> None:
    beside = {"labels": {"file": "labels.txt", "names": list(names)}} if names else {}
    artifact = replace(examples.model(), training={"metrics": metrics}, extra=beside)
    known = kind_of(VALUES - 3, artifact, None, name=name)
    said = task_of(known, VALUES - 3, artifact, None, name)
    assert (known.name, said.name, said.confidence) == (kind, task, sure)
    assert known.guessed is (sure == "low")


@pytest.mark.parametrize(
    ("loss", "name", "labels", "kind", "task"),
    [
        ("mse", "box", None, "regression", "detection"),
        ("huber", "dense_2", None, "regression", "regression"),
        (None, "keypoints", None, "regression", "regression"),
        ("binary_crossentropy", "box", None, "sigmoid", "multilabel"),
        ("mse", "dense_2", (VALUES > 0.5).astype(int), "sigmoid", "multilabel"),
        (None, "dense_2", None, "sigmoid", "multilabel"),
    ],
)
def test_several_values_from_0_to_1_with_a_loss_of_distances_are_numbers(
    loss, name, labels, kind, task
) -> None:
    """A sound detector failed: its boxes, between sigmoids, were called labels without content."""
    kernel = Kernel(name, f"{name}/kernel", "dense", "io", 0, (4, 6), activation="sigmoid")
    artifact = replace(
        examples.model(), architecture=None, kernels=(kernel,), training={"loss": loss}
    )
    known = kind_of(VALUES, artifact, labels, name=name)
    assert (known.name, task_of(known, VALUES, artifact, labels, name).name) == (kind, task)


@pytest.mark.parametrize(
    "config", ["SparseCategoricalCrossentropy", "sparse_categorical_crossentropy"]
)
def test_a_loss_with_settings_tells_that_linear_outputs_are_scores_of_classes(config) -> None:
    loss = {"class_name": config, "config": {"from_logits": True}}
    scored = replace(examples.model(), training={"loss": loss})
    assert not kind_of(VALUES - 3, scored, None).guessed
    assert kind_of(VALUES - 3, replace(scored, training=None), None).guessed


@pytest.mark.parametrize(
    ("width", "from_logits", "task", "scores"),
    [(1, True, "classes", True), (3, True, "multilabel", True), (1, False, "regression", False)],
)
def test_scores_before_a_sigmoid_are_told_by_their_loss(width, from_logits, task, scores) -> None:
    """Also of a model that loads only with compile=False: the loss is in the file."""
    loss = {"class_name": "BinaryCrossentropy", "config": {"from_logits": from_logits}}
    artifact = replace(examples.model(), training={"loss": loss})
    values = 4 * VALUES[:, :width] - 2
    known = kind_of(values, artifact, None)
    assert (known.name, known.scores) == ("regression", scores)
    assert task_of(known, values, artifact, None, "head").name == task


@pytest.mark.parametrize(
    ("op", "kind"), [("SoftmaxCrossEntropyWithLogits", "logits"), ("L2Loss", "")]
)
def test_the_loss_of_a_training_graph_tells_scores_of_classes(op, kind) -> None:
    """Behind a ReLU they looked like features."""
    nodes = (
        GraphNode("Relu_5", "Relu", ("BiasAdd",)),
        GraphNode("Reshape", "Reshape", ("Relu_5", "shape")),
        GraphNode("loss", op, ("Reshape", "y")),
    )
    last = (Kernel("Relu_5", "w", "dense", "io", 0, (4, 6), activation="relu"),)
    graph = replace(
        examples.model(), architecture=None, graphs=(Graph((), nodes),), kernels=last, training=None
    )
    known = kind_of(VALUES, graph, None, name="Relu_5")
    task = task_of(known, VALUES, graph, None, "Relu_5")
    assert (known.name, task.name, task.confidence) == (
        ("logits", "classes", "medium") if kind else ("embedding", "embedding", "low")
    )
