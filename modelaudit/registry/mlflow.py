"""MLflow's description of a model: the `MLmodel` file in the model's directory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from modelaudit.errors import ReadError
from modelaudit.facts import Endpoint, Json, ProblemKind, Shape, Signature
from modelaudit.formats.io.bounded import json_loads, read_bytes
from modelaudit.settings import Limits

if TYPE_CHECKING:
    from modelaudit.registry.bounded_yaml import Node

FILE = "MLmodel"
NOTHING = ("", "null", "~")  # null values in YAML
LARGEST = 1 << 20  # bytes; such a file has a few kilobytes
# Flavours with TensorFlow or Keras models; `python_function` wraps any of them.
READ_FLAVORS = ("tensorflow", "keras")
_GENERIC = "python_function"
MOST = 100  # tensors of inputs or outputs
_OPEN = -1  # an axis of any length


class MlflowModel(Struct, frozen=True):
    """The content of an `MLmodel` file. Strings are verbatim, and empty if missing.

    Attributes:
        flavors: names of the flavours, `python_function` last.
        details: settings of the TensorFlow flavour: `keras_version`, `save_format`, `model_type` …
        signature: parts (`inputs`, `outputs`, `params`) that the file describes.
        tensors: inputs and outputs of the signature, if they are tensors.
    """

    flavors: tuple[str, ...] = ()
    details: Mapping[str, str] | None = None
    version: str = ""
    run: str = ""
    signature: tuple[str, ...] = ()
    tensors: Signature | None = None

    @property
    def is_ours(self) -> bool:
        """Whether one of its flavours is TensorFlow's or Keras's."""
        return self.details is not None

    def __str__(self) -> str:
        """One line for people."""
        said = [f"MLflow {self.version}".strip()]
        flavors = [name for name in self.flavors if name != _GENERIC] or [*self.flavors]
        said.append(f"flavour {', '.join(flavors)}" if flavors else "no flavour")
        if self.details and (keras := self.details.get("keras_version")):
            said.append(f"Keras {keras}")
        if self.run:
            said.append(f"run {self.run[:12]}")
        said.append(f"signature of {' and '.join(self.signature)}" if self.signature
                    else "no signature")  # fmt: skip
        return ", ".join(said)


def read_mlmodel(path: Path, limits: Limits) -> MlflowModel:
    """Read an `MLmodel` file.

    Raises:
        ReadError: it cannot be read, or is not an MLflow file.
        LimitExceeded: larger than `LARGEST` or `limits.text_bytes`.
    """
    from modelaudit.registry.bounded_yaml import parse  # few registries need PyYAML

    data = read_bytes(path, min(LARGEST, limits.text_bytes))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ReadError(ProblemKind.CORRUPT, path.name, "is not UTF-8 text") from error
    found = parse(text, path.name)
    if not isinstance(found, Mapping) or not isinstance(found.get("flavors"), Mapping):
        raise ReadError(
            ProblemKind.CORRUPT, path.name, "names no flavours, so it is not an MLflow file"
        )
    flavors = found["flavors"]
    names = sorted(_mapping(flavors), key=lambda name: (name == _GENERIC, name))
    ours = next(
        (_mapping(flavors)[name] for name in READ_FLAVORS if name in _mapping(flavors)), None
    )
    said = _mapping(found.get("signature"))
    sides = ("inputs", "outputs", "params")
    taken, given = (_whole(said.get(side)) for side in sides[:2])
    return MlflowModel(
        flavors=tuple(name[:60] for name in names[:10]),
        details=_texts(ours) if isinstance(ours, Mapping) else None,
        version=_text(found.get("mlflow_version")),
        run=_text(found.get("run_id")),
        signature=tuple(side for side in sides if said.get(side, "") not in NOTHING),
        tensors=read_signature(taken, given, path.name, limits),
    )


def _mapping(value: Node | None) -> Mapping[str, Node]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Node | None) -> str:
    return value[:80] if isinstance(value, str) and value not in NOTHING else ""


def _whole(value: Node | None) -> str:
    return value if isinstance(value, str) and value not in NOTHING else ""


def _texts(value: Node | None) -> dict[str, str]:
    return {key: _text(item) for key, item in _mapping(value).items() if isinstance(item, str)}


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
