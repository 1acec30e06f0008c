"""Streamed statistics and digests compared with numpy on the whole array."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.formats.io import tensor_stats
from modelaudit.formats.io.dtypes import NUMPY_NAMES, decode, stored_dtype
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.io.tensor_stats import FileArray, summarise
from modelaudit.settings import Limits

LIMITS = Limits()
SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=7)
FLOATS = st.sampled_from([np.float16, np.float32, np.float64]).flatmap(
    lambda dtype: hnp.arrays(dtype, SHAPES)
)
INTEGERS = st.sampled_from([np.int8, np.uint8, np.int32, np.int64, np.uint64, np.bool_]).flatmap(
    lambda dtype: hnp.arrays(dtype, SHAPES)
)


def stored(path: Path, values: np.ndarray, *, padding: int = 0, big_endian: bool = False):
    order = ">" if big_endian else "<"
    path.write_bytes(b"\xaa" * padding + values.astype(values.dtype.newbyteorder(order)).tobytes())
    return FileArray(
        FileWindow.of_file(path), padding, values.shape, values.dtype.name, big_endian=big_endian
    )


def longest_run(values: np.ndarray, chosen: np.ndarray) -> tuple[int, int]:
    """Length and start of the first longest run of chosen values; 0 and 0 if none is finite."""
    if values.size and not np.isfinite(values.astype(np.float64)).any():
        return 0, 0
    best, open_run = (0, 0), 0
    for index, own in enumerate(chosen.ravel()):
        open_run = open_run + 1 if own else 0
        if open_run > best[0]:
            best = (open_run, index + 1 - open_run)
    return best


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("tensors") / "values.bin"


@settings(deadline=None)
@example(values=np.array([1.02e-254, 0.0]), piece=16, big_endian=False)  # its square is 0
@example(values=np.array([5e-324, 0.0]), piece=8, big_endian=False)
@example(values=np.array([1e-30, 2e-30, -1e-37, np.nan]), piece=8, big_endian=False)
@given(values=FLOATS | INTEGERS, piece=st.integers(1, 64), big_endian=st.booleans())
def test_statistics_and_digest_agree_with_numpy(scratch, values, piece, big_endian):
    source = stored(scratch, values, padding=3, big_endian=big_endian)
    whole = source.raw
    source.raw = lambda _bytes=0: whole(piece)
    tensor = summarise("t", values.shape, values.dtype.name, "f", "weight", source, LIMITS)

    assert tensor.sha256 == hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()
    assert tensor.nbytes == values.nbytes
    np.testing.assert_array_equal(source.array(), values)
    wide, stats = values.astype(np.float64), tensor.stats
    runs = longest_run(values, values == 0), longest_run(values, ~np.isfinite(wide))
    assert stats is None or (stats.zero_run, stats.zero_run_at) == runs[0]
    assert stats is None or (stats.nonfinite_run, stats.nonfinite_run_at) == runs[1]
    finite = wide[np.isfinite(wide)]
    if values.size == 0:
        assert tensor.stats is None
        return
    assert tensor.stats.zeros == np.count_nonzero(values == 0)
    assert tensor.stats.nonfinite == values.size - finite.size
    if finite.size == 0:
        assert math.isnan(tensor.stats.mean)
        return
    row = wide.ndim > 0 and wide.size == wide.shape[-1]
    faded = np.count_nonzero(np.abs(wide) <= 1e-30) if row else 0
    assert tensor.stats.faded == faded
    assert tensor.stats.minimum == finite.min()
    assert tensor.stats.maximum == finite.max()
    assert tensor.stats.second == (np.sort(np.abs(finite))[-2] if finite.size > 1 else 0)
    exact = np.longdouble(finite)
    if np.abs(finite).max() < 1e300:
        scale, step = np.abs(finite).max(), 5e-324  # step: between subnormal numbers
        assert abs(tensor.stats.mean - float(exact.mean())) <= 1e-12 * scale + step
        assert abs(tensor.stats.std - float(exact.std())) <= 1e-9 * scale + step


def test_large_offset_does_not_cancel(scratch):
    values = 1e8 + np.random.default_rng(0).standard_normal(300_000)
    tensor = summarise("t", values.shape, "float64", "f", "weight", stored(scratch, values), LIMITS)
    assert tensor.stats.std == pytest.approx(float(np.longdouble(values).std()), rel=1e-9)


def test_huge_values_do_not_overflow(scratch):
    values = np.array([1e300, -1e300, 3e300, 0.0])
    tensor = summarise("t", (4,), "float64", "f", "weight", stored(scratch, values), LIMITS)
    assert tensor.stats.std == pytest.approx(1e300 * np.std([1, -1, 3, 0]))
    assert tensor.stats.mean == pytest.approx(0.75e300)


@pytest.mark.parametrize("name", ["bfloat16", "float8_e5m2", "float8_e4m3fn"])
def test_small_floats_decode_like_ml_dtypes(name):
    dtype = np.dtype(getattr(ml_dtypes, name))
    bits = np.arange(256 ** min(dtype.itemsize, 2), dtype=f"<u{dtype.itemsize}")
    np.testing.assert_array_equal(decode(bits.tobytes(), name), bits.view(dtype).astype(np.float32))


def test_four_bit_integers_decode_like_ml_dtypes():
    bits = np.arange(16, dtype=np.uint8)
    for name in ("int4", "uint4"):
        expected = bits.view(getattr(ml_dtypes, name)).astype(np.int8)
        np.testing.assert_array_equal(decode(bits.tobytes(), name), expected)


def test_complex_and_strings_have_a_digest_and_no_statistics(scratch):
    values = np.array([1 + 2j, 3 - 4j], np.complex64)
    for big_endian in (False, True):
        source = stored(scratch, values, big_endian=big_endian)
        tensor = summarise("t", (2,), "complex64", "f", "weight", source, LIMITS)
        assert tensor.stats is None
        assert tensor.sha256 == hashlib.sha256(values.tobytes()).hexdigest()
        np.testing.assert_array_equal(source.array(), values)
    with pytest.raises(ReadError, match="numeric"):
        decode(b"abc", "string")


@given(st.integers(1, 200))
def test_chunks_stay_within_the_size_limit(scratch, budget):
    values = np.arange(500, dtype=np.uint16)
    stored(scratch, values)
    for dtype, reference in (("uint16", values), ("bfloat16", None)):
        source = FileArray(FileWindow.of_file(scratch), 0, (500,), dtype)
        pieces = list(source.chunks(budget))
        assert all(p.nbytes <= max(budget, p.itemsize) and p.ndim == 1 for p in pieces)
        if reference is not None:
            np.testing.assert_array_equal(np.concatenate(pieces), reference)


def test_missing_bytes_are_named(scratch):
    scratch.write_bytes(b"\0" * 10)
    source = FileArray(FileWindow.of_file(scratch), 0, (4,), "float32")
    with pytest.raises(ReadError, match="needed up to 16"):
        summarise("t", (4,), "float32", "f", "weight", source, LIMITS)
    tensor, problem = tensor_stats.summarise_or_problem(
        "t", (4,), "float32", "f", "weight", source, LIMITS
    )
    assert (tensor.sha256, tensor.stats, tensor.source) == (None, None, None)
    assert (problem.kind, problem.route) == ("tensor-unreadable", "t")


def test_tensor_limit(scratch):
    source = stored(scratch, np.zeros(10, np.float32))
    with pytest.raises(LimitExceeded):
        summarise("t", (10,), "float32", "f", "weight", source, Limits(tensor_bytes=39))


def test_every_numpy_type_is_little_endian():
    for name in NUMPY_NAMES:
        assert stored_dtype(name) == np.dtype(name).newbyteorder("<")
