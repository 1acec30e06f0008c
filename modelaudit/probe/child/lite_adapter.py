"""Adapter for TensorFlow Lite models, which an interpreter runs.

Python 3.7 syntax; the modules of the runtime are passed in.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import warnings
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np

from .adapters import AdapterError, LoadedModel, dtype_name

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from numpy.typing import NDArray

    from .adapters import Values
    from .frames import Untyped

LITERT = "ai_edge_litert.interpreter"
SERVED = ("serving_default", "serve", "main")


class InterpreterModel(LoadedModel):
    """A TensorFlow Lite model, without variables that have names.

    Inputs of quantised numbers take the numbers that these stand for, as float32, but for images
    of uint8, which are fed as they are. Outputs are what the numbers stand for.
    """

    def __init__(self, interpreter: Untyped, signature: str | None) -> None:
        super().__init__()
        self.interpreter = interpreter
        signatures = interpreter.get_signature_list()
        name = _chosen(signatures, signature)
        self.runner = interpreter.get_signature_runner(name) if name else None
        if self.runner is not None:
            self.given = dict(self.runner.get_input_details())
            self.results = dict(self.runner.get_output_details())
        else:
            self.given = _by_name(interpreter.get_input_details())
            self.results = _by_name(interpreter.get_output_details())
        self.again: Untyped = None  # makes an interpreter of the same file
        self.fed = 0  # rows of the last call
        self.inputs = [_input_port(name, details) for name, details in self.given.items()]
        self.outputs = [_port(name, details) for name, details in self.results.items()]
        self.single = _takes_one([*self.given.values(), *self.results.values()])
        for port in (*self.inputs, *self.outputs) if self.single else ():
            port["shape"] = _one(port["shape"])

    def variables(self) -> OrderedDict[str, Any]:
        """None: constants are part of the program."""
        return OrderedDict()

    def run(self, feeds: list[NDArray[Any]], training: bool | None) -> Values:
        """Call the signature, or the main subgraph."""
        if training:
            raise AdapterError("a TensorFlow Lite model has no training flag")
        given = {
            port["name"]: _stored(feeds[i], self.given[port["name"]])
            for i, port in enumerate(self.inputs)
        }
        if self.single:
            shapes = {name: tuple(each["shape"]) for name, each in self.given.items()}
            given = {name: value.reshape(shapes[name]) for name, value in given.items()}
        with contextlib.suppress(AttributeError):  # of an earlier call
            self.interpreter.reset_all_variables()
        values = self.runner(**given) if self.runner is not None else self._call(given)
        found = {n: _real(np.asarray(values[n]), each) for n, each in self.results.items()}
        if self.single:
            found = {name: value.reshape(_one([*value.shape])) for name, value in found.items()}
        return found

    def _call(self, given: dict[str, NDArray[Any]]) -> Values:
        changed = False
        self.fed = 1 if self.single else min(map(len, given.values()), default=0)
        for name, value in given.items():
            if tuple(self.given[name]["shape"]) != value.shape:
                self.interpreter.resize_tensor_input(self.given[name]["index"], value.shape)
                self.given[name] = dict(self.given[name], shape=value.shape)
                changed = True
        if changed:
            self.interpreter.allocate_tensors()
        for name, value in given.items():
            self.interpreter.set_tensor(self.given[name]["index"], value)
        self.interpreter.invoke()
        return {n: self.interpreter.get_tensor(each["index"]) for n, each in self.results.items()}


class TensorCapture:
    """Context manager that captures tensors of the main subgraph, by their indexes as text.

    Its results are those of `observing.ActivationCapture`. Meanwhile the model runs in an
    interpreter that keeps all tensors, without delegates, which merge operators.
    """

    def __init__(self, model: InterpreterModel, routes: list[str], into: bool) -> None:
        if into or model.again is None:
            raise AdapterError("of a TensorFlow Lite model, only the outputs of operators are kept")
        self.model, self.routes = model, routes
        self.missing: list[str] = []
        self.whole: dict[str, list[NDArray[Any]]] = {}

    def __enter__(self) -> Self:
        """Exchange the interpreter."""
        model = self.model
        self.before = (model.interpreter, model.runner, dict(model.given))
        model.interpreter, model.runner = model.again(), None
        model.interpreter.allocate_tensors()
        found = model.interpreter.get_tensor_details()
        self.details = {str(each["index"]): each for each in found}
        shapes = {each["index"]: each["shape"] for each in found}
        model.given = {  # this interpreter has not been resized
            name: dict(each, shape=shapes.get(each["index"], each["shape"]))
            for name, each in model.given.items()
        }
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Use the former interpreter again."""
        self.model.interpreter, self.model.runner, self.model.given = self.before

    def keep(self, rows: int, statistics: bool) -> None:
        """Store the tensors of the last call that have one row for each sample."""
        if statistics:
            raise AdapterError("of a TensorFlow Lite model, only values are kept")
        for route in self.routes:
            if route not in self.details or route in self.missing:
                continue
            try:
                value = np.asarray(self.model.interpreter.get_tensor(int(route)))
            except ValueError:  # inside a loop, or never computed
                self.missing.append(route)
                continue
            if value.ndim and len(value) == self.model.fed and value.dtype.kind in "fiub":
                real = _real(value, self.details[route])
                self.whole.setdefault(route, []).append(real[:rows])

    def results(self) -> dict[str, NDArray[Any]]:
        """The stored values, by index."""
        return {route: np.concatenate(pieces) for route, pieces in self.whole.items()}


def interpret(tf: Untyped, path: str, threads: int, signature: str | None) -> LoadedModel:
    """Load a model with LiteRT if the runtime has it, else with TensorFlow's own interpreter.

    LiteRT has no operations of TensorFlow, so a model that it rejects is loaded by the other.
    """
    errors = []
    for origin, name in _interpreters(tf):
        make = functools.partial(_make, origin, model_path=path, num_threads=threads)
        try:
            interpreter = make()
            interpreter.allocate_tensors()
            model = InterpreterModel(interpreter, signature)
        except (ValueError, RuntimeError) as error:
            errors.append(error)
        else:
            model.notes.append("run by " + name)
            model.again = functools.partial(make, keeping=True)
            return model
    if errors:
        raise errors[-1]
    raise AdapterError("this runtime has no interpreter of TensorFlow Lite (ai-edge-litert)")


def _interpreters(tf: Untyped) -> list[tuple[Any, str]]:
    """Modules that have an interpreter, and its names."""
    found = []
    with contextlib.suppress(ImportError):
        found.append((importlib.import_module(LITERT), "LiteRT"))
    if hasattr(getattr(tf, "lite", None), "Interpreter"):
        found.append((tf.lite, "tf.lite.Interpreter"))
    return found


def _make(origin: Untyped, keeping: bool = False, **options: Untyped) -> Untyped:
    """An interpreter, or one that keeps the values of all tensors."""
    if keeping:
        types = getattr(origin, "OpResolverType", None) or origin.experimental.OpResolverType
        plain = types.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        options.update(experimental_preserve_all_tensors=True, experimental_op_resolver_type=plain)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return origin.Interpreter(**options)


def _chosen(signatures: Untyped, wanted: str | None) -> str | None:
    if wanted is not None:
        if wanted not in signatures:
            raise AdapterError(f"no signature {wanted!r}; available: {sorted(signatures)}")
        return wanted
    for name in [*SERVED, *sorted(signatures or ())]:
        if name in signatures:
            return str(name)
    return None


def _takes_one(tensors: list[dict[str, Any]]) -> bool:
    """Whether inputs and outputs of fixed sizes are of one sample, some without an axis for it.

    An example is a sound of shape (15600,) that is answered by scores of shape (1, 521).
    """
    opened = any(int(n) < 0 for each in tensors for n in each.get("shape_signature", ()))
    return not opened and len({int([*each["shape"], 0][0]) for each in tensors}) > 1


def _one(shape: list[int]) -> list[int]:
    """The shape of a sample with an axis of one row, which it may have."""
    return shape if len(shape) > 1 and shape[0] == 1 else [1, *shape]


def _by_name(details: Untyped) -> dict[str, Any]:
    """The tensors of the main subgraph by name; equal names get a number."""
    found: dict[str, Any] = {}
    for each in details:
        name = str(each["name"])
        found[name if name not in found else f"{name}#{len(found)}"] = dict(each)
    return found


def _port(name: str, details: Untyped) -> dict[str, Any]:
    sizes = [int(n) for n in details.get("shape_signature", details["shape"])]
    if not sizes:
        sizes = [int(n) for n in details["shape"]]
    dtype = "float32" if _scale(details) else dtype_name(np.dtype(details["dtype"]))
    if details["dtype"] in (bytes, np.bytes_, object):
        dtype = "string"
    return {"name": name, "dtype": dtype, "shape": [None if n < 0 else n for n in sizes]}


def _input_port(name: str, details: Untyped) -> dict[str, Any]:
    described = _port(name, details)
    if details["dtype"] is np.uint8 and len(described["shape"]) == 4:
        described["dtype"] = "uint8"
    return described


def _scale(details: Untyped) -> float:
    """The scale of quantised numbers; 0 if they are what they stand for."""
    scale = float((details.get("quantization") or (0.0, 0))[0])
    return scale if np.dtype(details["dtype"]).kind in "iu" else 0.0


def _stored(value: NDArray[Any], details: Untyped) -> NDArray[Any]:
    """Values as the input stores them."""
    dtype, scale = np.dtype(details["dtype"]), _scale(details)
    whole = dtype.kind in "iu" and value.dtype.kind == "f"
    if value.dtype == dtype or not (scale or whole):
        return np.ascontiguousarray(value, dtype)
    bounds, zero = np.iinfo(dtype), details["quantization"][1] if scale else 0
    steps = np.rint(value.astype(np.float64) / (scale or 1.0)) + zero
    return np.ascontiguousarray(np.clip(steps, bounds.min, bounds.max), dtype)


def _real(value: NDArray[Any], details: Untyped) -> NDArray[Any]:
    """What the numbers of an output stand for."""
    scale = _scale(details)
    if not scale:
        return value.copy()
    real: NDArray[Any] = (value.astype(np.float64) - details["quantization"][1]) * scale
    return real.astype(np.float32)
