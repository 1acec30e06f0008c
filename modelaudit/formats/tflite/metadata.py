"""Metadata of a TensorFlow Lite model: named buffers, and an archive behind the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import isfinite

from msgspec import Struct

from modelaudit.errors import ReadError, WorkSpent
from modelaudit.facts import Problem, ProblemKind
from modelaudit.formats.class_labels import label_lines
from modelaudit.formats.executables import HEAD_BYTES, executable_kind
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.io.problems import limit_problem, problem_of
from modelaudit.formats.tflite.constants import Buffers, ByteSpan
from modelaudit.formats.tflite.flatbuffer import FlatBuffer, FlatTable
from modelaudit.formats.zip.archive_members import ZipParts
from modelaudit.formats.zip.directory import has_end_record
from modelaudit.graphs import LitePreprocessing
from modelaudit.settings import Limits
from modelaudit.work_budget import is_spent, spend

RUNTIME = "min_runtime_version"
_IDENTIFIER = b"M001"
_END_BYTES = 22  # of an archive without members
_COUNTED = 10  # parts of which an entry is worth, since others can be in it
_LABELS = (2, 3)  # files that name the places of an output's axis, or its values


class Metadata(Struct):
    """What was read.

    Attributes:
        entries: names of the entries -> sizes in bytes.
        used: indexes of the buffers of the entries.
        runtime: the lowest runtime that the file declares; "" if it does not.
        tensorflow: the version that converted the model; "" if the file does not say.
        preprocessing: normalization of the inputs.
        files: names of the files that the metadata describes -> their type.
        archive: the bytes of the archive behind the model; None without one.
        labels: the names of the classes, and the file that they are in.
        problems: what is wrong.
    """

    entries: dict[str, int]
    used: set[int]
    runtime: str = ""
    tensorflow: str = ""
    preprocessing: tuple[LitePreprocessing, ...] = ()
    files: dict[str, int] = {}
    archive: ByteSpan | None = None
    labels: tuple[str, tuple[str, ...]] | None = None
    problems: list[Problem] = []


def read_metadata(model: FlatTable, buffers: Buffers, limits: Limits) -> Metadata:
    """Read the metadata entries of a model, and the archive behind it.

    Raises:
        WorkSpent: the audit has taken its work.
    """
    found = Metadata({}, set())
    window = buffers.window
    found.used.update(model.integers("metadata_buffer"))  # of earlier files, without names
    for entry in model.tables("metadata"):
        spend(_COUNTED)
        name, index = entry.text("name"), entry.number("buffer")
        span = buffers.span(index)
        found.used.add(index)
        if span is None:
            detail = f"metadata {name} is in buffer {index}, which does not exist"
            found.problems.append(Problem(ProblemKind.CORRUPT, window.file, detail, name))
            continue
        found.entries[name] = span.size
        if name == RUNTIME:
            text = window.head(min(span.size, 64), span.offset)
            found.runtime = text.partition(b"\0")[0].decode("ascii", "backslashreplace")
        elif name in _DESCRIPTIONS:
            try:
                _DESCRIPTIONS[name](found, _inside(window, span), limits)
            except WorkSpent:
                raise
            except ReadError as error:
                detail = f"metadata {name} {error.reason}"
                found.problems.append(problem_of(error, window.file, name, detail))
    if has_end_record(window):
        _read_archive(found, window, limits)
    return found


def _inside(window: FileWindow, span: ByteSpan) -> FileWindow:
    return FileWindow(window.path, window.start + span.offset, span.size, window.file)


def _read_conversion(found: Metadata, window: FileWindow, limits: Limits) -> None:
    """What the converter writes about itself."""
    with window.opened() as handle:
        root = FlatBuffer(handle, window.size, window.file, limits).root("ConversionMetadata")
        environment = root.table("environment")
        found.tensorflow = environment.text("tensorflow_version") if environment else ""


def _read_description(found: Metadata, window: FileWindow, limits: Limits) -> None:
    if window.head(4, 4) != _IDENTIFIER:
        raise ReadError(ProblemKind.CORRUPT, window.file, "is no metadata of a model")
    with window.opened() as handle:
        root = FlatBuffer(handle, window.size, window.file, limits).root("ModelMetadata")
        files = list(root.tables("associated_files"))
        for graph in root.tables("subgraph_metadata"):
            files += graph.tables("associated_files")
            for side in ("input_tensor_metadata", "output_tensor_metadata"):
                for tensor in graph.tables(side):
                    files += tensor.tables("associated_files")
                    if side.startswith("input"):
                        found.preprocessing += tuple(_normalizations(tensor))
        found.files = {each.text("name"): each.number("type") for each in files}


_DESCRIPTIONS: dict[str, Callable[[Metadata, FileWindow, Limits], None]] = {
    "TFLITE_METADATA": _read_description,
    "CONVERSION_METADATA": _read_conversion,
}


def _normalizations(tensor: FlatTable) -> Iterator[LitePreprocessing]:
    for unit in tensor.tables("process_units"):
        options = unit.union("options")
        if options is not None and options.kind == "NormalizationOptions":
            mean, std = options.reals("mean"), options.reals("std")
            if mean and std and all(map(isfinite, mean)) and all(each > 0 for each in std):
                yield LitePreprocessing(tensor.text("name"), mean, std)


def _read_archive(found: Metadata, window: FileWindow, limits: Limits) -> None:
    """The archive behind the model, its labels, and what it holds that is not described."""
    try:
        parts = ZipParts(window, limits)
    except ReadError as error:
        found.problems.append(problem_of(error, window.file))
        return
    behind = parts.directory.suffix + parts.directory.comment
    # Tools for metadata append an archive without members to a model without files.
    empty = not parts.directory.members
    start = window.size - behind - _END_BYTES if empty else parts.directory.prefix
    found.archive = ByteSpan(start, window.size - start)
    # That other data precede the archive is how metadata are appended.
    usual = {"prefix", "gap"} if empty else {"prefix"}
    found.problems += [each for each in parts.problems() if each.evidence.get("zip") not in usual]
    for number, name in enumerate(parts.names()):
        if is_spent():
            detail = f"stopped after {number:,} files in the archive"
            found.problems.append(limit_problem(window.file, detail, "work"))
            break
        try:
            member = parts.window(name)
            head = member.head(HEAD_BYTES)
            described = name in found.files
            if not described or executable_kind(head):
                detail = f"{name} is in the archive behind the model"
                detail += "" if described else ", but the metadata do not describe it"
                kind, evidence = ProblemKind.LEFTOVER, {"head": head.hex()}
                found.problems.append(Problem(kind, window.file, detail, name, {**evidence}))
            elif found.labels is None and found.files[name] in _LABELS:
                names = label_lines(member.head(limits.text_bytes))
                found.labels = (name, tuple(names)) if names else None
        except ReadError as error:
            found.problems.append(problem_of(error, window.file, name))
