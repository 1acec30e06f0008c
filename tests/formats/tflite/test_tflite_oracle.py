"""Models of TensorFlow's converter, read as TensorFlow Lite's interpreter reads them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from modelaudit.findings import Outcome
from modelaudit.formats.reader import read
from modelaudit.measures.kernels.values import load_kernel
from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.settings import Limits, Settings

pytestmark = pytest.mark.slow
EXPORTS = ("float", "float16", "dynamic", "int8", "uint8", "int16x8", "signatures", "while", "lstm")


@pytest.fixture(scope="module")
def pair(lite_models, tensorflow):
    """Our artifact of an export, and TensorFlow's interpreter of it."""
    resolver = tensorflow.lite.experimental.OpResolverType

    def of(name):
        path = lite_models / f"{name}.tflite"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            interpreter = tensorflow.lite.Interpreter(
                str(path),
                experimental_op_resolver_type=resolver.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
                experimental_preserve_all_tensors=True,
            )
        interpreter.allocate_tensors()
        return read(path, Limits()), interpreter

    return of


@pytest.mark.parametrize("name", EXPORTS)
def test_every_tensor_is_equal(pair, name):
    artifact, interpreter = pair(name)
    tensors = artifact.lite.subgraphs[0].tensors
    constants = 0
    for theirs in interpreter.get_tensor_details():
        if theirs["index"] >= len(tensors):
            continue  # temporary, added by the interpreter
        ours = tensors[theirs["index"]]
        assert ours.name == theirs["name"]
        assert tuple(-1 if n is None else n for n in ours.shape) == tuple(theirs["shape_signature"])
        numbers = theirs["quantization_parameters"]
        scale = ours.quantization.scale if ours.quantization else ()
        assert np.float32(scale).tolist() == numbers["scales"].tolist()
        if scale:
            assert [*ours.quantization.zero_point] == numbers["zero_points"].tolist()
            assert len(scale) == 1 or ours.quantization.axis == numbers["quantized_dimension"]
        if ours.dtype != "resource":
            assert np.dtype(ours.dtype) == theirs["dtype"]
        if not ours.constant:
            continue
        constants += 1
        value, stored = interpreter.get_tensor(theirs["index"]), artifact.tensor(ours.constant)
        raw = np.frombuffer(b"".join(bytes(piece) for piece in stored.source.raw()), value.dtype)
        np.testing.assert_array_equal(raw.reshape(stored.shape), value)
        _check_values(ours, stored, value)
    assert constants


def _check_values(ours, stored, value):
    """What quantised numbers stand for, channel by channel, and its statistics."""
    expected = value.astype(np.float64)
    if ours.quantization is not None:
        zero = np.array(ours.quantization.zero_point)
        scale, around = np.array(ours.quantization.scale), [1] * value.ndim
        if scale.size > 1:
            around[ours.quantization.axis] = -1
            expected = (expected - zero.reshape(around)) * scale.reshape(around)
        else:
            expected = (expected - zero[0]) * scale[0]
    np.testing.assert_allclose(stored.source.array(), expected, rtol=1e-6, atol=1e-9)
    if stored.stats is not None:
        assert stored.stats.mean == pytest.approx(expected.mean(), rel=1e-5, abs=1e-7)
        assert stored.stats.maximum == pytest.approx(expected.max(), rel=1e-6)


@pytest.mark.parametrize("name", EXPORTS)
def test_operators_and_signatures_are_equal(pair, name):
    artifact, interpreter = pair(name)
    theirs = [each["op_name"] for each in interpreter._get_ops_details()]
    assert [each.name for each in artifact.lite.subgraphs[0].operators] == theirs
    signatures = interpreter.get_signature_list()
    assert {each.name for each in artifact.signatures} == set(signatures)
    for ours in artifact.signatures:
        assert {each.name for each in ours.inputs} == set(signatures[ours.name]["inputs"])
        assert {each.name for each in ours.outputs} == set(signatures[ours.name]["outputs"])
        runner = interpreter.get_signature_runner(ours.name)
        for side, details in (
            (ours.inputs, runner.get_input_details()),
            (ours.outputs, runner.get_output_details()),
        ):
            for each in side:
                assert each.tensor == details[each.name]["name"]
                assert each.dtype == np.dtype(details[each.name]["dtype"]).name


@pytest.mark.parametrize("name", [*EXPORTS, "flex"])
def test_nothing_is_wrong_with_what_the_converter_writes(lite_models, name):
    artifact = read(lite_models / f"{name}.tflite", Limits())
    assert artifact.complete
    assert artifact.problems == ()
    assert artifact.provenance.tensorflow
    assert all(tensor.stats for tensor in artifact.tensors)


@pytest.mark.parametrize(
    ("name", "error"),
    [("float", 0), ("float16", 2**-11), ("dynamic", 0.51 / 127), ("int8", 0.51 / 127)],
)
def test_kernels_are_those_of_the_source(lite_models, name, error):
    """In the order of Keras' axes, within half a step of the quantization."""
    source = read(lite_models / "source.keras", Limits())
    export = read(lite_models / f"{name}.tflite", Limits())
    assert len(export.kernels) == len(source.kernels) == 4
    for ours, theirs in zip(export.kernels, source.kernels, strict=True):
        assert (ours.kind, ours.axes, ours.shape) == (theirs.kind, theirs.axes, theirs.shape)
        assert (ours.grid, ours.groups) == (theirs.grid, theirs.groups)
        if ours.spatial:
            assert (ours.strides, ours.padding) == (theirs.strides, theirs.padding)
        mine = load_kernel(ours, export.tensor(ours.tensor)).matrix
        other = load_kernel(theirs, source.tensor(theirs.tensor)).matrix
        np.testing.assert_allclose(mine, other, rtol=0, atol=error * np.abs(other).max())


def test_subgraphs_of_a_loop_are_read(pair):
    artifact, _ = pair("while")
    names = {each.name for graph in artifact.lite.subgraphs for each in graph.operators}
    assert {"WHILE", "MUL", "ADD"} <= names
    assert len(artifact.lite.subgraphs) > 2


def test_an_operation_of_tensorflow_is_in_the_graph(lite_models):
    artifact = read(lite_models / "flex.tflite", Limits())
    (operator,) = artifact.lite.subgraphs[0].operators
    assert (operator.name, operator.flex, operator.custom) == ("FlexReadFile", "ReadFile", True)
    assert [node.op for node in artifact.graphs[0].nodes] == [
        "Placeholder",
        "ReadFile",
        "IdentityN",
    ]


def test_a_file_that_the_input_names_is_read(lite_models):
    """The rule on graphs follows the operation from the signature of the TensorFlow Lite model."""
    facts = static_facts(lite_models / "flex.tflite", Settings())
    (finding,) = run_rule(rule("MA741"), facts).findings
    assert "run by signature serving_default" in finding.detail
    assert run_rule(rule("MA760"), facts).outcome is Outcome.PASS
