"""Propagation of the channel permutation under mirrored inputs through the layer graph."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from modelaudit.facts import Kernel, Layer
from modelaudit.layer_classes import Trait, classes, has
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.measures.architecture.layer_shapes import input_shape
from modelaudit.measures.dihedral import DihedralElement, axis_flips
from modelaudit.measures.kernels.mirror_pairs import (
    MirrorPairsUndefined,
    Permutation,
    match_mirror_pairs,
)
from modelaudit.measures.kernels.values import KernelValues

_CHANNELWISE = {"Flatten", "InputLayer"} | classes(
    Trait.POINTWISE
    | Trait.AUGMENTATION
    | Trait.GLOBAL_POOLING
    | Trait.LOCAL_POOLING
    | Trait.PADDING
    | Trait.UPSAMPLING
    | Trait.RESIZING
)

_MOST_CHANNELS = 1 << 12  # of an input, whose size is what a config says


class _UnknownPermutation(Struct, frozen=True):
    """Why the permutation is unknown from here on."""

    why: str


_State = Permutation | _UnknownPermutation


class PermutationFlow:
    """Visits layers in execution order: `enter` a layer, `match` its kernels, `leave` it.

    Args:
        rank: number of spatial axes of the input (1, 2 or 3).
        channels_first: whether the channel axis directly follows the batch axis.
        with_kernels: routes of the layers whose kernels will be matched.
    """

    def __init__(
        self, graph: LayerGraph, rank: int, channels_first: bool, with_kernels: frozenset[str]
    ) -> None:
        self._graph = graph
        self._with_kernels = with_kernels
        self._channels_first = channels_first
        self.mirrors: tuple[DihedralElement, ...] = axis_flips((None,) * rank)
        self._known: dict[str, dict[str, _State]] = {g.name: {} for g in self.mirrors}
        self._now: dict[str, _State] = {}

    def enter(self, layer: Layer) -> None:
        """Determine the permutation at a layer's input, and output if it has no kernels."""
        for g in self.mirrors:
            calls = self._graph.calls[layer.route]
            known = self._known[g.name]
            arriving = [
                self._pass(layer, [known.get(s, _UnknownPermutation(f"at {s}")) for s in call])
                for call in calls or ((),)
            ]
            self._now[g.name] = _agreed(arriving, f"the calls of {layer.route} disagree")

    def match(
        self, kernel: Kernel, values: KernelValues
    ) -> tuple[dict[str, dict[str, float]], dict[str, str]]:
        """Match a kernel of the current layer, and update the permutation.

        A kernel without spatial axes has no twins, but it permutes channels too.

        Returns:
            {mirror: {score, z, matched, expected}}, and {mirror: why there are no twins}.
        """
        found: dict[str, dict[str, float]] = {}
        lost: dict[str, str] = {}
        for g in self.mirrors:
            state = self._now[g.name]
            try:
                self._now[g.name] = _through(kernel, values, g, _known(state), found)
            except MirrorPairsUndefined as reason:
                lost[g.name] = str(reason)
                if not isinstance(state, _UnknownPermutation):
                    self._now[g.name] = _UnknownPermutation(f"{kernel.route}: {reason}")
        return found, lost

    def lose(self, why: str) -> None:
        """Record that the kernel of the current layer could not be read or matched."""
        self._now = {name: _UnknownPermutation(why) for name in self._now}

    def leave(self, layer: Layer) -> None:
        """Record the permutation at the output of a layer."""
        for name, state in self._now.items():
            self._known[name][layer.route] = state

    def _pass(self, layer: Layer, sources: Sequence[_State]) -> _State:
        lost = next((s for s in sources if isinstance(s, _UnknownPermutation)), None)
        if lost is not None:
            return lost
        arrived = [s for s in sources if not isinstance(s, _UnknownPermutation)]
        if not arrived:
            start = self._input(layer)
            if isinstance(start, _UnknownPermutation) or layer.class_name == "InputLayer":
                return start
            arrived = [start]
        if layer.class_name == "Concatenate":
            axis = layer.config.get("axis", -1)
            wanted = (1,) if self._channels_first else (-1, len(self.mirrors) + 1)
            if axis not in wanted:
                return _UnknownPermutation(f"{layer.route} concatenates axis {axis}, not channels")
            starts = np.cumsum([0, *(len(p) for p in arrived[:-1])])
            return np.concatenate([p + start for p, start in zip(arrived, starts, strict=True)])
        followed = layer.class_name in _CHANNELWISE or layer.route in self._with_kernels
        if len(arrived) == 1 and followed:
            return arrived[0]  # for layers with kernels, `match` continues from here
        if has(layer.class_name, Trait.MERGE):
            return _agreed(arrived, f"the branches that merge at {layer.route} disagree")
        return _UnknownPermutation(f"{layer.route} ({layer.class_name}) is not supported")

    def _input(self, layer: Layer) -> _State:
        shape = input_shape(layer) or ()
        if len(shape) != len(self.mirrors) + 2:
            return _UnknownPermutation(
                f"{layer.route} is not an input with {len(self.mirrors)} spatial axes"
            )
        channels = shape[1] if self._channels_first else shape[-1]
        if not channels:
            return _UnknownPermutation(f"{layer.route} has an undefined number of channels")
        if channels > _MOST_CHANNELS:
            return _UnknownPermutation(f"{layer.route} has {channels:,} channels")
        return np.arange(channels)


def _known(state: _State) -> Permutation:
    if isinstance(state, _UnknownPermutation):
        raise MirrorPairsUndefined(f"the channel permutation is unknown: {state.why}")
    return state


def _through(
    kernel: Kernel,
    values: KernelValues,
    g: DihedralElement,
    pi_in: Permutation,
    found: dict[str, dict[str, float]],
) -> Permutation:
    if values.sampled:
        raise MirrorPairsUndefined("too large to match")
    if kernel.groups != 1:
        raise MirrorPairsUndefined("grouped convolution")
    filters = values.filters()
    allowed = None
    if kernel.axes == "hwcm":
        channels, multiplier = filters.shape[1:]
        if len(pi_in) != channels:
            raise MirrorPairsUndefined(
                f"the input has {len(pi_in)} channels, the kernel {channels}"
            )
        filters = filters.reshape(filters.shape[0], 1, -1)
        channel = np.arange(channels).repeat(multiplier)
        allowed = pi_in[channel][:, None] == channel[None, :]
        pi_in = np.zeros(1, dtype=np.intp)
    elif kernel.axes == "hwoi":
        filters = filters.swapaxes(1, 2)
    if filters.shape[0] > 1 and len(values.sizes) != len(g.perm):
        raise MirrorPairsUndefined(
            f"a kernel with {len(values.sizes)} spatial axes on other inputs"
        )
    match = match_mirror_pairs(filters, g, values.sizes, pi_in, allowed)
    if match.score is not None and match.z is not None and match.expected is not None:
        found[g.name] = {
            "score": match.score,
            "z": match.z,
            "matched": match.matched,
            "expected": match.expected,
        }
    return match.permutation


def _agreed(states: Sequence[_State], why: str) -> _State:
    first = states[0]
    for state in states:
        if isinstance(state, _UnknownPermutation):
            return state
    same = all(
        not isinstance(s, _UnknownPermutation)
        and not isinstance(first, _UnknownPermutation)
        and np.array_equal(s, first)
        for s in states
    )
    return first if same else _UnknownPermutation(why)
