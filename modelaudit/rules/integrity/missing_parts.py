"""MA422 to MA425: is a part of the model missing that is not needed to load it?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from modelaudit.facts import Artifact, Format, Graph, Json, ObjectNode
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.measures.optimizer_state import optimizer_state
from modelaudit.measures.weights_in_order import NOT_TRAINED
from modelaudit.rules import examples
from modelaudit.rules.grammar import counted
from modelaudit.rules.integrity.consistency import KERAS_METADATA, a_saved_model, restore_facts
from modelaudit.rules.integrity.restored import KEPT, counted_evidence, listing
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, NotRelevant, Rule
from modelaudit.structs import replace

# Optimizers that keep averages of gradients and of squares for every weight, whatever is set.
_KEPT = dict.fromkeys(("adam", "adamax", "adamw", "nadam"), 2)
_OF_INNER = re.compile(r".+/optimizer/_?(?:vars|variables)/")


def _without_graph(rule: Rule, facts: Facts) -> Iterator[Finding]:
    artifact = facts.artifact
    if artifact.format not in (Format.TF1_CHECKPOINT, Format.SAVEDMODEL_TF1):
        raise NotRelevant("only TensorFlow 1 restores variables by a graph's saver")
    if not artifact.graphs:
        raise NotApplicable("there is no graph to compare with")
    keys = {str(key) for key in restore_facts(facts, "unclaimed")}
    weights = [t.name for t in artifact.tensors if t.name in keys and t.role == "weight"]
    others = len(keys) - len(weights)
    if keys:
        names = weights or sorted(keys)
        yield rule.finding(
            counted(len(keys), "stored variable is", "stored variables are")
            + f" not restored by the graph's saver: {listing(names)}."
            + (f" {others} of them belong to training." if weights and others else ""),
            route=names[0],
            severity=rule.severity if weights else Severity.LOW,
            evidence={**counted_evidence(len(keys), "variables"), "variables": [*names[:KEPT]]},
        )


def _no_graph(rule: Rule, facts: Facts) -> Iterator[Finding]:
    artifact = facts.artifact
    if artifact.format is not Format.TF1_CHECKPOINT:
        raise NotRelevant("only TensorFlow 1 stores the graph of a checkpoint beside it")
    if not artifact.graphs:
        yield rule.finding(
            f"`{artifact.root.name}.meta` does not exist or has no graph: unless another file has it, "
            "such as a graph.pb, it is unknown which variables the model needs and what it computes.",
            file=f"{artifact.root.name}.meta",
        )


def _no_metadata(rule: Rule, facts: Facts) -> Iterator[Finding]:
    artifact = facts.artifact
    keras = [
        node
        for node in artifact.object_graph
        if str(node.detail.get("identifier", "")).startswith("_tf_keras")
    ]
    # The root of a module or a policy that holds layers is no Keras model.
    if artifact.format is not Format.SAVEDMODEL_TF2 or not keras or keras[0].index:
        raise NotRelevant("the file is not a SavedModel of Keras 2")
    written = any(entry.path == KERAS_METADATA for entry in artifact.files)
    if not (written or any(node.detail.get("metadata") for node in keras)):
        yield rule.finding(
            counted(
                len(keras), "object is a Keras layer or model", "objects are Keras layers or models"
            )
            + f", but there is no {KERAS_METADATA} with their configs.",
            file=KERAS_METADATA,
            evidence={"measured": len(keras), "unit": "objects"},
        )


def _lost_state(artifact: Artifact) -> tuple[int, int]:
    """Variables that the object graph lists for optimizers, and those of them without a value."""
    nodes = {node.index: node for node in artifact.object_graph}
    listed = [
        nodes.get(target)
        for node in nodes.values()
        if "_iterations" in node.children and "_variables" in node.children
        if (variables := nodes.get(node.children["_variables"])) is not None
        for target in variables.children.values()
    ]
    lost = [node for node in listed if node and not (node.attributes or node.children)]
    return len(listed), len(lost)


def _optimizer(rule: Rule, facts: Facts) -> Iterator[Finding]:
    artifact = facts.artifact
    if artifact.format is Format.TFJS_LAYERS:
        raise NotRelevant("converters to TensorFlow.js write no optimizer's state")
    if artifact.format is Format.TF2_CHECKPOINT:
        listed, lost = _lost_state(artifact)
        if lost:
            yield rule.finding(
                f"The checkpoint has no value for {lost} of the optimizer's {listed} variables.",
                evidence={"measured": listed - lost, "unit": "variables", "expected": listed},
            )
            return
    if artifact.architecture is None or not artifact.training:
        raise NotRelevant("the file does not say that the model was compiled for training")
    stored = [tensor for tensor in artifact.tensors if tensor.role == "optimizer"]
    # A model inside that was compiled for itself keeps its optimizer as well.
    stored = [tensor for tensor in stored if not _OF_INNER.match(tensor.name)] or stored
    if not stored:
        yield rule.finding(
            "The model was compiled for training, but the file contains no optimizer state."
        )
        return
    tensors = artifact.by_name
    weights = Counter(
        tensors[name].shape
        for layer in artifact.architecture.layers
        for role, name in layer.variables.items()
        if layer.trainable
        and role not in NOT_TRAINED
        and name in tensors
        and tensors[name].size > 1
        and "float" in tensors[name].dtype  # not the states of generators of random numbers
    )
    # Of single numbers, some are counts of steps and rates, which Keras 1 stores as vectors.
    slots = Counter(tensor.shape for tensor in stored if tensor.size > 1)
    if slots.keys() - weights.keys():
        raise NotApplicable("the optimizer's variables do not have the shapes of the weights")
    state = optimizer_state(artifact)
    if state is not None and state.name == "Muon":
        raise NotApplicable("Muon keeps one variable for some weights, and two for others")
    # Optimizers keep the same number of variables, of its shape, for every trained weight.
    each = max((slots[shape] // count for shape, count in weights.items()), default=0)
    least = _KEPT.get(state.name.lower() if state else "", 1)
    each = max(each, least * (slots.total() > 0))
    lacking = sum(max(each * count - slots[shape], 0) for shape, count in weights.items())
    if lacking and lacking <= each * _still(facts):
        return  # layers that were frozen in training have no state that could be lost
    if lacking:
        needed = each * weights.total()
        yield rule.finding(
            f"The optimizer keeps {counted(each, 'variable', 'variables')} for each of "
            f"{weights.total()} trained weights, but {lacking} of these {needed} are missing, "
            "unless their layers were frozen in training.",
            route=stored[0].name,
            evidence={
                "measured": needed - lacking,
                "unit": "variables of the optimizer",
                "expected": needed,
            },
        )


def _still(facts: Facts) -> int:
    """The number of weights of layers whose kernels are as drawn, so that no step may have moved them."""
    found = facts.measurements.initialization if facts.measurements else ()
    fresh = {kernel.route for kernel in found if kernel.state == "fresh"}
    fresh |= {route.rpartition("/")[0] for route in fresh}
    architecture = facts.artifact.architecture
    return sum(
        role not in NOT_TRAINED
        for layer in (architecture.layers if architecture else ())
        if layer.route in fresh
        for role in layer.variables
    )


def _checkpoint(graphs: tuple[Graph, ...], unclaimed: Sequence[Json] = ()) -> Facts:
    tensors = (examples.tensor("head/kernel"),)
    restore: dict[str, Json] = {"unclaimed": [*unclaimed]}
    artifact = examples.model(tensors=tensors, extra={"restore": restore})
    return Facts(replace(artifact, format=Format.TF1_CHECKPOINT, graphs=graphs))


def _keras_objects(metadata: str) -> Facts:
    detail: dict[str, Json] = {"identifier": "_tf_keras_layer", "metadata": metadata}
    node = ObjectNode(0, "user_object", {}, detail)
    return Facts(replace(a_saved_model().artifact, object_graph=(node,)))


def _compiled(*shapes: tuple[int, ...]) -> Facts:
    state = tuple(
        replace(examples.tensor(f"optimizer/vars/{number}", shape), role="optimizer")
        for number, shape in enumerate(shapes)
    )
    artifact = examples.model(examples.layer())
    tensors = (*artifact.tensors, *state)
    return Facts(replace(artifact, tensors=tensors, training={"optimizer": "Adam"}))


ONE_GRAPH = (Graph((), ()),)

RULES = (
    Rule(
        code="MA422",
        name="variables-without-graph",
        family=Family.WEIGHTS,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        needs=(Need.ARTIFACT,),
        summary="The checkpoint has variables that its graph does not restore",
        pass_title="The graph restores every variable of the checkpoint",
        why="`tf.train.Saver` writes exactly the variables that it restores. The graph or the "
        "variables come from another version of the model, and the model computes something else.",
        fix="Use the `.meta` file that was written together with this checkpoint.",
        check=_without_graph,
        bad=lambda: _checkpoint(ONE_GRAPH, ["head/kernel"]),
        good=lambda: _checkpoint(ONE_GRAPH),
    ),
    Rule(
        code="MA423",
        name="checkpoint-without-graph",
        family=Family.WEIGHTS,
        severity=Severity.MEDIUM,
        confidence=Confidence.CERTAIN,
        needs=(Need.ARTIFACT,),
        summary="The graph of a TensorFlow 1 checkpoint is missing",
        pass_title="The checkpoint's graph is beside it",
        why="Only the program that trained the model can restore the checkpoint, and whether the "
        "variables are complete cannot be checked.",
        fix="Copy the `.meta` file too, or keep the program with the checkpoint.",
        check=_no_graph,
        bad=lambda: _checkpoint(()),
        good=lambda: _checkpoint(ONE_GRAPH),
    ),
    Rule(
        code="MA424",
        name="optimizer-state-incomplete",
        family=Family.WEIGHTS,
        severity=Severity.LOW,
        confidence=Confidence.HIGH,
        needs=(Need.TENSORS,),
        summary="The optimizer's state is missing or incomplete",
        pass_title="The file contains the state of the optimizer that the model was compiled with",
        why="Predictions are unaffected. Training that continues from this file starts with new "
        "moments, and its first steps can undo what was learned.",
        fix="To continue training, save the compiled model after training, with its optimizer.",
        check=_optimizer,
        bad=lambda: _compiled((4, 2)),
        good=lambda: _compiled((4, 2), (2,), (4, 2), (2,)),
    ),
    Rule(
        code="MA425",
        name="keras-metadata-missing",
        family=Family.WEIGHTS,
        severity=Severity.LOW,
        confidence=Confidence.HIGH,
        needs=(Need.ARTIFACT,),
        summary="A SavedModel with Keras 2 objects has no configs of them",
        pass_title="The configs of the Keras 2 objects are in the SavedModel",
        why="`tf.keras.models.load_model` needs them; `tf.saved_model.load` and TF-Serving do not. "
        "Mostly `tf.saved_model.save` wrote the model, as for serving; or the file was lost in a copy.",
        fix="For serving, none. To load it as a Keras model, copy keras_metadata.pb too, or save it with "
        "`model.save`.",
        check=_no_metadata,
        bad=lambda: _keras_objects(""),
        good=lambda: _keras_objects("{}"),
    ),
)
