"""Checkpoints with masks of an embedding for a layer that takes several tensors.

The mask of an embedding is an operation of the model (`not_equal`) where a layer gets it as an
argument. Keras up to 3.9 records such arguments of all layers. Later ones do so only for layers
that are called with one tensor, so that the layers behind other masks have other numbers there. An
operation has nothing to save: its number is left out, as is that of an operation of the program.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact
from modelaudit.graphs import ObjectNode
from modelaudit.runtimes.checks.stored.object_names import OPERATIONS, names_in_keras3
from modelaudit.runtimes.checks.stored.recorded_casts import misplaced
from modelaudit.runtimes.model import CheckContext, Reason
from modelaudit.runtimes.version_bounds import CASTS_LEFT_OUT

_EMBEDDINGS = "_embeddings"
_ATTENTION = "_query_dense"  # of MultiHeadAttention
_SEVERAL = 2  # masks of a layer of the user's own that takes several tensors


def moved_by_masks(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Layers that have other numbers where the masks before them are not counted."""
    if not CASTS_LEFT_OUT.holds(context.profile):
        return
    nodes = {node.index: node for node in artifact.object_graph}
    lists = (nodes.get(node.children.get(OPERATIONS, -1)) for node in nodes.values())
    for listed in filter(None, lists):
        for gaps, certain in _masks(listed, nodes):
            numbers = {
                str(number - sum(gap < number for gap in gaps)): index
                for number, index in _numbered(listed).items()
            }
            wrong, lost = misplaced(artifact, context, {listed.index: numbers})
            if wrong or lost:
                outcome = LoadOutcome.FAILS if wrong else LoadOutcome.DIFFERS
                yield Reason(
                    "masks-counted",
                    outcome if certain else LoadOutcome.UNKNOWN,
                    f"operations {min(gaps)} to {max(gaps)} of the model stand behind an "
                    "embedding. If they are its masks, Keras up to 3.9 counts them, and "
                    f"{context.profile.name} does not: the numbers of layers, as of "
                    f"{min(wrong or lost)}, are others there",
                    "ValueError: Received incompatible tensor with shape … when attempting to "
                    "restore variable with shape …"
                    if wrong
                    else "no error",
                    "Save the weights as .weights.h5.",
                    unless="the operations are the program's own",
                )
                return


def _numbered(operations: ObjectNode) -> dict[int, int]:
    found = {int(name): x for name, x in operations.children.items() if name.isdecimal()}
    return dict(sorted(found.items()))


def _masks(operations: ObjectNode, nodes: Mapping[int, ObjectNode]) -> Iterator[tuple[range, bool]]:
    """Numbers that are left out behind an embedding, and whether they surely are masks.

    A layer of the user's own behind them that has one mask may be called with one tensor.
    """
    numbered = _numbered(operations)
    rows = list(numbered)
    for number, following in pairwise(rows):
        gaps = range(number + 1, following)
        before = _last(nodes, [numbered[each] for each in reversed(rows) if each <= number])
        behind = [numbered[each] for each in rows if each >= following]
        after = _last(nodes, [each for each in behind if not _is_embedding(nodes, each)])
        if not gaps or before is None or after is None or _EMBEDDINGS not in before.children:
            continue
        if _ATTENTION in after.children:
            yield gaps, False
        elif len(gaps) >= _SEVERAL and _is_own(after):
            yield gaps, True


def _is_embedding(nodes: Mapping[int, ObjectNode], index: int) -> bool:
    return index in nodes and _EMBEDDINGS in nodes[index].children


def _last(nodes: Mapping[int, ObjectNode], row: list[int]) -> ObjectNode | None:
    """The first layer of a row that has parts."""
    return next((nodes[each] for each in row if each in nodes and nodes[each].children), None)


def _is_own(node: ObjectNode) -> bool:
    """Whether a layer has parts by a name that none of Keras has."""
    return any(not name.startswith("_") and name not in names_in_keras3() for name in node.children)
