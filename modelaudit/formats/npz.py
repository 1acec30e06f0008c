"""Reader of .npz files from the array headers. Object arrays are pickles and are never loaded."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from modelaudit.errors import ReadError
from modelaudit.facts import Artifact, Json, Kernel, Problem, ProblemKind, Tensor
from modelaudit.file_formats import ZIP_SIGNATURES, Format
from modelaudit.formats.executables import HEAD_BYTES, executable_kind
from modelaudit.formats.io.bounded import display_path, file_entry, model_digest
from modelaudit.formats.io.dtypes import stored_dtype
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.io.problems import limit_problem, problem_of
from modelaudit.formats.io.tensor_stats import FileArray, summarise_or_problem
from modelaudit.formats.keras.variables.unbound import named_kernels
from modelaudit.formats.zip.archive_members import ZipParts
from modelaudit.settings import Limits
from modelaudit.work_budget import is_spent

_MAGIC = b"\x93NUMPY"
_HEADER_BYTES = 1 << 16

# The header is a Python literal; only the form that numpy writes is accepted.
_HEADER = re.compile(
    rb"\s*\{'descr': '([<>|=]?[a-zA-Z]\d{0,9})', 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,18}, ?)*(?:\d{1,18})?)\), ?\}\s*"
)


_OBJECTS = re.compile(rb"'[<>|=]?O\d*'")


class _ObjectsError(Exception):
    """An array that contains pickles, or a member that is one."""


def read_npz(window: FileWindow, limits: Limits) -> tuple[tuple[Tensor, ...], tuple[Problem, ...]]:
    """Read all arrays of the archive in `window` as tensors, named by member without `.npy`.

    NumPy reads anything that is neither a zip archive nor an array as a pickle.

    Raises:
        ReadError: the file is not a zip archive.
    """
    head = window.head(HEAD_BYTES)
    if not head.startswith((*ZIP_SIGNATURES, _MAGIC)):
        if what := executable_kind(head):
            kind, pickled = ProblemKind.UNSUPPORTED, {"npy": "object"}
            return (), (Problem(kind, window.file, f"is {what}; not loaded", "", {**pickled}),)
        reason = "is neither a zip archive nor an array; NumPy reads such a file as a pickle"
        raise ReadError(ProblemKind.CORRUPT, window.file, reason)
    parts = ZipParts(window, limits)
    tensors: list[Tensor] = []
    problems = list(parts.problems())
    for name in parts.names():
        if is_spent():
            detail = f"stopped after {len(tensors):,} arrays"
            problems.append(limit_problem(window.file, detail, "work", name))
            break
        try:
            tensor, problem = _read_array(parts.window(name), name.removesuffix(".npy"), limits)
        except _ObjectsError as error:
            evidence: dict[str, Json] = {"npy": "object"}
            detail = f"{name} {error}; not loaded"
            kind = ProblemKind.UNSUPPORTED
            problems.append(Problem(kind, window.file, detail, name, evidence))
            continue
        except ReadError as error:
            problems.append(problem_of(error, window.file, name))
            continue
        tensors.append(tensor)
        if problem is not None:
            problems.append(problem)
    return tuple(tensors), tuple(problems)


def read_npz_file(path: Path, limits: Limits) -> Artifact:
    """Read a NumPy archive of weights.

    Raises:
        ReadError: the file is not a zip archive.
    """
    file = display_path(path, path)
    tensors, problems = read_npz(FileWindow.of_file(path, file), limits)
    files = (file_entry(path, path, "weights", limits),)
    return Artifact(
        root=path.absolute(),
        format=Format.NPZ_WEIGHTS,
        files=files,
        sha256=model_digest(files),
        complete=not problems,
        tensors=tensors,
        kernels=named_kernels(tensors, {}) or tuple(_kernels_in_order(tensors)),
        problems=problems,
    )


def _kernels_in_order(tensors: Sequence[Tensor]) -> Iterator[Kernel]:
    """Kernels of numbered arrays, which are followed by a bias of their outputs, as in Keras."""
    for kernel, bias in pairwise(tensors):
        rank = len(kernel.shape)
        matrix = 2 <= rank <= 5 and "float" in kernel.dtype and kernel.role == "weight"
        if matrix and bias.shape == kernel.shape[-1:]:
            yield Kernel(
                route=kernel.name,
                tensor=kernel.name,
                kind="dense" if rank == 2 else "conv",
                axes="io" if rank == 2 else "hwio",
                spatial=rank - 2,
                shape=kernel.shape,
                bias=bias.name,
            )


def _read_array(window: FileWindow, name: str, limits: Limits) -> tuple[Tensor, Problem | None]:
    start, descr, fortran_order, shape = _header(window)
    try:
        dtype = np.dtype(descr)
    except (TypeError, ValueError):
        reason = f"has elements of an unknown type {descr}"
        raise ReadError(ProblemKind.CORRUPT, window.file, reason) from None
    if dtype.hasobject or stored_dtype(dtype.name) is None or (fortran_order and len(shape) > 1):
        what = "Python objects, that is, a pickle" if dtype.hasobject else f"{descr} elements"
        detail = f"{name} has {what}{' in Fortran order' if fortran_order else ''}; not loaded"
        evidence = {"npy": "object" if dtype.hasobject else "type", "type": descr}
        kind = "object" if dtype.hasobject else dtype.name
        nbytes = math.prod(shape) * dtype.itemsize
        tensor = Tensor(name, shape, kind, nbytes, window.file, "other")
        return tensor, Problem(ProblemKind.UNSUPPORTED, window.file, detail, name, evidence)
    source = FileArray(window, start, shape, dtype.name, big_endian=descr.startswith(">"))
    return summarise_or_problem(name, shape, dtype.name, window.file, "weight", source, limits)


def _header(window: FileWindow) -> tuple[int, str, bool, tuple[int, ...]]:
    """Offset of the data, dtype string, Fortran order, shape (NumPy Enhancement Proposal 1)."""
    head = window.head(_HEADER_BYTES)
    if what := executable_kind(head[:HEAD_BYTES]):
        raise _ObjectsError(f"is {what}")
    if head[:6] != _MAGIC or len(head) < 12:
        raise ReadError(ProblemKind.CORRUPT, window.file, "is not an .npy array")
    width = 2 if head[6] == 1 else 4
    start = 8 + width + int.from_bytes(head[8 : 8 + width], "little")
    match = _HEADER.fullmatch(head[8 + width : start]) if start <= len(head) else None
    if match is None and _OBJECTS.search(head[8 + width : start]):
        raise _ObjectsError("has Python objects, that is, pickles, in its records")
    if match is None:
        raise ReadError(ProblemKind.CORRUPT, window.file, "has a header that numpy does not write")
    shape = tuple(int(n) for n in match[3].split(b",") if n.strip())
    return start, match[1].decode(), match[2] == b"True", shape
