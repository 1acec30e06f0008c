"""Running a restored model on the inputs of a golden record, and creating such inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from modelaudit.audit_types.loading import Port
from modelaudit.facts import Artifact, fits
from modelaudit.probe.host.feed import Feed
from modelaudit.probe.host.session import Outputs, Session
from modelaudit.probe.protocol import Observation
from modelaudit.probe.study.determinism import largest_difference
from modelaudit.probe.study.inputs import InputSpec, Unprobeable, input_spec, sample_shape
from modelaudit.probe.study.runner import Array
from modelaudit.restore.golden_check import GoldenCheck, compare_replay, ranked_gaps
from modelaudit.restore.golden_record import GoldenRecord, RecordedInput
from modelaudit.restore.record_inputs import Recipe, make
from modelaudit.structs import replace
from modelaudit.thresholds.restoration import LAST_PLACES

ROUNDINGS = 8  # copies of the weights that are rounded
OTHER_BATCH = 3  # batch size of the second run, which changes the order of summation
INPUT_BYTES = 64 << 20  # maximum size of all inputs of a record
WEIGHT_BYTES = 128 << 20  # maximum size of all weights that are rounded
# Distance from 1 to the next number.
_UNITS = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}
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


def moved_by_rounding(
    session: Session, arrays: Sequence[Array], outputs: Outputs, least: float
) -> Mapping[str, NDArray[np.float64]]:
    """How far rounding moves the outputs of a model, by ranks of their rows (see `with_rounding`).

    The weights of copies are changed by some units in the last place, as if all sums that they are
    in were rounded so. Nothing is known ({}) if the weights cannot be changed, and nothing is said
    if they move no output by `least`.
    """
    held = {each.path: each.dtype for each in session.observation.variables if each.dtype in _UNITS}
    sizes = (4 * prod(v.shape) for v in session.observation.variables if v.path in held)
    if not held or sum(sizes) > WEIGHT_BYTES:
        return {}
    weights = session.variables(held)
    names = [f"{NAME}{place}" for place in range(len(arrays))]
    if isinstance(weights, Observation) or session.put(dict(zip(names, arrays, strict=True))):
        return {}
    random, ranks = np.random.default_rng(0), dict[str, NDArray[np.float64]]()
    for _ in range(ROUNDINGS):
        rounded = {
            path: values
            * (1 + LAST_PLACES.value * _UNITS[held[path]] * random.uniform(-1, 1, values.shape))
            for path, values in weights.items()
        }
        failed = session.assign({k: v.astype(weights[k].dtype) for k, v in rounded.items()})
        found = failed or session.predict([Feed(name) for name in names])
        if isinstance(found, Observation):
            ranks = {}
            break
        moved = {k: ranked_gaps(found[k], y) for k, y in outputs.items() if len(y)}
        ranks = {k: np.maximum(gaps, ranks.get(k, 0.0)) for k, gaps in moved.items()}
        if max((gaps[0] for gaps in ranks.values()), default=0.0) < least:
            ranks = {}
            break
    session.restore()
    session.put({}, drop=names)
    return ranks


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
