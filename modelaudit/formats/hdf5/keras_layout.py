"""Which of Keras's HDF5 layouts a file uses."""

from __future__ import annotations

import h5py

from modelaudit.errors import ReadError
from modelaudit.facts import Format
from modelaudit.formats.hdf5.open_file import HDF5_ERRORS, is_hard, link_names, opened_hdf5
from modelaudit.formats.io.file_window import FileWindow

FULL, LEGACY, V3, OTHER = "h5_full", "h5_legacy", "h5_v3", "other"

FORMATS = {
    FULL: Format.LEGACY_H5_FULL,
    LEGACY: Format.WEIGHTS_H5_LEGACY,
    V3: Format.WEIGHTS_H5_V3,
    OTHER: Format.HDF5_OTHER,
}

KERAS_0 = "nb_layers"  # attribute of Keras 0.x, whose groups are only numbered

# Bounds of the search for a group `vars`: groups, links per group, depth.
_GROUPS, _LINKS, _DEPTH = 500, 200, 8


def layout_of(file: h5py.File) -> str:
    """The layout, from the root's attributes and groups and a bounded search of the groups below.

    A v3 weights file has a group `vars`; subclassed models have one at any depth.
    """
    if "model_config" in file.attrs or _has(file, b"model_weights"):
        return FULL
    if not {"layer_names", "layer_names0", KERAS_0}.isdisjoint(file.attrs):
        return LEGACY
    pending: list[tuple[h5py.Group, int]] = [(file, 0)]
    for group, depth in pending:
        for link in link_names(group, _LINKS)[0]:
            if not is_hard(group, link):
                continue
            below = h5py.h5o.open(group.id, link)
            if isinstance(below, h5py.h5g.GroupID):
                if bytes(link) == b"vars":
                    return V3
                if depth < _DEPTH and len(pending) < _GROUPS:
                    pending.append((h5py.Group(below), depth + 1))
    return OTHER


def sniff_layout(window: FileWindow) -> Format:
    """Format of an HDF5 file, without reading it whole; `CORRUPT_HDF5` if it cannot be opened."""
    try:
        with opened_hdf5(window) as file:
            return FORMATS[layout_of(file)]
    except (ReadError, *HDF5_ERRORS):
        return Format.CORRUPT_HDF5


def _has(group: h5py.Group, name: bytes) -> bool:
    return name in group.id and is_hard(group, name)
