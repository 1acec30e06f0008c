"""The child: restricts itself, then loads one model and answers requests about it.

Requests and answers are frames (see `frames`) on a descriptor that only this process has and that
is not a standard stream: output of the model goes to the log. Each answer contains the session's
token.

The other modules of this directory but `zygote` are loaded with this one as a separate package (see
`zygote`), so that nothing has to be installed for other interpreters. All use Python 3.7 syntax.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import frames, loading, sandbox
from .adapters import AdapterError, KerasModel, LoadedModel, dtype_name
from .arrays import digest, portable, transformed
from .compiling import compile_as_saved
from .lite_adapter import InterpreterModel, TensorCapture
from .observing import ActivationCapture, BatchNormRefit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from .frames import Untyped

    Arrays = dict[str, NDArray[Any]]
    Answer = tuple[dict[str, Any], Arrays]
    ImportRuntime = Callable[[dict[str, Any]], tuple[Any, Any, dict[str, str]]]

ERROR_CHARACTERS = 2000
_WITHOUT_ROWS = "output {!r} of shape {} has no row per sample"


def main(data: int, log: int, policy: dict[str, Any], import_runtime: ImportRuntime) -> None:
    """Answer requests on descriptor `data` until it is closed; does not return.

    `import_runtime` returns (tensorflow, keras or None, versions); in a forked child the modules
    are already imported.
    """
    data = _take_over(data, log)
    token = str(policy["token"])
    try:
        report = sandbox.enter(policy)
        missing = [layer for layer in policy["required"] if report[layer] is not True]
        hello: dict[str, Any] = {"sandbox": report}
        if missing:
            refused = "; ".join(f"{layer} ({report[layer]})" for layer in missing)
            _send(data, dict(hello, token=token, ok=False, refused=refused), {})
            os._exit(0)
        tf, keras, versions = import_runtime(policy)
    except BaseException as error:  # any error is reported to the supervisor
        _send(data, dict(_failure(error), token=token), {})
        os._exit(1)
    _send(data, dict(hello, token=token, ok=True, versions=versions), {})
    worker = Worker(tf, keras)
    while True:
        try:
            request, arrays = frames.decode(lambda n: _read(data, n))
        except EOFError:
            os._exit(0)
        try:
            header, results = worker.answer(request, arrays)
            _send(data, dict(header, token=token, ok=True), results)
        except BaseException as error:  # model code may raise anything, including SystemExit
            _send(data, dict(_failure(error), token=token), {})


def _take_over(data: int, log: int) -> int:
    """Redirect standard streams to the log, and close all other descriptors but the channel."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    channel = 3
    if data != channel:
        os.dup2(data, channel)
    os.set_inheritable(channel, False)
    highest = max((int(entry.name) for entry in Path("/dev/fd").iterdir()), default=1024)
    os.closerange(channel + 1, highest + 1)
    return channel


def _read(descriptor: int, count: int) -> bytearray:
    buffer = bytearray(count)
    view, filled = memoryview(buffer), 0
    while filled < count:
        got = os.readv(descriptor, [view[filled:]])
        if got == 0:
            raise EOFError
        filled += got
    return buffer


def _send(descriptor: int, header: dict[str, Any], arrays: Arrays) -> None:
    for piece in frames.encode(header, arrays):
        view = memoryview(piece)
        while view:
            view = view[os.write(descriptor, view) :]


def _failure(error: BaseException) -> dict[str, Any]:
    """The error as a user would see it; of a long text, the start and the end."""
    text, half = str(error), ERROR_CHARACTERS // 2 - 2
    cause = error.__context__
    if isinstance(cause, OSError) and type(cause) is type(error) and error.strerror is None:
        text = str(cause) + "\n" + text  # Keras replaces the message and keeps only the number
    if len(text) > ERROR_CHARACTERS:
        text = text[:half] + " … " + text[-half:]
    return {"ok": False, "error_type": type(error).__name__, "error": text}


def _capture(model: LoadedModel, routes: list[str], into: bool) -> Untyped:
    if isinstance(model, InterpreterModel):
        return TensorCapture(model, routes, into)
    return ActivationCapture(model, routes, into)


class Worker:
    """A model and its stored inputs."""

    def __init__(self, tf: Untyped, keras: Untyped) -> None:
        self.tf, self.keras = tf, keras
        self.model: LoadedModel | None = None
        self.kept: Arrays = {}
        self._last_names: list[str] = []  # output names of the last batch
        self._last_fed = 0  # rows of the last batch, with padding
        self.originals: Arrays = {}  # values before the first assignment
        self.verbs: dict[str, Callable[[dict[str, Any], Arrays], Answer]] = {
            "load": self.load,
            "describe": self.describe,
            "digests": self.digests,
            "variables": self.variables,
            "put": self.put,
            "predict": self.predict,
            "activations": self.activations,
            "refit": self.refit,
            "assign": self.assign,
            "restore": self.restore,
            "compile": self.compile,
            "save": self.save,
        }

    def answer(self, request: dict[str, Any], arrays: Arrays) -> Answer:
        """Answer one request."""
        return self.verbs[str(request["verb"])](request, arrays)

    def loaded(self) -> LoadedModel:
        """The loaded model.

        Raises:
            AdapterError: no model is loaded.
        """
        if self.model is None:
            raise AdapterError("no model is loaded")
        return self.model

    def load(self, request: dict[str, Any], arrays: Arrays) -> Answer:
        """Load a model with one loading call; a previous model is discarded."""
        self.model = None
        self.originals.clear()
        self.model = loading.load(self.tf, self.keras, request, arrays)
        return {}, {}

    def describe(self, request: dict[str, Any], arrays: Arrays) -> Answer:
        """Ports, layers and variables."""
        model = self.loaded()
        variables = [
            {"path": path, "shape": [int(n) for n in v.shape], "dtype": dtype_name(v.dtype)}
            for path, v in model.variables().items()
        ]
        described = {
            "inputs": model.inputs,
            "outputs": model.outputs,
            "layers": model.layers(),
            "variables": variables,
            "notes": model.notes,
        }
        return described, {}

    def digests(self, request: dict[str, Any], arrays: Arrays) -> Answer:
        """SHA-256 of each variable's bytes, see `arrays.digest`."""
        model = self.loaded()
        digests = []
        for path, variable in model.variables().items():
            value = model.value(variable)
            entry = {"path": path, "shape": list(value.shape), "dtype": dtype_name(value.dtype)}
            entry["sha256"] = digest(value)
            digests.append(entry)
        return {"digests": digests}, {}

    def variables(self, request: dict[str, Any], arrays: Arrays) -> Answer:
        """Values of the variables named in `paths`."""
        model = self.loaded()
        held = model.variables()
        return {}, {path: portable(model.value(held[path])) for path in request["paths"]}

    def put(self, request: dict[str, Any], arrays: Arrays) -> Answer:
        """Store arrays by name; those in `drop` are removed first."""
        for name in request.get("drop", ()):
            self.kept.pop(name, None)
        self.kept.update(arrays)
        return {}, {}

    def predict(self, request: dict[str, Any], arrays: Arrays) -> Answer:
        """Outputs for stored inputs, each transformed as specified by its feed.

        Of a single input, what differs from that for others is its row, as behind a slice `[0]`.
        """
        outputs: dict[str, list[NDArray[Any]]] = {}
        shapes: dict[str, Any] = {}  # of outputs without a batch axis
        for rows, values in self._batches(request, watched=False):
            for name, value in values.items():
                if value.dtype.kind in "OSU":
                    continue
                row = value
                if self._last_fed == 1 and value.ndim and len(value) != 1:
                    shapes[name], row = value.shape, value[None]
                outputs.setdefault(name, []).append(portable(self._cut(name, row, rows)))
        for name, shape in shapes.items():
            one, *rest = outputs[name]
            if {x.shape for x in rest} - {one.shape} or all(np.array_equal(one, x) for x in rest):
                raise AdapterError(_WITHOUT_ROWS.format(name, shape))
        joined = {name: np.concatenate(x) for name, x in outputs.items() if x[0].size}
        skipped = sorted(set(self._last_names) - set(joined))
        return {"text_outputs": skipped}, joined

    def activations(self, request: dict[str, Any], arrays: Arrays) -> Answer:
        """Outputs or inputs of layers, as values or as statistics per channel.

        One pass serves all `watches`; keys start with the index of the watch, `0/…`.
        """
        watches = request["watches"]
        with contextlib.ExitStack() as stack:
            captures = [
                stack.enter_context(_capture(self.loaded(), each["routes"], bool(each["into"])))
                for each in watches
            ]
            for rows, _ in self._batches(request):
                for i, capture in enumerate(captures):
                    capture.keep(rows, bool(watches[i]["statistics"]))
        seen = {
            str(i) + "/" + key: value
            for i, capture in enumerate(captures)
            for key, value in capture.results().items()
        }
        return {"missing": sorted({route for each in captures for route in each.missing})}, seen

    def refit(self, request: dict[str, Any], arrays: Arrays) -> Answer:
        """Set the statistics of BatchNormalization layers to those of their inputs.

        `layers` maps routes to the paths of (mean, variance). All inputs are one batch. `restore`
        undoes this.
        """
        model = self.loaded()
        held = model.variables()
        variables = {r: (held[mean], held[var]) for r, (mean, var) in request["layers"].items()}
        for paths in request["layers"].values():
            for path in paths:
                self.originals.setdefault(path, model.value(held[path]))
        with BatchNormRefit(model, variables):
            for _ in self._batches(request):
                pass
        return {}, {}

    def _batches(
        self, request: dict[str, Any], watched: bool = True
    ) -> Iterator[tuple[int, Arrays]]:
        """Yield (rows, outputs by name) for each batch of the transformed inputs.

        If layers are `watched`, the model is called layer by layer.
        """
        model, training = self.loaded(), request.get("training")
        rows = request.get("rows")
        feeds = [
            transformed(self.kept[feed["put"]][:rows], feed.get("transform"))
            for feed in request["feeds"]
        ]
        if len(model.inputs) not in {0, len(feeds)}:
            raise AdapterError(f"the model has {len(model.inputs)} inputs, but got {len(feeds)}")
        size = int(request["batch_size"])
        fixed = [entry["shape"][0] for entry in model.inputs if entry["shape"]]
        if any(n is not None for n in fixed):
            size = next(n for n in fixed if n is not None)
        total = min((len(feed) for feed in feeds), default=0)
        for start in range(0, total, size):
            batch = [feed[start : start + size] for feed in feeds]
            rows = len(batch[0])
            if rows < size and any(n is not None for n in fixed):  # pad to the fixed batch size
                batch = [np.concatenate([b, np.repeat(b[-1:], size - rows, 0)]) for b in batch]
            inferring = training is False and not watched and request.get("traced", True)
            values = model.infer(batch) if inferring else model.run(batch, training)
            self._last_names, self._last_fed = list(values), len(batch[0])
            yield rows, values

    def _cut(self, name: str, value: NDArray[Any], rows: int) -> NDArray[Any]:
        """Remove padded rows; raise if the output does not have one row per sample."""
        if value.ndim == 0 or len(value) != self._last_fed:
            raise AdapterError(_WITHOUT_ROWS.format(name, value.shape))
        return value[:rows]

    def assign(self, request: dict[str, Any], arrays: Arrays) -> Answer:
        """Overwrite variables; `restore` resets them."""
        model = self.loaded()
        held = model.variables()
        for path, value in arrays.items():
            before = model.value(held[path])
            if before.shape != value.shape:
                raise AdapterError(f"{path} has shape {before.shape}, not {value.shape}")
            self.originals.setdefault(path, before)
            model.assign(held[path], value.astype(before.dtype))
        return {}, {}

    def restore(self, request: dict[str, Any], arrays: Arrays) -> Answer:
        """Undo all assignments since the model was loaded."""
        model = self.loaded()
        held = model.variables()
        for path, value in self.originals.items():
            model.assign(held[path], value)
        restored = sorted(self.originals)
        self.originals.clear()
        return {"restored": restored}, {}

    def compile(self, request: dict[str, Any], arrays: Arrays) -> Answer:
        """Compile the model with the settings in its file."""
        model = self.loaded()
        if not isinstance(model, KerasModel):
            raise AdapterError("only Keras models are compiled")
        training, archive = str(request["training"]), bool(request["archive"])
        compile_as_saved(self.keras, model.model, training, archive)
        return {}, {}

    def save(self, request: dict[str, Any], arrays: Arrays) -> Answer:
        """The bytes of the model saved by its Keras, in the format of `suffix`."""
        model = self.loaded()
        if not isinstance(model, KerasModel):
            raise AdapterError("only Keras models are saved")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / ("model" + str(request["suffix"]))
            model.model.save(str(path))
            data = np.fromfile(str(path), dtype=np.uint8)
        return {}, {"file": data}
