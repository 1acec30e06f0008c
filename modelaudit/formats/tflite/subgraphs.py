"""Subgraphs, operators, tensors and signatures of a TensorFlow Lite model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modelaudit.errors import ReadError
from modelaudit.facts import Endpoint, Json, Problem, ProblemKind, Shape, Signature
from modelaudit.formats.io.density import ENDPOINTS
from modelaudit.formats.tflite.constants import Constants
from modelaudit.formats.tflite.flatbuffer import FlatTable
from modelaudit.formats.tflite.schema import runtime_versions, schema
from modelaudit.graphs import LiteOperator, LiteSubgraph, LiteTensor, Quantization
from modelaudit.work_budget import spend

MOST_AXES = 64  # numpy's limit; TensorFlow Lite's is lower
_COUNTED = 10  # parts of the work of an audit that a tensor or an operator counts for


class SubgraphReader:
    """Reads the subgraphs of a model.

    Args:
        model: the root table.
        constants: receives the constants of the tensors.
    """

    def __init__(self, model: FlatTable, constants: Constants) -> None:
        self.model = model
        self.file = model.buffer.file
        self.constants = constants
        self.problems: list[Problem] = []
        self.codes = [_operator_code(table) for table in model.tables("operator_codes")]

    def read(self) -> tuple[LiteSubgraph, ...]:
        """All subgraphs, in stored order.

        Raises:
            ReadError: `corrupt` if an operator or a tensor refers to what does not exist.
        """
        tables = self.model.tables("subgraphs")
        return tuple(self._subgraph(i, each, len(tables)) for i, each in enumerate(tables))

    def _subgraph(self, index: int, table: FlatTable, count: int) -> LiteSubgraph:
        name = table.text("name") or (f"subgraph {index}" if index else "main")
        prefix = f"{name}/" if index else ""
        tensors = tuple(self._tensor(prefix, each) for each in table.tables("tensors"))
        ends = [table.integers("inputs"), table.integers("outputs")]
        operators = tuple(self._operator(each) for each in table.tables("operators"))
        for used in (*ends, *(each.inputs + each.outputs for each in operators)):
            if used and not -1 <= min(used) <= max(used) < len(tensors):
                reason = (
                    f"{name} has {len(tensors)} tensors, but refers to tensor "
                    f"{max(used) if max(used) >= len(tensors) else min(used)}"
                )
                raise ReadError(ProblemKind.CORRUPT, self.file, reason)
        for operator in operators:
            self._check_calls(operator, count)
        return LiteSubgraph(name, tensors, operators, ends[0], ends[1])

    def _tensor(self, prefix: str, table: FlatTable) -> LiteTensor:
        spend(_COUNTED)
        types = schema().enums["TensorType"]
        number = table.number("type")
        dtype = types[number].lower() if 0 <= number < len(types) else f"type_{number}"
        sizes = table.integers("shape")
        name = table.text("name")
        if len(sizes) > MOST_AXES or any(size < 0 for size in sizes):
            reason = f"{name} has a shape of {len(sizes):,} axes: {[*sizes[:8]]}"
            raise ReadError(ProblemKind.CORRUPT, self.file, reason)
        quantization = self._quantization(name, table, sizes)
        constant = self.constants.read(prefix + name, table, dtype, sizes, quantization)
        return LiteTensor(
            name=name,
            dtype=dtype,
            shape=_shape(table, sizes),
            buffer=table.number("buffer"),
            constant=constant,
            quantization=quantization,
            variable=bool(table.number("is_variable")),
        )

    def _quantization(
        self, name: str, table: FlatTable, shape: tuple[int, ...]
    ) -> Quantization | None:
        stored = table.table("quantization")
        scale = stored.reals("scale") if stored is not None else ()
        if stored is None or not scale:
            return None
        zero, axis = stored.integers("zero_point"), stored.number("quantized_dimension")
        slices = shape[axis] if 0 <= axis < len(shape) else 1
        if len(zero) not in {0, 1, len(scale)} or (len(scale) > 1 and len(scale) != slices):
            detail = (
                f"{name} has {len(scale)} scales and {len(zero)} zero points for axis {axis} of "
                f"its shape {[*shape]}"
            )
            evidence: dict[str, Json] = {"measured": len(scale), "expected": slices}
            kind = ProblemKind.SIZE_MISMATCH
            self.problems.append(Problem(kind, self.file, detail, name, evidence))
            return None
        return Quantization(scale, zero, axis)

    def _operator(self, table: FlatTable) -> LiteOperator:
        spend(_COUNTED)
        index = table.number("opcode_index")
        if index >= len(self.codes):
            reason = f"has {len(self.codes)} operator codes, but an operator has code {index}"
            raise ReadError(ProblemKind.CORRUPT, self.file, reason)
        name, version, custom = self.codes[index]
        options = table.union("builtin_options") or table.union("builtin_options2")
        return LiteOperator(
            name=name,
            version=version,
            custom=custom,
            inputs=table.integers("inputs"),
            outputs=table.integers("outputs"),
            options=options.attrs() if options is not None else {},
        )

    def _check_calls(self, operator: LiteOperator, count: int) -> None:
        for option, value in operator.options.items():
            called = value if isinstance(value, list) else [value]
            if "subgraph_ind" in option and any(
                isinstance(each, int) and not 0 <= each < count for each in called
            ):
                reason = f"has {count} subgraphs, but {operator.name} calls {value}"
                raise ReadError(ProblemKind.CORRUPT, self.file, reason)


def _operator_code(table: FlatTable) -> tuple[str, int, bool]:
    """Name, version, and whether it is a custom operator."""
    names = schema().enums["BuiltinOperator"]
    # The first field has 8 bits; greater codes are in the second, and 127 in the first.
    code = max(table.number("deprecated_builtin_code"), table.number("builtin_code"))
    name = names[code] if 0 <= code < len(names) else f"BUILTIN_{code}"
    custom = name == "CUSTOM"
    return table.text("custom_code") if custom else name, table.number("version"), custom


def _shape(table: FlatTable, sizes: tuple[int, ...]) -> Shape:
    """The shape, with None for open axes. An empty one is that of a scalar, or unknown."""
    signature = table.integers("shape_signature")
    if len(signature) == len(sizes) and signature:
        return tuple(
            None if open_ < 0 else size for open_, size in zip(signature, sizes, strict=True)
        )
    return sizes


def read_signatures(model: FlatTable, graphs: Sequence[LiteSubgraph]) -> tuple[Signature, ...]:
    """The signatures; without any, one of the main subgraph, with the names of its tensors.

    Raises:
        ReadError: `corrupt` if one refers to a subgraph or a tensor that does not exist.
    """
    stored = model.tables("signature_defs")
    if not stored and graphs:
        main = graphs[0]
        return (
            Signature(main.name, "", _endpoints(main, main.inputs), _endpoints(main, main.outputs)),
        )
    found = []
    ends = 0
    for table in stored:
        index, key = table.number("subgraph_index"), table.text("signature_key")
        if index >= len(graphs):
            reason = f"has {len(graphs)} subgraphs, but signature {key} calls subgraph {index}"
            raise ReadError(ProblemKind.CORRUPT, model.buffer.file, reason)
        sides = [tuple(_mapped(graphs[index], key, table, side)) for side in ("inputs", "outputs")]
        ends += sum(map(len, sides))
        ENDPOINTS.check(ends, model.buffer.size, model.buffer.limits, model.buffer.file)
        found.append(Signature(key, "", sides[0], sides[1]))
    return tuple(found)


def _mapped(graph: LiteSubgraph, key: str, table: FlatTable, side: str) -> Iterator[Endpoint]:
    for each in table.tables(side):
        index = each.number("tensor_index")
        if index >= len(graph.tensors):
            reason = (
                f"has {len(graph.tensors)} tensors in {graph.name}, but signature {key} names "
                f"tensor {index}"
            )
            raise ReadError(ProblemKind.CORRUPT, table.buffer.file, reason)
        yield _endpoint(each.text("name"), graph.tensors[index])


def _endpoints(graph: LiteSubgraph, indexes: Sequence[int]) -> tuple[Endpoint, ...]:
    return tuple(
        _endpoint(tensor.name, tensor)
        for tensor in map(graph.tensor, indexes)
        if tensor is not None
    )


def _endpoint(name: str, tensor: LiteTensor) -> Endpoint:
    return Endpoint(name, tensor.name, tensor.dtype, tensor.shape)


def needed_runtime(graphs: Sequence[LiteSubgraph]) -> str:
    """The lowest runtime that has all operators in their versions; "" if none is known."""
    known = runtime_versions()
    found = {""}
    for operator in {(each.name, each.version) for graph in graphs for each in graph.operators}:
        name, version = operator
        versions = known.get(name, ())
        if 0 < version <= len(versions) and versions[version - 1] != "-":
            found.add(versions[version - 1])
    return max(found, key=lambda version: [int(part) for part in version.split(".") if part])
