"""Rules on TensorFlow Lite models, on files that are made for them."""

from __future__ import annotations

import copy
import math

import flatbuffers
import numpy as np
import pytest

from modelaudit.audit_types.loading import Status
from modelaudit.findings import Outcome, Severity
from modelaudit.formats.reader import read
from modelaudit.measures.measure import measure
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.examples import observed
from modelaudit.rules.model import Facts
from modelaudit.settings import Limits
from tests.made import lite_files as made


@pytest.fixture
def ran(tmp_path):
    """The result of a rule on a file with these bytes."""

    def run(code: str, data: bytes):
        path = tmp_path / "m.tflite"
        path.write_bytes(data)
        return run_rule(rule(code), Facts(read(path, Limits())))

    return run


def with_scale(scale, zero=0, dtype=np.int8):
    kernel = np.ones((4, 3, 3, 3), dtype)
    return made.packed(made.conv_model(kernel, quantized=made.quantization(scale, [zero])))


@pytest.mark.parametrize(
    ("scale", "zero", "words"),
    [
        ([math.nan], 0, "not a finite number"),
        ([1.0, 2.0, math.inf, 1.0], 0, "not a finite number"),
        ([-0.5], 0, "negative"),
        ([1.0, 0.0, 1.0, 1.0], 0, "scale of 0"),
        ([0.5], -129, "zero point"),
        ([0.5], 128, "zero point"),
        ([1e10], 0, "beyond"),
    ],
)
def test_quantization_that_makes_no_sense(ran, scale, zero, words):
    (finding,) = ran("MA126", with_scale(scale, zero)).findings
    assert words in finding.detail
    assert "conv/kernel" in finding.detail
    assert finding.severity is (Severity.MEDIUM if words == "beyond" else Severity.HIGH)


@pytest.mark.parametrize(
    ("channel", "scale", "severity"),
    [
        (0, [1.0, 0.0, 1.0, 1.0], Severity.LOW),  # of a filter that died, by old converters
        (3, [1.0, 0.0, 1.0, 1.0], Severity.HIGH),  # 3 times 0: what was stored is lost
        (0, [0.0], Severity.HIGH),  # of all channels
    ],
)
def test_a_scale_of_0_loses_nothing_of_a_channel_of_zeros(ran, channel, scale, severity):
    kernel = np.ones((4, 3, 3, 3), np.int8)
    kernel[1] = channel
    (finding,) = ran(
        "MA126", made.packed(made.conv_model(kernel, quantized=made.quantization(scale, [0])))
    ).findings
    assert finding.severity is severity


@pytest.mark.parametrize(
    ("name", "told"),
    [("/model.0/conv/Conv", False), ("/../../etc", True), ("a/../../b", True), ("C:/x", True)],
)
def test_names_of_onnx_begin_with_a_slash(ran, name, told):
    data = made.packed(made.conv_model(np.ones((4, 3, 3, 3), np.float32), name=name))
    assert bool(ran("MA756", data).findings) is told


@pytest.mark.parametrize(("scale", "zero"), [([0.5], -128), ([0.5], 127), ([1e-9] * 4, 0)])
def test_quantization_at_the_edges(ran, scale, zero):
    assert ran("MA126", with_scale(scale, zero)).outcome is Outcome.PASS


def custom(name, code=32):
    model = made.conv_model()
    model.subgraphs[0].outputs = [made.add_tensor(model, "more", (1, 6, 6, 4))]
    made.add_operator(model, code, [3], model.subgraphs[0].outputs, custom=name)
    return made.packed(model)


@pytest.mark.parametrize(
    ("name", "code", "severity"),
    [
        ("Mine", 32, Severity.MEDIUM),
        ("FlexErf", 32, Severity.LOW),
        ("edgetpu-custom-op", 32, Severity.INFO),
        ("", 999, Severity.MEDIUM),
        ("TFLite_Detection_PostProcess", 32, None),
        ("Convolution2DTransposeBias", 32, None),
    ],
)
def test_operators_that_the_interpreter_does_not_have(ran, name, code, severity):
    found = ran("MA228", custom(name, code)).findings
    assert [each.severity for each in found] == ([severity] if severity else [])


@pytest.mark.parametrize(
    ("stated", "fails"), [(b"1.4.0", True), (b"1.5.0", False), (b"2.17.0", False)]
)
def test_a_runtime_that_is_lower_than_the_operators_need(ran, stated, fails):
    entry = {"min_runtime_version": stated.ljust(16, b"\0")}
    result = ran("MA229", made.packed(made.with_metadata(made.conv_model(), entry)))
    assert (result.outcome is Outcome.FAIL) == fails


@pytest.mark.parametrize("second", ["x", "y"])
def test_subgraphs_may_have_inputs_of_one_name(ran, second):
    """As the condition and the body of a loop have; in one subgraph a name need not be one, too."""
    model = made.conv_model()
    model.subgraphs[0].outputs = [made.add_tensor(model, "more", (1, 6, 6, 4))]
    made.add_operator(model, 32, [3], model.subgraphs[0].outputs, custom="FlexErf")
    body = copy.deepcopy(model.subgraphs[0])
    body.name, body.tensors[body.inputs[0]].name = b"body", second.encode()
    model.subgraphs.append(body)
    assert ran("MA760", made.packed(model)).outcome is Outcome.PASS


def test_a_program_of_a_few_bytes_is_no_leftover(ran):
    data = made.packed(made.conv_model())
    few = [ran("MA761", data + more).findings for more in (b"\x00\x09\x00\x09", b"#!/bin/sh\n")]
    assert [each.severity for (each,) in few] == [Severity.INFO, Severity.MEDIUM]


def test_operator_codes_that_a_converter_left(ran):
    """TOCO writes one for each operator, and refers to the last of each kind."""
    builder = flatbuffers.Builder(1024)
    for number in range(60):
        builder.StartObject(1)
        builder.PrependInt8Slot(0, 3 + number % 5, 0)
        builder.EndObject()
    builder.Finish(made.conv_model().Pack(builder), b"TFL3")
    left, text = bytes(builder.Output()), b"these are 60 words. " * 24
    hiding = flatbuffers.Builder(1024)
    for _ in range(60):
        hiding.StartObject(1)
        hiding.PrependUint64Slot(0, int.from_bytes(b"a secret", "little"), 0)
        hiding.EndObject()
    hiding.Finish(made.conv_model().Pack(hiding), b"TFL3")
    files = (left, left + text, bytes(hiding.Output()))
    found = [ran("MA761", data).findings[0] for data in files]
    assert [each.severity for each in found] == [Severity.INFO, Severity.MEDIUM, Severity.MEDIUM]
    assert found[0].evidence["measured"] > 400


def test_programs_in_a_model(ran):
    """Behind it, in a buffer, in a constant, in the archive."""
    data = made.packed(made.conv_model())
    elf = b"\x7fELF" + bytes(60) + b"x"
    behind = ran("MA761", data + elf)
    assert "a native library" in behind.findings[0].detail
    assert ran("MA739", data + elf).outcome is Outcome.FAIL
    kernel = np.zeros((4, 3, 3, 3), np.int8)
    kernel.reshape(-1)[:4] = np.frombuffer(elf[:4], np.int8)
    assert ran("MA739", made.packed(made.conv_model(kernel))).outcome is Outcome.FAIL
    assert ran("MA739", made.with_archive(data, {"labels.txt": elf})).outcome is Outcome.FAIL
    for code in ("MA739", "MA761"):
        assert ran(code, data).outcome is Outcome.PASS


def test_values_that_are_not_finite(ran):
    kernel = np.ones((4, 3, 3, 3), np.float32)
    kernel[0, 0, 0, 0] = np.nan
    result = ran("MA111", made.packed(made.conv_model(kernel)))
    assert result.outcome is Outcome.FAIL
    assert "conv/kernel" in result.findings[0].detail


def symmetry(kernel, quantized, folder):
    path = folder / "m.tflite"
    path.write_bytes(made.packed(made.conv_model(kernel, quantized=quantized)))
    artifact = read(path, Limits())
    (found,) = measure(artifact, limits=Limits()).symmetry
    return found.score["H"]


def test_symmetry_of_quantised_kernels(tmp_path):
    """Of what the numbers stand for, in the order of Keras' axes."""
    rng = np.random.default_rng(0)
    kernel = rng.integers(-127, 128, (4, 3, 3, 3)).astype(np.int8)
    mirrored = kernel.copy()
    mirrored[:, :, 2] = mirrored[:, :, 0]
    scale = made.quantization([0.1, 0.2, 0.3, 0.4], [0])
    assert symmetry(mirrored, scale, tmp_path) == pytest.approx(1, abs=1e-6)
    assert symmetry(kernel, scale, tmp_path) < 0.7


def test_nothing_is_said_of_how_kernels_with_folded_scales_were_drawn(tmp_path):
    """They look like an initializer's, scaled: uniform within a bound, beside a trained one."""
    drawn = np.random.default_rng(1).uniform(-0.2, 0.2, (8, 3, 3, 8)).astype("f4")
    path = tmp_path / "m.tflite"
    path.write_bytes(made.packed(made.conv_model(drawn)))
    measured = measure(read(path, Limits()), limits=Limits())
    assert measured.symmetry
    assert measured.initialization == ()
    assert "batch normalization" in measured.skipped["initial values"]


def test_a_model_that_lacks_operators_here_is_not_said_to_load_nowhere(tmp_path):
    """An application may supply them; without custom operators, it is."""
    seen = observed(Status.FAILED, error="unresolved custom op: Mine")().observations
    outcomes = []
    for data in (custom("Mine"), made.packed(made.conv_model())):
        path = tmp_path / "m.tflite"
        path.write_bytes(data)
        facts = Facts(read(path, Limits()), observations=seen)
        outcomes.append(run_rule(rule("MA210"), facts))
    assert [each.outcome for each in outcomes] == [Outcome.NOT_APPLICABLE, Outcome.FAIL]
    assert "Mine" in outcomes[0].reason
