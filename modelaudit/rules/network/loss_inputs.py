"""What a loss takes of an output: the scores before it, and the axis of its classes."""

from __future__ import annotations

from modelaudit.facts import Artifact
from modelaudit.formats.keras.compiled_losses import BINARY, CATEGORICAL, SPARSE, CompiledLoss
from modelaudit.rules.network.network_heads import NetworkHead
from modelaudit.runtimes.catalogue import saving_runtime

PROBABILITIES = frozenset(("softmax", "sigmoid"))
FOCAL = frozenset(("binary_focal_crossentropy", "categorical_focal_crossentropy"))
# First Keras whose losses of probabilities take the scores before them, whatever from_logits says.
_TAKES_SCORES = (2, 5)
SCORES_TAKEN = " Keras 2, which saved it, did find them: it trained as with from_logits=False."
KEPT_SOFTMAX = "Compile with from_logits=False. The weights may stay as they are."


def scores_taken(artifact: Artifact, head: NetworkHead, loss: CompiledLoss) -> bool:
    """Whether the Keras 2 that saved the model computed a loss with from_logits=True of scores.

    It looks for them before a softmax or sigmoid of the output: `_get_logits` in its `backend.py`.
    The factor of focal losses takes the output there as well.
    """
    writer = saving_runtime(artifact)
    if writer is None or writer.keras3 or writer.keras < _TAKES_SCORES or not loss.from_logits:
        return False
    taken = BINARY if head.last == "sigmoid" else CATEGORICAL | SPARSE
    return loss.name in taken - FOCAL and head.last in PROBABILITIES


def class_axis(head: NetworkHead, loss: CompiledLoss) -> int | None:
    """The axis that a loss compares, from the last one; None if it is not known."""
    shape = head.steps[-1].layer.output_shape or ()
    if loss.name == "cosine_similarity" and len(shape) > 2:
        return None  # Keras 3 does not save it
    if loss.axis < 0:
        return loss.axis
    return loss.axis - len(shape) if shape else None
