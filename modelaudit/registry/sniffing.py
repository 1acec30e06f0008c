"""Formats told in a child where libhdf5 has to be asked: it may die of what it opens."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from modelaudit.facts import Format, Json
from modelaudit.formats.sniff import sniff
from modelaudit.formats.window import Window
from modelaudit.registry import slots
from modelaudit.settings import Limits

SECONDS = 5.0  # for a look at a few links; what takes longer is a row, and is read as one


def sniff_apart(path: Path, limits: Limits) -> Format:
    """`sniff`, with HDF5 files opened in a child; one that takes its child down is corrupt."""
    return sniff(path, partial(_layout, limits))


def _layout(limits: Limits, window: Window) -> Format:
    from modelaudit.formats import hdf5_layout  # here, so that children need not import h5py

    def look(each: Window) -> dict[str, Json]:
        return {"format": hdf5_layout.sniff_layout(each)}

    (done,) = slots.run([window], look, jobs=1, seconds=SECONDS, memory=limits.read_memory)
    word = (done.value or {}).get("format")
    return Format(word) if isinstance(word, str) else Format.CORRUPT_HDF5
