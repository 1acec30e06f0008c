"""How much of an embedding's gradients the row of index 0 got, by the averages of their squares."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from modelaudit.facts import Artifact
from modelaudit.measures.optimizer_state import optimizer_state

_LEAST = 1  # rows beside it that got gradients: without any, a single index was used


def fill_rows(artifact: Artifact, most_bytes: int) -> Iterator[tuple[str, float]]:
    """Embeddings, and what row 0 got beside the row that got most of all others.

    `pad_sequences` fills with 0. What fill gets behind the end of a text is added up over all its
    positions, which are nearest to the answer of a recurrent layer; words before it get next to
    nothing where the layer has forgotten them. Both are mean squares; where none are kept, squares
    of the averages stand for them.

    Args:
        artifact: the model.
        most_bytes: embeddings with larger averages are left out.

    Raises:
        ReadError: the averages cannot be read.
    """
    state = optimizer_state(artifact)
    for each in state.moments if state else ():
        tensor = artifact.by_name.get(each.squares or each.averages)
        if each.role != "embeddings" or len(each.shape) != 2 or tensor is None:
            continue
        if tensor.source is None or tensor.nbytes > most_bytes:
            continue
        values = np.asarray(tensor.source.array(), dtype=np.float64)
        if values.shape != each.shape or not np.isfinite(values).all():
            continue
        rows = (values if each.squares else np.square(values)).mean(axis=1)
        others = rows[1:][rows[1:] > 0]
        if len(others) >= _LEAST and rows[0] > 0:
            yield each.route, float(rows[0] / others.max())
