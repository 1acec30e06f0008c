"""Sizes in a graph that no input can have, or that are those of the batch.

Keras 3.15 exports a TimeDistributed over sequences of any length with as many steps as the batch
has rows: it counts the first axis of its inputs, not the second. Keras 3 exports a Flatten of a map
of any size as a reshape with two axes of unknown size, of which an operation allows one.
"""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact
from modelaudit.runtimes.graph_usage import joined_behind, shape_left_open, steps_of_batch
from modelaudit.runtimes.model import FIRST_CALL, Reason
from modelaudit.structs import PerObject


def check(artifact: Artifact) -> Iterator[Reason]:
    """The first node that numbers steps so, and what joins them with other sequences.

    It is the same in all runtimes, so it is looked for once.
    """
    yield from _known(artifact)


def _found(artifact: Artifact) -> Iterator[Reason]:
    for graph in artifact.graphs:
        for name, function in graph.functions.items():
            if flat := shape_left_open(function):
                yield Reason(
                    "shape-left-open",
                    LoadOutcome.FAILS,
                    f"`{flat.name}` reshapes to a shape with more than one axis of unknown size, "
                    "as Keras 3 exports a Flatten of inputs of any size: it fails for every input",
                    "InvalidArgumentError: …Only one input size may be -1, not both 0 and 1",
                    "Export it with inputs of a fixed size, or pool over the whole map in place of "
                    "the Flatten.",
                    f"graph/functions/{name}/{flat.name}",
                    later=FIRST_CALL,
                )
                return
            node = steps_of_batch(function)
            if node is None:
                continue
            joined = joined_behind(node, function)
            yield Reason(
                "steps-of-batch",
                LoadOutcome.FAILS if joined else LoadOutcome.DIFFERS,
                f"`{node.name}` counts the rows of the batch, but numbers the steps of a sequence: "
                "the graph computes as many steps as the batch has rows, which the model itself "
                "does not"
                + (f", and `{joined.name}` joins them with other sequences" if joined else ""),
                "InvalidArgumentError: …ConcatOp : Dimension 1 in both shapes must be equal"
                if joined
                else "no error",
                "Export it with sequences of a fixed length, or with Keras 3.8.",
                f"graph/functions/{name}/{node.name}",
                later=FIRST_CALL if joined else "",
            )
            return


_known: PerObject[Artifact, tuple[Reason, ...]] = PerObject(lambda artifact: (*_found(artifact),))
