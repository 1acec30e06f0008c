"""Running a restored model on the inputs of a golden record, and creating such inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from modelaudit.audit_types.loading import Port
from modelaudit.facts import Artifact, fits
from modelaudit.probe.host.feed import Feed
from modelaudit.probe.host.session import Outputs, Session
from modelaudit.probe.protocol import Observation
from modelaudit.probe.study.determinism import largest_difference
from modelaudit.probe.study.inputs import InputSpec, Unprobeable, input_spec, sample_shape
from modelaudit.probe.study.runner import Array
from modelaudit.restore.golden_check import GoldenCheck, compare_replay
from modelaudit.restore.golden_record import GoldenRecord, RecordedInput
from modelaudit.restore.record_inputs import Recipe, make
from modelaudit.structs import replace

OTHER_BATCH = 3  # batch size of the second run, which changes the order of summation
INPUT_BYTES = 64 << 20  # maximum size of all inputs of a record
NAME = "golden."


def recipes(
    ports: Sequence[Port], artifact: Artifact, samples: int, seed: int
) -> list[Recipe] | Unprobeable:
    """Recipes for the inputs of a model; fewer samples if they are large."""
    specs = []
    for port in ports:
        spec = input_spec(port, artifact)
        if isinstance(spec, Unprobeable):
            return spec
        specs.append(spec)
    if not specs:
        return Unprobeable("the model has no inputs")
    fixed = [spec.shape[0] for spec in specs if spec.shape and spec.shape[0]]
    each = sum(8 * int(np.prod(sample_shape(spec.shape), dtype=np.int64)) for spec in specs)
    if each == 0 or each > INPUT_BYTES:
        return Unprobeable(f"a sample has {each:,} bytes")
    n = fixed[0] if fixed else max(1, min(samples, INPUT_BYTES // each))
    return [_recipe(spec, n, seed + place) for place, spec in enumerate(specs)]


def _recipe(spec: InputSpec, n: int, seed: int) -> Recipe:
    low, high = spec.value_range
    dtype = "float32" if spec.dtype == "bfloat16" else spec.dtype
    return Recipe(spec.name, (n, *sample_shape(spec.shape)), dtype, low, high, seed)


def values(given: RecordedInput) -> Array:
    """Values of a recorded input.

    Raises:
        ValueError: its recipe is invalid.
    """
    if given.values is not None:
        return given.values
    if given.recipe is None:
        raise ValueError(f"input {given.name!r} has neither recipe nor values")
    return make(given.recipe)


def run_outputs(session: Session, arrays: Sequence[Array]) -> tuple[Outputs, float] | Observation:
    """Outputs for inputs in the model's order, and the largest difference from a second run."""
    names = [f"{NAME}{place}" for place in range(len(arrays))]
    failed = session.put(dict(zip(names, arrays, strict=True)))
    if failed is not None:
        return failed
    feeds = [Feed(name) for name in names]
    first = session.predict(feeds)
    if isinstance(first, Observation):
        return first
    second = session.predict(feeds, batch_size=OTHER_BATCH)
    if isinstance(second, Observation):
        return second
    dropped = session.put({}, drop=names)
    return dropped if dropped is not None else (first, largest_difference(first, second))


def replay(session: Session, record: GoldenRecord, golden: GoldenCheck) -> GoldenCheck:
    """`golden` with the outputs of the restored model for the recorded inputs."""
    if not record.outputs:
        return replace(golden, not_replayed="the record contains no outputs")
    try:
        given = {each.name: values(each) for each in record.inputs}
    except ValueError as error:
        return replace(golden, not_replayed=str(error))
    arrays = in_order(given, session.observation.inputs)
    if arrays is None or len(given) < len(record.inputs):  # equal names
        reason = "the restored model has other inputs than the record"
        return replace(golden, not_replayed=reason)
    answered = run_outputs(session, arrays)
    if isinstance(answered, Observation):
        return replace(golden, not_replayed=answered.failure)
    found = compare_replay(record, *answered)
    if isinstance(found, str):
        return replace(golden, not_replayed=found)
    return replace(golden, outputs=found, not_replayed="")


def in_order(given: Mapping[str, Array], ports: Sequence[Port]) -> list[Array] | None:
    """Inputs in the order of a model's ports: by name, or else by shape if it is unique."""
    if {port.name for port in ports} == set(given):
        return [given[port.name] for port in ports]
    if len(given) != len(ports):
        return None
    found = []
    for port in ports:
        fitting = [name for name, array in given.items() if _fits(array.shape, port)]
        if len(fitting) != 1:
            return None
        found.append(fitting[0])
    return [given[name] for name in found] if len(set(found)) == len(found) else None


def _fits(shape: tuple[int, ...], port: Port) -> bool:
    """Whether the port accepts inputs of this shape, with any number of samples."""
    return port.shape is None or (len(shape) == len(port.shape) and fits(shape[1:], port.shape[1:]))
