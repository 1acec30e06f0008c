"""Checks a SavedModel's graph against the operations and loaders of a runtime."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, Format, GraphFunction, GraphNode
from modelaudit.formats.graph.dataflow import node_name
from modelaudit.graphs import reachable
from modelaudit.layer_classes import Trait, classes
from modelaudit.runtimes.checks import meta_graphs, silent_differences
from modelaudit.runtimes.checks.saved_models import export_calls, graph_steps, tfsm_layer
from modelaudit.runtimes.checks.sizes import shapes
from modelaudit.runtimes.graph_usage import GRAPH, graph_nodes
from modelaudit.runtimes.model import CheckContext, LoadCall, Reason
from modelaudit.runtimes.version_bounds import (
    ATTRIBUTES_IGNORED,
    NAMES_CHECKED,
    NAMES_CHECKED_IN_TF1_GRAPHS,
    NAMES_CHECKED_IN_TF1_OBJECTS,
    TABLES_TAKE_TENSORS,
    TYPE_11,
)

UNKNOWN_OPERATION = "unknown-operation"  # code of the reason for an operation of no library here
UNKNOWN_TYPE = "unknown-type"  # of the reason for a type in a signature that a library registers
UNNUMBERED_TYPE = "type-of-other-number"  # of one for a type that TensorFlow has no number for
DRAWS = "StatelessRandomUniform"  # beginning of the operations that draw random numbers
# Names that Keras gives to layers that transform their inputs at random, without their number.
_RANDOM = {re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower() for name in classes(Trait.AUGMENTATION)}
_NUMBER = re.compile(r"_[0-9]+\Z")
EXPORT = "the old version, or load it in a newer TensorFlow."


def check(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Reasons for one of the calls that take a SavedModel directory."""
    call = context.request.call
    if call is LoadCall.SESSION:
        yield from operations(artifact, context)
    elif call in (LoadCall.SAVED_MODEL, LoadCall.TFSM_LAYER):
        yield from meta_graphs.check(artifact, context)
        yield from operations(artifact, context)
        yield from types(artifact, context)
        yield from meta_graphs.unfed(artifact, context)
        yield from shapes(artifact)
        yield from _casts(artifact, context)
        yield from silent_differences.graph_addition(artifact, context)
        yield from silent_differences.graph_bins(artifact)
        yield from graph_steps.check(artifact)
        yield from _drawn(artifact, context)
        yield from argument_names(artifact, context)
        yield from protocol(context)
        yield from _slots(artifact, context)
        yield from export_calls.check(artifact, context)
        if call is LoadCall.TFSM_LAYER:
            yield from tfsm_layer.check(artifact)


def operations(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """The first operation and the first attribute that the runtime does not have.

    A session imports the main graph and does not check functions until they are called. The
    object loader creates the functions and never reads the main graph.
    """
    by_objects = (
        context.request.call is not LoadCall.SESSION and artifact.format is Format.SAVEDMODEL_TF2
    )
    usage = context.usage
    unknown = next(
        (
            place
            for (in_main, op), place in usage.operations.items()
            if not (in_main and by_objects) and context.profile.attributes(op) is None
        ),
        None,
    )
    attribute = next(
        (
            (*place, name)
            for (in_main, op, name), place in usage.attributes.items()
            if not ATTRIBUTES_IGNORED.holds(context.profile)
            and in_main != by_objects
            and (known := context.profile.attributes(op)) is not None
            and name not in known
        ),
        None,
    )
    if unknown:
        where, node = unknown
        foreign = context.writer is not None and context.writer.attributes(node.op) is None
        yield Reason(
            UNKNOWN_OPERATION,
            LoadOutcome.FAILS,
            f"the graph contains the operation {node.op} (`{where}`), which {context.profile.name} "
            "does not have",
            f"NotFoundError: Op type not registered '{node.op}' in binary running on …. Make sure "
            "the Op and Kernel are registered in the binary running in this process.",
            f"Import the library that defines the operation; otherwise export it from {EXPORT}",
            f"{where}/{node.name}",
            # One that the writer's TensorFlow does not have either is of another library.
            unless=f"the library that defines the operation {node.op} is imported"
            if foreign
            else "",
            sign=node.op * foreign,
        )
    elif attribute:
        where, node, name = attribute
        yield Reason(
            "unknown-attribute",
            LoadOutcome.FAILS,
            f"{node.op} in `{where}` has the attribute {name}, which {context.profile.name} does "
            "not support",
            f"ValueError: NodeDef mentions attr '{name}' not in Op<name={node.op}; …>",
            f"Export it from {EXPORT}",
            f"{where}/{node.name}",
        )


def types(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Types in the signatures of functions, which the object loader looks up.

    By the names that libraries register. TensorFlow Probability for TensorFlow 2.3 to 2.5 instead
    added a number of its own to those of TensorFlow's types, which no TensorFlow knows of itself.
    """
    for node in artifact.object_graph:
        numbered = node.detail.get("numbered_types")
        former = node.detail.get("former_types")
        earlier = former if isinstance(former, list) else []
        for name in [*(numbered if isinstance(numbered, list) else ()), *earlier]:
            maybe = name in earlier and TYPE_11.holds(context.profile)
            yield Reason(
                UNNUMBERED_TYPE,
                LoadOutcome.UNKNOWN if maybe else LoadOutcome.FAILS,
                f"a function of the model takes or returns {name or 'a type without name'}, which "
                + (
                    "only some versions of TensorFlow know"
                    if name in earlier
                    else "a library added to the types of TensorFlow by a number"
                ),
                f"ValueError: The type '{name}' is not supported by this version of TensorFlow. "
                "(The object you are loading must have been created with a newer version of "
                "TensorFlow.)",
                "Use `tf.compat.v1.saved_model.load` in a session, or the versions of TensorFlow "
                "and of the library that saved the model.",
                f"objects/{node.index}",
            )
            return
        names = node.detail.get("types")
        for name in names if isinstance(names, list) else ():
            if isinstance(name, str) and not name.startswith("tf."):
                yield Reason(
                    UNKNOWN_TYPE,
                    LoadOutcome.FAILS,
                    f"a function of the model takes or returns {name}, which is not a type of "
                    "TensorFlow",
                    f"ValueError: The type '{name}' has not been registered. It must be "
                    "registered before you load this object (typically by importing its module).",
                    "Import the library that registers the type.",
                    f"objects/{node.index}",
                    unless=f"the library that registers {name} is imported",
                    sign=name,
                )
                return


def argument_names(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Signature inputs named like a keyword of Python; other names are changed to valid ones."""
    if artifact.format is Format.SAVEDMODEL_TF1:
        first = NAMES_CHECKED_IN_TF1_GRAPHS
    elif context.writer is not None and context.writer.tensorflow < (2,):
        first = NAMES_CHECKED_IN_TF1_OBJECTS
    else:
        first = NAMES_CHECKED
    if not first.holds(context.profile):
        return
    for signature in artifact.signatures:
        for endpoint in signature.inputs:
            name = endpoint.name
            if keyword.iskeyword(name):
                yield Reason(
                    "parameter-name",
                    LoadOutcome.FAILS,
                    f"the input name {name} of the signature {signature.name} is a keyword of "
                    "Python",
                    f"ValueError: '{name}' is not a valid parameter name",
                    "Use `tf.compat.v1.saved_model.load` in a session, or TensorFlow 2.11.",
                    f"signatures/{signature.name}/{name}",
                )
                return


def protocol(context: CheckContext) -> Iterator[Reason]:
    """Lookup tables: their save functions take tensors up to 2.12 and strings from 2.13 on."""
    if not TABLES_TAKE_TENSORS.holds(context.profile):
        return
    if context.writer is None or context.writer.tensorflow < TABLES_TAKE_TENSORS.end:
        return
    tables = ("HashTableV2", "MutableHashTableV2", "MutableHashTableOfTensorsV2")
    for (_, op), (where, node) in context.usage.operations.items():
        if op in tables:
            yield Reason(
                "save-function-protocol",
                LoadOutcome.FAILS,
                f"the lookup table `{node.name}` was saved by TensorFlow 2.13 or newer, and "
                f"{context.profile.name} cannot call its save functions",
                "TypeError: save_fn(checkpoint_key) expected a Tensor in checkpoint_key, but got "
                "str value",
                "Use TensorFlow 2.13 or newer.",
                where,
            )
            return


def _slots(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Slot variables of a Keras 2 optimizer, for which TensorFlow imports tf-keras if it can."""
    profile = context.profile
    for node in artifact.object_graph if profile.keras3 and not profile.beside else ():
        if node.slots and node.kind == "user_object":
            yield Reason(
                "optimizer-slots",
                LoadOutcome.FAILS,
                "the SavedModel contains the slots of a Keras 2 optimizer, which "
                f"{profile.name} cannot rebuild unless tf-keras is installed",
                "AttributeError: '_UserObject' object has no attribute 'add_slot'",
                "Install tf-keras, or save the model again with include_optimizer=False.",
                f"object_graph/{node.index}",
                unless="tf-keras is installed",
            )
            return


def _casts(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Keras 3.3 traced string inputs as float32 and casts them, for which there is no kernel."""
    if not any(op == "Cast" for _, op in context.usage.operations):
        return
    for graph in artifact.graphs:
        for where, node in graph_nodes(graph):
            if node.op == "Cast" and node.attrs.get("DstT") == "string":
                yield Reason(
                    "cast-to-text",
                    LoadOutcome.FAILS,
                    f"`{where}` casts its {node.attrs.get('SrcT')} input to string: the signature "
                    "was traced with the wrong dtype and accepts neither strings nor numbers",
                    "TypeError: Cannot convert [...] to EagerTensor of dtype float",
                    "Export it again with `model.export()` and an input_signature of tf.string.",
                    f"{where}/{node.name}",
                )
                return


def _drawn(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Random numbers in an export of Keras 3, in which augmentation stays active."""
    if artifact.provenance.exporter != "keras3-export":
        return
    if not any(op.startswith(DRAWS) for _, op in context.usage.operations):
        return
    for graph in artifact.graphs:
        for name, function in graph.functions.items():
            node = _drawn_for_outputs(function)
            if node is None:
                continue
            layer = next(
                (part for part in node.name.split("/") if _NUMBER.sub("", part) in _RANDOM), ""
            )
            where = f"{GRAPH}/functions/{name}/{node.name}"
            yield Reason(
                "random-in-export",
                LoadOutcome.DIFFERS,
                f"the exported graph draws random numbers (`{where}`), so that two calls return "
                "different outputs"
                + (
                    f": exports keep {layer} active, which the model itself does not"
                    if layer
                    else ""
                ),
                "no error",
                "Export a call with training=False through `keras.export.ExportArchive`.",
                where,
                unless="" if layer else "the model draws random numbers at inference on purpose",
            )
            return


def _drawn_for_outputs(function: GraphFunction) -> GraphNode | None:
    """A node that draws random numbers on which an output depends.

    Recurrent layers with dropout draw masks in an export, but do not use them.
    """
    nodes = {node.name: node for node in function.nodes}
    outputs = [source.split(":")[0] for source in function.returns.values()]

    def before(name: str) -> list[str]:
        sources = nodes[name].inputs if name in nodes else ()
        return [node_name(source) for source in sources]

    reached = (nodes[name] for name in reachable(outputs, before) if name in nodes)
    return next((node for node in reached if node.op.startswith(DRAWS)), None)
