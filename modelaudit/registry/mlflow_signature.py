"""MLflow's tensor signature: the inputs and outputs of a model in an `MLmodel` file."""

from __future__ import annotations

from modelaudit.errors import ReadError
from modelaudit.facts import Endpoint, Json, Shape, Signature
from modelaudit.formats.io.bounded import json_loads
from modelaudit.settings import Limits

MOST = 100  # tensors of inputs or outputs
_OPEN = -1  # an axis of any length


def read_signature(inputs: str, outputs: str, file: str, limits: Limits) -> Signature | None:
    """The tensors of a signature; None if neither inputs nor outputs are known.

    Inputs or outputs that are table columns, or not JSON, are unknown, that is, empty.

    Args:
        inputs, outputs: JSON strings from the file; "" if missing.
        file: name for errors.
        limits: bounds on JSON.
    """
    taken, given = (_tensors(text, file, limits) for text in (inputs, outputs))
    return Signature(file, "", taken, given) if taken or given else None


def _tensors(text: str, file: str, limits: Limits) -> tuple[Endpoint, ...]:
    try:
        rows = json_loads(text.encode(), limits, file) if text else None
    except ReadError:
        return ()
    found = [_tensor(row) for row in rows[:MOST]] if isinstance(rows, list) else []
    known = [each for each in found if each is not None]
    return tuple(known) if len(known) == len(found) else ()


def _tensor(row: Json) -> Endpoint | None:
    spec = row.get("tensor-spec") if isinstance(row, dict) else None
    if not isinstance(row, dict) or not isinstance(spec, dict):
        return None
    name, dtype, shape = row.get("name"), spec.get("dtype"), _shape(spec.get("shape"))
    if not isinstance(dtype, str) or shape is None:
        return None
    return Endpoint(name[:80] if isinstance(name, str) else "", "", dtype[:20], shape)


def _shape(said: Json) -> Shape | None:
    axes = [n for n in said if type(n) is int and n >= _OPEN] if isinstance(said, list) else None
    if axes is None or not isinstance(said, list) or len(axes) != len(said):
        return None
    return tuple(None if n == _OPEN else n for n in axes)
