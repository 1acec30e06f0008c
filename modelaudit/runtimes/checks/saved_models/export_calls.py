"""Exports of Keras whose endpoint does not do what a call of the model does."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, GraphFunction
from modelaudit.formats.graph.dataflow import CALLS
from modelaudit.formats.saved_model.updated_statistics import updated_statistics
from modelaudit.runtimes.model import FIRST_CALL, CheckContext, LoadCall, Reason
from modelaudit.structs import PerObject

_ENDPOINT = "serve"
_BY_KERAS = ("keras2-save", "keras3-export")
_WRAPPER = "signature_wrapper"  # in the name of the function of a signature
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
    """What an endpoint does not take, or computes otherwise."""
    if artifact.provenance.exporter in _BY_KERAS:
        yield from _known_indices(artifact)
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


def _indices(artifact: Artifact) -> Iterator[Reason]:
    """An input of floats that the model uses as integers only: it was called with some.

    Keras takes an input without a type to be of floats, and casts what its model is given. It notes
    the shapes with which a subclassed model was built, and no types.
    """
    floats = {
        each.name
        for signature in artifact.signatures
        for each in signature.inputs
        if each.dtype == "float32"
    }
    for name, argument, function in _arguments(artifact):
        if name in floats and _only_integers(argument, function):
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


def _arguments(artifact: Artifact) -> Iterator[tuple[str, str, GraphFunction]]:
    """The inputs of signatures, as the functions name them that compute the outputs."""
    for graph in artifact.graphs:
        for name, wrapper in graph.functions.items():
            calls = [node for node in wrapper.nodes if node.op in CALLS]
            if _WRAPPER not in name or len(calls) != 1:
                continue
            called = calls[0].attrs.get("f")
            inside = (
                graph.functions.get(str(called["function"])) if isinstance(called, dict) else None
            )
            if inside is not None:
                pairs = zip(calls[0].inputs, inside.args, strict=False)
                yield from ((outer, inner, inside) for outer, inner in pairs)


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


_known_indices: PerObject[Artifact, tuple[Reason, ...]] = PerObject(lambda x: (*_indices(x),))
