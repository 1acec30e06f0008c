"""Walk over the hard links of an HDF5 file. It does not leave the file and visits groups once."""

from __future__ import annotations

import math
from collections import Counter

import h5py
from msgspec import Struct, field

from modelaudit.facts import Json, Problem, ProblemKind
from modelaudit.formats.hdf5.heap_references import HeapReferences
from modelaudit.formats.hdf5.open_file import (
    HDF5_ERRORS,
    attribute_names,
    hdf5_reason,
    is_hard,
    link_names,
    object_address,
    opened_object,
    text_of,
)
from modelaudit.formats.hdf5.tensors import ElementType, element_type
from modelaudit.formats.io.density import LINKS, LONGEST_NAME, NAME_BYTES
from modelaudit.formats.io.problems import limit_problem
from modelaudit.settings import Limits
from modelaudit.structs import replace
from modelaudit.work_budget import is_spent

# The filters of libhdf5 (deflate, shuffle, fletcher32, szip, nbit, scaleoffset) have lower
# numbers; higher numbers are plugins, that is, third-party native code.
_FIRST_PLUGIN_FILTER = 256

_LZF = h5py.h5z.FILTER_LZF

# Keras nests a few groups per nested model; the length of paths grows with depth.
_DEPTH = 256

# Ratios of smaller datasets are ignored: constant initial weights compress by a factor of a
# thousand.
_RATIO_FLOOR = 16 << 20

_OBJECTS = {"hdf5": "objects"}
_LINKS = {h5py.h5l.TYPE_SOFT: "soft-link", h5py.h5l.TYPE_EXTERNAL: "external-link"}


class DatasetEntry(Struct, frozen=True):
    """A dataset that is reached by hard links alone, closed again: an open one takes 20 KiB.

    Attributes:
        route: path for display; those of names that are not valid UTF-8 can be equal.
        path: raw path for libhdf5.
        address: unique in the file, see `object_address`.
        shape: () also if there is no data space.
        kind: element type.
        offset: of contiguous data in the file; None for other or no storage.
        chunks: shape of a chunk; None if it is not chunked.
        stored: bytes of its data in the file.
        has_data: whether it has a data space.
        described: whether it has attributes, or a type of its own.
        unreadable: why its data must not be read, if so.
    """

    route: str
    path: bytes
    address: int
    shape: tuple[int, ...]
    kind: ElementType
    offset: int | None = None
    chunks: tuple[int, ...] | None = None
    stored: int = 0
    has_data: bool = True
    described: bool = False
    unreadable: Problem | None = None


class LinkedObjects(Struct):
    """Objects in the order of the walk (by name, depth first).

    These are lists, since two names that are not valid UTF-8 can have the same route.
    """

    groups: list[tuple[str, h5py.Group]] = field(default_factory=list)
    datasets: list[DatasetEntry] = field(default_factory=list)
    types: list[tuple[str, h5py.Datatype]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def walk(
    file: h5py.File, name: str, size: int, limits: Limits, heap: HeapReferences | None
) -> LinkedObjects:
    """Every group, dataset and named datatype, and a problem for each irregular object.

    Only hard links are followed, and each group is visited once. The evidence of a problem has the
    key `hdf5`, one of soft-link, external-link, user-link, path-link, cycle, depth, objects,
    object, external-storage, virtual, filter, unallocated, ratio, chunks, size, type.

    Args:
        file: an open HDF5 file.
        name: file name for problems.
        size: of the file, in bytes.
        limits: `hdf5_objects`, `hdf5_chunks`, `hdf5_ratio` and `tensor_bytes` apply.
        heap: the references to heaps; None if a heap is damaged, so that no string is read.
    """
    contents = LinkedObjects(groups=[("", file)])
    seen = {object_address(file.id)}
    stack: list[tuple[str, bytes, h5py.Group, int]] = [("", b"", file, 0)]
    count = named = 0
    most = LINKS.most(size, limits)[0]
    while stack:
        prefix, above, group, depth = stack.pop()
        if depth > _DEPTH:
            detail = f"groups nested deeper than {_DEPTH}"
            contents.problems.append(limit_problem(name, detail, "", prefix, {"hdf5": "depth"}))
            continue
        below: list[tuple[str, bytes, h5py.Group, int]] = []
        links = _links(group, prefix, name, most - count, contents)
        count += len(links)
        lengths = [len(above) + len(link) for link in links]
        named += sum(lengths)
        if excess := _excess(count, named, max(lengths, default=0), size, limits):
            route, (detail, setting) = prefix[:LONGEST_NAME], excess
            contents.problems.append(limit_problem(name, detail, setting, route, _OBJECTS))
            break
        for link in links:
            if is_spent():
                detail = f"stopped after {len(contents.datasets):,} datasets"
                contents.problems.append(limit_problem(name, detail, "work", prefix, _OBJECTS))
                return contents
            route = f"{prefix}/{text_of(link)}" if prefix else text_of(link)
            path = b"/".join((above, link)) if above else link
            try:
                found, address = _visit(group, link, path, route, name, limits, heap)
            except HDF5_ERRORS as error:
                detail = f"object cannot be opened: {hdf5_reason(error)}"
                contents.problems.append(_broken(name, route, detail))
                continue
            if isinstance(found, Problem):
                contents.problems.append(found)
            elif isinstance(found, DatasetEntry):
                contents.datasets.append(found)
                if found.unreadable is not None:
                    contents.problems.append(found.unreadable)
            elif isinstance(found, h5py.Datatype):
                contents.types.append((route, found))
            else:
                if address in seen:
                    detail = "the same group under another name (a hard-link cycle or alias)"
                    evidence: dict[str, Json] = {"hdf5": "cycle"}
                    contents.problems.append(
                        Problem(ProblemKind.OTHER, name, detail, route, evidence)
                    )
                    continue
                seen.add(address)
                contents.groups.append((route, found))
                below.append((route, path, found, depth + 1))
        stack.extend(reversed(below))
    return contents


def _excess(
    count: int, named: int, longest: int, size: int, limits: Limits
) -> tuple[str, str] | None:
    """What a file has too many of, links or bytes in names, and the setting that bounds it."""
    most, setting = LINKS.most(size, limits)
    if count > most:
        return f"more than {most:,} links; the rest is skipped", setting
    if longest > LONGEST_NAME:
        return f"names of more than {LONGEST_NAME:,} bytes; the rest is skipped", ""
    most, setting = NAME_BYTES.most(size, limits)
    if named > most:
        return f"names of more than {most:,} bytes together; the rest is skipped", setting
    return None


def _links(
    group: h5py.Group, route: str, file: str, left: int, contents: LinkedObjects
) -> list[bytes]:
    """Names of a group's links, at most `left` + 1. Problems are added to `contents`."""
    try:
        links, whole = link_names(group, left + 1)
    except HDF5_ERRORS as error:
        detail = f"group cannot be listed: {hdf5_reason(error)}"
        contents.problems.append(_broken(file, route, detail))
        return []
    if not whole and len(links) <= left:
        detail = "the group's link index is circular; the rest is skipped"
        contents.problems.append(_broken(file, route, detail))
    shown = Counter(map(text_of, links))
    for text in [text for text, count in shown.items() if count > 1]:
        detail = f"{shown[text]} names that are not valid UTF-8 and are displayed alike"
        contents.problems.append(_broken(file, f"{route}/{text}" if route else text, detail))
    return links


def _visit(
    group: h5py.Group,
    link: bytes,
    path: bytes,
    route: str,
    file: str,
    limits: Limits,
    heap: HeapReferences | None,
) -> tuple[h5py.Group | h5py.Datatype | DatasetEntry | Problem, int]:
    """What a link leads to, and its address."""
    if not is_hard(group, link):
        return _link_problem(group, link, route, file), 0
    identifier, address = opened_object(group, link)
    if isinstance(identifier, h5py.h5g.GroupID):
        return h5py.Group(identifier), address
    if not isinstance(identifier, h5py.h5d.DatasetID):
        return h5py.Datatype(identifier), address  # has no data but may have attributes
    return _entry(identifier, address, path, route, file, limits, heap), address


def _entry(
    identifier: h5py.h5d.DatasetID,
    address: int,
    path: bytes,
    route: str,
    file: str,
    limits: Limits,
    heap: HeapReferences | None,
) -> DatasetEntry:
    space = identifier.get_space()
    has_data = space.get_simple_extent_type() != h5py.h5s.NULL
    kind = identifier.get_type()
    offset = identifier.get_offset()
    entry = DatasetEntry(
        route,
        path,
        address,
        tuple(map(int, space.get_simple_extent_dims())) if has_data else (),
        element_type(identifier, kind, heap, limits),
        None if offset is None else int(offset),
        stored=int(identifier.get_storage_size()),
        has_data=has_data,
        described=kind.committed() or not attribute_names(identifier, 0)[1],
    )
    if offset is None:  # else it is contiguous, and in this file
        plist = identifier.get_create_plist()
        if plist.get_layout() == h5py.h5d.CHUNKED:
            entry = replace(entry, chunks=tuple(map(int, plist.get_chunk())))
        problem = _elsewhere(plist, route, file)
        if problem is not None:
            return replace(entry, unreadable=problem)
    problem = _dataset_problem(entry, file, limits)
    if problem is None and entry.chunks and entry.stored > _RATIO_FLOOR:
        problem = _shared_chunks(entry, file, h5py.h5i.get_file_id(identifier).get_filesize())
    return replace(entry, unreadable=problem) if problem is not None else entry


def _link_problem(group: h5py.Group, link: bytes, route: str, file: str) -> Problem:
    evidence: dict[str, Json]
    if b"/" in link:
        evidence = {"hdf5": "path-link"}
        detail = "link whose name is a path through other links"
    else:
        kind = int(group.id.links.get_info(link).type)
        what = _LINKS.get(kind, "user-link")
        evidence = {"hdf5": what, "link_type": kind}
        if what == "user-link":
            detail = f"user-defined link of class {kind}, which third-party code would resolve"
        else:
            target = group.id.links.get_val(link)
            parts = target if isinstance(target, tuple) else (target,)
            evidence["target"] = ":".join(text_of(part) for part in parts)[:4096]
            detail = f"{what} to {evidence['target']}"
    return Problem(ProblemKind.EXTERNAL_REFERENCE, file, f"{detail}; not followed", route, evidence)


def _elsewhere(plist: h5py.h5p.PropDCID, route: str, file: str) -> Problem | None:
    """Why data are not plainly in the file, or need code to decode them; None if they do not."""
    if plist.get_external_count():
        names = [text_of(plist.get_external(i)[0]) for i in range(plist.get_external_count())][:16]
        evidence: dict[str, Json] = {"hdf5": "external-storage", "target": list(names)}
        detail = f"data are stored outside the file, in {', '.join(names)}; not read"
        return Problem(ProblemKind.EXTERNAL_REFERENCE, file, detail, route, evidence)
    if plist.get_layout() == h5py.h5d.VIRTUAL:
        evidence = {"hdf5": "virtual"}
        detail = "virtual dataset, assembled from other datasets; not read"
        return Problem(ProblemKind.EXTERNAL_REFERENCE, file, detail, route, evidence)
    for index in range(plist.get_nfilters()):
        number, _, _, label = plist.get_filter(index)
        if number == _LZF:
            evidence = {"hdf5": "lzf", "measured": number}
            detail = "compressed with LZF, which h5py brings and other programs lack; not read"
            return Problem(ProblemKind.UNSUPPORTED, file, detail, route, evidence)
        if number >= _FIRST_PLUGIN_FILTER:
            evidence = {"hdf5": "filter", "measured": number, "threshold": _FIRST_PLUGIN_FILTER}
            detail = f"needs filter {number} ({text_of(label)}), a third-party plugin; not read"
            return Problem(ProblemKind.EXTERNAL_REFERENCE, file, detail, route, evidence)
    return None


def _shared_chunks(found: DatasetEntry, file: str, size: int) -> Problem | None:
    """Why the chunks of a dataset are not read: they have more bytes than their file."""
    if found.stored <= size:
        return None
    evidence: dict[str, Json] = {"hdf5": "ratio", "measured": found.stored, "threshold": size}
    detail = f"chunks of {found.stored:,} bytes, more than the file has: they overlap; not read"
    return Problem(ProblemKind.LIMIT_EXCEEDED, file, detail, found.route, evidence)


def _dataset_problem(found: DatasetEntry, file: str, limits: Limits) -> Problem | None:
    """Why the data of a dataset must not or cannot be read; None if they can."""
    route, shape, element, stored = found.route, found.shape, found.kind, found.stored
    if not element.plain:
        evidence: dict[str, Json] = {"hdf5": "type", "type": element.name}
        detail = f"non-numeric element type {element.name}; not read"
        return Problem(ProblemKind.UNSUPPORTED, file, detail, route, evidence)
    declared = math.prod(shape) * element.itemsize if found.has_data else 0
    if not declared:
        return None
    evidence = {"declared": declared, "stored": stored}
    if declared > limits.tensor_bytes:
        evidence |= {"hdf5": "ratio", "measured": declared, "threshold": limits.tensor_bytes}
        detail = f"declares {declared:,} bytes and stores {stored:,}; not read"
        return limit_problem(file, detail, "tensor_bytes", route, evidence)
    if found.chunks is not None:
        chunks = math.prod(-(-n // c) for n, c in zip(shape, found.chunks, strict=True))
        if chunks > limits.hdf5_chunks:
            evidence |= {"hdf5": "chunks", "measured": chunks, "threshold": limits.hdf5_chunks}
            detail = f"{chunks:,} chunks; not read"
            return limit_problem(file, detail, "hdf5_chunks", route, evidence)
    if not stored:
        detail = f"declares {declared:,} bytes, but none were written"
        if declared > _RATIO_FLOOR:
            evidence |= {"hdf5": "ratio", "measured": declared, "threshold": _RATIO_FLOOR}
            return Problem(ProblemKind.LIMIT_EXCEEDED, file, detail, route, evidence)
        evidence["hdf5"] = "unallocated"
        return Problem(ProblemKind.TENSOR_UNREADABLE, file, detail, route, evidence)
    if found.chunks is None:
        if stored == declared:
            return None
        evidence["hdf5"] = "size"
        detail = f"declares {declared:,} bytes and stores {stored:,}"
        return Problem(ProblemKind.SIZE_MISMATCH, file, detail, route, evidence)
    ratio = declared / stored
    if ratio > limits.hdf5_ratio and declared > _RATIO_FLOOR:
        evidence |= {"hdf5": "ratio", "measured": round(ratio, 1), "threshold": limits.hdf5_ratio}
        detail = f"{stored:,} bytes would decode to {declared:,}, {ratio:,.0f} times; not read"
        return limit_problem(file, detail, "hdf5_ratio", route, evidence)
    return None


def _broken(file: str, route: str, detail: str) -> Problem:
    return Problem(ProblemKind.TENSOR_UNREADABLE, file, detail, route, {"hdf5": "object"})
