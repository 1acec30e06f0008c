"""What the loader of objects needs: which of several graphs, and an input for each placeholder."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, Format
from modelaudit.graphs import reachable
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
        unless=f"`{given}` is passed" if own else "",
        sign="tags=" if own else "",
    )


def unfed(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Signatures of a graph without objects that depend on a placeholder which they do not feed.

    A session takes values for it; a function that is cut out of the graph has none.
    """
    graphs = [graph for graph in artifact.graphs if not graph.held_by]
    early = context.profile.tensorflow < (2,)
    if artifact.format is not Format.SAVEDMODEL_TF1 or len(graphs) != 1 or early:
        return
    nodes = {node.name: node for node in graphs[0].nodes}
    for signature in artifact.signatures:
        fed = {each.tensor.removesuffix(":0") for each in signature.inputs}

        def before(name: str, fed: set[str] = fed) -> list[str]:
            sources = nodes[name].inputs if name in nodes else ()
            data = (x for x in sources if x.removesuffix(":0") not in fed)
            return [each.lstrip("^").partition(":")[0] for each in data]

        starts = [each.tensor.partition(":")[0] for each in signature.outputs]
        if "" in fed or {*starts} & fed:  # a sparse tensor; an input that is returned
            continue
        for name in reachable(starts, before):
            if name in nodes and nodes[name].op == "Placeholder":
                yield Reason(
                    "unfed-placeholder",
                    LoadOutcome.FAILS,
                    f"the outputs of the signature {signature.name} depend on the placeholder "
                    f"`{name}`, which is none of its inputs",
                    "UnliftableError: A SavedModel signature needs an input for each placeholder "
                    "the signature's outputs use.",
                    "Use `tf.compat.v1.saved_model.load` in a session, and feed the placeholder.",
                    f"signatures/{signature.name}",
                )
                return
