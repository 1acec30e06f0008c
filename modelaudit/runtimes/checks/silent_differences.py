"""Silent differences: the model loads without an error but computes something else."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, GraphNode, Json, Layer, Shape
from modelaudit.layer_classes import Trait, has
from modelaudit.runtimes.checks.adapted_state import (
    adapted_state,
    counted_weights,
    padded_weights,
)
from modelaudit.runtimes.checks.own_classes.kept_variables import class_of
from modelaudit.runtimes.checks.stored.weight_layouts import older_groups
from modelaudit.runtimes.collecting.results import COMPUTING
from modelaudit.runtimes.model import CheckContext, Reason

# The salt that TensorFlow 2.4 wrote for a Hashing layer without one.
UNSALTED = [0xDECAFCAFFE, 0xDECAFCAFFE]
# Argument that has to have the value of an experiment's case; the others are examples of sizes.
CHOICE = "interpolation"
EQUAL = 0.01  # largest difference by rounding; the experiment's data go up to 255
# Codes of what a translated config computes as it was saved.
_REPAIRED = ("hard-sigmoid", "training-overridden", "hashing-salt")
# Prefix of vocabularies in an archive; Keras 3 looks for them only in the newer layout.
OLD_LAYOUT = "_layer_checkpoint_dependencies/"
_OF_LAYER = 3  # parts of the name of an operation in a layer: model, layer, operation
_PARTLY = "InvalidArgumentError: … ConcatOp : Dimension … in both shapes must be equal"
_UNFIT = (
    "ValueError: A `Concatenate` layer requires inputs with matching shapes except for the "
    "concatenation axis."
)
# Layers that behave differently in training and stay in training mode with `training=True`.
IN_TRAINING = Trait.BATCH_NORMALISATION | Trait.DROPOUT | Trait.NOISE


def check(artifact: Artifact, context: CheckContext, archive: bool) -> Iterator[Reason]:
    """Reasons for a whole model's config."""
    architecture = artifact.architecture
    if architecture is None:
        return
    groups = (*(tensor.name for tensor in artifact.tensors), *older_groups(artifact, ""))
    old_layout = any(name.startswith(OLD_LAYOUT) for name in groups)
    for layer in architecture.layers:
        yield from _activation(layer, context)
        yield from _training(layer, context)
        yield from _hashing(layer)
        if not archive:
            yield from _axes(layer, context)
        yield from _category(layer, context)
        yield from _computed(layer, context)
        yield from (
            padded_weights(layer, artifact, context) if archive else counted_weights(layer, context)
        )
        yield from adapted_state(layer, context, archive, old_layout)
        if not archive and context.profile.keras3:
            yield from _inner_statistics(layer, artifact, context)
    yield from _addition(artifact, context)


def _differs(code: str, text: str, fix: str, route: str) -> Reason:
    repairs = code in _REPAIRED
    return Reason(code, LoadOutcome.DIFFERS, text, "no error", fix, route, repairs=repairs)


def _texts(value: Json) -> Iterator[tuple[str, str]]:
    """(key, string) of an object and of all objects inside it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, str):
                yield key, inner
            else:
                yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _activation(layer: Layer, context: CheckContext) -> Iterator[Reason]:
    """hard_sigmoid is clip(0.2 x + 0.5) in Keras 2 and relu6(x + 3) / 6 in Keras 3."""
    if context.writer is None or layer.is_model:
        return
    for key, text in _texts(dict(layer.config)):
        if text == "hard_sigmoid" and key != "name":
            here = context.behaviour("hard_sigmoid_of_one")
            there = context.writer.behaviour("hard_sigmoid_of_one")
            if here is None or there is None or here == there:
                return
            name = key.strip() or "a value"
            yield _differs(
                "hard-sigmoid",
                f"{name} of `{layer.route}` is hard_sigmoid, which {context.profile.name} defines "
                f"differently: hard_sigmoid(1) is {here} instead of {there}",
                "Rename it in the config and pass the old formula in custom_objects.",
                layer.route,
            )
            return


def _training(layer: Layer, context: CheckContext) -> Iterator[Reason]:
    """Keras 3 lets the caller override a saved `training=True`."""
    if not context.profile.keras3 or not has(layer.class_name, IN_TRAINING):
        return
    if context.writer is None or context.writer.keras3:
        return
    if any(kwargs.get("training") is True for kwargs in layer.call_kwargs):
        yield _differs(
            "training-overridden",
            f"`{layer.route}` was always called with training=True; in Keras 3 this is overridden "
            "when the model is called with training=False, as predict does",
            "Wrap the call in a custom layer, or use tf-keras (TF_USE_LEGACY_KERAS=1).",
            layer.route,
        )


def _hashing(layer: Layer) -> Iterator[Reason]:
    if layer.class_name == "Hashing" and layer.config.get("salt") == UNSALTED:
        yield _differs(
            "hashing-salt",
            f"`{layer.route}` was saved by TensorFlow 2.4 with a salt that was not used there; "
            "after loading, it is used and changes the bins",
            'Set "salt" to null in the config.',
            layer.route,
        )


def _axes(layer: Layer, context: CheckContext) -> Iterator[Reason]:
    """An axis that Keras 3 drops when it reads HDF5, so that the layer uses its default axis.

    It does so in layers without a module, which it takes for those of Keras 2.
    """
    axis, measured = layer.config.get("axis"), layer.class_name
    if layer.module:
        return
    if isinstance(axis, list) and len(axis) != 1:
        asked, what = "axes_from_h5", f"the axes {axis}, a list that"
        if layer.class_name == "Normalization" and layer.config.get("mean") is None:
            measured = "LayerNormalization"  # its weights have the shape of the axes, too
    elif isinstance(axis, int) and not _is_last(axis, layer):
        asked, what = "axis_from_h5", f"axis {axis}, which"
    else:
        return
    outcome = context.behaviour(asked, {}).get(measured)
    if outcome in (None, LoadOutcome.LOADS.value):
        return
    joins, shapes = measured == "Concatenate", layer.input_shapes
    unfit = joins and not _fit_along_last(shapes)
    partly = joins and not unfit and _partly_open(axis, shapes)
    error = "ValueError: Shape mismatch in layer" if outcome == LoadOutcome.FAILS else "no error"
    yield Reason(
        "axes-dropped",
        LoadOutcome.FAILS if unfit or partly else LoadOutcome(outcome),
        f"`{layer.route}` ({layer.class_name}) has {what} {context.profile.name} drops when it "
        "reads HDF5; the layer then uses its default axis",
        _UNFIT if unfit else _PARTLY if partly else error,
        "Save it as .keras, or use tf-keras (TF_USE_LEGACY_KERAS=1).",
        layer.route,
        repairs=True,
    )


def _fit_along_last(shapes: tuple[Shape, ...]) -> bool:
    """Whether tensors can be joined along their last axis: no other axis has two known sizes."""
    others = zip(*(shape[:-1] for shape in shapes), strict=False)
    return all(len({size for size in sizes if size is not None}) < 2 for sizes in others)


def _partly_open(axis: Json, shapes: tuple[Shape, ...]) -> bool:
    """Whether tensors have a size along an axis, and others any: these rarely have the same."""
    sizes = {shape[axis] for shape in shapes if isinstance(axis, int) and axis < len(shape)}
    return None in sizes and len(sizes) > 1


def _is_last(axis: int, layer: Layer) -> bool:
    """Whether it is the last axis of the inputs, which is the default axis of these layers."""
    return axis == -1 or any(axis == len(shape) - 1 for shape in layer.input_shapes)


def _category(layer: Layer, context: CheckContext) -> Iterator[Reason]:
    if layer.class_name != "CategoryEncoding" or layer.config.get("output_mode") != "one_hot":
        return
    here = context.behaviour("category_rank")
    there = context.writer.behaviour("category_rank") if context.writer else None
    if here and there and here != there:
        yield _differs(
            "category-rank",
            f"`{layer.route}` returns a code of rank {here} in {context.profile.name}, but rank "
            f"{there} where it was saved",
            "Reshape the output, or use the version that saved it.",
            layer.route,
        )


def _computed(layer: Layer, context: CheckContext) -> Iterator[Reason]:
    """A layer without weights that computes something else in another version."""
    cases = COMPUTING.get(layer.class_name)
    if cases is None or context.writer is None:
        return
    numbers = [
        each.behaviour("computed", {}).get(layer.class_name, ())
        for each in (context.writer, context)
    ]
    for case, there, here in zip(cases, *numbers, strict=False):
        chosen = [layer.config.get(key) == value for key, value in case.items() if key == CHOICE]
        if all(chosen) and there is not None and here is not None and abs(there - here) > EQUAL:
            yield _differs(
                "computes-otherwise",
                f"`{layer.route}` ({layer.class_name}) computes something else in "
                f"{context.profile.name} than where it was saved: an experiment with {case} gives "
                f"{here} instead of {there}",
                "Use the version that saved it, or replace the layer.",
                layer.route,
            )
            return


def _inner_statistics(layer: Layer, artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Statistics of a Normalization in a model inside, which Keras 3 reads from HDF5 without use.

    It computes with a mean and a deviation that are made of its weights after they were read, but
    only for layers of the whole model.
    """
    if layer.class_name != "Normalization" or layer.config.get("mean") is not None:
        return
    layers = artifact.architecture.layers if artifact.architecture else ()
    if not any(each.is_model and layer.route.startswith(f"{each.route}/") for each in layers):
        return
    if "h5" not in context.behaviour("restores", {}).get("Normalization", ()):
        return  # told of the layer wherever it is
    for role, start in (("mean", 0.0), ("variance", 1.0)):
        tensor = artifact.by_name.get(layer.variables.get(role, ""))
        stats = tensor.stats if tensor else None
        if stats and not stats.minimum == stats.maximum == start:
            yield _differs(
                "state-not-restored",
                f"`{layer.route}` is a Normalization in a model inside, and {context.profile.name} "
                "goes on with mean 0 and variance 1 there when it reads HDF5",
                "Call finalize_state() of the layer after loading, or save the model as .keras.",
                layer.route,
            )
            return


def _addition(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Some Keras 3 versions add a column to a square matrix along the wrong axis."""
    writer = context.writer
    if writer is None or not (writer.keras3 and context.profile.keras3):
        return
    assert artifact.architecture is not None
    for layer in artifact.architecture.layers:
        shapes = layer.input_shapes
        if layer.class_name != "Add" or len(shapes) < 2:
            continue
        column = any(len(s) == 2 and s[-1] == 1 for s in shapes)
        rows = any(len(s) == 2 and s[-1] != 1 for s in shapes)
        misaligns = writer.behaviour("add_misaligns")
        if column and rows and misaligns != context.behaviour("add_misaligns"):
            yield _differs(
                "add-misaligned",
                f"`{layer.route}` adds a column to rows; if the batch size equals the row length, "
                "one of the two versions adds it along the wrong axis",
                "Repeat the column before it is added.",
                layer.route,
            )


def graph_addition(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """A column added to rows in a graph whose writer adds them differently outside graphs."""
    if context.writer is None or not context.writer.behaviour("add_misaligns"):
        return
    for graph in artifact.graphs:
        for name, function in graph.functions.items():
            sums = [node for node in function.nodes if node.op in ("Add", "AddV2")]
            by_name = {node.name: node for node in function.nodes} if sums else {}
            for node in sums:
                if _in_call(node.name, context):
                    continue
                sources = (by_name.get(source.split(":")[0]) for source in node.inputs)
                given = [_output_shape(source) for source in sources if source is not None]
                ends = [shape[1] for shape in given if len(shape) == 2 and shape[0] is None]
                if len(ends) == 2 and 1 in ends and ends != [1, 1]:
                    yield _differs(
                        "add-misaligned",
                        f"`{node.name}` adds a column to rows; the Keras that saved it added them "
                        "along the wrong axis if the batch size equals the row length, but the "
                        "graph does not",
                        "Repeat the column before it is added.",
                        f"graph/functions/{name}/{node.name}",
                    )
                    return


def _in_call(name: str, context: CheckContext) -> bool:
    """Whether an operation is one of a model's own call, or of a class of the program, by its name.

    That of a layer of Keras has the name of the model and of the layer in front.
    """
    *scopes, _ = name.split("/")
    return len(scopes) < _OF_LAYER or class_of(scopes[-1], None, context.code) is not None


def graph_bins(artifact: Artifact) -> Iterator[Reason]:
    """Numbers cut to integers before they are put into bins, in a graph.

    Keras 3.6 casts the inputs of a Discretization layer to its integer dtype while it exports the
    model, but not when the layer is called.
    """
    for graph in artifact.graphs:
        for name, function in graph.functions.items():
            by_name = {node.name: node for node in function.nodes}
            for node in function.nodes:
                if node.op != "Bucketize" or not node.inputs:
                    continue
                source = by_name.get(node.inputs[0].split(":")[0])
                while source is not None and source.op == "Cast":
                    if str(source.attrs.get("DstT")).startswith(("int", "uint")):
                        yield _differs(
                            "bins-of-integers",
                            f"`{node.name}` puts numbers into bins after they were cut to "
                            "integers, which the layer does not do outside the graph",
                            "Export it again with Keras 3.7 or newer.",
                            f"graph/functions/{name}/{node.name}",
                        )
                        return
                    source = by_name.get(source.inputs[0].split(":")[0]) if source.inputs else None


def _output_shape(node: GraphNode) -> list[Json]:
    """The shape of a node's first output recorded in the graph, else an empty list."""
    noted = node.attrs.get("_output_shapes")
    first = noted[0] if isinstance(noted, list) and noted else None
    return first if isinstance(first, list) else []
