"""MA3xx: what follows from the architecture alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from modelaudit.audit_types.architecture import ArchitectureProfile
from modelaudit.facts import Layer
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.measures.architecture.profile import plain_profile
from modelaudit.measures.architecture.window_grid import unread
from modelaudit.rules import examples
from modelaudit.rules.examples_architecture import one_field, one_grid
from modelaudit.rules.grammar import counted
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, NotRelevant, Rule
from modelaudit.rules.network.network_heads import joined_graph, saved_graph
from modelaudit.rules.plain_graphs.architecture import graph_architecture
from modelaudit.structs import replace
from modelaudit.thresholds.design import SKIPPED, UNREAD

AXES = ("height", "width", "depth")


def _profile(facts: Facts) -> ArchitectureProfile:
    profile = facts.measurements.profile if facts.measurements else None
    if profile is None:
        raise NotApplicable("the model has no layer graph with known shapes")
    return profile


def shown_profile(facts: Facts) -> ArchitectureProfile:
    """The profile of the layers that the graph shows, for a model without an architecture."""
    shown = graph_architecture(facts.artifact)
    return _profile(facts) if shown is None else plain_profile(shown)


def _uneven_grid(rule: Rule, facts: Facts) -> Iterator[Finding]:
    profile = _profile(facts)
    if not profile.grids:
        raise NotApplicable("no windowed layer could be traced back to the input")
    for grid in profile.grids:
        names = AXES if len(grid.symmetric) > 1 else ("its length",)
        axes = [names[i] for i, even in enumerate(grid.symmetric) if not even]
        if axes:
            yield rule.finding(
                f"`{grid.route}` ({grid.class_name}, window {list(grid.kernel)}, stride "
                f"{list(grid.strides)}, padding {grid.padding}) samples an input of size "
                f"{list(grid.size)} asymmetrically along {' and '.join(axes)}: a mirrored input is "
                "not sampled at mirrored positions.",
                route=grid.route,
                evidence={
                    "measured": list(grid.symmetric),
                    "input": list(grid.size),
                    "kernel": list(grid.kernel),
                    "strides": list(grid.strides),
                },
            )


_SLIDES = Trait.CONVOLUTION | Trait.LOCAL_POOLING


def _small_field(rule: Rule, facts: Facts) -> Iterator[Finding]:
    profile = _profile(facts)
    if not profile.fields and not any(kernel.spatial for kernel in facts.artifact.kernels):
        raise NotRelevant("the model has no convolution")
    if not profile.fields or None in profile.input_size or not profile.input_size:
        raise NotApplicable("no convolution could be traced back to an input of known size")
    if profile.head != "gap":
        raise NotRelevant("the head uses every position of the last feature map")
    layers = saved_graph(facts).layers
    if not any(map(_averages, layers)):
        raise NotRelevant("the last map has one position, without a pooling over all of it")
    if any(has(x.class_name, Trait.ATTENTION | Trait.RECURRENT) for x in layers):
        raise NotRelevant("attention or recurrence looks at positions that are far apart")
    windows = [x.config.get("kernel_size") for x in layers if has(x.class_name, _SLIDES)]
    if windows and all(isinstance(w, list) and {*w} == {1} and len(w) == 2 for w in windows):
        yield rule.finding(
            "All convolutions before global pooling have windows of one pixel: the model sees which "
            "colors there are, and no shape.",
            evidence={"measured": len(windows), "unit": "layers"},
            severity=Severity.LOW,
        )
        return
    last, size = profile.fields[-1], [n for n in profile.input_size if n is not None]
    if all(f < n for f, n in zip(last.maximum, size, strict=False)):
        yield rule.finding(
            f"Before global pooling, the largest receptive field is {list(last.maximum)} for an "
            f"input of size {size}: the model can only aggregate local texture.",
            route=last.route,
            evidence={"measured": list(last.maximum), "threshold": list(size)},
        )


def _averages(layer: Layer) -> bool:
    """Whether it can be the pooling over a whole map: one of the last, small map only halves it."""
    name = layer.class_name
    whole = Trait.GLOBAL_POOLING | Trait.ADAPTIVE_POOLING
    return has(name, whole) or name.startswith("AveragePooling")


def _unproductive(rule: Rule, facts: Facts) -> Iterator[Finding]:
    profile = _profile(facts)
    if not profile.fields and not any(kernel.spatial for kernel in facts.artifact.kernels):
        raise NotRelevant("the model has no convolution")
    if not profile.fields:
        raise NotApplicable("no convolution could be traced back to an input of known size")
    border = [field for field in profile.fields if field.border]
    if border:
        yield rule.finding(
            f"From `{border[0].route}` on, the input of "
            f"{counted(len(border), 'layer', 'layers')} already has a receptive field that covers "
            f"the whole {facts.words.one}, to which only border padding is added.",
            route=border[0].route,
            evidence={"measured": len(border), "unit": "layers", "n": len(profile.fields)},
        )


def _heavy_stride(rule: Rule, facts: Facts) -> Iterator[Finding]:
    profile, graph = shown_profile(facts), joined_graph(facts)
    takers = graph.consumers()
    for grid in profile.grids:
        if all(size == 1 for size in grid.kernel) and not _alone(graph, takers, grid.route):
            continue  # a strided 1x1 convolution is the usual shortcut of a residual block
        times = [s / k for s, k in zip(grid.strides, grid.kernel, strict=False)]
        if max(times, default=0) > 1:
            # A window of 1 may be a subsampling on purpose, also along one axis.
            apart = [t for t, k in zip(times, grid.kernel, strict=False) if k > 1]
            far = max(apart, default=0) >= SKIPPED.value
            back, sizes = "Transpose" in grid.class_name, zip(grid.strides, grid.size, strict=False)
            single = any(s >= n > 1 for s, n in sizes) and not back
            usual, read = [min(2, k) for k in grid.kernel], "the input never reaches the output"
            yield rule.finding(
                f"`{grid.route}` has stride {list(grid.strides)} and window {list(grid.kernel)}"
                + (
                    f" on a map of {list(grid.size)}, so that a single window is left along an axis"
                    if single
                    else ""
                )
                + f": part of {'its output gets no input' if back else read}.",
                route=grid.route,
                evidence={"measured": list(grid.strides), "threshold": list(grid.kernel)},
                severity=Severity.MEDIUM if far else rule.severity,
                fix=f"Use a stride that is no larger than the window, such as strides={usual}, in "
                f"`{grid.route}`, and train again."
                if single
                else "",
            )
        elif max(unread(grid), default=0) > UNREAD.value:
            yield rule.finding(
                f"`{grid.route}` (window {list(grid.kernel)}, stride {list(grid.strides)}) leaves "
                f"out {max(unread(grid)):.0%} of an axis of its input of size {list(grid.size)}: "
                "no further window fits.",
                route=grid.route,
                evidence={"measured": max(unread(grid)), "threshold": UNREAD.value},
            )


_FAR = 8  # layers before a 1x1 convolution among which the start of a shortcut is looked for


def _alone(graph: LayerGraph, takers: Mapping[str, tuple[str, ...]], route: str) -> bool:
    """Whether no other layer takes what a layer gets, or what it got before the layers in a row."""
    if graph.get(route) is None:
        return False
    for _ in range(_FAR):
        calls = graph.calls[route]
        if len(calls) != 1 or len(calls[0]) != 1:
            return not calls
        route = calls[0][0]
        if len(takers.get(route, ())) != 1:
            return False
        if has(graph.layer(route).class_name, Trait.CONVOLUTION | Trait.LOCAL_POOLING):
            return True
    return False


def _pooled(reach: int) -> Facts:
    """A convolution with this receptive field before a global pooling."""
    pooling = examples.layer("pool", "GlobalAveragePooling2D", {})
    return replace(examples.chain(examples.layer("conv"), pooling), measurements=one_field(reach))


NEEDS = (Need.ARCHITECTURE, Need.MEASUREMENTS)
SHOWN = (Need.LAYERS, Need.MEASUREMENTS)

RULES = (
    Rule(
        code="MA301",
        name="uneven-window-grid",
        family=Family.ARCHITECTURE,
        severity=Severity.INFO,
        confidence=Confidence.CERTAIN,
        needs=NEEDS,
        summary="A layer samples its input asymmetrically, so flip equivariance cannot be exact",
        pass_title="Every windowed layer samples its input symmetrically",
        why="With such a layer, even perfectly symmetric filters respond differently to a mirrored "
        "input. Training can still make the difference small.",
        fix="If exact symmetry matters, choose input sizes, strides and padding so that the "
        "windows fit symmetrically (for a 3x3 convolution with stride 2 and 'same' padding: odd "
        "sizes).",
        check=_uneven_grid,
        bad=examples.measured(one_grid(False)),
        good=examples.measured(one_grid(True)),
        references=(
            "Alsallakh, Kokhlikyan, Miglani, Yuan, Reblitz-Richardson: Mind the Pad (ICLR 2021)",
        ),
    ),
    Rule(
        code="MA302",
        name="receptive-field-too-small",
        family=Family.ARCHITECTURE,
        severity=Severity.INFO,
        confidence=Confidence.HIGH,
        needs=NEEDS,
        summary="The receptive field before global pooling is smaller than the input",
        pass_title="The receptive field before global pooling covers the input",
        why="Such a model classifies by texture rather than shape, which suits only some tasks.",
        fix="If shape matters, add depth, stride or dilation before the global pooling.",
        check=_small_field,
        bad=lambda: _pooled(7),
        good=lambda: _pooled(31),
        references=("Richter, Byttner, Krumnack, Schallner, Shenk (2021), arXiv:2106.12307",),
    ),
    Rule(
        code="MA303",
        name="unproductive-layers",
        family=Family.ARCHITECTURE,
        severity=Severity.INFO,
        confidence=Confidence.MEDIUM,
        needs=NEEDS,
        summary="Layers follow after the receptive field already covers the whole input",
        pass_title="No layer starts with a receptive field that already covers the whole input",
        why="Such layers cost compute and seldom improve accuracy.",
        fix="Use larger inputs, or fewer layers and strides.",
        check=_unproductive,
        assumes="order",
        bad=examples.measured(one_field(40, border=True)),
        good=examples.measured(one_field(31)),
        references=("Richter, Byttner, Krumnack, Schallner, Shenk (2021), arXiv:2106.12307",),
    ),
    Rule(
        code="MA304",
        name="stride-skips-input",
        family=Family.ARCHITECTURE,
        severity=Severity.LOW,
        confidence=Confidence.CERTAIN,
        needs=SHOWN,
        summary="Part of the input of a layer is never read, because windows skip it",
        pass_title="The windows of every layer read all of its input (except 1x1 shortcuts)",
        why="Pixels between the windows, or behind the last one, have no effect on the output.",
        fix="Use a smaller stride, or a window that is at least as large as the stride, and "
        'padding="same".',
        check=_heavy_stride,
        assumes="order",
        bad=examples.measured(one_grid(True, strides=(4, 4))),
        good=examples.measured(one_grid(True)),
    ),
)
