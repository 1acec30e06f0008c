"""Golden records: a model's weights and outputs at saving time, in a file next to the model.

The record is JSON with its own digest: an edit of the record or of the model is detected. An
attacker who edits the model *and* writes a new record is not detected; to prevent that, keep a
copy of the record's digest elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from modelaudit.errors import ReadError
from modelaudit.facts import Json, ProblemKind, TensorStats
from modelaudit.formats.io.bounded import json_loads, read_bytes
from modelaudit.restore.model import Weight
from modelaudit.restore.record_inputs import DTYPES, Recipe
from modelaudit.settings import Limits

SUFFIX = ".golden.json"
VERSION = 1
RECORD_BYTES = 32 << 20
INPUT_ELEMENTS = 1 << 24  # of all inputs together: bounds what a record can make us compute
KEPT_ELEMENTS = 1 << 16  # of one output


class RecordedInput(Struct, frozen=True):
    """One input: a recipe, or values given by the user."""

    name: str
    recipe: Recipe | None = None
    values: NDArray[Any] | None = None


class RecordedOutput(Struct, frozen=True):
    """One output: every `step`-th value in C order, and the full shape."""

    name: str
    shape: tuple[int, ...]
    step: int
    values: NDArray[Any]


class GoldenRecord(Struct, frozen=True):
    """A golden record.

    Attributes:
        made: versions of the software that made it, and the time.
        model_sha256: digest of the model's files at that time; "" if unknown.
        noise: largest difference between two runs on the same inputs in different batches.
        digest: sha256 of the record's canonical content.
    """

    made: Mapping[str, str]
    model_sha256: str
    inputs: tuple[RecordedInput, ...]
    outputs: tuple[RecordedOutput, ...]
    tensors: tuple[Weight, ...]
    noise: float
    digest: str = ""


def record_name(model: str) -> str:
    """What the record of a model of this name is called."""
    return model + SUFFIX


def record_path(model: Path) -> Path:
    """The path of a model's record: next to the model, never inside it."""
    return model.with_name(record_name(model.name))


def recorded_output(name: str, value: NDArray[Any]) -> RecordedOutput:
    """An output as it is recorded; of large outputs, evenly spaced values."""
    step = max(1, math.ceil(value.size / KEPT_ELEMENTS))
    return RecordedOutput(name, value.shape, step, np.ascontiguousarray(value).reshape(-1)[::step])


def write_record(record: GoldenRecord, model: Path) -> Path:
    """Write the record next to the model; returns its path.

    Raises:
        OSError: it cannot be written.
    """
    content = _content(record)
    path = record_path(model)
    text = json.dumps(content | {"sha256": canonical_digest(content)}, indent=1)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def read_record(model: Path, limits: Limits) -> GoldenRecord | None:
    """The validated record next to a model; None if there is none.

    Raises:
        ReadError: `corrupt` if it is not a record or was modified, `unsupported` if a later
            modelaudit wrote it, `unreadable`, `limit-exceeded`.
    """
    path = record_path(model)
    try:
        there = path.exists()
    except OSError:  # a name too long for a record next to it, a directory without permission
        there = False
    if not there:
        return None
    data = json_loads(read_bytes(path, RECORD_BYTES), limits, path.name)
    if not isinstance(data, dict) or "golden_version" not in data:
        raise ReadError(ProblemKind.CORRUPT, path.name, "not a golden record")
    if data["golden_version"] != VERSION:
        reason = f"golden record version {data['golden_version']} is not supported, only {VERSION}"
        raise ReadError(ProblemKind.UNSUPPORTED, path.name, reason)
    content = {key: value for key, value in data.items() if key != "sha256"}
    if data.get("sha256") != canonical_digest(content):
        reason = "its content does not match its own digest: it was edited or damaged"
        raise ReadError(ProblemKind.CORRUPT, path.name, reason)
    try:
        return _parsed(content, str(data["sha256"]))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        reason = f"not a valid golden record: {error!r}"
        raise ReadError(ProblemKind.CORRUPT, path.name, reason) from error


def canonical_digest(content: Mapping[str, Json]) -> str:
    """sha256 of the content as JSON with sorted keys and no whitespace."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _content(record: GoldenRecord) -> dict[str, Json]:
    return {
        "golden_version": VERSION,
        "made": dict(record.made),
        "model_sha256": record.model_sha256,
        "noise": record.noise if math.isfinite(record.noise) else None,
        "inputs": [_given(each) for each in record.inputs],
        "outputs": [
            {"name": a.name, "shape": list(a.shape), "step": a.step, **_packed(a.values)}
            for a in record.outputs
        ],
        "tensors": [_tensor(weight) for weight in record.tensors],
    }


def _given(given: RecordedInput) -> dict[str, Json]:
    recipe, values = given.recipe, given.values
    if recipe is not None:
        return {
            "name": given.name,
            "shape": list(recipe.shape),
            "dtype": recipe.dtype,
            "low": recipe.low,
            "high": recipe.high,
            "seed": recipe.seed,
        }
    if values is None:
        raise ValueError(f"input {given.name!r} has neither recipe nor values")
    return {"name": given.name, "shape": list(values.shape), **_packed(values)}


def _packed(values: NDArray[Any]) -> dict[str, Json]:
    little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    return {"dtype": values.dtype.name, "data": base64.b64encode(little.tobytes()).decode()}


def _unpacked(entry: Mapping[str, Any]) -> NDArray[Any]:
    if entry["dtype"] not in DTYPES:
        raise ValueError(f"values of dtype {entry['dtype']!r}")
    data = base64.b64decode(entry["data"], validate=True)
    return np.frombuffer(data, dtype=np.dtype(entry["dtype"]).newbyteorder("<"))


def _tensor(weight: Weight) -> dict[str, Json]:
    entry: dict[str, Json] = {
        "name": weight.name,
        "shape": list(weight.shape),
        "dtype": weight.dtype,
        "sha256": weight.sha256,
    }
    stats = weight.stats
    if stats is not None and math.isfinite(stats.std):
        entry |= {
            "min": stats.minimum,
            "max": stats.maximum,
            "mean": stats.mean,
            "std": stats.std,
            "nonfinite": stats.nonfinite,
        }
    if weight.sketch is not None:
        entry |= {"sketch": _packed(weight.sketch.astype(np.float32))["data"]}
    return entry


def _parsed(content: Mapping[str, Any], digest: str) -> GoldenRecord:
    noise = content["noise"]
    asked = sum(math.prod(_shape(entry["shape"])) for entry in content["inputs"])
    if asked > INPUT_ELEMENTS:
        raise ValueError(f"inputs of {asked:,} values")
    return GoldenRecord(
        made={str(key): str(value) for key, value in content["made"].items()},
        model_sha256=str(content["model_sha256"]),
        inputs=tuple(_parsed_input(entry) for entry in content["inputs"]),
        outputs=tuple(_parsed_output(entry) for entry in content["outputs"]),
        tensors=tuple(_parsed_tensor(entry) for entry in content["tensors"]),
        noise=math.inf if noise is None else float(noise),
        digest=digest,
    )


def _shape(value: Iterable[object]) -> tuple[int, ...]:
    shape = []
    for n in value:
        if not isinstance(n, int) or not 0 <= n < 1 << 40:
            raise ValueError(f"an axis of {n!r}")
        shape.append(n)
    return tuple(shape)


def _parsed_input(entry: Mapping[str, Any]) -> RecordedInput:
    name, shape = str(entry["name"]), _shape(entry["shape"])
    if "data" in entry:
        return RecordedInput(name, values=_unpacked(entry).reshape(shape))
    low, high, seed = float(entry["low"]), float(entry["high"]), int(entry["seed"])
    if seed < 0:
        raise ValueError(f"seed {seed}")
    return RecordedInput(name, Recipe(name, shape, str(entry["dtype"]), low, high, seed))


def _parsed_output(entry: Mapping[str, Any]) -> RecordedOutput:
    shape, step, values = _shape(entry["shape"]), int(entry["step"]), _unpacked(entry)
    if step < 1 or len(values) != -(-math.prod(shape) // step):
        raise ValueError(f"output {entry['name']!r} has {len(values)} values")
    return RecordedOutput(str(entry["name"]), shape, step, values)


def _parsed_tensor(entry: Mapping[str, Any]) -> Weight:
    sha256 = str(entry["sha256"])
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise ValueError(f"tensor {entry['name']!r} has no sha256")
    stats = None
    if "std" in entry:
        low, high, mean, std = (float(entry[key]) for key in ("min", "max", "mean", "std"))
        stats = TensorStats(low, high, mean, std, 0, int(entry["nonfinite"]))
    kept = None
    if "sketch" in entry:
        kept = _unpacked({"dtype": "float32", "data": entry["sketch"]})
    names, shape = (str(entry["name"]),), _shape(entry["shape"])
    return Weight(names, shape, str(entry["dtype"]), sha256, stats, sketch=kept)
