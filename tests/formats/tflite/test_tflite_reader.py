"""Reading TensorFlow Lite models: values, metadata, and what is wrong with a file."""

from __future__ import annotations

import struct
from types import SimpleNamespace

import numpy as np
import pytest

from modelaudit.facts import Format, ProblemKind
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.tflite.constants import ByteSpan, Constants
from modelaudit.formats.tflite.reader import _unused
from modelaudit.formats.tflite.schema import runtime_versions, schema
from modelaudit.settings import Limits
from tests.made import lite_files as made


def details(artifact):
    return [problem.detail for problem in artifact.problems]


def test_the_schema_is_that_of_tensorflow():
    """Every field number and every enumeration, against the generated classes."""
    theirs = made.schema()
    for name in ("BuiltinOperator", "TensorType", "BuiltinOptions", "BuiltinOptions2"):
        values = {k: v for k, v in vars(getattr(theirs, name)).items() if isinstance(v, int)}
        assert {word: i for i, word in enumerate(schema().enums[name])} == values
    tables = [name for name in schema().tables if hasattr(theirs, name)]
    assert len(tables) > 150
    for name in tables:
        for field, entry in schema().tables[name].items():
            builder = getattr(theirs, f"{name}Add{''.join(map(_title, field.split('_')))}", None)
            assert builder is not None, (name, field)
            assert _slot(builder) == entry.number
    assert {*runtime_versions()} <= {*schema().enums["BuiltinOperator"]}


def _title(word):
    return word[:1].upper() + word[1:]


def _slot(function):
    """The number of the slot that a generated function fills."""

    class Builder:
        def __getattr__(self, name):
            return lambda slot, *_: setattr(self, "slot", slot)

    builder = Builder()
    function(builder, 1)
    return builder.slot


def test_a_convolution(reading):
    kernel = np.random.default_rng(1).normal(size=(4, 3, 3, 3)).astype(np.float32)
    artifact = reading(made.packed(made.conv_model(kernel)))
    assert artifact.format is Format.TFLITE
    assert (artifact.complete, artifact.problems) == (True, ())
    (found,) = artifact.kernels
    assert (found.route, found.tensor, found.bias) == ("conv/out", "conv/kernel", "conv/bias")
    assert (found.shape, found.strides, found.padding) == ((3, 3, 3, 4), (1, 1), "same")
    np.testing.assert_array_equal(artifact.tensor("conv/kernel").source.array(), kernel)
    (signature,) = artifact.signatures
    assert [(each.name, each.shape) for each in signature.inputs] == [("image", (1, 6, 6, 3))]


def test_values_of_four_bits_and_scales_of_each_channel(reading):
    stored = np.arange(-8, 8, dtype=np.int8).reshape(4, 2, 2, 1)
    nibbles = (stored.reshape(-1, 2) & 15).astype(np.uint8)
    bytes_ = (nibbles[:, 0] | nibbles[:, 1] << 4).astype(np.int8)
    scale = [0.5, 1.0, 2.0, 4.0]
    model = made.conv_model(
        np.zeros((4, 2, 2, 1), np.int8), quantized=made.quantization(scale, [0])
    )
    model.buffers[1].data = bytes_.view(np.uint8)
    model.subgraphs[0].tensors[1].type = made.INT4
    artifact = reading(made.packed(model))
    expected = stored * np.array(scale).reshape(4, 1, 1, 1)
    tensor = artifact.tensor("conv/kernel")
    np.testing.assert_array_equal(tensor.source.array(), expected)
    assert (tensor.dtype, tensor.stats.minimum) == ("int4", expected.min())


def test_the_file_is_read_in_pieces(reading):
    kernel = np.arange(4 * 9 * 3, dtype=np.int8).reshape(4, 3, 3, 3)
    quantized = made.quantization([1.0, 2.0, 3.0, 4.0], [0, 1, 2, 3])
    tensor = reading(made.packed(made.conv_model(kernel, quantized=quantized))).tensor(
        "conv/kernel"
    )
    pieces = [*tensor.source.chunks(28)]
    assert len(pieces) > 10
    np.testing.assert_array_equal(np.concatenate(pieces), tensor.source.array().reshape(-1))


def test_buffers_behind_a_large_model(reading):
    """Models of 2 GB or more have buffers behind the FlatBuffer."""
    kernel = np.random.default_rng(2).normal(size=(4, 3, 3, 3)).astype(np.float32)

    def move(model, offset):
        buffer = model.buffers[1]
        buffer.data, buffer.offset, buffer.size = None, offset, kernel.nbytes

    size = len(made.altered(lambda model: move(model, 4096), made.conv_model(kernel)))
    data = made.altered(lambda model: move(model, size), made.conv_model(kernel))
    whole = reading(data + kernel.tobytes())
    assert details(whole) == []
    np.testing.assert_array_equal(whole.tensor("conv/kernel").source.array(), kernel)
    cut = reading(data + kernel.tobytes()[:-1])
    assert [(each.kind, cut.complete) for each in cut.problems] == [(ProblemKind.TRUNCATED, False)]


def test_metadata_and_the_archive_behind_the_model(reading):
    entries = {
        "TFLITE_METADATA": made.described(127.5, 128.0),
        "min_runtime_version": b"1.5.0".ljust(16, b"\0"),
    }
    data = made.packed(made.with_metadata(made.conv_model(), entries))
    artifact = reading(made.with_archive(data, {"labels.txt": b"cat\ndog\nfox\nhen\n"}))
    assert details(artifact) == []
    assert artifact.extra["labels"] == {
        "file": "labels.txt",
        "names": ["cat", "dog", "fox", "hen"],
    }
    (given,) = artifact.lite.preprocessing
    assert (given.input, given.mean, given.std) == ("image", (127.5,), (128.0,))
    assert (artifact.lite.declared_runtime, artifact.lite.needed_runtime) == ("1.5.0", "1.5.0")


def test_an_archive_without_members_and_metadata_without_names(reading):
    """As MediaPipe's models have them."""

    def earlier(model):
        made.with_metadata(model, {"x": b"old metadata"})
        model.metadataBuffer, model.metadata = [len(model.buffers) - 1], None

    data = made.altered(earlier)
    assert details(reading(made.with_archive(data, {}))) == []
    assert len(made.with_archive(data, {})) == len(data) + 22


def test_what_the_archive_holds_that_the_metadata_do_not_describe(reading):
    data = made.packed(made.conv_model())
    artifact = reading(made.with_archive(data, {"run.bin": b"\x7fELF" + bytes(80)}))
    (problem,) = artifact.problems
    assert (problem.kind, problem.route) == (ProblemKind.LEFTOVER, "run.bin")


def test_bytes_that_nothing_refers_to(reading):
    data = made.packed(made.conv_model())
    (problem,) = reading(data + bytes(64) + b"#!/bin/sh\nrm -rf ~\n").problems
    assert (problem.evidence["tflite"], problem.evidence["measured"]) == ("unused", 83)

    def orphan(model):
        buffer = made.schema().BufferT()
        buffer.data = np.frombuffer(b"\x7fELF" + bytes(80) + b"x", np.uint8)
        model.buffers.append(buffer)

    (problem,) = reading(made.altered(orphan)).problems
    assert problem.evidence["program"] == "a native library"
    assert details(reading(data + bytes(64))) == []  # padding


def test_a_program_in_a_constant(reading):
    kernel = np.zeros((4, 3, 3, 3), np.int8)
    kernel.reshape(-1)[:4] = np.frombuffer(b"\x7fELF", np.int8)
    artifact = reading(made.packed(made.conv_model(kernel)))
    assert [each.evidence.get("program") for each in artifact.problems] == ["a native library"]


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (
            lambda m: setattr(m.subgraphs[0].tensors[1], "buffer", 9),
            "tensor-unreadable",
            "buffer 9",
        ),
        (
            lambda m: setattr(m.subgraphs[0].tensors[1], "shape", [4, 3, 3, 2]),
            "size-mismatch",
            "288",
        ),
        (lambda m: setattr(m.subgraphs[0].tensors[1], "shape", [4, -3, 3, 3]), "corrupt", "shape"),
        (
            lambda m: setattr(m.subgraphs[0].tensors[1], "shape", [2**31 - 1] * 500),
            "corrupt",
            "500 axes",
        ),
        (
            lambda m: setattr(m.subgraphs[0].operators[0], "inputs", [0, 99, 2]),
            "corrupt",
            "tensor 99",
        ),
        (lambda m: setattr(m.subgraphs[0].operators[0], "opcodeIndex", 7), "corrupt", "code 7"),
        (lambda m: setattr(m.subgraphs[0], "outputs", [-5]), "corrupt", "tensor -5"),
        (lambda m: setattr(m, "version", 9), "unsupported", "version 9"),
        (
            lambda m: setattr(
                m.subgraphs[0].tensors[1], "quantization", made.quantization([1.0, 2.0], [0], 0)
            ),
            "size-mismatch",
            "2 scales",
        ),
    ],
)
def test_references_to_what_does_not_exist(reading, change, kind, words):
    artifact = reading(made.altered(change))
    problem = artifact.problems[0]
    assert (problem.kind, artifact.complete) == (kind, False)
    assert words in problem.detail


def test_overlapping_buffers(reading):
    data = bytearray(made.packed(made.conv_model()))
    kernel = data.find(made.packed(made.conv_model())[-64:])
    assert kernel > 0
    # The bias follows the kernel or precedes it; a longer first one overlaps the second.
    spans = []
    for size in (4 * 9 * 3 * 4, 4 * 4):
        at = data.find(struct.pack("<I", size))
        spans.append((at, size))
    at, size = min(spans)
    data[at : at + 4] = struct.pack("<I", size + 80)
    artifact = reading(bytes(data))
    assert any("overlap" in detail for detail in details(artifact))


def test_names_that_are_alike_are_told_apart_without_a_search(reading, monkeypatch):
    class Searched(dict):
        asked = 0

        def __contains__(self, name):
            Searched.asked += 1
            return super().__contains__(name)

    real = Constants.__init__

    def counted(own, *arguments):
        real(own, *arguments)
        own.tensors = Searched()

    monkeypatch.setattr(Constants, "__init__", counted)

    def name_alike(model):
        for size in range(1, 201):
            made.add_tensor(model, "same", (size,), "float32", 1)

    names = [tensor.name for tensor in reading(made.altered(name_alike)).tensors]
    assert len(names) == len({*names}) >= 200
    assert Searched.asked < 3 * len(names)


@pytest.mark.parametrize(
    ("held", "told"),
    [
        (b"\x00\x30" * 128, 0),  # as the converter of LSTM leaves it
        (b"\x00\x10" * 20 + bytes(24), 0),
        (b"program\n" * 3, 24),
        (b"program\n" * 4 + b"x", 33),
        (b"\x7f" * (1 << 20) + b"\x7fELF", (1 << 20) + 4),
    ],
)
def test_one_number_again_and_again_holds_nothing(reading, held, told):
    problems = reading(made.packed(made.conv_model()) + held).problems
    assert [each.evidence["measured"] for each in problems] == [told] * bool(told)


@pytest.mark.parametrize(("used", "held"), [((), "150"), ((0,), "50"), ((0, 1, 2), "")])
def test_idle_buffers_that_overlap_are_counted_once(tmp_path, used, held):
    """Bytes 0 to 100 twice, and 50 to 150; what a used buffer holds as well is not idle."""
    (tmp_path / "m").write_bytes(bytes(range(1, 201)))
    spans = [ByteSpan(0, 100), ByteSpan(0, 100), ByteSpan(50, 100)]
    window = FileWindow.of_file(tmp_path / "m")
    buffers = SimpleNamespace(behind=[], spans=spans, window=window)
    flatbuffer = SimpleNamespace(unused=lambda outside: [], small_tables=lambda start, end: 0)
    found = [*_unused(flatbuffer, buffers, {*used}, SimpleNamespace(archive=None))]
    assert [f"has {held} bytes" in problem.detail for problem in found] == [True] * bool(held)


@pytest.mark.parametrize(("numbers", "held"), [(128, ""), (129, "32"), (200, "2,304")])
def test_constants_of_many_numbers_are_data(tmp_path, numbers, held):
    """Each is a number of 8 bytes four times."""
    (tmp_path / "m").write_bytes(b"".join(bytes([i + 1] * 32) for i in range(numbers)))
    spans = [ByteSpan(32 * i, 32) for i in range(numbers)]
    buffers = SimpleNamespace(behind=[], spans=spans, window=FileWindow.of_file(tmp_path / "m"))
    flatbuffer = SimpleNamespace(unused=lambda outside: [], small_tables=lambda start, end: 0)
    found = [*_unused(flatbuffer, buffers, set(), SimpleNamespace(archive=None))]
    assert [f"has {held} bytes" in problem.detail for problem in found] == [True] * bool(held)


def test_one_buffer_of_many_tensors_is_read_a_bounded_number_of_times(reading):
    def share(model):
        for i in range(40):
            size = 108 - i
            made.add_tensor(model, f"t{i}", (size,), "float32", 1)
            made.add_tensor(
                model, f"s{i}", (4, 3, 3, 300), "float32", 1, made.quantization([i + 1.0], [0])
            )

    big = made.conv_model(np.ones((4, 3, 3, 300), np.float32))
    artifact = reading(made.altered(share, big))
    kinds = {problem.kind for problem in artifact.problems}
    assert kinds == {ProblemKind.SIZE_MISMATCH, ProblemKind.LIMIT_EXCEEDED}
    assert sum(tensor.stats is not None for tensor in artifact.tensors) < 20


def test_no_prefix_of_a_file_is_read_as_a_model(reading):
    data = made.packed(made.conv_model())
    for end in range(8, len(data) - 1, 37):
        assert not reading(data[:end]).complete


def test_references_in_a_circle_and_to_one_table_end(reading):
    """A vector of many references to one table is not followed without end."""
    count = 300_000
    vector = struct.pack("<I", count)
    root = struct.pack("<I4s", 28, b"TFL3")
    # vtable of Model: only version and subgraphs; vtable of an empty SubGraph
    tables = struct.pack("<5H", 10, 12, 4, 0, 8) + bytes(2) + struct.pack("<2H", 4, 4) + bytes(4)
    model = struct.pack("<iII", 20, 3, 4)
    start = len(root) + len(tables) + len(model) + 4
    empty = start + 4 * count
    offsets = np.arange(count, dtype=np.int64) * -4 + (empty - start)
    subgraph = struct.pack("<i", empty - 20)
    data = root + tables + model + vector + offsets.astype("<u4").tobytes() + subgraph
    artifact = reading(data)
    assert [problem.kind for problem in artifact.problems] == [ProblemKind.LIMIT_EXCEEDED]


def test_limits(reading):
    artifact = reading(made.packed(made.conv_model()), limits=Limits(tensor_bytes=100))
    assert {each.kind for each in artifact.problems} == {ProblemKind.LIMIT_EXCEEDED}
    artifact = reading(made.packed(made.conv_model()), limits=Limits(graph_nodes=5))
    assert [each.kind for each in artifact.problems] == [ProblemKind.LIMIT_EXCEEDED]
