"""Layers whose `compute_output_shape` computes with sizes that the model leaves open.

Keras 3 asks for the shape while it connects the model, and Keras 2 calls the layer instead.
"""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, Layer
from modelaudit.formats.source_code.classes import KERAS, ClassCode
from modelaudit.formats.source_code.methods import OUTPUT_SHAPE
from modelaudit.runtimes.model import CheckContext, Reason

_SPEC = "compute_output_spec"


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
