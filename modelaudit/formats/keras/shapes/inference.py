"""Shape inference through a whole model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from msgspec import Struct, field

from modelaudit.facts import Json, Shape
from modelaudit.formats.keras import json_config as kj
from modelaudit.formats.keras.builtin_layers import is_custom, is_operation
from modelaudit.formats.keras.dialects import to_keras2
from modelaudit.formats.keras.inbound_nodes import LayerCall
from modelaudit.formats.keras.layer_tree import LayerEntry, ModelEntry, walk
from modelaudit.formats.keras.shapes.layers import bidirectional, infer, recurrent

Shapes: TypeAlias = tuple[Shape | None, ...]

STEPS_PER_LAYER = 20
"""Nested models that are called repeatedly can take exponential time. After this many calls per
layer of the whole tree, all further shapes are unknown."""


class CallShapes(Struct, frozen=True):
    """Input and output shapes of a layer's first call, and the call if the config has it."""

    inputs: Shapes
    outputs: Shapes
    call: LayerCall | None = None


class ShapeInference(Struct):
    """Infers the shapes of all layers; `seen` maps routes to them."""

    seen: dict[str, CallShapes] = field(default_factory=dict)
    _known: dict[tuple[str, Shapes], Shapes] = field(default_factory=dict)
    _steps_left: int = 0

    @classmethod
    def of(cls, root: LayerEntry) -> ShapeInference:
        """Infer all shapes of `root` from its declared input shapes."""
        model = root.model or ModelEntry((), (), (), ())
        flow = cls(_steps_left=STEPS_PER_LAYER * (sum(1 for _ in walk(model)) + 100))
        given = root.built or kj.shapes(root.config.get("build_input_shape"))
        own = declared_inputs(model)
        flow._run(model, given if None in own and len(given) == len(own) else own)
        return flow

    def _run(self, model: ModelEntry, given: Shapes) -> Shapes:
        """Output shapes of `model` for the input shapes `given`. Fills `seen`."""
        saved = _saved_shapes(model)
        at_inputs = {entry: shape for (entry, _, _), shape in zip(model.inputs, given, strict=True)}
        values: dict[tuple[int, int], Shapes] = {}

        def value(place: tuple[int, int, int]) -> Shape | None:
            outputs = values.get(place[:2], ())
            found = outputs[place[2]] if place[2] < len(outputs) else None
            return saved.get(place) if found is None else found

        for step in model.steps:
            entry = model.entries[step.entry]
            inputs = tuple(value(source) for source in step.sources)
            if not step.sources:
                inputs = (at_inputs.get(step.entry) or _declared(entry),)
            if len(entry.built) == len(inputs):
                inputs = tuple(a or b for a, b in zip(inputs, entry.built, strict=True))
            outputs = _bounded(self._call(entry, step.node, inputs))
            values[step.entry, step.node] = outputs
            shown = tuple(value((step.entry, step.node, i)) for i in range(max(1, len(outputs))))
            told = inputs if step.sources or entry.built else ()
            call = entry.calls[step.node] if step.node < len(entry.calls) else None
            self.seen.setdefault(entry.route, CallShapes(told, shown, call))
        return tuple(value(place) for place in model.outputs)

    def _call(self, entry: LayerEntry, node: int, inputs: Shapes) -> Shapes:
        """Output shapes of one call, and `seen` for inner layers of models and wrappers."""
        self._steps_left -= 1
        if self._steps_left < 0:
            return (None,)
        if entry.model is not None:
            return self._nested(entry.route, entry.model, inputs)
        if entry.wrapped:
            return self._wrapper(entry, inputs)
        if entry.class_name in ("InputLayer", "Input"):
            return inputs
        if is_custom(entry.class_name, entry.module, entry.registered_name, entry.config):
            return (None,)
        call = entry.calls[node] if node < len(entry.calls) else LayerCall()
        name, config = to_keras2(entry.class_name, entry.config)
        operation = is_operation(entry.class_name, entry.module, entry.config)
        return infer(name, config, inputs, call, operation=operation)

    def _nested(self, route: str, model: ModelEntry, inputs: Shapes) -> Shapes:
        """Output shapes of a nested model for the inputs of this call.

        Its layers are recorded with the input shapes that the nested model declares.
        """
        own = declared_inputs(model)
        if None not in own:
            declared = self._remembered(route, model, own)
            if len(inputs) != len(own) or None in inputs:
                return declared
        if len(inputs) != len(own):
            inputs = (None,) * len(own)
        return self._remembered(route, model, inputs)

    def _remembered(self, route: str, model: ModelEntry, inputs: Shapes) -> Shapes:
        if (route, inputs) not in self._known:
            self._known[route, inputs] = self._run(model, inputs)
        return self._known[route, inputs]

    def _inner(self, entry: LayerEntry, inputs: Shapes) -> Shapes:
        outputs = _bounded(self._call(entry, 0, inputs))
        self.seen.setdefault(entry.route, CallShapes(inputs, outputs))
        return outputs

    def _wrapper(self, entry: LayerEntry, inputs: Shapes) -> Shapes:
        """Output shapes of a layer that wraps other layers."""
        shape = inputs[0] if inputs else None
        name, config = to_keras2(entry.class_name, entry.config)
        if name == "TimeDistributed" and len(entry.wrapped) == 1:
            inner = None if shape is None or len(shape) < 3 else (shape[0], *shape[2:])
            (out, *_) = (*self._inner(entry.wrapped[0], (inner,)), None)
            if shape is None or out is None or inner is None:
                return (None,)
            return ((shape[0], shape[1], *out[1:]),)
        if name == "Bidirectional" and len(entry.wrapped) == 2:
            forward, backward = (self._inner(layer, inputs) for layer in entry.wrapped)
            return bidirectional(config, forward, backward)
        if name in ("RNN", "StackedRNNCells"):
            return self._cells(entry, config, shape)
        if name == "SpectralNormalization":
            return self._inner(entry.wrapped[0], inputs)
        outputs = tuple(self._inner(layer, (None,))[0] for layer in entry.wrapped)
        if entry.class_name == "Merge":  # a Keras 1 Sequential that starts with branches
            return infer(name, config, outputs, LayerCall(), operation=False)
        return (None,)

    def _cells(self, entry: LayerEntry, config: Mapping[str, Json], shape: Shape | None) -> Shapes:
        """RNN(cell): cells take one step of the sequence, stacked cells the previous output."""
        step: Shape | None = None if shape is None or len(shape) != 3 else (shape[0], shape[2])
        if entry.class_name == "StackedRNNCells":
            step = shape
        cells = entry.wrapped
        for cell in cells:
            (step, *_) = self._inner(cell, (step,))
        if entry.class_name == "StackedRNNCells":
            return (step,)
        units = step[1] if step is not None and len(step) == 2 else None
        return recurrent(config, shape, units, states=0)


def _bounded(outputs: Shapes) -> Shapes:
    """Replace impossibly large shapes by None: chained upsampling could grow without bound."""
    return tuple(
        None if shape and max(n or 0 for n in shape) > kj.MAX_DIMENSION else shape
        for shape in outputs
    )


def _saved_shapes(model: ModelEntry) -> dict[tuple[int, int, int], Shape]:
    """Output shapes that the config saves (Keras 3 saves the shape of each tensor)."""
    saved: dict[tuple[int, int, int], Shape] = {}
    for step in model.steps:
        for place, shape in zip(step.sources, step.saved_shapes, strict=True):
            if shape is not None:
                saved.setdefault(place, shape)
    return saved


def declared_inputs(model: ModelEntry) -> Shapes:
    """The shapes of a model's inputs, as far as its config has them."""
    return tuple(_declared(model.entries[entry]) for entry, _, _ in model.inputs)


def _declared(entry: LayerEntry) -> Shape | None:
    """Input shape with the batch axis, as declared in the layer's own config."""
    config = entry.config
    for key in ("batch_shape", "batch_input_shape"):
        found = kj.shape(config.get(key))
        if found is not None:
            return found
    found = kj.shape(config.get("input_shape"))
    if found is not None:
        return (None, *found)
    if entry.model is not None and entry.model.inputs:
        return _declared(entry.model.entries[entry.model.inputs[0][0]])
    if len(entry.built) == 1:
        return entry.built[0]
    size = kj.size(config, "input_dim")
    if size is None or entry.class_name in ("Embedding", "InputLayer"):
        return None
    if "input_length" in config or entry.class_name in ("LSTM", "GRU", "SimpleRNN"):
        return (None, kj.size(config, "input_length"), size)
    return (None, size)
