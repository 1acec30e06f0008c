"""Several graphs with tags in one SavedModel: the loader of objects has to be told which."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact
from modelaudit.runtimes.catalogue import has_keras2_objects
from modelaudit.runtimes.model import CheckContext, LoadCall, Reason

SERVE = "serve"  # the tag of the graph that a server uses
UNTOLD = (
    "ValueError: Importing a SavedModel with …tf.saved_model.load… requires a …tags=… argument if "
    "there is more than one MetaGraph"
)
ALONE = "ValueError: …cannot be loaded with node filters"  # of what creates Keras objects


def needed_tags(artifact: Artifact) -> tuple[str, ...]:
    """The tags that `tf.saved_model.load` needs: of the served graph; () if there is one graph."""
    graphs = [graph for graph in artifact.graphs if not graph.held_by]
    if not artifact.format.is_saved_model or len(graphs) < 2:
        return ()
    served = [graph for graph in graphs if SERVE in graph.tags]
    return min(served or graphs, key=lambda graph: len(graph.tags)).tags


def tags_argument(artifact: Artifact) -> str:
    """`, tags=['serve']`, as the argument behind the path; "" if none is needed."""
    tags = needed_tags(artifact)
    return f", tags={[*tags]!r}" if tags else ""


def check(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """A call without tags. A session, and TensorFlow 1, are always given some."""
    if not (given := tags_argument(artifact).removeprefix(", ")) or context.profile.tensorflow < (
        2,
    ):
        return
    graphs = [graph for graph in artifact.graphs if not graph.held_by]
    named = " and ".join(", ".join(graph.tags) or "none" for graph in graphs)
    call = context.request.call
    own = call is LoadCall.SAVED_MODEL
    error = ALONE if call is LoadCall.LOAD_MODEL and has_keras2_objects(artifact) else UNTOLD
    yield Reason(
        "several-meta-graphs",
        LoadOutcome.FAILS,
        f"the SavedModel has {len(graphs)} MetaGraphs (tags: {named}), and {call.value} "
        + ("is not told which" if own else "has no argument that says which"),
        error,
        f"Use `tf.saved_model.load(path, {given})`"
        + ("." if own else " and call a signature of what it returns."),
        unless=f"`{given}` is passed" * own,
        sign="tags=" * own,
    )
