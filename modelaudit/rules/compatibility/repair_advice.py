"""The command that makes a file which a runtime loads, where it would work."""

from __future__ import annotations

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, Format
from modelaudit.findings import Remedy
from modelaudit.rules.model import Facts
from modelaudit.rules.model_in_advice import in_shell
from modelaudit.runtimes.catalogue import find_profile
from modelaudit.runtimes.model import LoadCall

_MOST_LAYERS = 1_500  # a translation of more takes as long as the rest of the audit
_SUFFIX = {Format.KERAS_ARCHIVE: ".keras", Format.LEGACY_H5_FULL: ".h5"}


def repair_command(facts: Facts, runtime: str) -> str:
    """`modelaudit repair …` for a runtime.

    "" if the saved config cannot be translated for it, or a repair leaves one of the causes.
    """
    artifact = facts.artifact
    if (
        artifact.format not in _SUFFIX
        or not artifact.complete
        or _left_by_repair(facts, runtime)
        or not _translates(artifact, runtime)
    ):
        return ""
    suffix = _SUFFIX[artifact.format]
    model = in_shell(facts.path or artifact.root.name)
    return f"modelaudit repair {model} --for {runtime} --out repaired{suffix}"


def with_repair(facts: Facts, runtime: str, fix: str) -> Remedy:
    """`fix`, which may be empty, with the command before it, if there is one."""
    command = repair_command(facts, runtime)
    if not command:
        return Remedy(fix)
    made = (
        f"Make a file that {runtime} loads with `modelaudit repair`. It compares the weights with "
        f"the original's, and the outputs where both can be run, before it writes the file."
        f"\n\n    {command}"
    )
    text = f"{made}\n\nOr {fix[:1].lower()}{fix[1:]}" if fix else made
    return Remedy(text, repair=command)


def _left_by_repair(facts: Facts, runtime: str) -> bool:
    """Whether there is a cause for which the runtime does not load the model after a repair."""
    return any(
        not reason.repairs
        for each in facts.predictions
        if each.runtime == runtime and each.call == LoadCall.LOAD_MODEL
        for reason in each.because
        if reason.predicted in (LoadOutcome.FAILS, LoadOutcome.DIFFERS)
    )


def _translates(artifact: Artifact, runtime: str) -> bool:
    saved = artifact.documents[0].value if artifact.documents else None
    layers = artifact.architecture.layers if artifact.architecture else ()
    if not isinstance(saved, dict) or len(layers) > _MOST_LAYERS:
        return False
    # Few models need them, and every scan would pay for the import.
    from modelaudit.repairs.translate.document import translated
    from modelaudit.repairs.translate.translation import Translation, Untranslatable

    archive = artifact.format is Format.KERAS_ARCHIVE
    state = Translation.of(artifact, find_profile(runtime))
    try:
        translated(saved, state, archive=archive, training=False)
    except Untranslatable:
        return False
    return True
