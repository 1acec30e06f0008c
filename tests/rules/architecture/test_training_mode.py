"""MA331: training mode in exported graphs; sessions and the interpreter are the oracles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.facts import Artifact, Format
from modelaudit.formats.reader import read_artifact
from modelaudit.graphs import LiteModel, LiteOperator, LiteSubgraph, LiteTensor, Signature
from modelaudit.rules import catalogue
from modelaudit.rules.architecture.training_mode import for_training
from modelaudit.rules.engine import run_rule
from modelaudit.rules.examples import ROOT
from modelaudit.rules.model import Facts
from modelaudit.settings import Limits

pytestmark = pytest.mark.slow
SIZE = 6
WEIGHTS = np.random.default_rng(0).normal(size=(SIZE, SIZE)).astype("f")


def findings(path: Path) -> list[Any]:
    facts = Facts(read_artifact(path, Limits()))
    return [*run_rule(catalogue.rule("MA331"), facts).findings]


def dense(value: Any) -> Any:
    import tensorflow.compat.v1 as tf

    return tf.nn.relu(tf.matmul(value, tf.constant(WEIGHTS)))


def out(value: Any) -> None:
    import tensorflow.compat.v1 as tf

    tf.identity(dense(value), "out")


def dropped(value: Any) -> None:
    import tensorflow.compat.v1 as tf

    out(tf.nn.dropout(dense(value), rate=0.4))


def by_rounding(value: Any) -> None:
    """As TensorFlow did up to 1.12."""
    import tensorflow.compat.v1 as tf

    keep = tf.floor(0.6 + tf.random_uniform(tf.shape(value)))
    out(tf.div(dense(value), 0.6) * keep)


def chosen(value: Any) -> None:
    """The program feeds the rate."""
    import tensorflow.compat.v1 as tf

    rate = tf.placeholder_with_default(0.0, (), "rate")
    out(tf.nn.dropout(dense(value), rate=rate))


def in_a_branch(value: Any) -> None:
    import tensorflow.compat.v1 as tf

    training = tf.placeholder_with_default(False, (), "training")
    found = dense(value)
    out(tf.cond(training, lambda: tf.nn.dropout(found, rate=0.4), lambda: found))


def encoder(value: Any) -> None:
    """Of a variational autoencoder: a normal sample by design."""
    import tensorflow.compat.v1 as tf

    mean, scale = dense(value), tf.exp(dense(value) / 10)
    out(mean + scale * tf.random_normal(tf.shape(mean)))


def sampler(value: Any) -> None:
    """Bits with the probabilities that the network gives."""
    import tensorflow.compat.v1 as tf

    shares = tf.sigmoid(dense(value))
    out(tf.cast(tf.random_uniform(tf.shape(shares)) < shares, "float32") * shares)


def for_training_only(value: Any) -> None:
    """A tower for training beside the one that answers."""
    import tensorflow.compat.v1 as tf

    tf.identity(dense(tf.nn.dropout(dense(value), rate=0.4)), "train")
    out(dense(value))


def unused(value: Any) -> None:
    import tensorflow.compat.v1 as tf

    tf.random_uniform((3,), name="noise")
    out(value)


def frozen(path: Path, build: Callable[[Any], None]) -> Path:
    import tensorflow.compat.v1 as tf

    with tf.Graph().as_default() as graph:
        build(tf.placeholder("float32", (None, SIZE), "x"))
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def is_random(path: Path) -> bool:
    """Whether the same input gets another answer in a second run."""
    import tensorflow.compat.v1 as tf

    graph_def = tf.GraphDef.FromString(path.read_bytes())
    with tf.Graph().as_default() as graph, tf.Session() as session:
        tf.import_graph_def(graph_def, name="")
        node = graph.get_tensor_by_name("out:0")
        one, other = (session.run(node, {"x:0": np.ones((4, SIZE), "f")}) for _ in range(2))
    return not np.array_equal(one, other)


@pytest.mark.parametrize(
    ("build", "random", "said"),
    [
        (dropped, True, True),
        (by_rounding, True, True),
        (chosen, False, False),
        (in_a_branch, False, False),
        (encoder, True, False),
        (sampler, True, False),
        (for_training_only, False, False),
        (unused, False, False),
    ],
)
def test_dropout_of_a_frozen_graph(
    tmp_path: Path, build: Callable[[Any], None], random: bool, said: bool
) -> None:
    path = frozen(tmp_path / "m.pb", build)
    assert is_random(path) is random
    found = findings(path)
    assert [each.severity.value for each in found] == ["medium"] * said
    assert all("dropout is active" in each.detail and "freeze" in each.fix for each in found)


def test_a_generator_has_dropout_as_its_noise(tmp_path: Path) -> None:
    import tensorflow.compat.v1 as tf

    def generator(value: Any) -> None:
        image = tf.reshape(tf.nn.dropout(dense(value), rate=0.5), [-1, 2, 3, 1])
        tf.identity(tf.image.resize_nearest_neighbor(image, [4, 6]), "out")

    (found,) = findings(frozen(tmp_path / "m.pb", generator))
    assert found.severity.value == "low"


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kind", ["saved", "lite"])
def test_a_model_that_is_exported_in_training_mode(
    tmp_path: Path, keras: Any, kind: str, training: bool
) -> None:
    """Dropout of Keras 3, in a SavedModel and in TensorFlow Lite."""
    import tensorflow as tf

    layers = keras.layers
    inputs = layers.Input((SIZE, SIZE, 1))
    drop = layers.Dropout(0.5)(layers.Dense(4)(layers.Flatten()(inputs)))
    model = keras.Model(inputs, layers.Dense(2)(drop))
    spec = tf.TensorSpec((2, SIZE, SIZE, 1), "float32")
    serve = tf.function(lambda x: model(x, training=training), input_signature=[spec])
    module = tf.Module()
    module.kept, module.serve = [each.value for each in model.variables], serve
    path = tmp_path / "saved"
    tf.saved_model.save(module, str(path), signatures=serve)
    if kind == "lite":
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [serve.get_concrete_function()], module
        )
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.TFLITE_BUILTINS,
            tf.lite.OpsSet.SELECT_TF_OPS,
        ]
        path = tmp_path / "m.tflite"
        path.write_bytes(converter.convert())
    found = findings(path)
    assert [each.severity.value for each in found] == ["medium"] * training
    assert all("dropout is active" in each.detail for each in found)


@pytest.mark.parametrize(
    ("variable", "signature", "said"),
    [
        ("bn/moving_mean", "serving_default", True),
        ("bn/moving_mean", "train", False),  # made to be trained on a device
        ("lstm/state", "serving_default", False),  # a streaming model keeps its state
    ],
)
def test_statistics_that_each_run_updates(variable: str, signature: str, said: bool) -> None:
    tensors = tuple(LiteTensor(name, "float32", (1, 2)) for name in ("x", "handle", "mean"))
    operators = (
        LiteOperator("VAR_HANDLE", outputs=(1,), options={"shared_name": variable}),
        LiteOperator("MEAN", inputs=(0,), outputs=(2,)),
        LiteOperator("ASSIGN_VARIABLE", inputs=(1, 2)),
    )
    lite = LiteModel(subgraphs=(LiteSubgraph("main", tensors, operators, (0,), (2,)),))
    artifact = Artifact(
        ROOT, Format.TFLITE, lite=lite, signatures=(Signature(signature, "", (), ()),)
    )
    found = run_rule(catalogue.rule("MA331"), Facts(artifact)).findings
    assert [each.severity.value for each in found] == ["medium"] * said
    assert all("(`bn`)" in each.detail for each in found)


@pytest.mark.parametrize("drawn", [True, False])
def test_images_that_chance_mirrors(drawn: bool) -> None:
    """Or a second input, as the program decides."""
    names = ("x", "flag", "half", "mask", "mirrored", "y")
    tensors = tuple(
        LiteTensor(name, "float32", (1, 2), constant="c" * (name == "half")) for name in names
    )
    operators = (
        *[LiteOperator("FlexRandomUniform", custom=True, outputs=(1,))] * drawn,
        LiteOperator("LESS", inputs=(1, 2), outputs=(3,)),
        LiteOperator("REVERSE_V2", inputs=(0,), outputs=(4,)),
        LiteOperator("SELECT_V2", inputs=(3, 4, 0), outputs=(5,)),
    )
    lite = LiteModel(subgraphs=(LiteSubgraph("main", tensors, operators, (0, 1), (5,)),))
    facts = Facts(Artifact(ROOT, Format.TFLITE, lite=lite))
    found = run_rule(catalogue.rule("MA331"), facts).findings
    assert ["images are changed at random (`y`)" in each.detail for each in found] == [True] * drawn


@pytest.mark.parametrize(
    ("name", "trains"),
    [
        *(
            (each, True)
            for each in ("train", "training_step", "trainStep", "fit", "update_weights")
        ),
        *((each, False) for each in ("serving_default", "predict_profit", "benefit", "glossary")),
    ],
)
def test_the_words_of_a_signature_say_whether_it_trains(name, trains):
    assert for_training(name) is trains
