from __future__ import annotations

import hashlib
from pathlib import Path

import google_crc32c
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.formats.checkpoint.index import read_tensor_bundle, shard_problems, slice_key
from modelaudit.formats.checkpoint.tensors import read_tensor, source_of
from modelaudit.formats.checkpoint.variables import read_variables
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.settings import Limits, Settings
from modelaudit.structs import replace
from tests.formats.bundle_writer import BundleWriter, write_bundle

LIMITS = Limits()
SHARD = "m.data-00000-of-00001"
ARRAYS = hnp.arrays(
    st.sampled_from(
        ["float32", "float64", "float16", "int32", "int64", "uint8", "bool", "complex64"]
    ),
    hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
)
REUSED = settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


def only_problem(variables):
    (problem,) = variables.problems
    return problem


@REUSED
@given(values=ARRAYS, big_endian=st.booleans())
def test_values_digest_and_shape_round_trip(tmp_path, values, big_endian):
    writer = BundleWriter(tmp_path / "m", big_endian=big_endian)
    writer.add("first", np.arange(3, dtype="int32"))
    writer.add("x", values)
    bundle = read_tensor_bundle(writer.write(), tmp_path, LIMITS)
    tensor, problem = read_tensor(bundle, bundle.entries["x"], "x", "weight", LIMITS)
    assert problem is None
    assert (tensor.shape, tensor.dtype) == (values.shape, values.dtype.name)
    little = values.astype(values.dtype.newbyteorder("<")).tobytes()
    assert tensor.sha256 == hashlib.sha256(little).hexdigest()
    np.testing.assert_array_equal(tensor.source.array(), values)


@REUSED
@given(st.lists(st.binary(max_size=300), max_size=12))
def test_strings_round_trip(tmp_path, strings):
    writer = BundleWriter(tmp_path / "m")
    writer.add_strings("s", strings, (len(strings),))
    bundle = read_tensor_bundle(writer.write(), tmp_path, LIMITS)
    tensor, problem = read_tensor(bundle, bundle.entries["s"], "s", "other", LIMITS)
    assert (problem, tensor.dtype, tensor.stats) == (None, "string", None)
    assert list(tensor.source.array()) == strings


def test_small_pieces_give_the_same_bytes(tmp_path):
    values = np.random.default_rng(0).normal(size=(7, 11)).astype("float32")
    bundle = read_tensor_bundle(write_bundle(tmp_path / "m", {"x": values}), tmp_path, LIMITS)
    source = source_of(bundle, bundle.entries["x"], LIMITS)
    pieces = list(source.chunks(40))
    assert all(piece.nbytes <= 40 for piece in pieces)
    np.testing.assert_array_equal(np.concatenate(pieces), values.ravel())


@pytest.mark.parametrize("position", [0, 12, 27])
def test_a_flipped_bit_is_named_with_its_tensor(tmp_path, position):
    prefix = write_bundle(tmp_path / "m", {"a": np.ones(3, "float32"), "b": np.ones(4, "float32")})
    shard = tmp_path / SHARD
    data = bytearray(shard.read_bytes())
    data[position] ^= 1
    shard.write_bytes(data)
    variables = read_variables(prefix, tmp_path, LIMITS)
    problem = only_problem(variables)
    assert (problem.kind, problem.route) == ("crc-mismatch", "a" if position < 12 else "b")
    assert not variables.complete
    assert [tensor.sha256 is None for tensor in variables.tensors] == [
        position < 12,
        position >= 12,
    ]


def test_a_flipped_bit_in_strings_is_a_crc_mismatch(tmp_path):
    writer = BundleWriter(tmp_path / "m")
    writer.add_strings("s", [b"alpha", b"beta"], (2,))
    writer.data[-1] ^= 1
    variables = read_variables(writer.write(), tmp_path, LIMITS)
    assert only_problem(variables).kind == "crc-mismatch"


def test_missing_shard_says_how_many_bytes(tmp_path):
    prefix = write_bundle(tmp_path / "m", {"a": np.ones((5, 2), "float64")})
    (tmp_path / SHARD).unlink()
    variables = read_variables(prefix, tmp_path, LIMITS)
    problem = only_problem(variables)
    assert (problem.kind, problem.file, problem.evidence) == (
        "missing-shard",
        SHARD,
        {"needed": 80},
    )
    (tensor,) = variables.tensors
    assert (tensor.shape, tensor.dtype, tensor.sha256) == ((5, 2), "float64", None)
    assert not variables.complete


@pytest.mark.parametrize(
    ("name", "size", "found"),
    [
        ("m.data-00000-of-00", 80, True),  # a name that was cut
        ("m.data-00000-of-00001(1)", 80, True),
        ("m.data-00000-of-00", 79, False),
        ("n.data-00000-of-00001", 80, False),
    ],
)
def test_a_shard_under_another_name_is_named(tmp_path, name, size, found):
    prefix = write_bundle(tmp_path / "m", {"a": np.ones((5, 2), "float64")})
    shard = tmp_path / SHARD
    kept = shard.read_bytes()
    shard.unlink()
    (tmp_path / name).write_bytes(kept[:size])
    problem = only_problem(read_variables(prefix, tmp_path, LIMITS))
    assert (problem.evidence.get("renamed") == name) is found
    assert (name in problem.detail) is found
    if found:
        facts = static_facts(prefix, Settings())
        (only,) = run_rule(rule("MA108"), facts).findings
        assert only.fix.startswith(f"Rename `{name}` to `{SHARD}`")
        assert not run_rule(rule("MA115"), facts).findings  # it is not advised to delete it
        (tmp_path / name).rename(shard)
        assert not read_variables(prefix, tmp_path, LIMITS).problems


def test_short_shard_names_the_lost_tensors(tmp_path):
    prefix = write_bundle(tmp_path / "m", {"a": np.ones(2, "float32"), "b": np.ones(2, "float32")})
    (tmp_path / SHARD).write_bytes((tmp_path / SHARD).read_bytes()[:13])
    variables = read_variables(prefix, tmp_path, LIMITS)
    by_kind = {problem.kind: problem for problem in variables.problems}
    assert by_kind["size-mismatch"].evidence == {"needed": 16, "measured": 13, "missing": 3}
    assert by_kind["tensor-unreadable"].route == "b"
    assert not variables.complete


def test_long_shard_is_reported_and_readable(tmp_path):
    prefix = write_bundle(tmp_path / "m", {"a": np.ones(2, "float32")})
    with (tmp_path / SHARD).open("ab") as handle:
        handle.write(b"more")
    variables = read_variables(prefix, tmp_path, LIMITS)
    assert only_problem(variables).evidence == {"needed": 8, "measured": 12, "extra": 4}
    assert variables.complete


def test_shard_behind_a_link_out_of_the_model_is_not_read(tmp_path):
    model = tmp_path / "model"
    prefix = write_bundle(model / "m", {"a": np.ones(2, "float32")})
    (model / SHARD).rename(tmp_path / "elsewhere")
    (model / SHARD).symlink_to(tmp_path / "elsewhere")
    variables = read_variables(prefix, model, LIMITS)
    assert only_problem(variables).kind == "unsafe-path"
    assert variables.tensors[0].sha256 is None


def test_tensors_that_claim_the_same_bytes_are_not_read(tmp_path):
    writer = BundleWriter(tmp_path / "m")
    writer.add("a", np.arange(4, dtype="float32"))
    writer.add("b", np.arange(4, dtype="float32"))
    writer.add("c", np.arange(4, dtype="float32"))
    writer.entries[b"b"].offset = 8
    variables = read_variables(writer.write(), tmp_path, LIMITS)
    problem = only_problem(variables)
    assert (problem.kind, problem.evidence) == ("corrupt", {"tensors": ["a", "b"], "count": 2})
    assert [tensor.name for tensor in variables.tensors if tensor.sha256] == ["c"]


def test_declared_size_must_match_the_shape(tmp_path):
    writer = BundleWriter(tmp_path / "m")
    writer.add("a", np.arange(4, dtype="float32"))
    writer.entries[b"a"].shape.dim[0].size = 1 << 40
    variables = read_variables(writer.write(), tmp_path, replace(LIMITS, tensor_bytes=1 << 60))
    assert only_problem(variables).kind == "tensor-unreadable"
    variables = read_variables(tmp_path / "m", tmp_path, LIMITS)
    assert only_problem(variables).kind == "limit-exceeded"


def test_total_bytes_are_bounded(tmp_path):
    prefix = write_bundle(tmp_path / "m", {name: np.ones(10, "float32") for name in "abc"})
    variables = read_variables(prefix, tmp_path, replace(LIMITS, total_bytes=80))
    assert only_problem(variables).kind == "limit-exceeded"
    assert [bool(tensor.sha256) for tensor in variables.tensors] == [True, True, False]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda entry: entry.shape.dim.add(size=-1), "corrupt"),
        (lambda entry: setattr(entry, "offset", -1), "corrupt"),
        (lambda entry: setattr(entry, "shard_id", 7), "corrupt"),
    ],
)
def test_impossible_entries_are_refused(tmp_path, change, kind):
    writer = BundleWriter(tmp_path / "m")
    writer.add("a", np.arange(4, dtype="float32"))
    change(writer.entries[b"a"])
    with pytest.raises(ReadError) as caught:
        read_tensor_bundle(writer.write(), tmp_path, LIMITS)
    assert caught.value.kind == kind


def test_missing_index_and_other_tables(tmp_path):
    with pytest.raises(ReadError) as caught:
        read_tensor_bundle(tmp_path / "m", tmp_path, LIMITS)
    assert caught.value.kind == "missing-file"
    prefix = write_bundle(tmp_path / "m", {"a": np.ones(1, "float32")})
    Path(f"{prefix}.index").write_bytes(b"")
    assert only_problem(read_variables(prefix, tmp_path, LIMITS)).kind == "empty"


def test_unsupported_types_keep_their_declaration(tmp_path):
    writer = BundleWriter(tmp_path / "m")
    writer.add("v", np.arange(4, dtype="uint8"))
    writer.entries[b"v"].dtype = pb.DT_VARIANT
    (tensor,) = read_variables(writer.write(), tmp_path, LIMITS).tensors
    assert (tensor.dtype, tensor.stats) == ("variant", None)
    assert tensor.sha256 == hashlib.sha256(bytes([0, 1, 2, 3])).hexdigest()


def test_string_tensors_are_bounded(tmp_path):
    writer = BundleWriter(tmp_path / "m")
    writer.add_strings("s", [b"x" * 1000], ())
    bundle = read_tensor_bundle(writer.write(), tmp_path, LIMITS)
    with pytest.raises(LimitExceeded):
        source_of(bundle, bundle.entries["s"], replace(LIMITS, config_bytes=999)).array()


def split(tmp_path, values, extents):
    """Write `values` in slices, as a partitioned variable."""
    writer = BundleWriter(tmp_path / "m")
    whole = pb.BundleEntryProto(dtype=pb.DT_FLOAT)
    whole.shape.dim.extend(pb.TensorShapeProto.Dim(size=size) for size in values.shape)
    for extent in extents:
        part = whole.slices.add()
        for start, length in extent:
            axis = part.extent.add(start=start)
            if length is not None:
                axis.length = length
        index = tuple(
            slice(start, None if length is None else start + length) for start, length in extent
        )
        writer.add("", values[index], key=slice_key("w", extent))
    writer.entries[b"w"] = whole
    return writer.write()


ROWS = [((0, 2), (0, None)), ((2, 3), (0, None))]
QUARTERS = [((0, 2), (0, 1)), ((0, 2), (1, 3)), ((2, 3), (0, 1)), ((2, 3), (1, 3))]


@pytest.mark.parametrize("extents", [ROWS, ROWS[::-1], QUARTERS])
def test_partitioned_variables_are_assembled(tmp_path, extents):
    values = np.arange(20, dtype="float32").reshape(5, 4)
    variables = read_variables(split(tmp_path, values, extents), tmp_path, LIMITS)
    assert (variables.problems, len(variables.tensors)) == ((), 1)
    np.testing.assert_array_equal(variables.tensors[0].source.array(), values)
    assert variables.tensors[0].sha256 == hashlib.sha256(values.tobytes()).hexdigest()


@pytest.mark.parametrize("extents", [ROWS[:1], QUARTERS[:3], [*QUARTERS, ((0, 5), (0, None))]])
def test_gaps_and_overlaps_of_slices_are_problems(tmp_path, extents):
    values = np.arange(20, dtype="float32").reshape(5, 4)
    variables = read_variables(split(tmp_path, values, extents), tmp_path, LIMITS)
    assert only_problem(variables).kind == "tensor-unreadable"


def test_slice_missing_from_the_index(tmp_path):
    values = np.arange(20, dtype="float32").reshape(5, 4)
    prefix = split(tmp_path, values, ROWS)
    bundle = read_tensor_bundle(prefix, tmp_path, LIMITS)
    bundle = replace(bundle, parts={})
    tensor, problem = read_tensor(bundle, bundle.entries["w"], "w", "weight", LIMITS)
    assert (tensor.sha256, problem.kind) == (None, "tensor-unreadable")


def test_checksum_is_of_the_stored_bytes_whatever_their_order(tmp_path):
    writer = BundleWriter(tmp_path / "m", big_endian=True)
    writer.add("a", np.array([1.5, 2.5], "float32"))
    assert google_crc32c.value(bytes(writer.data)) != google_crc32c.value(
        np.array([1.5, 2.5], "<f4").tobytes()
    )
    bundle = read_tensor_bundle(writer.write(), tmp_path, LIMITS)
    assert shard_problems(bundle) == []
    assert list(source_of(bundle, bundle.entries["a"], LIMITS).array()) == [1.5, 2.5]


@REUSED
@given(st.data())
def test_mutated_files_raise_nothing_but_read_errors(tmp_path, data):
    writer = BundleWriter(tmp_path / "m")
    writer.add("layer/kernel", np.arange(12, dtype="float32").reshape(3, 4))
    writer.add_strings("names", [b"a", b"bc"], (2,))
    prefix = writer.write()
    target = data.draw(st.sampled_from([f"{prefix}.index", str(tmp_path / SHARD)]))
    mutated = bytearray(Path(target).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        mutated[data.draw(st.integers(0, len(mutated) - 1))] = data.draw(st.integers(0, 255))
    Path(target).write_bytes(mutated[: data.draw(st.integers(0, len(mutated)))])
    read_variables(prefix, tmp_path, LIMITS)
