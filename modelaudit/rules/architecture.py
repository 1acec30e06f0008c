"""MA3xx: what the architecture alone implies."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.measures.summary import ArchitectureProfile, LayerField, Measurements, WindowGrid
from modelaudit.rules import examples
from modelaudit.rules.model import DoesNotArise, Facts, Family, Need, NotApplicable, Rule

AXES = ("height", "width", "depth")


def _profile(facts: Facts) -> ArchitectureProfile:
    profile = facts.measurements.profile if facts.measurements else None
    if profile is None:
        raise NotApplicable("no layer graph with known shapes")
    return profile


def _uneven_grid(rule: Rule, facts: Facts) -> Iterator[Finding]:
    profile = _profile(facts)
    if not profile.grids:
        raise NotApplicable("no layer that slides a window could be followed from the input")
    for grid in profile.grids:
        axes = [AXES[i] for i, even in enumerate(grid.symmetric) if not even]
        if axes:
            yield rule.finding(
                f"{grid.route} ({grid.class_name}, window {list(grid.kernel)}, stride "
                f"{list(grid.strides)}, padding {grid.padding}) samples an input of "
                f"{list(grid.size)} unevenly along {' and '.join(axes)}: mirrored input is not "
                "seen at mirrored positions.",
                route=grid.route,
                evidence={
                    "measured": list(grid.symmetric),
                    "input": list(grid.size),
                    "kernel": list(grid.kernel),
                    "strides": list(grid.strides),
                },
            )


def _small_field(rule: Rule, facts: Facts) -> Iterator[Finding]:
    profile = _profile(facts)
    if not profile.fields or None in profile.input_size or not profile.input_size:
        raise NotApplicable("no convolution could be followed from an input of known size")
    if profile.head != "gap":
        raise DoesNotArise("the head sees every position of the last feature map")
    last = profile.fields[-1]
    size = [n for n in profile.input_size if n is not None]
    short = [f < n for f, n in zip(last.maximum, size, strict=False)]
    if all(short):
        yield rule.finding(
            f"Before pooling over all positions, no unit sees more than {list(last.maximum)} of "
            f"the {size} input: the model can only count local texture.",
            route=last.route,
            evidence={"measured": list(last.maximum), "threshold": list(size)},
        )


def _unproductive(rule: Rule, facts: Facts) -> Iterator[Finding]:
    profile = _profile(facts)
    if not profile.fields:
        raise NotApplicable("no convolution could be followed from an input of known size")
    border = [field for field in profile.fields if field.border]
    if border:
        yield rule.finding(
            f"From {border[0].route} on, {len(border)} layers already see the whole input before "
            "they start and only add border padding to it.",
            route=border[0].route,
            evidence={"measured": len(border), "unit": "layers", "n": len(profile.fields)},
        )


def _heavy_stride(rule: Rule, facts: Facts) -> Iterator[Finding]:
    profile = _profile(facts)
    for grid in profile.grids:
        if all(size == 1 for size in grid.kernel):
            continue  # a strided 1x1 is the usual shortcut of a residual block
        skips = [s > k for s, k in zip(grid.strides, grid.kernel, strict=False)]
        if any(skips):
            yield rule.finding(
                f"{grid.route} moves {list(grid.strides)} pixels at a time with a window of "
                f"{list(grid.kernel)}: some input never reaches the output.",
                route=grid.route,
                evidence={"measured": list(grid.strides), "threshold": list(grid.kernel)},
            )


def _grid(symmetric: bool, strides: tuple[int, int] = (2, 2)) -> Measurements:
    size = (9, 9) if symmetric else (8, 8)
    grid = WindowGrid(
        "conv2d", "Conv2D", size, (3, 3), strides, (1, 1), "same", (symmetric, symmetric)
    )
    return Measurements(profile=ArchitectureProfile(grids=(grid,)))


def _field(reach: int, border: bool = False) -> Measurements:
    field = LayerField("conv2d", (3, 3), (reach, reach), (1, 1), (16, 16), border)
    return Measurements(
        profile=ArchitectureProfile(fields=(field,), input_size=(16, 16), head="gap")
    )


NEEDS = (Need.ARCHITECTURE, Need.MEASUREMENTS)

RULES = (
    Rule(
        code="MA301",
        name="uneven-window-grid",
        family=Family.ARCHITECTURE,
        severity=Severity.INFO,
        confidence=Confidence.CERTAIN,
        needs=NEEDS,
        summary="A strided layer samples its input unevenly, so flips cannot be exact",
        pass_title="Every windowed layer samples its input evenly",
        why="With such a layer even perfectly symmetric filters answer differently to a mirrored "
        "input. Training can still make the difference small.",
        fix="Choose input sizes, strides and padding so that windows fit evenly (for a 3x3 "
        "convolution with stride 2 and 'same' padding: odd sizes), if exact symmetry matters.",
        check=_uneven_grid,
        bad=examples.measured(_grid(False)),
        good=examples.measured(_grid(True)),
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
        summary="No unit sees the whole input before positions are pooled away",
        pass_title="Some unit sees the whole input before positions are pooled away",
        why="Such a model judges texture, not shape, which is right for some tasks only.",
        fix="Add depth, stride or dilation before the global pooling if shape matters.",
        check=_small_field,
        bad=examples.measured(_field(7)),
        good=examples.measured(_field(31)),
        references=("Richter, Byttner, Krumnack, Schallner, Shenk (2021), arXiv:2106.12307",),
    ),
    Rule(
        code="MA303",
        name="unproductive-layers",
        family=Family.ARCHITECTURE,
        severity=Severity.INFO,
        confidence=Confidence.MEDIUM,
        needs=NEEDS,
        summary="Layers lie behind the point where the whole input is already seen",
        pass_title="No layer lies wholly behind the border of the input",
        why="Such layers cost time and seldom add accuracy.",
        fix="Use larger inputs, or fewer layers and strides.",
        check=_unproductive,
        bad=examples.measured(_field(40, border=True)),
        good=examples.measured(_field(31)),
        references=("Richter, Byttner, Krumnack, Schallner, Shenk (2021), arXiv:2106.12307",),
    ),
    Rule(
        code="MA304",
        name="stride-skips-input",
        family=Family.ARCHITECTURE,
        severity=Severity.LOW,
        confidence=Confidence.CERTAIN,
        needs=NEEDS,
        summary="A stride is larger than its window, so part of the input is never read",
        pass_title="No stride is larger than its window (1x1 shortcuts aside)",
        why="Pixels between the windows cannot change the answer.",
        fix="Use a window at least as large as the stride.",
        check=_heavy_stride,
        bad=examples.measured(_grid(True, strides=(4, 4))),
        good=examples.measured(_grid(True)),
    ),
)
