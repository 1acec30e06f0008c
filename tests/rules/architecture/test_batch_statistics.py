"""Batch normalization by the statistics of the batch in frozen graphs; TensorFlow is the oracle."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.facts import Artifact, Format, Graph, GraphNode
from modelaudit.formats.reader import read_artifact
from modelaudit.pipeline import static_facts
from modelaudit.rules import catalogue
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.settings import Limits
from modelaudit.settings import Settings as RunSettings

pytestmark = pytest.mark.slow
SIZE = 6


def normalized(value: Any, training: bool, name: str = "norm") -> Any:
    import tensorflow.compat.v1 as tf

    with tf.name_scope(name):
        gamma, beta = tf.constant([2.0, 3.0]), tf.constant([0.5, 1.0])
        mean, variance = (None, None) if training else (beta, gamma)
        found, *_ = tf.nn.fused_batch_norm(
            value, gamma, beta, mean, variance, is_training=training, name="FusedBatchNorm"
        )
    return found


def summed(value: Any) -> Any:
    import tensorflow.compat.v1 as tf

    return tf.reduce_sum(tf.nn.relu(value), [1, 2], name="out")


def in_a_branch(value: Any) -> Any:
    import tensorflow.compat.v1 as tf

    tf.disable_control_flow_v2()
    phase = tf.placeholder_with_default(False, [], "phase")
    both = (lambda: normalized(value, True), lambda: normalized(value, False))
    found = tf.cond(phase, *both)
    tf.enable_control_flow_v2()
    return summed(found)


def by_instance(value: Any) -> Any:
    """Each image is normalized by itself, with the batch in the channels."""
    import tensorflow.compat.v1 as tf

    stacked = tf.reshape(tf.transpose(value, [0, 3, 1, 2]), [1, 6, SIZE, SIZE])
    ones = tf.constant(np.ones(6, "f"))
    found, *_ = tf.nn.fused_batch_norm(
        tf.transpose(stacked, [0, 2, 3, 1]), ones, 0 * ones, is_training=True
    )
    return summed(
        tf.transpose(tf.reshape(tf.transpose(found, [0, 3, 1, 2]), [3, 2, 6, 6]), [0, 2, 3, 1])
    )


def frozen(path: Path, build: Callable[[Any], Any], batch: int | None) -> Path:
    import tensorflow.compat.v1 as tf

    with tf.Graph().as_default() as graph:
        build(tf.placeholder("float32", (batch, SIZE, SIZE, 2), "x"))
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def depends_on_the_batch(path: Path) -> bool:
    """Whether an image gets another answer beside other images."""
    import tensorflow.compat.v1 as tf

    graph_def = tf.GraphDef.FromString(path.read_bytes())
    images = np.random.default_rng(1).normal(size=(5, SIZE, SIZE, 2)).astype("f")
    with tf.Graph().as_default() as graph, tf.Session() as session:
        tf.import_graph_def(graph_def, name="")
        out = graph.get_tensor_by_name("out:0")
        one, other = (session.run(out, {"x:0": images[i]}) for i in ([0, 1, 2], [0, 3, 4]))
    return not np.allclose(one[0], other[0], atol=1e-4)


def findings(path: Path) -> list[Any]:
    facts = Facts(read_artifact(path, Limits()))
    return [*run_rule(catalogue.rule("MA330"), facts).findings]


@pytest.mark.parametrize(
    ("build", "batch", "dependent"),
    [
        (lambda x: summed(normalized(x, True)), None, True),
        (lambda x: summed(normalized(normalized(x, True), False, "last")), None, True),
        (lambda x: summed(normalized(x, False)), None, False),
        (in_a_branch, None, False),
        (by_instance, 3, False),
    ],
)
def test_an_answer_depends_on_the_batch(
    tmp_path: Path, build: Callable[[Any], Any], batch: int | None, dependent: bool
) -> None:
    path = frozen(tmp_path / "m.pb", build, batch)
    assert depends_on_the_batch(path) is dependent
    found = findings(path)
    assert [each.severity.value for each in found] == ["medium"] * dependent
    assert all("`norm`" in each.detail for each in found)


def test_a_batch_of_one_has_no_others(tmp_path: Path) -> None:
    path = frozen(tmp_path / "m.pb", lambda x: summed(normalized(x, True)), 1)
    assert findings(path) == []


def test_generators_do_it_on_purpose(tmp_path: Path) -> None:
    import tensorflow.compat.v1 as tf

    def generator(value: Any) -> Any:
        return summed(tf.image.resize_nearest_neighbor(normalized(value, True), [12, 12]))

    (found,) = findings(frozen(tmp_path / "m.pb", generator, None))
    assert found.severity.value == "low"


@pytest.mark.parametrize("batch", [None, 2])
def test_a_layer_normalization_of_keras_looks_at_one_input(
    tmp_path: Path, batch: int | None
) -> None:
    import tensorflow as tf
    import tf_keras
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    layer = tf_keras.layers.LayerNormalization(epsilon=0.01)
    model = tf_keras.Sequential([tf_keras.Input((SIZE, 4)), layer])
    call = tf.function(model).get_concrete_function(tf.TensorSpec((batch, SIZE, 4), tf.float32))
    graph = convert_variables_to_constants_v2(call).graph.as_graph_def()
    assert any(node.op == "FusedBatchNormV3" and node.attr["is_training"].b for node in graph.node)
    (tmp_path / "m.pb").write_bytes(graph.SerializeToString())
    assert findings(tmp_path / "m.pb") == []


def test_many_inputs_before_many_normalizations_count_as_work() -> None:
    """Each looked through all of them for a branch: 10^8 looks between two at the clock."""
    many = GraphNode("h", "Identity", ("x", *["^x"] * 20_000))
    x, gamma = GraphNode("x", "Placeholder", ()), GraphNode("g", "Const", ())
    norms = [
        GraphNode(f"n{i}", "FusedBatchNormV3", ("x", *["g"] * 4, "^h"), {"is_training": True})
        for i in range(500)
    ]
    artifact = Artifact(
        Path("m.pb"), Format.FROZEN_GRAPH, graphs=(Graph((), (x, gamma, many, *norms)),)
    )
    start = time.process_time()
    (found,) = run_rule(catalogue.rule("MA330"), Facts(artifact)).findings
    assert found.evidence["measured"] == len(norms)
    assert time.process_time() - start < 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("library", ["keras", "tf_keras"])
@pytest.mark.parametrize(
    ("layer", "model"), [(True, None), (None, True), (None, None), (False, True)]
)
def test_layers_that_a_config_calls_for_training(tmp_path, library, layer, model):
    k = pytest.importorskip(library)
    inner = k.Input((6,))
    norm = k.layers.BatchNormalization(name="norm")
    hidden = norm(k.layers.Dense(8)(inner), **({} if layer is None else {"training": layer}))
    body = k.Model(inner, hidden, name="body")
    given = k.Input((6,))
    made = body(given, **({} if model is None else {"training": model}))
    whole = k.Model(given, k.layers.Dense(1)(made))
    x = np.random.default_rng(0).normal(size=(16, 6)).astype("float32")
    alone = np.concatenate([whole.predict(x[i : i + 2], verbose=0) for i in range(0, 16, 2)])
    mixes = bool(np.abs(alone - whole.predict(x, batch_size=16, verbose=0)).max() > 1e-3)
    whole.save(tmp_path / "m.keras")
    facts = static_facts(tmp_path / "m.keras", RunSettings())
    found = run_rule(catalogue.rule("MA330"), facts).findings
    assert [str(each.severity) for each in found] == ["low"] * mixes
