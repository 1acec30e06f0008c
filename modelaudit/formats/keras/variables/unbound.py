"""Names and kernels of weights without an architecture, from what the weights file says itself."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from modelaudit.facts import Kernel, Tensor
from modelaudit.formats.keras.builtin_layers import snake_case
from modelaudit.formats.keras.variables.names import VariableName
from modelaudit.formats.keras.variables.specs import classes_with_kernel
from modelaudit.layer_classes import Trait, classes

_COUNTED = re.compile(r"_\d{1,9}$")
# Layers whose first weight is a kernel. A part of attention is called `query_dense`.
_WIDEST = 11  # windows of AlexNet; slopes of a PReLU have the sides of a whole map
_WITH_KERNEL = {snake_case(name) for name in classes_with_kernel()}
_NORMALISATIONS = {snake_case(name) for name in classes(Trait.BATCH_NORMALISATION)}
_ATTENTION = ("query", "key", "value", "attention_output")  # their kernels are not applied as such
_BATCHNORM = ("gamma", "beta", "moving_mean", "moving_variance")
_KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel")


def numbered_names(tensors: Iterable[Tensor], layers: Mapping[str, str]) -> dict[str, str]:
    """Names like `conv2d/kernel` for the weights of a v3 file, which it only numbers.

    Which variable a number means is known from the container, which is named by the class, and
    from the shapes in the group. Groups that several classes could have written are left out.

    Args:
        tensors: the stored tensors.
        layers: route of a `vars` group -> the name of its layer.
    """
    groups: dict[str, dict[int, Tensor]] = {}
    for tensor in tensors:
        group, _, number = tensor.name.rpartition("/")
        if tensor.role == "weight" and number.isdecimal() and group.rpartition("/")[2] == "vars":
            groups.setdefault(group, {})[int(number)] = tensor
    names: dict[str, str] = {}
    used = Counter(layers.values())
    for group, numbered in groups.items():
        if sorted(numbered) != list(range(len(numbered))):
            continue
        stored = [numbered[number] for number in range(len(numbered))]
        path = group.rpartition("/")[0]
        cell = path.endswith("/cell")
        container = _COUNTED.sub("", re.split(r"[/\\]", path.removesuffix("/cell"))[-1])
        roles = _roles(container, [tensor.shape for tensor in stored], cell=cell)
        layer = layers.get(group, "")
        layer = layer if used[layer] == 1 and not cell else path  # nested models repeat names
        names |= {t.name: f"{layer}/{role}" for t, role in zip(stored, roles, strict=False)}
    return names


def _roles(container: str, shapes: Sequence[tuple[int, ...]], *, cell: bool) -> tuple[str, ...]:
    """Variables of a layer in stored order; () if the shapes do not identify them."""
    ranks = [len(shape) for shape in shapes]
    if container in _NORMALISATIONS or (ranks == [1] * 4 and len(set(shapes)) == 1):
        with_scale = {4: _BATCHNORM, 2: _BATCHNORM[2:], 3: ("scale", *_BATCHNORM[2:])}
        return with_scale.get(len(shapes), ())
    if cell or container in {"simple_rnn", "lstm", "gru"}:
        return ("kernel", "recurrent_kernel", "bias")[: len(shapes)]
    if container == "embedding" and ranks == [2]:
        return ("embeddings",)
    if not ranks or ranks[0] < 2:
        return ()
    bias = ranks[1:] == [1]
    named = container in _WITH_KERNEL or container.endswith("_dense")
    if not (bias or named or _is_window(shapes[0])):
        return ()  # such as the slopes of a PReLU, gamma of several axes, or a table of a class
    if container.startswith("separable") and ranks[:2] == [ranks[0]] * 2:
        return ("depthwise_kernel", "pointwise_kernel", "bias")[: len(shapes)]
    if not (bias or len(shapes) == 1):
        return ()
    return ("depthwise_kernel" if container.startswith("depthwise") else "kernel", "bias")


def _is_window(shape: tuple[int, ...]) -> bool:
    """Whether it is that of a kernel over two or three axes, as of a convolution without a bias."""
    sides = set(shape[:-2])
    return len(shape) in {4, 5} and len(sides) == 1 and max(sides) <= _WIDEST


def named_kernels(tensors: Iterable[Tensor], names: Mapping[str, str]) -> tuple[Kernel, ...]:
    """Convolution and dense kernels by their names; their initializers are unknown.

    Args:
        tensors: the stored tensors.
        names: tensor name -> variable name; other tensors are taken by their own name.
    """
    scopes: dict[str, dict[str, Tensor]] = {}
    for tensor in tensors:
        if tensor.role == "weight" and "float" in tensor.dtype:
            parsed = VariableName.parse(names.get(tensor.name, tensor.name))
            scopes.setdefault(parsed.scope, {}).setdefault(parsed.variable.lstrip("_"), tensor)
    found: list[Kernel] = []
    for scope, variables in scopes.items():
        last = scope.rpartition("/")[2]
        if "recurrent_kernel" in variables or last in _ATTENTION:
            continue
        bias = variables.get("bias")
        for role in _KERNELS:
            kernel = variables.get(role)
            if kernel is None or not 2 <= len(kernel.shape) <= 5:
                continue
            if bias is not None and len(bias.shape) != 1:
                continue  # an einsum
            kind, axes = _kind(role, f"{scope} {kernel.name}", len(kernel.shape))
            found.append(
                Kernel(
                    route=scope or kernel.name,
                    tensor=kernel.name,
                    kind=kind,
                    axes=axes,
                    spatial=len(kernel.shape) - 2,
                    shape=kernel.shape,
                    bias=bias.name if bias is not None and role == _last(variables) else None,
                )
            )
    return tuple(found)


def _kind(role: str, names: str, rank: int) -> tuple[str, str]:
    if rank == 2:
        return "dense", "io"
    if role == "depthwise_kernel":
        return "depthwise", "hwcm"
    return ("transpose", "hwoi") if "transpose" in names else ("conv", "hwio")


def _last(variables: Mapping[str, Tensor]) -> str:
    """The kernel whose result the bias is added to."""
    return [role for role in _KERNELS if role in variables][-1]
