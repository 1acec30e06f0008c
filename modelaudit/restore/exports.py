"""Are the weights of a model in its export to TensorFlow Lite or TensorFlow.js?

A converter transposes kernels, folds batch normalization into the convolution before it, splits the
kernels of recurrent layers into gates, rounds values to half precision, or quantises them. Each
weight of the source is looked for in each of these forms, and is found if no value is further from
it than half a step of the numbers that the export stores.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from modelaudit.audit_types.restore import TensorChange, TensorDifference
from modelaudit.errors import ReadError
from modelaudit.facts import Artifact, Kernel, Tensor
from modelaudit.measures.kernels.values import in_usual_order
from modelaudit.restore.export_forms import (
    Array,
    Folding,
    alike,
    beyond_steps,
    foldings,
    hides,
    refolded,
    rounding,
)
from modelaudit.restore.export_norms import foldable_norms
from modelaudit.restore.model import WeightComparison
from modelaudit.thresholds.restoration import FACTOR_ERROR

VALUE_BYTES = 1 << 30  # of values that are read in one comparison
_GATES, _ROWS = (4, 3), (2,)
EQUAL, QUANTISED, FOLDED, PARTS = (
    "equal",
    "within half a step",
    "with batch normalization folded in",
    "in parts",
)


def compare_export(source: Artifact, export: Artifact) -> WeightComparison:
    """Look for every weight of a model in its export.

    Args:
        source: a model with kernels, such as a Keras model.
        export: a model of TensorFlow Lite or TensorFlow.js.

    Returns:
        `identical` are the weights that were found, and `forms` says how; `differing` are kernels
        and biases in the place of the source's, with other values. Those whose steps are too
        coarse to tell are in neither.
    """
    search = _Search(source, export)
    search.run()
    return WeightComparison(
        compared=search.compared,
        identical=search.found,
        differing=tuple(search.differing),
        missing=tuple(search.missing),
        unexpected=tuple(search.foreign()),
        forms=dict(search.forms),
        refolded=tuple(dict.fromkeys(search.refolded)),
    )


class _Search:
    def __init__(self, source: Artifact, export: Artifact) -> None:
        self.source, self.export = source, export
        self.tensors = {tensor.name: tensor for tensor in source.tensors}
        self.constants = {tensor.name: tensor for tensor in export.tensors}
        self.left = VALUE_BYTES
        self.read: dict[tuple[str, str], Array | None] = {}
        self.used: set[str] = set()
        self.done: set[str] = set()
        self.forms: Counter[str] = Counter()
        self.differing: list[TensorDifference] = []
        self.missing: list[str] = []
        self.refolded: list[str] = []
        self.coarse: set[str] = set()
        self.compared = self.found = 0
        self.by_size: defaultdict[int, list[str]] = defaultdict(list)
        for tensor in export.tensors:
            if tensor.role == "weight":
                self.by_size[tensor.size].append(tensor.name)

    def run(self) -> None:
        """Kernels with their biases and normalizations first, then all other weights."""
        norms = foldable_norms(self.source, lambda name: self._values(self.source, name))
        # Of the kernels of one layer, such as a separable convolution, the last gives its output.
        first = {kernel.route: kernel.tensor for kernel in reversed(self.source.kernels)}
        last = {kernel.route: kernel.tensor for kernel in self.source.kernels}
        folded = {
            kernel.tensor: [
                norm
                for norm in norms.beside.get(kernel.route, ())
                if (first if norm.before else last)[kernel.route] == kernel.tensor
            ]
            for kernel in self.source.kernels
        }
        # Equal ones first, so that a kernel that differs is not held against another's equal.
        differing = [k for k in self.source.kernels if not self._kernel(k, folded[k.tensor])]
        for kernel in differing:
            if not self._kernel(kernel, folded[kernel.tensor], nearest=True):
                self._apart(kernel)
        for route, norm in norms.alone.items():
            self._alone(route, norm)
        for name, tensor in self.tensors.items():
            if tensor.role == "weight" and name not in self.done and tensor.size:
                self._other(tensor)

    def foreign(self) -> Iterator[str]:
        """Kernels of the export that are not in the source."""
        for kernel in self.export.kernels:
            if kernel.tensor not in self.used:
                yield kernel.tensor

    def _kernel(self, kernel: Kernel, norms: Sequence[Folding], *, nearest: bool = False) -> bool:
        """Find the export's kernel for one of the source, and whether there is one.

        Args:
            kernel: of the source.
            norms: what may be folded into it.
            nearest: take the nearest of its shape if none has its values.
        """
        mine = self._values(self.source, kernel.tensor, kernel)
        candidates = [
            each
            for each in self.export.kernels
            if each.tensor not in self.used and alike(kernel, each)
        ]
        if mine is None or not candidates:
            return False
        forms = foldings(kernel, mine, norms)
        best: tuple[float, tuple[Folding, ...], Kernel, Array, Array, Array] | None = None
        for each in candidates:
            theirs = self._values(self.export, each.tensor, each)
            if theirs is None:
                continue
            step = self._step(each.tensor, theirs, each).reshape(mine.shape)
            theirs = theirs.reshape(mine.shape)
            for used, wanted in forms:
                beyond = beyond_steps(theirs, wanted, step)
                if best is None or beyond < best[0]:
                    best = (beyond, used, each, wanted, theirs, step)
            if best is not None and best[0] <= 0:
                break
        if best is None or (best[0] > 0 and not nearest):
            return False
        beyond, used, other, wanted, theirs, step = best
        self.used.add(other.tensor)
        if beyond <= 0:
            exact = bool((np.abs(theirs - wanted) <= rounding(wanted)).all())
            self._keep(kernel.tensor, FOLDED if used else EQUAL if exact else QUANTISED)
        else:
            self._differ(kernel.tensor, other.tensor, wanted, theirs, step)
            behind = any(norm.names and not norm.before for norm in norms)
            told = kernel.tensor not in self.coarse
            if behind and told and refolded(kernel, theirs, mine, step):
                self.refolded.append(kernel.route)
            if any(norm.before for norm in norms):  # the bias depends on the kernel
                self.done.update(name for norm in norms for name in norm.names)
                self.done.update([kernel.bias] if kernel.bias else ())
                return True
        self._bias(kernel, mine, other, used)
        return True

    def _bias(self, kernel: Kernel, mine: Array, other: Kernel, norms: tuple[Folding, ...]) -> None:
        """The bias, and what was folded into it."""
        held = None if kernel.bias is None else self._values(self.source, kernel.bias)
        if kernel.bias is not None and held is None:
            return
        wanted = np.zeros(1) if held is None else held.reshape(-1)
        for norm in norms:
            wanted = norm.bias(mine, wanted)
        folded = [name for norm in norms for name in norm.names]
        names = (*([kernel.bias] if kernel.bias else ()), *folded)
        if not names:
            return
        theirs = None if other.bias is None else self._values(self.export, other.bias)
        absent = other.bias is None or theirs is None or theirs.size != wanted.size
        # The bias of a dilated convolution is added behind it, and its own is 0.
        if other.bias is None or theirs is None or absent or not theirs.any():
            found = not wanted.any() or self._lookup(wanted) is not None
            for name in names:
                if found:
                    self._keep(name, FOLDED if norms else EQUAL)
                else:
                    self._lose(name)
            return
        self.used.add(other.bias)
        step = self._step(other.bias, theirs).reshape(-1)
        if beyond_steps(theirs.reshape(-1), wanted, step) <= 0:
            for name in names:
                self._keep(name, FOLDED if norms else EQUAL)
        else:
            apart = {*self.coarse, *(each.tensor for each in self.differing)}
            if folded and kernel.tensor not in apart:
                self.refolded.append(kernel.route)
            for name in names:
                self._differ(name, other.bias, wanted, theirs.reshape(-1), step)

    def _alone(self, route: str, norm: Folding) -> None:
        """A normalization that no kernel has taken: a product and a sum of its own, or itself."""
        if self.done.intersection(norm.names) or not norm.names:
            return
        lost = [each for each in (norm.scale, norm.shift) if self._lookup(each) is None]
        whole = lost and all(
            (held := self._values(self.source, name)) is not None and self._lookup(held) is not None
            for name in norm.names
        )
        for name in norm.names:
            if whole:
                self._keep(name, EQUAL)
            elif lost:
                self._lose(name)
            else:
                self._keep(name, FOLDED)
        self.refolded.extend([route] if lost and not whole else [])

    def _apart(self, kernel: Kernel) -> None:
        """A kernel that no kernel of the export has the shape of, such as of a recurrent layer."""
        tensor = self.tensors.get(kernel.tensor)
        if tensor is not None and kernel.tensor not in self.done:
            self._other(tensor)

    def _other(self, tensor: Tensor) -> None:
        values = self._values(self.source, tensor.name)
        if values is None:
            self._lose(tensor.name)
        elif not values.any() or self._lookup(values) is not None:
            self._keep(tensor.name, EQUAL)
        elif values.ndim in {1, 2} and self._in_parts(values):
            self._keep(tensor.name, PARTS)
        else:
            self._lose(tensor.name)

    def _in_parts(self, values: Array) -> bool:
        """Gates along the last axis; or rows, as of the two biases of a GRU."""
        divided = [np.split(values, n, axis=-1) for n in _GATES if values.shape[-1] % n == 0]
        if values.ndim == 2 and values.shape[0] in _ROWS:
            divided.append([*values])
        return any(
            all(not part.any() or self._lookup(part) is not None for part in parts)
            for parts in divided
        )

    def _lookup(self, wanted: Array) -> str | None:
        """A constant with these values, in any layout of two axes; None if there is none.

        Kernels of attention have an axis for the heads, which the export joins to another.
        """
        forms = [wanted.reshape(-1)]
        for axes in range(1, wanted.ndim) if wanted.ndim in {2, 3} else ():
            matrix = wanted.reshape(math.prod(wanted.shape[:axes]), -1)
            forms.append(np.ascontiguousarray(matrix.T).reshape(-1))
        for name in self.by_size[wanted.size]:
            theirs = self._values(self.export, name)
            if theirs is None:
                continue
            step = self._step(name, theirs).reshape(-1)
            if any(beyond_steps(theirs.reshape(-1), form, step) <= 0 for form in forms):
                self.used.add(name)
                return name
        return None

    def _values(self, artifact: Artifact, name: str, kernel: Kernel | None = None) -> Array | None:
        """Values of a tensor, of a kernel in the usual order; None if they cannot be read."""
        side = "source" if artifact is self.source else "export"
        key = (f"{side} {kernel is not None}", name)
        if key in self.read:
            return self.read[key]
        tensor = (self.tensors if artifact is self.source else self.constants).get(name)
        self.read[key] = None
        if tensor is None or tensor.source is None or tensor.size * 8 > self.left:
            return None
        self.left -= tensor.size * 8
        try:
            held = tensor if kernel is None else in_usual_order(kernel, tensor, tensor.size)
            array = held.source.array() if held.source is not None else None
        except ReadError:
            return None
        if array is not None and array.dtype.kind in "fiub":
            self.read[key] = array.astype(np.float64)
        return self.read[key]

    def _step(self, name: str, values: Array, kernel: Kernel | None = None) -> Array:
        """Half a step of a constant's numbers at each value, in the layout of `values`."""
        tensor = self.constants[name]
        given = getattr(tensor.source, "quantization", None)
        if given is not None:
            scale = np.asarray(given.scale, np.float64)
            if scale.size > 1:
                shape = [1] * len(tensor.shape)
                shape[given.axis] = -1
                scale = np.broadcast_to(scale.reshape(shape), tensor.shape)
                if kernel is not None and kernel.order:
                    scale = scale.transpose(kernel.order).reshape(kernel.shape)
            else:
                scale = scale.reshape(())  # a constant may have no axes to spread it over
            return np.broadcast_to(scale / 2, values.shape)
        held = getattr(tensor.source, "held", tensor.dtype)
        relative = {"float16": 2.0**-11, "bfloat16": 2.0**-8}.get(held, 0.0)
        return np.abs(values) * relative + (2.0**-25 if relative else 0.0)

    def _keep(self, name: str, form: str) -> None:
        if name not in self.done:
            self.done.add(name)
            self.compared += 1
            self.found += 1
            self.forms[form] += 1

    def _lose(self, name: str) -> None:
        if name not in self.done:
            self.done.add(name)
            self.compared += 1
            self.missing.append(name)

    def _differ(self, name: str, other: str, wanted: Array, theirs: Array, step: Array) -> None:
        if name in self.done:
            return
        self.done.add(name)
        self.compared += 1
        if hides(step, wanted).any():  # neither found nor another
            self.coarse.add(name)
            return
        norm = float(np.linalg.norm(wanted))
        distance = float(np.linalg.norm(theirs - wanted)) / norm if norm else None
        factor = float(np.vdot(theirs, wanted)) / norm**2 if norm else 0.0
        rest = float(np.linalg.norm(theirs - factor * wanted))
        scaled = factor and rest <= FACTOR_ERROR.value * float(np.linalg.norm(theirs))
        change = TensorChange.SCALED if scaled else TensorChange.VALUES
        self.differing.append(
            TensorDifference(
                name, other, change, factor=factor if scaled else None, distance=distance
            )
        )
