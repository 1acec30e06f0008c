"""One model in several runtimes, asked the same: do they compute the same?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from modelaudit.facts import Artifact
from modelaudit.probe.feeding import feed_for
from modelaudit.probe.inputs import Unprobeable
from modelaudit.probe.protocol import Agreement, Observation, Port
from modelaudit.probe.replay import answers
from modelaudit.probe.runner import Array
from modelaudit.probe.session import Outputs, Session
from modelaudit.restore.golden import compare_output, precision_of, rounding
from modelaudit.settings import ProbeSettings

SAMPLES = 16  # of the probe inputs that go to every runtime
_NUMBERED = re.compile(r"output_(\d+)")  # what exports call outputs without a name


@dataclass(frozen=True, slots=True)
class Reference:
    """What the first runtime that loaded a model answered.

    Attributes:
        seen: how it was loaded.
        arrays: one input per port of `seen`, in its order; none where nothing could be fed.
        outputs: by name, in the model's order.
        noise: largest difference between two runs, the second in batches of another size.
        reason: why there is nothing to compare with, "" where there is.
    """

    seen: Observation
    arrays: tuple[Array, ...] = ()
    outputs: Mapping[str, Array] | None = None
    noise: float = 0.0
    reason: str = ""


def reference(
    session: Session, artifact: Artifact, settings: ProbeSettings, data: Path | None
) -> Reference:
    """Ask a loaded model what other runtimes will be asked: a few of its probe inputs."""
    seen = session.observation
    few = replace(settings, samples=min(settings.samples, SAMPLES))
    fed = feed_for(seen, artifact, few, data)
    if isinstance(fed, Unprobeable):
        return Reference(seen, reason=fed.reason)
    arrays = tuple(array[:SAMPLES] for array in fed.arrays)
    answered = answers(session, arrays)
    if isinstance(answered, Observation):
        return Reference(seen, reason=_why(answered))
    outputs, noise = answered
    reason = "" if outputs else "the model gives no numeric output"
    return Reference(seen, arrays, outputs, noise, reason)


def agreement(session: Session, artifact: Artifact, first: Reference) -> Agreement:
    """Ask another runtime the same, and compare: the output that differs most, against rounding.

    Inputs and outputs are matched by name, else by their only possible shape.
    """
    blank = Agreement(first.seen.runtime, first.seen.call)
    if first.outputs is None or first.reason:
        reason = f"{first.seen.runtime} gave nothing to compare with: {first.reason}"
        return replace(blank, not_compared=reason)
    arrays = _in_order(session.observation.inputs, first)
    if arrays is None:
        reason = "its inputs have other names, and their shapes do not tell them apart"
        return replace(blank, not_compared=reason)
    answered = answers(session, arrays)
    if isinstance(answered, Observation):
        return replace(blank, not_compared=_why(answered))
    outputs, own_noise = answered
    noise = max(first.noise, own_noise)
    allowed = rounding({*(t.dtype for t in artifact.tensors), precision_of(artifact)})
    found = []
    for place, (name, then) in enumerate(first.outputs.items()):
        now = _partner(name, place, then, first.outputs, outputs)
        if now is None:
            reason = f"it has no output that can be matched with {name!r} of shape {then.shape}"
            return replace(blank, not_compared=reason)
        found.append(compare_output(name, now, then, allowed, noise))
    worst = max(found, key=lambda each: each.difference / each.tolerance)
    return replace(
        blank,
        output=worst.name,
        difference=worst.difference,
        relative=worst.relative,
        tolerance=worst.tolerance,
        noise=noise,
        samples=min(len(array) for array in arrays),
    )


def _why(seen: Observation) -> str:
    return f"it gave no answer: {seen.error_type}: {seen.error}".strip(": ")


def _in_order(ports: Sequence[Port], first: Reference) -> list[Array] | None:
    """The inputs in the order of another runtime's ports."""
    given = dict(zip((port.name for port in first.seen.inputs), first.arrays, strict=True))
    if len(given) == len(ports) == 1:
        return list(given.values())
    if {port.name for port in ports} == set(given):
        return [given[port.name] for port in ports]
    found = []
    for port in ports:
        fitting = [name for name, array in given.items() if _fits(array, port)]
        if len(fitting) != 1:
            return None
        found.append(fitting[0])
    return [given[name] for name in found] if sorted(found) == sorted(given) else None


def _fits(array: Array, port: Port) -> bool:
    shape = port.shape
    return shape is None or (
        array.ndim == len(shape)
        and all(want in (None, have) for want, have in zip(shape[1:], array.shape[1:], strict=True))
    )


def _partner(
    name: str, place: int, then: Array, wanted: Mapping[str, Array], outputs: Outputs
) -> Array | None:
    """The output of that name; else the only one of its shape; else the one of its number."""
    named = outputs.get(name)
    if named is not None and named.shape == then.shape:
        return named
    fitting = [value for value in outputs.values() if value.shape == then.shape]
    rivals = [value for value in wanted.values() if value.shape == then.shape]
    if len(fitting) == len(rivals) == 1:
        return fitting[0]
    numbers = [_NUMBERED.fullmatch(each) for each in outputs]
    if len(outputs) == len(wanted) and all(numbers):
        numbered = outputs.get(f"output_{place}")
        if numbered is not None and numbered.shape == then.shape:
            return numbered
    return None
