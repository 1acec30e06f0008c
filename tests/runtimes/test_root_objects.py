"""What `load_model` of Keras 2 returns for a SavedModel whose root object is no Keras model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.diagnosis.loading_code import loading_code
from modelaudit.pipeline import static_facts
from modelaudit.rules.model import Facts
from modelaudit.runtimes.model import Prediction
from modelaudit.runtimes.predict import predict
from modelaudit.settings import Settings
from tests.runtimes.checks.cases.meta_graphs import with_training_graph
from tests.runtimes.checks.cases.shared import dense, tensorflow
from tests.runtimes.checks.making import old

pytestmark = pytest.mark.slow
K2 = "tf-keras==2.21.0"


def policy(path: Path, *, predicts: bool = False) -> Path:
    """An object that holds a Keras model, saved as TensorFlow 2.0 to 2.4 saved policies."""
    tf = tensorflow()
    holder = tf.Module()
    holder.network = dense(old())
    call = tf.function(
        lambda x: {"out": holder.network(x)}, input_signature=[tf.TensorSpec((None, 4))]
    )
    holder.action = call
    if predicts:
        holder.predict = call
    tf.saved_model.save(holder, str(path), signatures=call)
    _describe(path, holder.network)
    return path


def _describe(path: Path, network: Any) -> None:
    """Give each Keras object its metadata, as those versions wrote it into the graph."""
    from tensorflow.core.protobuf import saved_model_pb2
    from tf_keras.protobuf import saved_metadata_pb2

    whole = path.with_name("whole")
    network.save(whole, save_format="tf")
    metadata = saved_metadata_pb2.SavedMetadata.FromString(
        (whole / "keras_metadata.pb").read_bytes()
    )
    file = path / "saved_model.pb"
    message = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    nodes = message.meta_graphs[0].object_graph_def.nodes
    for described in metadata.nodes:
        node = nodes[0]
        for name in ("network", *described.node_path.split(".")[1:]):
            node = nodes[{child.local_name: child.node_id for child in node.children}[name]]
        node.user_object.metadata = described.metadata
    file.write_bytes(message.SerializeToString())


def _predicted(path: Path) -> tuple[Facts, Prediction]:
    facts = static_facts(path, Settings(targets=(K2,)))
    (found,) = (each for each in predict(facts.artifact, (K2,)) if each.call == "load_model")
    return facts, found


@pytest.mark.parametrize("predicts", [False, True])
def test_a_root_that_holds_keras_objects_is_no_model(tmp_path: Path, predicts: bool) -> None:
    path = policy(tmp_path / "policy", predicts=predicts)
    loaded = old().models.load_model(path)
    assert type(loaded).__name__ == "_UserObject"
    assert hasattr(loaded, "predict") is predicts
    _, found = _predicted(path)
    assert found.predicted.value == "fails"
    last = found.because[-1]
    assert last.code == "no-keras-model"
    assert ("without predict()" in last.text) is not predicts
    if not predicts:
        with pytest.raises(AttributeError, match=last.error.partition(": ")[2]):
            loaded.predict(np.ones((1, 4)))


def test_the_words_are_those_for_an_object_without_keras(tmp_path: Path) -> None:
    tf = tensorflow()
    holder = tf.Module()
    holder.action = tf.function(lambda x: x * 2, input_signature=[tf.TensorSpec((None, 4))])
    tf.saved_model.save(holder, str(tmp_path / "m"))
    (plain,) = _predicted(tmp_path / "m")[1].because
    assert plain in _predicted(policy(tmp_path / "policy"))[1].because


def test_a_keras_model_is_one(tmp_path: Path) -> None:
    dense(old()).save(tmp_path / "m", save_format="tf")
    assert _predicted(tmp_path / "m")[1].predicted.value == "loads"
    assert hasattr(old().models.load_model(tmp_path / "m"), "predict")


@pytest.mark.parametrize("graphs", [1, 2])
def test_the_code_that_loads_a_policy_works(tmp_path: Path, graphs: int) -> None:
    path = policy(tmp_path / "policy")
    if graphs == 2:
        with_training_graph(path)
    code = loading_code(_predicted(path)[0]).predict
    assert ("tags=['serve']" in code) is (graphs == 2)
    space: dict[str, Any] = {}
    exec(code.replace("MODEL", str(path)), space)
    assert space["predict"](np.ones((3, 4), "float32")).shape[0] == 3
