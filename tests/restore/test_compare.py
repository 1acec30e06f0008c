"""Descriptions of differing tensors, on arrays with a known difference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.audit_types.restore import TensorChange
from modelaudit.facts import TensorStats
from modelaudit.restore.compare import compare
from modelaudit.restore.conversions import alteration, digest
from modelaudit.restore.model import Weight, sketch
from modelaudit.structs import replace

RNG = np.random.default_rng(3)
KERNEL = RNG.normal(size=(3, 3, 4, 4)).astype("f4")
MATRIX = RNG.normal(size=(6, 6)).astype("f4")


def weight(name: str, array: np.ndarray, *, values: bool = True) -> Weight:
    finite = array[np.isfinite(array)].astype(float)
    stats = TensorStats(finite.min(), finite.max(), finite.mean(), finite.std(), 0, 0)
    reader = (lambda: array) if values else None
    return Weight((name,), array.shape, array.dtype.name, digest(array), stats, reader)


def only(before: np.ndarray, after: np.ndarray, *, left: bool = True, right: bool = True):
    found = compare([weight("w", before, values=left)], [weight("w", after, values=right)])
    (difference,) = found.differing
    return difference


@pytest.mark.parametrize(
    ("change", "how"),
    [
        (lambda a: np.swapaxes(a, 0, 1), "transposed"),
        (lambda a: a[::-1, ::-1], "rotated-180"),
        (lambda a: np.swapaxes(a, 2, 3), "in-out-exchanged"),
        (lambda a: a[::-1], "mirrored-up-down"),
        (lambda a: a[:, ::-1], "mirrored-left-right"),
        (np.rot90, "rotated-90"),
        (lambda a: np.rot90(a, -1), "rotated-270"),
        (lambda a: a[:, :, ::-1], "inputs-reversed"),
        (lambda a: -a, "negated"),
        (lambda a: a.byteswap(), "byte-swapped"),
        (lambda a: a.astype("f2").astype("f4"), "rounded-to-float16"),
        (lambda a: a.astype("f8"), "cast-to-float64"),
        (lambda a: a.transpose(3, 2, 0, 1), "channels-first"),
    ],
)
def test_alterations_are_recognised_from_either_side(change, how: str) -> None:
    after = np.ascontiguousarray(change(KERNEL))
    one_way = how.startswith(("rounded", "cast"))  # rounding cannot be inverted
    for left in (True,) if one_way else (True, False):
        difference = only(KERNEL, after, left=left, right=not left)
        assert (difference.change, difference.how) == (TensorChange.ALTERED, how)


def test_matrices_are_transposed_and_permuted() -> None:
    assert only(MATRIX, np.ascontiguousarray(MATRIX.T)).how == "transposed"
    order = [2, 0, 1, 5, 4, 3]
    rows, columns = only(MATRIX, MATRIX[order]), only(MATRIX, MATRIX[:, order])
    assert (rows.change, rows.how) == (TensorChange.PERMUTED, "inputs")
    assert (columns.change, columns.how) == (TensorChange.PERMUTED, "outputs")


@given(st.floats(0.01, 100) | st.floats(-100, -0.01))
def test_a_factor_is_found_from_values_and_from_statistics(factor: float) -> None:
    after = (MATRIX * np.float32(factor)).astype("f4")
    if digest(after) in (digest(MATRIX), digest(-MATRIX)):
        return
    for with_values in (True, False):
        difference = only(MATRIX, after, left=with_values, right=with_values)
        assert difference.change is TensorChange.SCALED
        assert difference.factor == pytest.approx(factor, rel=1e-4)


def test_swaps_and_copies_are_distinguished() -> None:
    a, b, c = (RNG.normal(size=(4, 4)).astype("f4") for _ in range(3))
    expected = [weight("a", a), weight("b", b), weight("c", c)]
    swapped = compare(expected, [weight("a", b), weight("b", a), weight("c", c)])
    assert [str(d) for d in swapped.differing] == ["a: swapped with b", "b: swapped with a"]
    lent = compare(expected, [weight("a", b), weight("b", b), weight("c", c)])
    assert [str(d) for d in lent.differing] == ["a: has the values of b"]


def test_equal_constants_are_not_swapped_values() -> None:
    zeros, other = np.zeros(4, "f4"), RNG.normal(size=4).astype("f4")
    expected = [weight("a/bias", zeros), weight("b/bias", other)]
    found = [weight("a/bias", zeros), replace(weight("b/bias", zeros), initial=lambda: True)]
    (difference,) = compare(expected, found).differing
    assert (difference.tensor, difference.change) == ("b/bias", TensorChange.INITIAL)


def test_epochs_are_not_called_initial() -> None:
    after = replace(weight("w", MATRIX + np.float32(0.01) * RNG.normal(size=(6, 6)).astype("f4")))
    close = replace(after, initial=lambda: True)
    (difference,) = compare([weight("w", MATRIX)], [close]).differing
    assert difference.change is TensorChange.VALUES
    assert 0 < difference.distance < 0.05
    fresh = replace(weight("w", RNG.normal(size=(6, 6)).astype("f4")), initial=lambda: True)
    (difference,) = compare([weight("w", MATRIX)], [fresh]).differing
    assert difference.change is TensorChange.INITIAL


def test_a_sketch_replaces_the_values() -> None:
    big = RNG.normal(size=(40, 30)).astype("f4")
    kept = replace(weight("w", big, values=False), sketch=sketch(big))
    (difference,) = compare([kept], [weight("w", big * np.float32(1.5))]).differing
    assert difference.change is TensorChange.SCALED
    assert difference.distance == pytest.approx(0.5, rel=1e-5)


def test_names_then_endings_then_bytes_then_order() -> None:
    a, b, c, d = (RNG.normal(size=(3,)).astype("f4") for _ in range(4))
    expected = [weight("conv/bias", a), weight("head/bias", b), weight("x", c), weight("y", d)]
    found = [weight("0", d), weight("1", c + 1), weight("net/head/bias", a), weight("conv/bias", b)]
    result = compare(expected, found)
    assert [(e.tensor, e.found) for e in result.differing] == [
        ("conv/bias", "conv/bias"),
        ("head/bias", "net/head/bias"),
        ("x", "1"),
    ]
    assert (result.identical, result.missing, result.unexpected) == (1, (), ())


def test_unmatched_weights_are_missing_or_unexpected() -> None:
    result = compare([weight("a", MATRIX)], [weight("b", KERNEL)])
    assert (result.missing, result.unexpected, result.equal) == (("a",), ("b",), False)


@given(st.permutations(range(6)), st.data())
def test_every_weight_is_accounted_for_once(order: list[int], data: st.DataObject) -> None:
    """Whatever is renamed, lost or added: pairs, missing and unexpected add up on both sides."""
    arrays = [RNG.normal(size=(2, 2 + i % 2)).astype("f4") for i in range(6)]
    expected = [weight(f"layer{i}/kernel", arrays[i]) for i in range(6)]
    kept = order[: data.draw(st.integers(0, 6))]
    renamed = data.draw(st.booleans())
    found = [weight(f"v/{i}" if renamed else f"layer{i}/kernel", arrays[i]) for i in kept]
    result = compare(expected, found)
    pairs = result.identical + len(result.differing)
    assert pairs + len(result.missing) == 6
    assert pairs + len(result.unexpected) == len(found)
    assert result.identical == len(kept)


def test_no_alteration_is_found_where_there_is_none() -> None:
    assert alteration(KERNEL, digest(MATRIX)) == ""


@pytest.mark.parametrize("swapped", [False, True])
def test_a_live_recurrent_layer_names_its_cell_a_file_does_not(swapped: bool) -> None:
    """Swapped layers of equal shapes have the recorded bytes, under other names."""
    arrays = {name: RNG.normal(size=(4, 4)).astype("f4") for name in ("encoder", "decoder")}
    recorded = [weight(f"{name}/lstm_cell/kernel", array) for name, array in arrays.items()]
    names = [*reversed(arrays)] if swapped else [*arrays]
    stored = [weight(f"{n}/kernel", array) for n, array in zip(names, arrays.values(), strict=True)]
    found = compare(recorded, stored)
    assert (found.identical, len(found.differing)) == ((0, 2) if swapped else (2, 0))
    assert {each.change for each in found.differing} <= {TensorChange.SWAPPED}
