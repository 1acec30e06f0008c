"""How many elements datasets have at least, and what it costs to read them."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from modelaudit.formats.keras.builtin_layers import words
from modelaudit.rules.security.graph.extents import MOST, UNKNOWN, Extent, Inputs
from modelaudit.rules.security.graph.op_extents import made

# They hand on every element of the first one, or look at it.
_SAME = words(
    """MapDataset ParallelMapDataset ParallelMapDatasetV2 PrefetchDataset CacheDataset CacheDatasetV2
    OptionsDataset ModelDataset AssertNextDataset AssertPrevDataset MaxIntraOpParallelismDataset
    PrivateThreadPoolDataset ThreadPoolDataset FinalizeDataset AssertCardinalityDataset
    BytesProducedStatsDataset LatencyStatsDataset SetStatsAggregatorDataset ParseExampleDataset
    ParseExampleDatasetV2 SnapshotDataset SnapshotDatasetV2 UnbatchDataset FilterDataset
    ScanDataset"""
)
_FLATTENING = words(
    """FlatMapDataset InterleaveDataset ParallelInterleaveDataset ParallelInterleaveDatasetV2
    ParallelInterleaveDatasetV3 ParallelInterleaveDatasetV4"""
)
_ENDLESS = words("RandomDataset RandomDatasetV2 ExperimentalRandomDataset")
_BATCHES = words("BatchDataset BatchDatasetV2 ParallelBatchDataset WindowDataset")
_PADDED = words("PaddedBatchDataset PaddedBatchDatasetV2")
_SHUFFLES = words("ShuffleDataset ShuffleDatasetV2 ShuffleDatasetV3 ShuffleAndRepeatDataset")
_SLEEPING = words("SleepDataset ExperimentalSleepDataset")
_MICROSECONDS = 10  # of sleep that count as one round


class Elements(Struct, frozen=True):
    """A dataset: its elements, the rounds until one is there, and the shape of a batch."""

    items: int
    rounds: int = 0
    batch: tuple[int, ...] = ()


def elements(op: str, inputs: Inputs, returned: Sequence[Extent]) -> Elements:
    """What is known of the dataset that an operation makes.

    Args:
        inputs: its inputs, datasets among them.
        returned: the first output of each of its functions.
    """
    first = inputs[0] if inputs else UNKNOWN
    items = _items(first)
    count = inputs[1].number if len(inputs) > 1 else None
    if op == "RangeDataset" and len(inputs) > 2:
        return Elements(made("Range", inputs[:3], {}).elements)
    if op in _ENDLESS:
        return Elements(MOST)
    if op == "TensorSliceDataset":
        return Elements(first.shape[0] if first.shape else 1)
    if op == "ZipDataset":
        return Elements(min(map(_items, inputs), default=1))
    if op == "ConcatenateDataset":
        return Elements(min(items + sum(each.items or 0 for each in inputs[1:2]), MOST))
    if op in _FLATTENING:
        return Elements(min(items * max(map(_items, returned), default=1), MOST))
    if op == "FilterDataset" and returned and returned[0].values == (False,):
        return Elements(0, items)
    if op == "ReduceDataset":
        return Elements(1, items)
    return _counted(op, inputs, items, count)


def _items(value: Extent) -> int:
    return 1 if value.items is None else value.items


def _counted(op: str, inputs: Inputs, items: int, count: int | None) -> Elements:
    """A dataset that the second input, a number, sets."""
    if op in _SAME or count is None:
        return Elements(items if op in _SAME else 1)
    if op == "RepeatDataset":
        return Elements(MOST if count < 0 and items else min(items * max(count, 0), MOST))
    if op == "TakeDataset":
        return Elements(min(items, count) if count >= 0 else items)
    if op == "SkipDataset":
        left = max(items - count, 0) if count >= 0 else 0
        return Elements(left, items if count < 0 else min(items, count))
    if op in _SLEEPING:
        return Elements(items, min(items * max(count, 0) // _MICROSECONDS, MOST))
    if op in _SHUFFLES and count:
        return Elements(items, min(count, items))
    if op in _BATCHES | _PADDED and count > 0:
        longest = [n for n in inputs[2].numbers if n > 0] if op in _PADDED and inputs[2:] else []
        return Elements(-(-items // count), batch=(min(count, items), *longest))
    return Elements(1)
