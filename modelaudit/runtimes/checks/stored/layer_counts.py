"""Legacy HDF5 weights beside the architecture of another number of layers with weights."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, Layer
from modelaudit.formats.keras.json_config import mapping
from modelaudit.runtimes.model import CheckContext, LoadCall, Reason
from modelaudit.runtimes.version_bounds import MESSAGE_OF_COUNTS
from modelaudit.terminal_text import first_of


def check_counts(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Layers that only the architecture or only the file has, while all others have one name.

    Keras reads by order, and compares the numbers of layers first. Names that differ on both sides
    are those of another program, which says nothing of the numbers.
    """
    architecture, beside = artifact.architecture, artifact.extra.get("architecture_from")
    request = context.request
    if not beside or architecture is None or request.by_name or architecture.assumed:
        return
    if request.call is not LoadCall.LOAD_WEIGHTS:
        return
    groups = mapping(mapping(artifact.extra.get("h5")).get("groups"))
    stored = {name for name, listed in groups.items() if listed}
    outermost = {each.name: each for each in architecture.layers if "/" not in each.route}
    needed = {name for name, each in outermost.items() if _weights_of(each, architecture.layers)}
    missing, further = sorted(needed - stored), sorted(stored - outermost.keys())
    if stored and bool(missing) != bool(further):
        what = "lacks the weights of" if missing else "also has weights of"
        yield Reason(
            "layer-count",
            LoadOutcome.FAILS,
            f"the file {what} {first_of(missing or further, 3)}, which {beside} beside it "
            f"{'has' if missing else 'has not'}; {context.profile.name} compares the numbers of "
            "layers",
            "ValueError: Layer count mismatch when loading weights from file. Model expected "
            f"{len(needed)} layers, found {len(stored)} saved layers."
            if MESSAGE_OF_COUNTS.holds(context.profile) and not further
            else "",
            "Build the model that saved the weights, or load by name (by_name=True), which leaves "
            "other layers as they are.",
            unless=f"the program builds the model from code, and not from {beside}",
        )


def _weights_of(layer: Layer, layers: tuple[Layer, ...]) -> bool:
    """Whether a layer surely has weights."""
    if layer.is_model:
        return any(each.expected for each in layers if each.route.startswith(f"{layer.route}/"))
    return bool(layer.expected)
