"""Buffers of a TensorFlow Lite model, and the constants that they hold."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from msgspec import Struct

from modelaudit.errors import ReadError
from modelaudit.facts import Json, Problem, ProblemKind, Tensor
from modelaudit.formats.executables import HEAD_BYTES, executable_in_numbers
from modelaudit.formats.io.density import CONSTANTS
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.io.problems import limit_problem
from modelaudit.formats.io.tensor_stats import summarise_or_problem
from modelaudit.formats.tflite.flatbuffer import FlatTable
from modelaudit.formats.tflite.values import LiteArray, stored_bytes
from modelaudit.graphs import Quantization
from modelaudit.settings import Limits
from modelaudit.structs import replace
from modelaudit.work_budget import is_spent

# Bytes of constants that are read, for each byte of the file: several may share a buffer.
_SHARED = 4


class ByteSpan(Struct, frozen=True):
    """Bytes of a file."""

    offset: int
    size: int

    @property
    def end(self) -> int:
        """Offset of the first byte behind it."""
        return self.offset + self.size


class Buffers:
    """The buffers of a model.

    Args:
        model: the root table.
        window: the file.

    Attributes:
        spans: the bytes of each buffer; None for one that is not in the file.
        behind: spans of buffers that are stored behind the FlatBuffer.
        problems: what is wrong with them.
    """

    def __init__(self, model: FlatTable, window: FileWindow) -> None:
        self.window = window
        self.spans: list[ByteSpan | None] = []
        self.behind: list[ByteSpan] = []
        self.problems: list[Problem] = []
        for index, table in enumerate(model.tables("buffers")):
            inside = table.span("data")
            # Larger models store the bytes behind the FlatBuffer; 1 stands for "not yet known".
            offset, size = table.number("offset"), table.number("size")
            span = ByteSpan(*inside) if inside else ByteSpan(0, 0)
            if offset > 1 and size:
                span = ByteSpan(offset, size)
                if span.end > window.size:
                    detail = (
                        f"has {window.size:,} bytes, but buffer {index} is stored at "
                        f"{offset:,} to {span.end:,}"
                    )
                    kind = ProblemKind.TRUNCATED
                    self.problems.append(Problem(kind, window.file, detail, f"buffer {index}"))
                    self.spans.append(None)
                    if offset < window.size:
                        self.behind.append(ByteSpan(offset, window.size - offset))
                    continue
                self.behind.append(span)
            self.spans.append(span)
        self._check_overlaps()

    def _check_overlaps(self) -> None:
        """Two buffers may be the same bytes, but not share only some of them."""
        numbers = {(span.offset, span.end): i for i, span in enumerate(self.spans) if span}
        spans = sorted(each for each in numbers if each[0] < each[1])
        for one, other in pairwise(spans):
            if other[0] < one[1]:
                evidence: dict[str, Json] = {"measured": min(one[1], other[1]) - other[0]}
                detail = (
                    f"has buffers {numbers[one]} and {numbers[other]} that overlap: bytes "
                    f"{other[0]:,} to {min(one[1], other[1]):,} are in both"
                )
                kind = ProblemKind.CORRUPT
                self.problems.append(Problem(kind, self.window.file, detail, evidence=evidence))

    def span(self, index: int) -> ByteSpan | None:
        """The bytes of a buffer; None if there is no such buffer, or if it is not in the file."""
        return self.spans[index] if 0 <= index < len(self.spans) else None


class Constants:
    """The constants of a model, read one after another."""

    def __init__(self, buffers: Buffers, limits: Limits) -> None:
        self.buffers = buffers
        self.limits = limits
        self.tensors: dict[str, Tensor] = {}
        self.problems: list[Problem] = []
        self.used: set[int] = set()  # indexes of the buffers
        self.erased: list[str] = []  # names of those with numbers that a scale of 0 makes 0
        self._names: dict[tuple[object, ...], str] = {}
        self._alike: Counter[str] = Counter()
        self._left = _SHARED * buffers.window.size
        self._most, self._setting = CONSTANTS.most(buffers.window.size, limits)

    def read(
        self,
        label: str,
        table: FlatTable,
        dtype: str,
        shape: tuple[int, ...],
        quantization: Quantization | None,
    ) -> str:
        """Name of the constant of a tensor; "" if the tensor has none.

        Tensors of several subgraphs that are the same constant have one name.
        """
        index = table.number("buffer")
        file = self.buffers.window.file
        if table.number("external_buffer"):
            detail = f"{label} is stored in another file"
            self._problem(ProblemKind.EXTERNAL_REFERENCE, detail, label)
            return ""
        if index >= len(self.buffers.spans):
            detail = f"{label} is in buffer {index}, but there are {len(self.buffers.spans)}"
            self._problem(ProblemKind.TENSOR_UNREADABLE, detail, label)
            return ""
        span = self.buffers.span(index)
        self.used.add(index)
        if span is None or not span.size:
            return ""
        key = (index, dtype, shape, quantization)
        if key in self._names:
            return self._names[key]
        if len(self.tensors) < self._most and is_spent():
            self._most, self._setting = len(self.tensors), "work"
        if len(self.tensors) >= self._most:
            if self._most == len(self._names):
                detail = f"stopped after {self._most:,} constants"
                file = self.buffers.window.file
                self.problems.append(limit_problem(file, detail, self._setting, label))
                self._names[("more",)] = ""
            return ""
        name = self._unique(label)
        self._names[key] = name
        self.tensors[name] = Tensor(name, shape, dtype, span.size, file, _role(dtype, quantization))
        self._fill(self.tensors[name], table, span, quantization)
        return name

    def _fill(
        self, tensor: Tensor, table: FlatTable, span: ByteSpan, quantization: Quantization | None
    ) -> None:
        """Add the values of a constant, or the problem why there are none."""
        name, window = tensor.name, self.buffers.window
        self._look_for_programs(name, span)
        if tensor.dtype == "string":
            return
        needed = stored_bytes(tensor.shape, tensor.dtype)
        blocks = _blockwise(table)
        if needed is None or blocks or table.table("sparsity") is not None:
            how = "sparse" if not blocks else "in blocks with scales of their own"
            detail = (
                f"{name} is stored {how}" if needed is not None else f"{name} is {tensor.dtype}"
            )
            self._problem(ProblemKind.UNSUPPORTED, f"{detail}; its values are not read", name)
        elif needed != span.size:
            detail = (
                f"{name} has {span.size:,} bytes, but its shape {[*tensor.shape]} of "
                f"{tensor.dtype} needs {needed:,}"
            )
            evidence: dict[str, Json] = {"measured": span.size, "expected": needed}
            self._problem(ProblemKind.SIZE_MISMATCH, detail, name, evidence)
        elif needed > self._left:
            detail = f"{name} shares its bytes with too many other constants"
            self._problem(ProblemKind.LIMIT_EXCEEDED, detail, name)
        else:
            self._left -= needed
            source = LiteArray(window, span.offset, tensor.shape, tensor.dtype, quantization)
            full, problem = summarise_or_problem(
                *(name, tensor.shape, tensor.dtype, window.file, tensor.role, source, self.limits)
            )
            self.tensors[name] = full
            self.erased += [name] if source.erased else []
            if problem is not None:
                self.problems.append(problem)

    def _look_for_programs(self, name: str, span: ByteSpan) -> None:
        try:
            head = self.buffers.window.head(min(span.size, HEAD_BYTES), span.offset)
            last = self.buffers.window.head(1, span.end - 1)
        except ReadError:
            return  # reported when the values are read
        if what := executable_in_numbers(head, span.size, last):
            evidence: dict[str, Json] = {"tensor": "program", "program": what, "head": head.hex()}
            self._problem(ProblemKind.OTHER, f"{name} contains {what}", name, evidence)

    def _unique(self, label: str) -> str:
        name = label
        while name in self.tensors:
            self._alike[label] += 1
            name = f"{label}#{self._alike[label] + 1}"
        return name

    def _problem(
        self, kind: ProblemKind, detail: str, route: str, evidence: dict[str, Json] | None = None
    ) -> None:
        file = self.buffers.window.file
        self.problems.append(Problem(kind, file, detail, route, evidence or {}))


def with_roles(tensors: dict[str, Tensor], weights: set[str]) -> tuple[Tensor, ...]:
    """The constants; those in `weights` are weights, whatever their type."""
    return tuple(
        replace(tensor, role="weight") if tensor.name in weights else tensor
        for tensor in tensors.values()
    )


def _role(dtype: str, quantization: Quantization | None) -> str:
    """Weights are numbers with a fraction; others are shapes, axes and texts."""
    return "weight" if quantization is not None or "float" in dtype else "other"


def _blockwise(table: FlatTable) -> bool:
    quantization = table.table("quantization")
    details = quantization.union("details") if quantization is not None else None
    return details is not None and details.kind == "BlockwiseQuantization"
