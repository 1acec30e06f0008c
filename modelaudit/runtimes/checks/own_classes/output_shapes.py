"""Layers of the program whose output has another shape than Keras 3 is told, or none.

Keras 3 asks for the shape while it connects the model, and Keras 2 calls the layer instead.
"""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, Json, Layer
from modelaudit.formats.keras.json_config import mapping, sequence, text
from modelaudit.formats.source_code.classes import KERAS, ClassCode
from modelaudit.formats.source_code.methods import OUTPUT_SHAPE
from modelaudit.layer_classes import LAYER_CLASSES, Trait, has
from modelaudit.runtimes.checks.own_classes.given_code import code_of
from modelaudit.runtimes.model import CheckContext, Reason
from modelaudit.runtimes.saved_config import Config, nodes_in

_SPEC = "compute_output_spec"
_REFERENCE = 3  # a layer's name, the number of the call, and that of the output
_SEVERAL = (Trait.RECURRENT, Trait.ATTENTION, Trait.MODEL)  # these may give several outputs


def open_sizes(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """The first layer that does so with a size which its input does not have."""
    listed = artifact.architecture.layers if artifact.architecture else ()
    for layer in listed if context.profile.keras3 and context.code.classes else ():
        code = context.code.find(layer.class_name, layer.module or "") if layer.custom else None
        if code is None or not layer.inbound or not context.code.base(code).startswith(KERAS):
            continue
        lineage = [each for each in context.code.lineage(code) if isinstance(each, ClassCode)]
        owner = next((each for each in lineage if OUTPUT_SHAPE in each.methods), None)
        spec = context.code.defines(code, _SPEC)
        number = _open(owner, layer) if owner is not None and spec is False else None
        if owner is not None and number is not None:
            yield Reason(
                "code-of-other-keras",
                LoadOutcome.FAILS,
                f"`{layer.route}`: `{OUTPUT_SHAPE}` of {owner.name} ({owner.where}) computes with "
                f"item {number} of the shape, which is None here, and {context.profile.name} asks "
                "for the shape",
                "TypeError: unsupported operand type(s) for …: 'NoneType' and 'int'",
                f"Return None for a size that is None, or delete the `{OUTPUT_SHAPE}`.",
                layer.route,
            )
            return


def _open(owner: ClassCode, layer: Layer) -> int | None:
    """An item that the class computes with and that is None; the first always is."""
    if any(len(call) != 1 for call in layer.inbound):
        return None  # of several tensors the shape is a list of shapes
    if 0 in owner.shape_items:
        return 0
    shape = layer.input_shapes[0] if layer.input_shapes else ()
    within = (each for each in owner.shape_items if -len(shape) <= each < len(shape))
    return next((each for each in sorted(within) if shape[each] is None), None)


def further_outputs(config: Config, context: CheckContext) -> Iterator[Reason]:
    """A subclass of a layer of Keras that gives one output, of which the model uses another."""
    for model in nodes_in(dict(config)) if context.profile.keras3 and context.code.classes else ():
        inside = mapping(model.get("config"))
        layers = [*map(mapping, sequence(inside.get("layers")))]
        joined = [*(each.get("inbound_nodes") for each in layers), inside.get("output_layers")]
        used = {name for each in joined for name in _further(each)}
        for layer in layers if used else ():
            name, code = text(layer.get("name")), code_of(layer, context)
            if name not in used or code is None:
                continue
            module, _, base = context.code.base(code).rpartition(".")
            own = [context.code.defines(code, each) for each in (OUTPUT_SHAPE, _SPEC)]
            several = base not in LAYER_CLASSES or any(has(base, each) for each in _SEVERAL)
            if own == [False, False] and f"{module}.".startswith(KERAS) and not several:
                yield Reason(
                    "code-of-other-keras",
                    LoadOutcome.FAILS,
                    f"`{name}` ({code.name}, {code.where}) gives several outputs, of which "
                    f"{context.profile.name} makes one, as of any {base}: the class has no "
                    f"`{OUTPUT_SHAPE}`",
                    "IndexError: list index out of range",
                    f"Make it a layer of its own that holds a layer of the class {base}.",
                    name,
                )
                return


def _further(value: Json) -> Iterator[str]:
    """Layers of which a part of a config of Keras 2 uses an output behind the first."""
    found = sequence(value)
    name, *numbers = found[:_REFERENCE] if len(found) >= _REFERENCE else [None]
    if isinstance(name, str) and len(numbers) == 2 and all(isinstance(x, int) for x in numbers):
        yield from (name,) if numbers[1] else ()
        return
    for each in found:
        yield from _further(each)
