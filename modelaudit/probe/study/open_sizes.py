"""Inputs of other sizes, for a model that does not run with the usual ones.

Convolutions, pooling and cropping without padding need a smallest input, which depends on kernels,
strides and dilations; a graph may be made for one input at a time. The model itself decides: it is
called with two inputs, one at a time, then with two of zeros, first of the least size that its
config allows, then larger ones, as far as a share of the time limit allows.
"""

from __future__ import annotations

import bisect
import json
import math
import time
from collections.abc import Iterator, Sequence

import numpy as np

from modelaudit.audit_types.loading import Port
from modelaudit.errors import ReadError
from modelaudit.facts import Architecture, Artifact, Shape
from modelaudit.formats.keras.config import parse_architecture
from modelaudit.formats.keras.json_config import mapping
from modelaudit.measures.architecture.layer_shapes import input_shape
from modelaudit.probe.host.session import Session
from modelaudit.probe.study.feeding import PreparedInputs, prepare_inputs
from modelaudit.probe.study.inputs import Unprobeable, open_axes, sample_shape
from modelaudit.probe.study.runner import Array, MeasurementUnavailable, Runner
from modelaudit.settings import Limits, ProbeSettings
from modelaudit.structs import replace

DOUBLINGS = 10  # of the usual size
AT_ONCE = 2  # inputs of a trial
TRIAL_VALUES = 1 << 22  # maximum number of values of an input in a trial
SEARCH = 0.2  # of the time limit that the search may take


def inputs_to_try(
    session: Session, artifact: Artifact, settings: ProbeSettings, fed: PreparedInputs
) -> Iterator[PreparedInputs]:
    """`fed`, and then, unless it is the user's data, inputs with which the model runs.

    Ask for the next only if the model gave no outputs for the last.

    Raises:
        StudyEnded: the child has ended.
    """
    yield fed
    if fed.info.kind == "user":
        return
    runner = Runner(session, fed.moves, fed.rescaled)
    ports = session.observation.inputs
    if _runs(runner, [array[:AT_ONCE] for array in fed.arrays], batch_size=1):
        yield _noted(replace(fed, at_once=1), "the model runs with one input at a time only")
        return
    larger = _larger(runner, fed, ports, artifact.architecture, SEARCH * settings.timeout)
    if larger is None:
        return
    seen = replace(session.observation, inputs=larger)
    prepared = prepare_inputs(seen, artifact, settings, None)
    if not isinstance(prepared, Unprobeable):
        shapes = ", ".join(str(list(array.shape[1:])) for array in prepared.arrays)
        prepared = replace(prepared, at_once=AT_ONCE)  # more may not fit into memory
        yield _noted(prepared, f"undefined axes were raised to {shapes}: smaller inputs fail")


def sizes_to_give(session: Session, fed: PreparedInputs) -> str:
    """The undefined axes of which only the user knows the size, in words; "" if there are none."""
    axes = [
        f"axis {axis} of input {port.name!r}"
        for port in session.observation.inputs
        for axis in open_axes(port.shape or ())
    ]
    if not axes or fed.info.kind == "user":
        return ""
    shapes = {port.name: port.shape or () for port in session.observation.inputs}
    columns = [name for name, shape in shapes.items() if _samples_last(shape)]
    if columns:
        return (
            f". The only open axis of {', '.join(columns)} is the last: its samples seem to be "
            "columns, and an audit gives samples as rows"
        )
    return (
        f". The model leaves {' and '.join(axes)} undefined: give inputs of a size that it takes "
        "(--probe-data)"
    )


def _samples_last(shape: Shape) -> bool:
    """Whether only the last of several axes is open."""
    return len(shape) > 1 and shape[-1] is None and None not in shape[:-1]


def _noted(fed: PreparedInputs, note: str) -> PreparedInputs:
    return replace(fed, info=replace(fed.info, notes=(*fed.info.notes, note)))


def _larger(
    runner: Runner,
    fed: PreparedInputs,
    ports: tuple[Port, ...],
    architecture: Architecture | None,
    seconds: float,
) -> tuple[Port, ...] | None:
    """The ports with sizes with which the model runs; None if none are found in `seconds`."""
    if not any(open_axes(port.shape or ()) for port in ports):
        return None
    least = _least_factor(architecture, ports) if architecture else 2
    spent, took, values = 0.0, 0.0, 1  # by all trials, and by the last one for how many values
    for factor in (least, *(1 << n for n in range(1, DOUBLINGS + 1) if 1 << n > least)):
        sized = tuple(_sized(port, factor) for port in ports)
        shapes = [sample_shape(port.shape or ()) for port in sized]
        if any(math.prod(shape) > TRIAL_VALUES for shape in shapes):
            return None
        # A trial takes at least as many times longer than the last as its inputs are larger.
        last, values = values, sum(math.prod(shape) for shape in shapes)
        if spent + took * values / last > seconds:
            return None
        start = time.monotonic()
        pairs = zip(shapes, fed.arrays, strict=True)
        zeros = [np.zeros((AT_ONCE, *shape), array.dtype) for shape, array in pairs]
        if _runs(runner, zeros, batch_size=AT_ONCE):
            return sized
        took = time.monotonic() - start
        spent += took
    return None


def _least_factor(architecture: Architecture, ports: tuple[Port, ...]) -> int:
    """The least multiple of the usual sizes with which every layer of the config has an output."""
    largest = 1 << DOUBLINGS
    wanted = _shaped(architecture, ports, largest)
    return bisect.bisect_left(
        range(largest), True, 2, key=lambda factor: _shaped(architecture, ports, factor) == wanted
    )


def _shaped(architecture: Architecture, ports: tuple[Port, ...], factor: int) -> frozenset[str]:
    """Routes of the layers whose output has a size on every axis, for inputs of these sizes."""
    config = json.loads(json.dumps(architecture.config))
    layers = mapping(config.get("config")).get("layers")
    items = layers if isinstance(layers, list) else []
    starts = {
        layer.config_route
        for layer in architecture.layers
        if not any(layer.inbound) and input_shape(layer) is not None
    }
    inners = [
        inner
        for number, item in enumerate(items)
        if f"config/layers/{number}" in starts
        and isinstance(inner := mapping(item).get("config"), dict)
    ]
    if len(inners) == len(ports):
        for inner, port in zip(inners, ports, strict=True):
            # Before every other key that states a shape.
            inner["batch_shape"] = [None, *sample_shape(_sized(port, factor).shape or ())]
    try:
        found = parse_architecture(config, limits=Limits())
    except ReadError:
        return frozenset()
    return frozenset(
        layer.route
        for layer in found.layers
        if layer.output_shape and all(size is None or size > 0 for size in layer.output_shape[1:])
    )


def _sized(port: Port, factor: int) -> Port:
    shape = list(port.shape or ())
    usual = sample_shape(tuple(shape))
    for axis in open_axes(tuple(shape)):
        shape[axis] = factor * usual[axis - 1]
    return replace(port, shape=tuple(shape)) if shape else port


def _runs(runner: Runner, arrays: Sequence[Array], batch_size: int) -> bool:
    """Whether the model gives an output for each of these inputs."""
    try:
        runner.predict_once(arrays, batch_size=batch_size)
    except MeasurementUnavailable:
        return False
    return True
