"""Traced functions that models of the same structure share, each with its own variables.

To trace a step of training costs more than all the steps of a small network, and many tests train
networks that differ in weights, data or learning rate alone.
"""

from __future__ import annotations

import builtins
import hashlib
from collections import Counter, OrderedDict
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

ROOTS = {"keras", "tf_keras", "tensorflow", "numpy", "builtins"}
CLASSES = {"Sequential", "Functional"}
KEPT = 64  # traced functions
DEPTH = 7  # of objects in a layer or an optimizer that are described
# Names, what was drawn before, and what a layer was called with or is called by: of no effect on a
# step.
NAMES = {"name", "_name", "_path", "_parent_path", "_auto_config", "_name_scope_on_declaration"}
OUTSIDE = {"built", "_input_spec", "_saved_model_inputs_spec", "_saved_model_arg_spec", "_lock"}
OUTSIDE |= {"_obj_reference_counts_dict", "_build_shapes_dict", "_thread_local", "_metrics_lock"}
OUTSIDE |= {"_distribution_strategy", "_mesh", "_initial_weights"}
OUTSIDE |= {"_index_dict", "_trainable_variables_indices"}
BEFORE = ("_self_", "_inbound", "_outbound", "_loss", "_layers", "_metrics", "_call", "_tracke")
DRAWN = ("initializer", "seed", "_dropout_mask", "_mask_cache")
DIRECT = 5  # calls, which cost as much as to trace one
_KNOWN: OrderedDict[str | None, _Trace] = OrderedDict()
_ASKED: Counter[str] = Counter()  # calls of what is not known


class Unknown(Exception):
    """A step of a model depends on something that cannot be described."""


def shared(
    function: Callable[..., None], model: Any, specs: list[Any], more: Any, calls: int
) -> Callable[..., None] | None:
    """A function of tensors that uses a model and its optimizer, traced if no other model's fits.

    Args:
        function: what is computed, without a result.
        model: built, as its optimizer is.
        specs: of the tensors.
        more: what `function` uses besides.
        calls: that follow. For a few, a trace is only made if as many were asked for before.

    Returns:
        The function, or None if it costs less to compute directly.
    """
    variables = _variables(model)
    key = _key(function.__qualname__, model, specs, more)
    known = _KNOWN.get(key)
    if known and known.count == len(variables):
        captured = [variables[place] for place in known.places]
        return lambda *tensors: known.concrete._call_flat(list(tensors), captured)
    if calls <= DIRECT:
        if known or key is None:
            return None
        _ASKED[key] += calls
        if _ASKED[key] <= DIRECT:
            return None
    import tensorflow as tf

    concrete = tf.function(function, autograph=False).get_concrete_function(*specs)
    _keep(key, _Trace(concrete, _variables(model)))
    return lambda *tensors: concrete._call_flat(list(tensors), concrete.captured_inputs)


class _Trace:
    """A concrete function, and which variable of its model each capture is."""

    def __init__(self, concrete: Any, variables: list[Any]) -> None:
        places = {id(each): number for number, each in enumerate(variables)}
        self.concrete, self.count = concrete, len(variables)
        self.places = [places.get(id(each)) for each in concrete.captured_inputs]
        # What draws numbers would go on where it stopped for the model before.
        graph = concrete.graph.as_graph_def()
        nodes = [*graph.node, *(node for each in graph.library.function for node in each.node_def)]
        draws = any("Random" in node.op and "Stateless" not in node.op for node in nodes)
        self.shared = None not in self.places and not draws


def _keep(key: str | None, trace: _Trace) -> None:
    if key is None:
        return
    if not trace.shared:
        _ASKED[key] = -1_000_000  # few calls are never worth it
        return
    _KNOWN[key] = trace
    if len(_KNOWN) > KEPT:
        _KNOWN.popitem(last=False)


def _key(*told: Any) -> str | None:
    """A text that calls have in common if they compute the same of a model's variables.

    None if that cannot be told: a model has functions or classes of a test.
    """
    name, model, specs, more = told
    try:
        parts = [name, _structure(model), [repr(each) for each in specs], more]
    except Unknown:
        return None
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _variables(model: Any) -> list[Any]:
    """The resource of each variable of a model, of its optimizer and of its mean loss."""
    slots, rate = model.optimizer.variables, getattr(model.optimizer, "_learning_rate", None)
    held = [*model.variables, *(slots() if callable(slots) else slots)]
    held += [each for metric in model.metrics for each in metric.variables]
    if hasattr(rate, "handle"):
        held.append(rate)
    return [getattr(each, "_value", each).handle for each in held]


def _structure(model: Any) -> list[Any]:
    if type(model).__name__ not in CLASSES or _root(type(model)) not in ROOTS or not model.built:
        raise Unknown
    loss = getattr(model, "_compile_loss", None) or model.compiled_loss
    asked = [vars(loss).get(name) for name in ("_user_loss", "_user_losses", "_user_loss_weights")]
    if any(isinstance(each, dict) for each in asked):
        raise Unknown  # by the names of outputs
    layers = list(model._flatten_layers())
    places = {layer.name: number for number, layer in enumerate(layers)}
    return [
        _connected(model.get_config(), places),
        [_told(layer) for layer in layers if type(layer).__name__ not in CLASSES],
        [(tuple(each.shape), str(each.dtype), each.trainable) for each in model.variables],
        _told(model.optimizer),
        _told(asked),
    ]


def _root(kind: Any) -> str:
    return str(kind.__module__ or "builtins").partition(".")[0]


def _connected(config: Any, places: dict[str, int]) -> Any:
    """A config with numbers in place of the names of layers."""
    if isinstance(config, dict):
        return [
            (key, places.get(each, 0) if key == "name" else _connected(each, places))
            for key, each in sorted(config.items())
            if not key.endswith(DRAWN)
        ]
    if isinstance(config, list | tuple):
        first = list(config[:1])
        if len(config) > 2 and isinstance(config[1], int) and isinstance(config[0], str):
            first = [places.get(config[0], config[0])]  # a layer, its call and its output
        return [*(_connected(each, places) for each in first)] + [
            _connected(each, places) for each in config[1:]
        ]
    return _told(config)


def _told(each: Any, depth: int = 0) -> Any:
    """What an object does, as far as its attributes tell."""
    if each is None or isinstance(each, bool | int | float | str | bytes | complex):
        return each
    if isinstance(each, np.ndarray | np.generic):
        return str(each.dtype), each.shape, hashlib.sha256(each.tobytes()).hexdigest()
    if isinstance(each, ModuleType):
        return each.__name__
    kind = type(each)
    if isinstance(each, dict):
        return [(str(key), _told(of, depth + 1)) for key, of in each.items()]
    if isinstance(each, list | tuple | set):
        return [_told(one, depth + 1) for one in each]
    named = each if hasattr(each, "__qualname__") else kind
    if _root(named) not in ROOTS or depth > DEPTH or _of_executed_code(named):
        raise Unknown
    if named is each:  # a function or a class
        return each.__module__, each.__qualname__, _told(getattr(each, "__self__", None), depth + 1)
    told = [kind.__module__, kind.__qualname__]
    if hasattr(each, "shape") and hasattr(each, "dtype"):  # a variable, a tensor
        return told, str(each.shape), str(each.dtype)
    if hasattr(each, "as_numpy_dtype"):
        return told, str(each)
    if not hasattr(each, "__dict__"):
        raise Unknown
    return told, [
        (key, _told(of, depth + 1)) for key, of in sorted(vars(each).items()) if _acts(key)
    ]


def _of_executed_code(named: Any) -> bool:
    """Whether a function or a class says `builtins` for want of a module."""
    made = isinstance(named, FunctionType | type)
    return made and _root(named) == "builtins" and vars(builtins).get(named.__name__) is not named


def _acts(key: str) -> bool:
    """Whether an attribute may have an effect on a step."""
    return key not in NAMES | OUTSIDE and not key.startswith(BEFORE) and not key.endswith(DRAWN)
