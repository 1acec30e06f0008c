"""Reader of TensorFlow Lite models."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from modelaudit.errors import ReadError
from modelaudit.facts import Artifact, Format, Graph, Json, Problem, ProblemKind, Provenance
from modelaudit.formats.executables import HEAD_BYTES, executable_in_numbers
from modelaudit.formats.io.bounded import display_path, file_entry, model_digest
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.tflite.constants import Buffers, ByteSpan, Constants, with_roles
from modelaudit.formats.tflite.flatbuffer import FlatBuffer
from modelaudit.formats.tflite.flex import flex_graph
from modelaudit.formats.tflite.kernels import find_kernels
from modelaudit.formats.tflite.metadata import Metadata, read_metadata
from modelaudit.formats.tflite.subgraphs import SubgraphReader, needed_runtime, read_signatures
from modelaudit.graphs import LiteModel
from modelaudit.settings import Limits

_VERSION = 3
_PIECE = 1 << 20
_NUMBER = 8  # bytes of the largest number
_REPEATS = 4  # of one number, with which it is a constant
_LEFT = 1 << 10  # bytes, above which no converter left them
_TABLE = 12  # bytes of the code of an operation, which TOCO wrote for each and lists once
_CONSTANTS = _LEFT // _NUMBER  # which the converter of LSTM leaves


def read_tflite(path: Path, limits: Limits) -> Artifact:
    """Read a TensorFlow Lite model, its constants and its metadata.

    Raises:
        ReadError: the file is damaged: something in it refers to what does not exist.
        LimitExceeded: more references, constants or bytes than a model of this size has.
    """
    file = display_path(path, path)
    window = FileWindow.of_file(path, file)
    with window.opened() as handle:
        flatbuffer = FlatBuffer(handle, window.size, file, limits)
        root = flatbuffer.root("Model")
        if root.number("version") != _VERSION:
            reason = f"is of version {root.number('version')} of the format, not {_VERSION}"
            raise ReadError(ProblemKind.UNSUPPORTED, file, reason)
        buffers = Buffers(root, window)
        constants = Constants(buffers, limits)
        reader = SubgraphReader(root, constants)
        graphs = reader.read()
        metadata = read_metadata(root, buffers, limits)
        signatures = read_signatures(root, graphs)
        flex, flex_problems = flex_graph(root, graphs, constants.tensors, limits)
        lite = LiteModel(
            description=root.text("description"),
            subgraphs=graphs,
            declared_runtime=metadata.runtime,
            needed_runtime=needed_runtime(graphs),
            preprocessing=metadata.preprocessing,
            metadata=metadata.entries,
        )
        problems = (
            *buffers.problems,
            *constants.problems,
            *reader.problems,
            *metadata.problems,
            *flex_problems,
            *_unused(
                flatbuffer,
                buffers,
                constants.used | metadata.used,
                metadata,
                max(_LEFT, _TABLE * sum(len(graph.operators) for graph in graphs)),
            ),
        )
    kernels = find_kernels(lite)
    weights = {each for kernel in kernels for each in (kernel.tensor, kernel.bias) if each}
    files = (file_entry(path, path, "weights", limits),)
    return Artifact(
        root=path.absolute(),
        format=Format.TFLITE,
        files=files,
        sha256=model_digest(files),
        complete=not any(_is_loss(each) for each in problems),
        provenance=Provenance(tensorflow=metadata.tensorflow or None),
        signatures=signatures,
        graphs=_graphs(flex),
        tensors=with_roles(constants.tensors, weights),
        kernels=kernels,
        problems=problems,
        extra=_labels(metadata) | ({"erased": [*constants.erased]} if constants.erased else {}),
        lite=lite,
    )


def _graphs(flex: Graph | None) -> tuple[Graph, ...]:
    return () if flex is None else (flex,)


def _labels(metadata: Metadata) -> dict[str, Json]:
    if metadata.labels is None:
        return {}
    file, names = metadata.labels
    return {"labels": {"file": file, "names": [*names]}}


def _is_loss(problem: Problem) -> bool:
    """Whether a part of the model could not be read."""
    return problem.kind not in {ProblemKind.OTHER, ProblemKind.LEFTOVER}


def _unused(
    flatbuffer: FlatBuffer,
    buffers: Buffers,
    used: set[int],
    metadata: Metadata,
    most: int = _LEFT,
) -> Iterator[Problem]:
    """Bytes that hold something and that nothing in the file refers to.

    Args:
        most: bytes, above which a converter did not leave them in small tables.
    """
    outside = [(each.offset, each.end) for each in buffers.behind]
    if metadata.archive is not None:
        outside.append((metadata.archive.offset, metadata.archive.end))
    window = buffers.window
    gaps = [*flatbuffer.unused(outside)]
    gaps += _idle(buffers.spans, used)
    total, first, what, constants = 0, b"", "", 0
    for start, end in gaps:
        size = _held(window, start, end)
        if size and _is_constant(window, start, end):
            constants += 1
            if constants <= _CONSTANTS:  # more could spell data out
                continue
        total += size
        if size and not what:
            head = window.head(HEAD_BYTES, start)
            what = executable_in_numbers(head, end - start, window.head(1, end - 1))
            first = head if what else first or head
    if total:
        evidence: dict[str, Json] = {"tflite": "unused", "measured": total, "head": first.hex()}
        if total <= most:
            evidence["tables"] = sum(flatbuffer.small_tables(*gap) for gap in gaps)
        if what:
            evidence["program"] = what
        detail = f"has {total:,} bytes that nothing in it refers to"
        detail += f"; they contain {what}" if what else ""
        yield Problem(ProblemKind.OTHER, window.file, detail, evidence=evidence)


def _idle(spans: Sequence[ByteSpan | None], used: set[int]) -> Iterator[tuple[int, int]]:
    """Ranges of bytes in buffers that are not used, and in no used one: buffers may overlap."""
    events: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])
    for index, span in enumerate(spans):
        if span is not None and span.size:
            events[span.offset][index in used] += 1
            events[span.end][index in used] -= 1
    start, unused, taken = 0, 0, 0
    for at in sorted(events):
        if unused and not taken:
            yield start, at
        start, unused, taken = at, unused + events[at][False], taken + events[at][True]


def _held(window: FileWindow, start: int, end: int) -> int:
    """Number of bytes of a range up to the last that is not 0; padding holds nothing."""
    last = 0
    for at in range(start, end, _PIECE):
        piece = window.head(min(_PIECE, end - at), at).rstrip(b"\0")
        last = at - start + len(piece) if piece else last
    return last


def _is_constant(window: FileWindow, start: int, end: int) -> bool:
    """Whether a range is one number again and again, up to the zeros behind it."""
    if end - start < _REPEATS * _NUMBER:
        return False
    number = window.head(_NUMBER, start)

    def repeats(at: int) -> bool:
        piece = window.head(min(_PIECE, end - at), at).rstrip(b"\0")
        return (number * (len(piece) // _NUMBER + 1)).startswith(piece)

    return all(map(repeats, range(start, end, _PIECE)))
