"""TensorFlow.js models in the sandbox, against the outputs of TensorFlow.js for the same inputs."""

from __future__ import annotations

import base64
import json
import marshal
import shutil
from pathlib import Path

import numpy as np
import pytest

from modelaudit.audit_types.loading import Status
from modelaudit.formats.reader import read
from modelaudit.pipeline import static_facts, why_not_run
from modelaudit.probe.host.feed import Feed
from modelaudit.probe.host.fused_operations import taken_apart
from modelaudit.probe.host.observe import observe
from modelaudit.probe.host.tfjs_models import NotTranslated, translate
from modelaudit.probe.pair.model import ExportNumbers, PairCause, PairVerdict
from modelaudit.probe.pair.run import compare_saved
from modelaudit.probe.pair.wording import code
from modelaudit.probe.run import probe_with
from modelaudit.restore.exports import compare_export
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import partial_audit_reason, run_rule
from modelaudit.rules.model import Facts
from modelaudit.runs.compare_models import is_audit_file
from modelaudit.settings import Limits, Settings
from modelaudit.structs import replace
from tests.probe.sessions import SETTINGS, answered

MADE = Path(__file__).parents[2] / "made" / "tfjs"
RECORDED = json.loads((MADE / "recorded.json").read_text())
GRAPHS = ("graph", "fused")


def model(name: str):
    return read(MADE / name / "model.json", Limits())


def example(port) -> np.ndarray:
    """Inputs as `record.js` makes them."""
    shape = (2, *port.shape[1:])
    count = np.arange(np.prod(shape))
    values = count % 9 if port.dtype == "int32" else np.sin(count)
    return values.astype(port.dtype).reshape(shape)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["plain", "uint8", "float16", "nested", "texts", "steps", "branches", *GRAPHS]
)
def test_outputs_are_those_of_tensorflow_js(keras2, keras3, name):
    seen, session = observe(keras3 if name in GRAPHS else keras2, model(name), SETTINGS)
    assert session is not None, seen.failure
    with session:
        given = {port.name: example(port) for port in seen.inputs}
        assert session.put(given) is None
        found = answered(session.predict([Feed(each) for each in given]))
    assert len(found) == len(RECORDED[name]["outputs"])
    for mine, told in zip(found.values(), RECORDED[name]["outputs"], strict=True):
        np.testing.assert_allclose(mine, told, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_layers_run_in_keras_2_and_all_weights_are_restored(keras2, keras3):
    seen = probe_with([keras3, keras2])(model("nested"), Settings(probe=SETTINGS), None)
    assert [(each.runtime, each.call) for each in seen.observations] == [
        ("here-legacy", "model_from_json")
    ]
    assert seen.restore is not None
    assert seen.restore.faithful
    assert seen.restore.identical == len(RECORDED["nested"]["weights"])
    assert seen.behaviour is not None


@pytest.mark.slow
def test_what_keras_2_does_not_take_may_still_load_in_tensorflow_js(keras2):
    """TensorFlow.js takes its own spelling of the keys of a config beside that of Keras."""
    found = model("plain")
    config = json.dumps(dict(found.architecture.config))
    config = json.loads(config.replace("batch_input_shape", "batchInputShape"))
    found = replace(found, architecture=replace(found.architecture, config=config))
    seen, session = observe(keras2, found, SETTINGS)
    assert (session, seen.status) == (None, Status.REFUSED)
    assert "TensorFlow.js was not tried" in seen.error and "batchInputShape" in seen.error
    facts = Facts(found, observations=(seen,))
    assert run_rule(rule("MA210"), facts).findings == ()
    assert "TensorFlow.js was not tried" in partial_audit_reason(facts)


def written(folder: Path, change=None, stored: str = ""):
    """The network of `plain` with other weights, of which `change` gives others again.

    Args:
        folder: where it is written.
        change: takes and returns the values of a weight by its name.
        stored: an integer type in which it has them.
    """
    shutil.copytree(MADE / "plain", folder)
    document = json.loads((folder / "model.json").read_text())
    rng = np.random.default_rng(3)
    pieces = []
    for each in document["weightsManifest"][0]["weights"]:
        values = rng.normal(0, 0.5, each["shape"]).astype(np.float32)
        values = np.abs(values) if each["name"].endswith(("variance", "gamma")) else values
        values = change(each["name"], values) if change else values
        if stored:
            low, steps = float(values.min()), np.iinfo(stored).max
            scale = float(np.ptp(values)) / steps or 1.0
            each["quantization"] = {"dtype": stored, "scale": scale, "min": low}
            values = np.round((values - low) / scale).astype(stored)
        pieces.append(values.tobytes())
    (folder / "weights.bin").write_bytes(b"".join(pieces))
    (folder / "model.json").write_text(json.dumps(document))
    return read(folder / "model.json", Limits())


@pytest.fixture(scope="module")
def compared(keras3, keras2, tmp_path_factory):
    """A function that compares an export with the same network, as Keras saves it."""
    folder = tmp_path_factory.mktemp("source")
    handles = [keras3, keras2]
    _, session = observe(keras2, written(folder / "web"), SETTINGS)
    with session:
        (folder / "model.h5").write_bytes(session.save(".h5"))
    source = read(folder / "model.h5", Limits())

    def compare(export):
        return compare_saved(source, export, compare_export(source, export), SETTINGS, handles)

    return compare


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stored", "verdict", "numbers"),
    [
        ("", PairVerdict.EQUAL, ExportNumbers.FLOAT),
        ("uint8", PairVerdict.QUANTISED, ExportNumbers.WEIGHTS),
    ],
)
def test_exports_are_the_same_model(compared, tmp_path, stored, verdict, numbers):
    found = compared(written(tmp_path / "web", stored=stored))
    assert (found.verdict, found.numbers, found.causes) == (verdict, numbers, ())
    assert found.web


@pytest.mark.slow
def test_the_export_expects_other_values(compared, tmp_path):
    def change(name, values):
        return values / 255 if name == "conv2d_Conv2D1/kernel" else values

    found = compared(written(tmp_path / "web", change))
    assert [(each.kind, each.detail) for each in found.causes] == [(PairCause.VALUES, "*255")]


@pytest.mark.slow
def test_another_kernel_is_the_cause(compared, tmp_path):
    def change(name, values):
        return values[::-1, ::-1, ::-1] if name.endswith("depthwise_kernel") else values

    found = compared(written(tmp_path / "web", change))
    assert found.verdict is PairVerdict.DIFFERENT
    assert found.causes[0].kind is PairCause.WEIGHTS
    assert "tensorflowjs.converters" in code(found)
    assert found.agrees_to == "batch_normalization_BatchNormalization1"


def changed(artifact, name, **values):
    tensors = [replace(each, **values) if each.name == name else each for each in artifact.tensors]
    return replace(artifact, tensors=tuple(tensors))


@pytest.mark.parametrize(
    ("name", "tensor"), [("graph", "dense/kernel"), ("plain", "conv2d_Conv2D1/bias")]
)
def test_weights_without_values_are_not_run(name, tensor):
    with pytest.raises(NotTranslated, match=f"{tensor} could not be read"):
        translate(changed(model(name), tensor, source=None))
    with pytest.raises(NotTranslated, match="more than 1 GiB"):
        translate(changed(model(name), tensor, nbytes=1 << 31))


def test_a_layer_without_its_weights_is_not_run():
    artifact = model("plain")
    layers = tuple(replace(each, variables={}) for each in artifact.architecture.layers)
    lacking = replace(artifact, architecture=replace(artifact.architecture, layers=layers))
    with pytest.raises(NotTranslated, match="the kernel of conv2d_Conv2D1 was not found"):
        translate(lacking)
    with pytest.raises(NotTranslated, match="no layers"):
        translate(replace(artifact, architecture=None))


def test_a_reason_is_told_for_what_is_not_run(tmp_path):
    from modelaudit.probe.host.runtime import RuntimeHandle, installed_legacy_runtime

    shutil.copytree(MADE / "plain", tmp_path / "web")
    (tmp_path / "web" / "weights.bin").unlink()
    artifact = read(tmp_path / "web" / "model.json", Limits())
    seen, session = observe(RuntimeHandle(installed_legacy_runtime(), "", ""), artifact, SETTINGS)
    assert (seen.status, session) == (Status.REFUSED, None)
    assert "could not be read" in seen.error


def test_a_graph_that_is_none_is_not_run(tmp_path):
    graph = (MADE / "fused" / "model.json").read_text()
    path = tmp_path / "model.json"
    path.write_text(graph.replace('"type":"DT_FLOAT"', '"type":1e400', 1))
    with pytest.raises(NotTranslated, match="its graph could not be read"):
        translate(read(path, Limits()))


def test_code_in_a_layer_is_not_run(tmp_path):
    shutil.copytree(MADE / "plain", tmp_path / "web")
    path = tmp_path / "web" / "model.json"
    document = json.loads(path.read_text())
    written = marshal.dumps((lambda x: __import__("os").system("id")).__code__)
    code = {"name": "code", "function": [base64.b64encode(written).decode(), None, None]}
    layers = document["modelTopology"]["config"]["layers"]
    layers.insert(3, {"class_name": "Lambda", "config": code})
    path.write_text(json.dumps(document))
    assert "MA702 dangerous-code" in why_not_run(static_facts(path, Settings()))


def test_a_model_as_json_is_no_audit(tmp_path):
    path = tmp_path / "audit.json"
    path.write_text('{"schema_version": "1.0", "route": "modelTopology"}')
    assert is_audit_file(path)
    assert not is_audit_file(MADE / "plain" / "model.json")
    assert not is_audit_file(MADE / "graph" / "model.json")
    assert not is_audit_file(tmp_path)


def test_operations_are_taken_apart():
    names = {"list": {"s": ["Qmlhc0FkZA==", "TGVha3lSZWx1"]}}  # BiasAdd, LeakyRelu
    attributes = {"T": {"type": "DT_FLOAT"}, "padding": {"s": "U0FNRQ=="}, "num_args": {"i": "1"}}
    node = {
        "name": "a",
        "op": "_FusedConv2D",
        "input": ["x", "k", "b", "^c"],
        "attr": {**attributes, "fused_ops": names, "leakyrelu_alpha": {"f": 0.1}},
    }
    first, second, last = taken_apart(node)
    assert (first["op"], first["input"], first["name"]) == ("Conv2D", ["x", "k", "^c"], "a/Conv2D")
    assert set(first["attr"]) == {"T", "padding"}
    assert (second["op"], second["input"]) == ("AddV2", ["a/Conv2D", "b"])
    assert (last["op"], last["input"], last["name"]) == ("LeakyRelu", ["a/BiasAdd"], "a")
    assert last["attr"]["alpha"] == {"f": 0.1}
    node["attr"]["data_format"] = {"s": "TkNIVw=="}  # NCHW
    assert [each["op"] for each in taken_apart(node)] == ["Conv2D", "BiasAdd", "LeakyRelu"]
    bare = {"name": "a", "op": "_FusedMatMul", "input": ["x", "k"]}
    assert [(each["name"], each["op"]) for each in taken_apart(bare)] == [("a", "MatMul")]
    other = {"name": "a", "op": "Relu", "input": ["x"]}
    assert [*taken_apart(other)] == [other]
    for steps in (["BiasAdd", "ReadFile"], ["BiasAdd"] * 3):  # TensorFlow.js runs none of these
        hidden = {"list": {"s": [base64.b64encode(each.encode()).decode() for each in steps]}}
        given = {**node, "attr": {**attributes, "fused_ops": hidden}}
        assert [*taken_apart(given)] == [given]
