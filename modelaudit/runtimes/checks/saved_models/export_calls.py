"""Exports of Keras 3 whose endpoint does not do what a call of the model does."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, GraphFunction
from modelaudit.formats.saved_model.updated_statistics import updated_statistics
from modelaudit.graphs import ObjectNode
from modelaudit.runtimes.model import FIRST_CALL, CheckContext, LoadCall, Reason

_ENDPOINT = "serve"
_UNNAMED = "args_"  # inputs of a subclassed model, which the export takes to be of float32
# Operations that leave the numbers of a tensor as they are.
_MOVING = frozenset(
    (
        *("ExpandDims", "Identity", "Pack", "Reshape", "Split", "SplitV", "Squeeze"),
        *("StridedSlice", "Transpose", "Unpack"),
    )
)
_INTEGERS = ("int32", "int64")
# What else a layer asks of indices: how many there are, and which of them are padding.
_ASIDE = ("NotEqual", "Shape")


def check(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """What the endpoint `serve` does not take, or computes otherwise."""
    if artifact.provenance.exporter != "keras3-export":
        return
    nodes = {node.index: node for node in artifact.object_graph}
    endpoint = nodes.get(nodes[0].children.get(_ENDPOINT, -1)) if 0 in nodes else None
    if endpoint is None:
        return
    if context.request.call is LoadCall.TFSM_LAYER and endpoint.detail.get("list_of_one"):
        yield Reason(
            "input-in-list",
            LoadOutcome.FAILS,
            "the model was made with a list of one input, and its endpoint takes such a list, but "
            "a TFSMLayer that is called as the model passes the tensor alone",
            "TypeError: Exception encountered when calling TFSMLayer.call(). …Binding inputs to "
            "tf.function failed due to `Can not cast",
            "Call the layer with a list: `layer([x])`.",
            unless="the layer is called with a list of one tensor",
            later=FIRST_CALL,
        )
    for function in _functions(artifact, endpoint):
        yield from _indices(artifact, function)
    yield from _trained(artifact, context)


def _trained(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Batch normalizations in training mode, which a call with `training=False` does not have.

    A program that has no such default for `training` says it where it calls them, for all calls.
    """
    every = [each for listed in context.code.classes.values() for each in listed]
    updated = updated_statistics(artifact)
    if updated and (not every or any(each.trains for each in every)):
        yield Reason(
            "export-in-training-mode",
            LoadOutcome.DIFFERS,
            f"the export updates moving statistics (`{updated[0]}`): it was made by a call in "
            "training mode, and normalizes by the batch, which one with `training=False` does not",
            "no error",
            "Give `training` in `call` no default of True, and export again.",
            unless=""
            if every
            else "the program calls its batch normalizations with `training=True` in each call",
        )


def _functions(artifact: Artifact, endpoint: ObjectNode) -> Iterator[GraphFunction]:
    names = endpoint.detail.get("concrete_functions")
    for graph in artifact.graphs:
        for name in names if isinstance(names, list) else ():
            if str(name) in graph.functions:
                yield graph.functions[str(name)]


def _indices(artifact: Artifact, function: GraphFunction) -> Iterator[Reason]:
    """An input of floats that a subclassed model uses as integers only: it was called with some.

    Keras notes the shapes with which such a model was built, and no types.
    """
    floats = {
        each.name
        for signature in artifact.signatures
        for each in signature.inputs
        if each.dtype == "float32" and each.name.startswith(_UNNAMED)
    }
    for name in sorted(floats & {*function.args}):
        if _only_integers(name, function):
            yield Reason(
                "integers-exported-as-floats",
                LoadOutcome.FAILS,
                f"the export takes floats as {name}, which the model turns into integers before it "
                "uses them: integers, with which the model was called, are refused",
                "cannot compute … as input #0(zero-based) was expected to be a float tensor but is "
                "a int",
                "Cast the inputs: `tf.cast(x, tf.float32)`.",
                unless="the inputs are cast to float32",
                later=FIRST_CALL,
            )
            return


def _only_integers(name: str, function: GraphFunction) -> bool:
    """Whether all that is computed from an argument is computed from integers."""
    moved, cast = {name}, False
    for node in function.nodes:
        if not any(source.partition(":")[0] in moved for source in node.inputs):
            continue
        if node.op in _MOVING:
            moved.add(node.name)
        elif node.op == "Cast" and node.attrs.get("DstT") in _INTEGERS:
            cast = True
        elif node.op not in _ASIDE:
            return False
    return cast
