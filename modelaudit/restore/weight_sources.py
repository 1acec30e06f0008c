"""The two sides to compare: the weights in a file and the weights of a restored model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from modelaudit.errors import ReadError
from modelaudit.facts import Artifact, Kernel, Tensor
from modelaudit.formats.checkpoint.variable_names import saved_variable_names
from modelaudit.measures.kernels.initialization import LayerContext, kernel_initialization
from modelaudit.measures.kernels.values import load_kernel
from modelaudit.probe.protocol import VariableDigest
from modelaudit.restore.model import Weight

Fetch = Callable[[str], NDArray[Any] | None]


def stored_weights(artifact: Artifact) -> list[Weight]:
    """The file's weights, named after the layer that owns them where there is one.

    Further names are the tensor's own and, in checkpoints, the variable's name in the program.
    Optimizer state, metrics and counters are not weights; text has no digest and is skipped.
    """
    owners = owner_names(artifact)
    programs = saved_variable_names(artifact)
    kernels = {kernel.tensor: kernel for kernel in artifact.kernels}
    weights = []
    for tensor in artifact.tensors:
        if tensor.role != "weight" or not tensor.sha256 or _is_state(tensor):
            continue
        names = (*owners.get(tensor.name, ()), tensor.name, programs.get(tensor.name, tensor.name))
        weights.append(
            Weight(
                names=tuple(dict.fromkeys(names)),
                shape=tensor.shape,
                dtype=tensor.dtype,
                sha256=tensor.sha256,
                stats=tensor.stats,
                values=tensor.source.array if tensor.source else None,
                initial=_initial(kernels.get(tensor.name), tensor),
            )
        )
    return weights


def restored_weights(
    artifact: Artifact, variables: Sequence[VariableDigest], fetch: Fetch | None
) -> list[Weight]:
    """The restored model's weights, without optimizer, counters and random states.

    Args:
        artifact: says which names are not weights, and how kernels are initialised.
        fetch: reads one variable's values by its path.
    """
    others = {tensor.name for tensor in artifact.tensors if tensor.role != "weight"}
    # Kernels by every path under which a restored model can list them
    owners = owner_names(artifact)
    kernels = {
        name: kernel
        for kernel in artifact.kernels
        for name in (*owners.get(kernel.tensor, ()), kernel.tensor)
    }
    weights = []
    for variable in variables:
        if variable.path in others or not variable.sha256 or _is_state(variable):
            continue
        read = _reader(fetch, variable.path)
        weights.append(
            Weight(
                names=(variable.path,),
                shape=variable.shape,
                dtype=variable.dtype,
                sha256=variable.sha256,
                values=read,
                initial=_initial_held(kernels.get(variable.path), variable, read),
            )
        )
    return weights


def owner_names(artifact: Artifact) -> Mapping[str, tuple[str, ...]]:
    """Tensor name -> `layer route/role` of every layer that owns it."""
    found: dict[str, tuple[str, ...]] = {}
    layers = artifact.architecture.layers if artifact.architecture else ()
    for layer in layers:
        for role, name in layer.variables.items():
            found[name] = (*found.get(name, ()), f"{layer.route}/{role}")
    return found


def _is_state(variable: VariableDigest | Tensor) -> bool:
    """Seeds of random generators and counters, which change when a model is merely built."""
    integer = variable.dtype.startswith(("int", "uint", "bool"))
    return integer and variable.shape in {(), (2,), (3,)}


def _reader(fetch: Fetch | None, path: str) -> Callable[[], NDArray[Any] | None] | None:
    if fetch is None:
        return None
    return lambda: fetch(path)


def _initial(kernel: Kernel | None, tensor: Tensor) -> Callable[[], bool]:
    """Whether a stored tensor looks like the result of an initializer."""

    def initial() -> bool:
        if tensor.stats is not None and tensor.stats.constant:
            return tensor.stats.minimum in {0.0, 1.0}
        return _fits(kernel, tensor)

    return initial


class _ArraySource(Struct, frozen=True):
    """A `TensorSource` of values in memory."""

    values: NDArray[Any]

    def chunks(self, max_bytes: int = 4 << 20) -> Iterator[NDArray[Any]]:
        """Pieces of the flat array."""
        flat, step = self.values.reshape(-1), max(1, max_bytes // self.values.itemsize)
        yield from (flat[start : start + step] for start in range(0, flat.size, step))

    def array(self) -> NDArray[Any]:
        """The whole array."""
        return self.values


def _initial_held(
    kernel: Kernel | None, variable: VariableDigest, read: Callable[[], NDArray[Any] | None] | None
) -> Callable[[], bool] | None:
    if read is None:
        return None

    def initial() -> bool:
        values = read()
        if values is None or not values.size:
            return False
        first = values.flat[0]
        if first in {0, 1} and bool(np.all(values == first)):
            return True
        return _fits(kernel, _as_tensor(variable, values))

    return initial


def _as_tensor(variable: VariableDigest, values: NDArray[Any]) -> Tensor:
    return Tensor(
        variable.path,
        values.shape,
        str(values.dtype),
        values.nbytes,
        "",
        source=_ArraySource(values),
    )


def _fits(kernel: Kernel | None, tensor: Tensor) -> bool:
    """Whether the weights match the kernel's initializer or, without one, a common initializer.

    Trained kernels can match (a fifth of small ones do), so this only names a difference that is
    already known.
    """
    if kernel is None:
        rank = len(tensor.shape)
        if rank < 2:
            return False
        axes = "io" if rank == 2 else "hwio"
        kernel = Kernel(tensor.name, tensor.name, "dense", axes, max(rank - 2, 0), tensor.shape)
    try:
        values = load_kernel(kernel, tensor)
        verdict = kernel_initialization(kernel, values, tensor.dtype, LayerContext(), 1)
    except (ReadError, ValueError):
        return False
    return verdict.state == "fresh" or verdict.tests.get("fits") is True
