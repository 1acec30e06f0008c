"""The restored model and the golden record."""

from __future__ import annotations

import msgspec
from msgspec import UNSET

from modelaudit.audit_types.restore import GoldenSection, RestoreSection
from modelaudit.restore.golden_check import GoldenCheck
from modelaudit.rules.model import Facts


def restore_section(facts: Facts) -> RestoreSection:
    """The comparison of stored and restored weights, and of both with the golden record."""
    golden = UNSET if facts.golden is None else _golden(facts.golden)
    proof = facts.restore
    if proof is None:
        return RestoreSection(golden=golden)
    return RestoreSection(
        runtime=proof.runtime,
        call=proof.call,
        compared=proof.compared,
        identical=proof.identical,
        missing=proof.missing,
        unexpected=proof.unexpected,
        differing=tuple(map(str, proof.differing)),
        cast=tuple(map(str, proof.cast)),
        changes=(*proof.differing, *proof.cast),
        layers_compared=proof.layers_compared,
        layers_differing=tuple(map(str, proof.layers)),
        golden=golden,
    )


def _golden(golden: GoldenCheck) -> GoldenSection:
    """The comparison with the golden record, flat enough for a table."""
    if golden.problem:
        return GoldenSection(file=golden.file, problem=golden.problem)
    section = GoldenSection(
        file=golden.file,
        digest=golden.digest,
        made_by=", ".join(f"{key} {value}" for key, value in (golden.made or {}).items()),
        same_files=golden.same_files,
    )
    found, outputs = golden.weights, golden.outputs
    if found is not None:
        changes = [*map(str, found.differing)]
        changes += [f"{name}: not in the file" for name in found.missing]
        changes += [f"{name}: not in the record" for name in found.unexpected]
        section = msgspec.structs.replace(
            section,
            weights_recorded=found.compared,
            weights_identical=found.identical,
            weights_changed=tuple(changes),
        )
    if golden.not_replayed:
        return msgspec.structs.replace(section, not_replayed=golden.not_replayed)
    return msgspec.structs.replace(
        section,
        outputs_reproduced=all(each.reproduced for each in outputs),
        max_abs_difference=max(each.difference for each in outputs),
        tolerance=min(each.tolerance for each in outputs),
    )
