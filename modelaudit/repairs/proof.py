"""The proof of a repair: the new file is the same model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
from msgspec import Struct

from modelaudit.audit_types.loading import Agreement, Status
from modelaudit.audit_types.repair import RepairProof
from modelaudit.errors import ReadError
from modelaudit.facts import Artifact
from modelaudit.probe.host.observe import observe
from modelaudit.probe.host.runtime import RuntimeHandle
from modelaudit.probe.host.session import Session
from modelaudit.probe.other_runtimes import not_compiled
from modelaudit.probe.protocol import Observation, runtime_name
from modelaudit.probe.run import variable_values
from modelaudit.probe.study.agreement import (
    ReferenceRun,
    compare_with_reference,
    run_reference,
)
from modelaudit.probe.study.golden_replay import replay
from modelaudit.repairs.containers import RepairEdits, scaled
from modelaudit.restore.golden_check import GoldenCheck
from modelaudit.restore.golden_record import read_record, record_path
from modelaudit.restore.model import Weight
from modelaudit.restore.proof import prove
from modelaudit.restore.weight_sources import stored_weights
from modelaudit.settings import Settings
from modelaudit.structs import replace


class Attempt(Struct, frozen=True):
    """A new file that was checked: the proof, and why it does not hold ("" if it does).

    `uncompiled` is why the target does not compile it as saved, "" if it does.
    """

    proof: RepairProof
    failure: str = ""
    uncompiled: str = ""


def reference(handle: RuntimeHandle, artifact: Artifact, settings: Settings) -> ReferenceRun | str:
    """Outputs of the original in a runtime of its own generation, or why there are none."""
    seen, session = observe(handle, artifact, settings.probe)
    if session is None:
        return f"{runtime_name(seen.runtime)} does not load it: {seen.failure}"
    with session:
        data = Path(settings.probe.data) if settings.probe.data else None
        found = run_reference(session, artifact, settings.probe, data)
    return found.reason or found


def check(
    original: Artifact,
    repaired: Artifact,
    handle: RuntimeHandle | None,
    first: ReferenceRun | str,
    settings: Settings,
    edits: RepairEdits,
) -> Attempt:
    """Compare the new file with the original: by bytes, by layers, and by its outputs.

    Args:
        repaired: the new file, read back from disk.
        handle: the runtime that stands for the target; None to compare the files alone.
        first: outputs of the original, or why there are none.
        edits: changes to the weights that the translation calls for.
    """
    proof = _of_files(original, repaired, edits)
    if proof.tensors_equal + proof.tensors_scaled < proof.tensors:
        lacking = proof.tensors - proof.tensors_equal - proof.tensors_scaled
        return Attempt(proof, f"the new file lacks {lacking} of {proof.tensors} weights")
    known = proof.layers_equal + proof.layers_replaced
    if (handle is None or isinstance(first, str)) and known < proof.layers:
        # With outputs to compare, a layer may have another name.
        missing = f"the new file lacks {proof.layers - known} of {proof.layers} layers"
        return Attempt(proof, f"{missing}, and there are no outputs to compare")
    if handle is None:
        return Attempt(proof)
    seen, session = observe(handle, repaired, settings.probe)
    if session is None:
        if seen.status is Status.UNAVAILABLE:
            return Attempt(proof, f"{runtime_name(seen.runtime)} did not start: {seen.failure}")
        return Attempt(proof, f"{runtime_name(seen.runtime)} does not load it: {seen.failure}")
    with session:
        found = _loaded(proof, repaired, seen, session, first, settings)
        return found if found.failure else _as_recorded(found, original, session, settings)


def _loaded(
    proof: RepairProof,
    repaired: Artifact,
    seen: Observation,
    session: Session,
    first: ReferenceRun | str,
    settings: Settings,
) -> Attempt:
    restored = prove(repaired, seen, partial(variable_values, session))
    holds = restored.identical if restored else 0
    proof = replace(proof, restored_in=runtime_name(seen.runtime), restored=holds)
    if restored is None and proof.tensors:
        return Attempt(proof, "the loaded model's weights could not be compared with the file")
    if restored and not restored.faithful:
        return Attempt(proof, f"the loaded model differs from the file: {restored.describe()}")
    if isinstance(first, str):
        proof = replace(proof, why_no_outputs=first)
        data = Path(settings.probe.data) if settings.probe.data else None
        alone = run_reference(session, repaired, settings.probe, data)
        if alone.failed:
            return Attempt(proof, f"the new file loads, but cannot be called: {alone.reason}")
    else:
        both = first.seen.call == seen.call == "load_model"
        found = compare_with_reference(session, repaired, first, in_order_of_model=both)
        proof = replace(proof, outputs=found)
        if why := _unproven(found):
            return Attempt(proof, why)
    return Attempt(proof, uncompiled=not_compiled(session, repaired))


def _as_recorded(
    found: Attempt, original: Artifact, session: Session, settings: Settings
) -> Attempt:
    """The attempt, which fails if the golden record of the original has other outputs."""
    try:
        record = read_record(original.root, settings.limits)
    except ReadError as error:
        return replace(found, proof=replace(found.proof, why_no_golden=str(error)))
    if record is None:
        return found
    if record.model_sha256 != original.sha256:
        reason = "the record is of another file"
        return replace(found, proof=replace(found.proof, why_no_golden=reason))
    golden = replay(session, record, GoldenCheck(record_path(original.root).name))
    for each in golden.outputs:
        if not each.reproduced:
            return replace(
                found,
                failure=f"{each.name} differs by {each.difference:.3g} from the golden record, "
                f"more than {each.tolerance:.3g}",
            )
    reproduced = len(golden.outputs)
    proof = replace(found.proof, golden_outputs=reproduced, why_no_golden=golden.not_replayed)
    return replace(found, proof=proof)


def _unproven(found: Agreement) -> str:
    """Why the outputs do not prove that both are one model; "" if they do."""
    if found.not_compared:
        return f"the outputs could not be compared: {found.not_compared}"
    if not found.same:
        return f"the outputs differ by {found.difference:.3g}, more than {found.tolerance:.3g}"
    return ""


def _of_files(original: Artifact, repaired: Artifact, edits: RepairEdits) -> RepairProof:
    """What the two files share, without loading either."""
    stored = stored_weights(original)
    after = stored_weights(repaired)
    left = Counter(each.sha256 for each in after)
    owned = {name: weight for weight in after for name in weight.names}
    equal = rescaled = 0
    for weight in stored:
        partner = owned.get(_renamed(weight.names[0], edits.renamed))
        # A file that was saved again may have other names of tensors than the original.
        names = chain(weight.names, partner.names if partner else ())
        factors = next((edits.factors[n] for n in names if n in edits.factors), None)
        if factors is not None and partner is not None:
            rescaled += _is_scaled(weight, partner, factors)
        elif left[weight.sha256] and (partner is None or partner.sha256 == weight.sha256):
            left[weight.sha256] -= 1
            equal += 1
    layers, routes = _classes(original), _classes(repaired)
    new = {_renamed(route, edits.renamed): name for route, name in layers.items()}
    same = {route for route, name in new.items() if routes.get(route) == name}
    others = [route for route in new.keys() - same if _within(route, edits.replaced)]
    return RepairProof(len(stored), equal, len(layers), len(same), rescaled, len(others))


def _is_scaled(before: Weight, after: Weight, factors: tuple[float, ...]) -> bool:
    """Whether a weight has the values of another one with its gates multiplied."""
    one = before.values() if before.values else None
    other = after.values() if after.values else None
    if one is None or other is None or one.shape != other.shape:
        return False
    return bool(np.array_equal(scaled(one, factors), other))


def _classes(artifact: Artifact) -> dict[str, str]:
    layers = artifact.architecture.layers if artifact.architecture else ()
    # Before TensorFlow 2.3, `Functional` was `Model`.
    names = {"Model": "Functional"}
    return {layer.route: names.get(layer.class_name, layer.class_name) for layer in layers}


def _within(route: str, replaced: Collection[str]) -> bool:
    return any(route == each or route.startswith(f"{each}/") for each in replaced)


def _renamed(route: str, renamed: Mapping[str, str]) -> str:
    """A route (or `route/role`) with the new names of its layers."""
    within = [old for old in renamed if route == old or route.startswith(f"{old}/")]
    old = max(within, key=len, default="")  # a name may begin with that of another layer
    return renamed.get(old, old) + route[len(old) :]
