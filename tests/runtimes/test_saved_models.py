"""SavedModels: what is predicted for recurrent cells and augmentation, compared with loading."""

from __future__ import annotations

import contextlib
import json
import shutil
from importlib import metadata
from pathlib import Path

import h5py
import numpy as np
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.reader import read
from modelaudit.graphs import ObjectNode
from modelaudit.pipeline import static_facts
from modelaudit.probe.child.loading import LoadContext, tfsm_layer
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.runtimes.catalogue import find_profile
from modelaudit.runtimes.checks.graph import types
from modelaudit.runtimes.model import CheckContext, LoadCall, LoadRequest
from modelaudit.runtimes.predict import predict
from modelaudit.settings import Limits, Settings
from modelaudit.structs import replace

pytestmark = pytest.mark.slow


def predicted(path: Path, runtime: str, call: str) -> LoadOutcome:
    targets = (f"{runtime}=={metadata.version({'tf': 'tensorflow'}.get(runtime, 'tf_keras'))}",)
    (found,) = (each for each in predict(read(path, Limits()), targets) if each.call == call)
    return found.predicted


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_recurrent_layer_needs_the_class_of_its_cell(tmp_path: Path, wrapped: bool) -> None:
    keras = pytest.importorskip("tf_keras")

    class Cell(keras.layers.Layer):
        state_size = 3

        def build(self, shape):
            self.kernel = self.add_weight("kernel", (int(shape[-1]), 3))

        def call(self, value, states):
            state = states[0] + value @ self.kernel
            return state, [state]

        def get_config(self):
            return super().get_config()

    for name, cell in (("own", Cell()), ("of Keras", keras.layers.SimpleRNNCell(3))):
        start, layer = keras.layers.Input((4, 2)), keras.layers.RNN(cell)
        layer = keras.layers.Bidirectional(layer) if wrapped else layer
        keras.Model(start, layer(start)).save(tmp_path / name, save_format="tf")
        wanted = LoadOutcome.FAILS if name == "own" else LoadOutcome.LOADS
        assert predicted(tmp_path / name, "tf-keras", "load_model") is wanted
        if name == "own":
            with pytest.raises(ValueError, match="custom"):
                keras.models.load_model(tmp_path / name)
        else:
            keras.models.load_model(tmp_path / name)


def test_augmentation_stays_active_in_an_export(tmp_path: Path) -> None:
    keras, tensorflow = pytest.importorskip("keras"), pytest.importorskip("tensorflow")
    data = tensorflow.constant(np.random.default_rng(3).random((16, 4, 4, 3), "float32"))
    for name in ("RandomFlip", "Dropout"):
        first = keras.layers.Dropout(0.5) if name == "Dropout" else keras.layers.RandomFlip()
        model = keras.Sequential([keras.layers.Input((4, 4, 3)), first, keras.layers.Flatten()])
        model.export(tmp_path / name, verbose=False)
        loaded = tensorflow.saved_model.load(tmp_path / name)
        same = np.array_equal(loaded.serve(data), model(data, training=False))
        wanted = LoadOutcome.LOADS if same else LoadOutcome.DIFFERS
        assert same is (name == "Dropout")
        assert predicted(tmp_path / name, "tf", "saved_model.load") is wanted
        assert predicted(tmp_path / name, "tf", "TFSMLayer") is wanted


def test_weights_of_a_convolutional_lstm(tmp_path: Path) -> None:
    """Its gates are hard_sigmoid by default in Keras 2, sigmoid in Keras 3."""
    old, new = pytest.importorskip("tf_keras"), pytest.importorskip("keras")
    data = np.random.default_rng(3).random((2, 3, 4, 4, 2), "float32")
    for gates in ("hard_sigmoid", "sigmoid"):
        models = [
            keras.Sequential(
                [keras.layers.Input((3, 4, 4, 2)), keras.layers.ConvLSTM2D(2, 2, **options)]
            )
            for keras, options in ((old, {"recurrent_activation": gates}), (new, {}))
        ]
        path = tmp_path / f"{gates}.h5"
        models[0].save_weights(path)
        models[1].load_weights(path)
        same = np.allclose(models[0](data), models[1](data), atol=1e-5)
        assert same is (gates == "sigmoid")
        # The file does not say which one it is, so the prediction has a condition.
        (found,) = predict(read(path, Limits()), (f"tf=={metadata.version('tensorflow')}",))
        assert (found.predicted, bool(found.conditions)) == (LoadOutcome.DIFFERS, True)


def test_cropping_at_random_rests_in_another_way(tmp_path: Path) -> None:
    old, new = pytest.importorskip("tf_keras"), pytest.importorskip("keras")
    data = np.random.default_rng(3).random((2, 6, 7, 3), "float32")
    for name in ("RandomCrop", "CenterCrop"):
        path = tmp_path / f"{name}.h5"
        layer = getattr(old.layers, name)(3, 4)
        old.Sequential([old.layers.Input((6, 7, 3)), layer, old.layers.Flatten()]).save(path)
        with h5py.File(path, "r+") as file:  # as Keras 2.12 and older wrote it
            config = file.attrs["model_config"].replace('"rng_type": "stateful", ', "")
            file.attrs["model_config"] = config
        outputs = [
            np.asarray(keras.models.load_model(path, compile=False)(data, training=False))
            for keras in (old, new)
        ]
        same = outputs[0].shape == outputs[1].shape and np.allclose(*outputs, atol=1e-4)
        assert same is (name == "CenterCrop")
        wanted = LoadOutcome.LOADS if same else LoadOutcome.DIFFERS
        assert predicted(path, "tf", "load_model") is wanted
        assert predicted(path, "tf-keras", "load_model") is LoadOutcome.LOADS


def test_a_checkpoint_of_keras_3_for_keras_2(tmp_path: Path) -> None:
    old, new = pytest.importorskip("tf_keras"), pytest.importorskip("keras")
    tensorflow = pytest.importorskip("tensorflow")
    models = [
        keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2)]) for keras in (old, new)
    ]
    for keras, model, number in ((old, models[0], 0), (new, models[1], 1)):
        path = tmp_path / f"{number}" / "weights"
        tensorflow.train.Checkpoint(model).write(str(path))
        try:
            models[0].load_weights(str(path))
        except AssertionError:
            assert keras is new
            assert predicted(path, "tf-keras", "load_weights") is LoadOutcome.FAILS
        else:
            assert keras is old
            assert predicted(path, "tf-keras", "load_weights") is LoadOutcome.LOADS


@pytest.mark.parametrize("keyed", [False, True])
def test_an_export_with_several_inputs_is_called_as_the_model(tmp_path: Path, keyed: bool) -> None:
    keras, tensorflow = pytest.importorskip("keras"), pytest.importorskip("tensorflow")
    # The signature sorts its inputs by name.
    inputs = {name: keras.layers.Input((3,), name=name) for name in ("zeta", "alpha")}
    outputs = keras.layers.Dense(2)(keras.layers.Subtract()([*inputs.values()]))
    model = keras.Model(inputs if keyed else [*inputs.values()], outputs)
    model.export(tmp_path / "export", verbose=False)
    request = {"path": tmp_path / "export", "threads": 1}
    loaded = tfsm_layer(LoadContext(tensorflow, keras, request, {}))
    data = {
        name: np.random.default_rng(n).random((4, 3), "float32") for n, name in enumerate(inputs)
    }
    (found,) = loaded.run([data[port["name"]] for port in loaded.inputs], False).values()
    assert np.allclose(found, model(data if keyed else [*data.values()]), atol=1e-6)
    assert predicted(tmp_path / "export", "tf", "TFSMLayer") is LoadOutcome.LOADS


@pytest.mark.parametrize("name", ["input.1", "0/discount", "x-y", "class", "in"])
def test_only_a_keyword_is_no_name_for_an_input(tmp_path: Path, name: str) -> None:
    tensorflow = pytest.importorskip("tensorflow")
    v1 = tensorflow.compat.v1
    with tensorflow.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tensorflow.float32, [None, 2], "x")
        w = v1.get_variable("w", [2, 3])
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(tmp_path / "m"), {name: x}, {"y": x @ w})
    try:
        loaded = tensorflow.saved_model.load(tmp_path / "m").signatures["serving_default"]
    except ValueError as error:
        assert "not a valid parameter name" in str(error)
        wanted = LoadOutcome.FAILS
    else:
        assert loaded(**{name: np.ones((2, 2), "float32")})["y"].shape == (2, 3)
        wanted = LoadOutcome.LOADS
    assert predicted(tmp_path / "m", "tf", "saved_model.load") is wanted
    assert predicted(tmp_path / "m", "tf", "session") is LoadOutcome.LOADS


def test_a_type_that_a_library_registers_is_needed_to_load(tmp_path: Path) -> None:
    """As `tfp.distributions.Deterministic_ACTTypeSpec` in the policies of TF-Agents."""
    tensorflow = pytest.importorskip("tensorflow")
    module = tensorflow.Module()
    module.scale = tensorflow.function(
        tensorflow.linalg.LinearOperatorDiag,
        input_signature=[tensorflow.TensorSpec([3], "float32")],
    )
    folder = tmp_path / "model"
    tensorflow.saved_model.save(module, folder)
    assert predicted(folder, "tf", "saved_model.load") is LoadOutcome.LOADS
    graph = folder / "saved_model.pb"
    graph.write_bytes(graph.read_bytes().replace(b"tf.linalg.", b"my.linalg."))
    assert predicted(folder, "tf", "saved_model.load") is LoadOutcome.FAILS
    with pytest.raises(ValueError, match=r"my\.linalg\.LinearOperatorDiag"):
        tensorflow.saved_model.load(folder)
    (found,) = run_rule(rule("MA715"), static_facts(folder, Settings())).findings
    assert "my.linalg.LinearOperatorDiag" in found.detail


@pytest.mark.parametrize("in_function", [False, True])
def test_only_old_versions_refuse_an_attribute_that_an_operation_does_not_have(
    tmp_path: Path, in_function: bool
) -> None:
    """What they do was observed: 2.4.4 refuses it, 2.5.3, 2.6.5, 2.8.4 and 2.10.1 do not."""
    from tensorflow.core.protobuf import saved_model_pb2

    tensorflow = pytest.importorskip("tensorflow")
    module = tensorflow.Module()
    module.twice = tensorflow.function(
        lambda x: {"y": tensorflow.nn.relu(x) * 2.0},
        input_signature=[tensorflow.TensorSpec([None, 2], "float32", name="x")],
    )
    folder = tmp_path / "model"
    tensorflow.saved_model.save(module, folder, signatures=module.twice)
    graph = folder / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(graph.read_bytes())
    graph_def = saved.meta_graphs[0].graph_def
    of_functions = [node for each in graph_def.library.function for node in each.node_def]
    for node in of_functions if in_function else graph_def.node:
        if node.op in ("Relu", "Placeholder"):
            node.attr["made_up"].b = True
    graph.write_bytes(saved.SerializeToString())
    artifact = read(folder, Limits())
    for version in ("2.4", "2.5", "2.6", "2.21"):
        calls = {each.call: each for each in predict(artifact, [f"tf=={version}"])}
        codes = [each.code for each in calls["saved_model.load"].because]
        assert ("unknown-attribute" in codes) is (in_function and version == "2.4"), version
    loaded = tensorflow.saved_model.load(folder).signatures["serving_default"]
    assert loaded(x=tensorflow.ones((1, 2)))["y"].numpy().tolist() == [[2.0, 2.0]]


@pytest.mark.parametrize("size", [3, 5])
def test_variables_of_another_save_have_other_shapes(tmp_path: Path, size: int) -> None:
    tensorflow = pytest.importorskip("tensorflow")
    for name, length in (("m", 3), ("other", size)):
        module = tensorflow.Module()
        module.w = tensorflow.Variable(np.ones((length, 2), "float32"), name="w")
        tensorflow.saved_model.save(module, tmp_path / name)
    shutil.rmtree(tmp_path / "m" / "variables")
    shutil.copytree(tmp_path / "other" / "variables", tmp_path / "m" / "variables")
    wanted = LoadOutcome.LOADS if size == 3 else LoadOutcome.FAILS
    assert predicted(tmp_path / "m", "tf", "saved_model.load") is wanted
    refused = pytest.raises(ValueError, match=r"incompatible tensor with shape \(5, 2\) when att")
    with contextlib.nullcontext() if size == 3 else refused:
        tensorflow.saved_model.load(tmp_path / "m")


@pytest.mark.parametrize("config", [True, False, None])
def test_a_network_without_a_config_is_not_revived(tmp_path: Path, config: bool | None) -> None:
    """As the QNetwork in a policy of TF-Agents that TensorFlow 2.0 saved."""
    keras = pytest.importorskip("tf_keras")
    start = keras.Input((4,))
    keras.Model(start, keras.layers.Dense(2)(start)).save(tmp_path / "m", save_format="tf")
    file = tmp_path / "m" / "keras_metadata.pb"
    message = pb.KerasMetadata.FromString(file.read_bytes())
    for node in message.nodes:
        if node.identifier == "_tf_keras_network" and not config:
            metadata = json.loads(node.metadata)
            del metadata["config"], metadata["is_graph_network"]
            if config is None:  # as TensorFlow 2.2 writes
                metadata["config"] = {"layer was saved without config": True}
            node.metadata = json.dumps(metadata | {"class_name": "QNetwork"})
    file.write_bytes(message.SerializeToString())
    wanted = LoadOutcome.LOADS if config else LoadOutcome.FAILS
    assert predicted(tmp_path / "m", "tf-keras", "load_model") is wanted
    assert predicted(tmp_path / "m", "tf-keras", "saved_model.load") is LoadOutcome.LOADS
    needs = pytest.raises(TypeError, match="2 required positional arguments: 'inputs'")
    with contextlib.nullcontext() if config else needs:
        keras.models.load_model(tmp_path / "m")


@pytest.mark.parametrize("number", [1, 9, 10, 13, 0, 11, 14, 275837168])
def test_a_type_of_a_number_that_tensorflow_does_not_have(tmp_path: Path, number: int) -> None:
    """As `_TFPTypeSpec`, 275837168, in the policies of older TF-Agents."""
    tensorflow = pytest.importorskip("tensorflow")
    struct = pytest.importorskip("tensorflow.core.protobuf.struct_pb2")
    coder = pytest.importorskip("tensorflow.python.saved_model.nested_structure_coder")
    value = struct.StructuredValue()
    value.type_spec_value.type_spec_class_name = "TheirSpec"
    value.type_spec_value.type_spec_class = number
    error = ""
    try:
        coder.decode_proto(value)
    except Exception as caught:  # those of its own types fail later, without a state
        error = str(caught)
    known = "is not supported by this version" not in error
    module = tensorflow.Module()
    module.scale = tensorflow.function(
        lambda x: {"y": 2 * x}, input_signature=[tensorflow.TensorSpec([3], "float32")]
    )
    folder = tmp_path / "model"
    tensorflow.saved_model.save(module, folder)
    assert predicted(folder, "tf", "saved_model.load") is LoadOutcome.LOADS
    graph = folder / "saved_model.pb"
    message = pb.SavedModel.FromString(graph.read_bytes())
    for function in message.meta_graphs[0].object_graph_def.concrete_functions.values():
        ((_, output),) = function.output_signature.dict_value.fields.items()
        output.Clear()
        output.type_spec_value.type_spec_class = number
        output.type_spec_value.type_spec_class_name = "TheirSpec"
    graph.write_bytes(message.SerializeToString())
    wanted = LoadOutcome.LOADS if known else LoadOutcome.FAILS
    assert predicted(folder, "tf", "saved_model.load") is wanted
    if not known:
        with pytest.raises(ValueError, match="The type 'TheirSpec' is not supported"):
            tensorflow.saved_model.load(folder)
        with tensorflow.compat.v1.Session(graph=tensorflow.Graph()) as session:
            tensorflow.compat.v1.saved_model.load(session, ["serve"], str(folder))
        (found,) = run_rule(rule("MA220"), static_facts(folder, Settings())).findings
        assert "The type 'TheirSpec' is not supported" in found.detail
    # Later versions reserve 11, which 2.3 did not have: some version between them used it.
    older = {"tf==2.3.4": known, "tf==2.4.4": known, "tf==2.5.3": known, "tf==2.15.1": known}
    if number == 11:
        older |= {"tf==2.4.4": None, "tf==2.5.3": None}
    if number != 13:
        artifact = static_facts(folder, Settings()).artifact
        found = {x.runtime: x for x in predict(artifact, (*older,)) if x.call == "saved_model.load"}
        outcomes = {True: "loads", False: "fails", None: "unknown"}
        said = {runtime: str(each.predicted) for runtime, each in found.items()}
        assert said == {runtime: outcomes[loads] for runtime, loads in older.items()}


def test_a_type_without_a_name_is_told_as_one():
    node = ObjectNode(0, "function", detail={"numbered_types": [""]})
    artifact = replace(examples.model(), object_graph=(node,))
    (found,) = types(
        artifact, CheckContext(find_profile("tf==2.21.0"), LoadRequest(LoadCall.SAVED_MODEL))
    )
    assert "takes or returns a type without name, which a library added" in found.text


@pytest.mark.parametrize(("name", "loads"), [("m[1]", False), ("m[1", True), ("m]1*", True)])
def test_a_name_with_brackets_is_a_pattern(tmp_path: Path, name: str, loads: bool) -> None:
    tf = pytest.importorskip("tensorflow")
    path = tmp_path / name
    model = tf.Module()
    model.scale = tf.Variable([1.0, 2.0])
    tf.saved_model.save(model, str(tmp_path / "plain"))
    (tmp_path / "plain").rename(path)
    with contextlib.nullcontext() if loads else pytest.raises(OSError, match="matching files"):
        tf.saved_model.load(str(path))
    found = predicted(path, "tf", "saved_model.load")
    assert found is (LoadOutcome.LOADS if loads else LoadOutcome.FAILS)
