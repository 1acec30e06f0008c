"""Each cause on the smallest facts that show it, and none on facts that nearly do."""

from __future__ import annotations

import pytest

from modelaudit.audit_types.behaviour import Collapse, Intervention
from modelaudit.diagnosis import diagnose
from modelaudit.diagnosis.case import Case
from modelaudit.diagnosis.procedure import FAULTS
from modelaudit.diagnosis.steps.weight import DAMAGE
from modelaudit.facts import Kernel
from modelaudit.findings import Severity
from modelaudit.pipeline import run_all_rules
from modelaudit.rules import examples
from modelaudit.structs import replace
from tests.diagnosis.cases import (
    DISTANT,
    SURE,
    TEN,
    WAYS,
    behaviour,
    diagnosed,
    facts,
    failing,
    fit,
    form,
    initial,
    labelled,
    measurements,
    mirror,
    norm,
    output,
    quiet,
    regression,
    silent,
    turned,
)

pytestmark = pytest.mark.usefixtures("steps_alone")

CENTRED = Intervention(
    output="digit", layer="head", before=0.0, after=3.0, excess=20.0, responsible=True
)
CLEARED = Intervention(output="digit", layer="conv", before=0.0, after=2.9)
RECALIBRATED = Intervention(output="digit", before=0.4, after=3.0)
HALFWAY = fit(1.7, settled=0.69, settled_misfit=0.02)
AWAY = fit(0.8, settled=0.93, settled_misfit=0.6)
ODD = mirror(0.02, None, action="odd")
SWAP = mirror(0.06, -0.97, action="swap")
SENSITIVE = (mirror(0.47, 0.28), turned())


def seen_as(*outputs, **changes):
    return behaviour(*outputs, **changes), None


@pytest.mark.parametrize(
    ("cause", "transform", "seen", "measured"),
    [
        ("learned-invariance", "H", *seen_as()),
        ("never-loaded", "", behaviour(silent()), measurements(initial("a", "fresh"))),
        ("partial-restore", "", None, measurements(initial("a"), initial("b", "fresh"))),
        ("bn-statistics-lost", "", None, measurements(batchnorm=[norm(), norm(lost=True)])),
        ("nondeterministic", "", *seen_as(deterministic=False, noise_floor=0.3)),
        ("dead-units", "", *seen_as(silent(), dead={"relu": 1.0})),
        (
            "dead-units",
            "",
            *seen_as(
                silent(),
                dead={},
                skipped={"dead units": "a graph"},
                interventions={"clear_negative_bias": CLEARED},
            ),
        ),
        ("orientation-mismatch", "H", *seen_as(quiet(orientation={"e": 0.2, "H": 3.0}))),
        ("orientation-mismatch", "r180", *seen_as(silent(orientation={"e": 0.0, "r180": 3.0}))),
        (
            "head-bias",
            "",
            *seen_as(silent(), interventions={"centre_head_bias": CENTRED}),
        ),
        ("input-domain", "/255", *seen_as(quiet(domain={"/255": 3.0}), batchnorm=(DISTANT,))),
        ("input-domain", "*255", *seen_as(silent(gains=form("*255")))),
        ("input-domain", "/255", *seen_as(regression(), batchnorm=(DISTANT,))),
        (
            "bn-statistics-lost",
            "",
            *seen_as(
                quiet(),
                batchnorm=(fit(0.9),),
                interventions={"recalibrate_batchnorm": RECALIBRATED},
            ),
        ),
        ("wrong-weights-upstream", "", *seen_as(batchnorm=(fit(), fit(0.6, "later")))),
        ("wrong-weights-upstream", "", *seen_as(batchnorm=(AWAY, fit(0.9, "later")))),
        ("bn-statistics-unsettled", "", *seen_as(silent(), batchnorm=(HALFWAY, fit(0.9, "on")))),
        ("input-domain", "1-x", *seen_as(quiet(gains=form("1-x") | form("*255", 2.0)))),
        ("input-domain", "BGR", *seen_as(quiet(gains=form("BGR", equal=(0.05, 1.0))))),
        # Larger values alone make predictions confident, so confidence does not count.
        ("input-domain", "2x-1", *seen_as(quiet(gains=form("2x-1") | form("*255", 3, 20, (0, 0))))),
        ("input-domain", "/255", *seen_as(output(**SURE | WAYS))),
        # Statistics that are far off and fit at another scale are sufficient evidence.
        ("input-domain", "/255", *seen_as(output(domain={"/255": 0.0}), batchnorm=(DISTANT,))),
        # Without normalization, only overconfident predictions show too large values.
        ("input-domain", "/255", *seen_as(output(**SURE))),
        ("collapse-open", "", *seen_as(silent())),
        ("undecided-without-images", "", *seen_as(silent(orientation={}), user=False)),
        ("little-information", "", *seen_as(quiet())),
        ("invariant-by-construction", "H", *seen_as(output(transforms=(mirror(1e-14), turned())))),
        ("output-follows-flip", "H", *seen_as(regression(transforms=(ODD,)))),
        ("output-follows-flip", "H", *seen_as(output(transforms=(SWAP,)))),
        ("orientation-sensitive-data", "H", *seen_as(output(transforms=SENSITIVE))),
        (
            "orientation-sensitive-architecture",
            "H",
            *seen_as(output(transforms=SENSITIVE, floor={"H": 0.4})),
        ),
        (
            "undecided-without-images",
            "",
            *seen_as(output(transforms=SENSITIVE, orientation={}), user=False),
        ),
    ],
)
def test_facts_get_their_cause(cause, transform, seen, measured):
    first = diagnosed(seen, measured).causes[0]
    assert (first.cause, first.transform) == (cause, transform)
    if cause in FAULTS:  # no fault that is named ends as a pass
        findings = [f for r in run_all_rules(facts(seen, measured)) for f in r.findings]
        assert max(f.severity.rank for f in findings) >= Severity.LOW.rank


@pytest.mark.parametrize("code", DAMAGE)
def test_severe_damage_comes_first(code):
    found = facts(behaviour(silent()))
    severe = diagnose(found, (failing(code, Severity.CRITICAL),))
    assert severe.causes[0].cause == "damaged-restore"
    mild = diagnose(found, (failing(code, Severity.LOW),))
    assert mild.causes[0].cause == "collapse-open"


@pytest.mark.parametrize(
    ("seen", "not_cause"),
    [
        # A small gain, or one within sampling error, is not another orientation.
        (behaviour(output(gains=form("H", 0.09))), "orientation-mismatch"),
        (behaviour(output(gains=form("r270", 0.5, 3.0))), "orientation-mismatch"),
        # Where swapped colours explain more, the orientation does not.
        (behaviour(output(gains=form("H", 0.3) | form("BGR", 0.6))), "orientation-mismatch"),
        # Two classes: random predictions on unusual images look informative.
        (
            behaviour(
                output(collapse=Collapse(False, 0.05, 2, 0, 0.99, 0.1), gains=form("r90", 0.9))
            ),
            "orientation-mismatch",
        ),
        (
            behaviour(
                output(collapse=Collapse(True, 0.0, 2, 0, 1.0, 0.1), gains=form("2x-1", 0.7))
            ),
            "input-domain",
        ),
        # Larger values make a healthy model more confident.
        (behaviour(output(gains=form("*255", 1.0, 20, (0.05, 1.0)))), "input-domain"),
        # Statistics that fit as given, and not on the other scale, speak against it.
        (
            behaviour(output(gains=form("2x-1")), batchnorm=(fit(0.05, domain={"2x-1": 2.0}),)),
            "input-domain",
        ),
        # Confident by training; equally on every scale; unsure of all on the other.
        (behaviour(output(**SURE | {"margin": 41.0})), "input-domain"),
        (behaviour(output(**SURE | {"domain_margin": {"/255": 60.0}})), "input-domain"),
        (behaviour(output(**SURE | {"domain": {"/255": 0.7 * TEN}})), "input-domain"),
        (labelled(behaviour(output(**SURE, accuracy={"e": 0.9, "/255": 0.5}))), "input-domain"),
        # An unsure model gives little information, but is not constant.
        (behaviour(quiet(collapse=Collapse(False, 0.6, 10, 1, 0.3, 0.1))), "little-information"),
        # Images of one class cannot measure a flip, and shift the statistics.
        (behaviour(quiet(transforms=SENSITIVE), batchnorm=(fit(),)), "orientation-sensitive-data"),
        (behaviour(quiet(), batchnorm=(fit(0.6),)), "wrong-weights-upstream"),
        (
            behaviour(
                quiet(),
                batchnorm=(fit(0.6),),
                interventions={"recalibrate_batchnorm": RECALIBRATED},
            ),
            "bn-statistics-lost",
        ),
        # One dead layer in parallel with live ones is not a collapse.
        (behaviour(dead={"side": 1.0, "relu": 0.1}), "dead-units"),
        # Few images of one class shift the statistics.
        (labelled(behaviour(batchnorm=(fit(0.39),)), 1.0), "wrong-weights-upstream"),
        (behaviour(batchnorm=(fit(0.34),)), "wrong-weights-upstream"),
    ],
)
def test_no_false_alarm(seen, not_cause):
    assert all(cause.cause != not_cause for cause in diagnosed(seen).causes)


def test_nan_weights_are_not_damage_of_the_file():
    found = diagnose(facts(), (failing("MA111", Severity.HIGH),))
    assert found.causes[0].cause == "nonfinite-weights"
    assert found.suspects[-1].state == "open"
    both = (failing("MA111", Severity.HIGH), failing("MA102", Severity.HIGH))
    assert diagnose(facts(), both).causes[0].cause == "damaged-restore"


@pytest.mark.parametrize(
    ("layers", "kernels", "cause"),
    [
        ([norm(lost=True, affine=True)], [initial("a")], "bn-statistics-lost"),
        ([norm(), norm(lost=True, affine=True)], [initial("a")], "bn-statistics-lost"),
        ([norm(lost=True, affine=True)], [initial("a", "fresh")], "never-loaded"),
        ([norm(affine=True)], [initial("a")], "learned-invariance"),
    ],
)
def test_normalizations_at_initial_values_with_trained_kernels(layers, kernels, cause):
    assert diagnosed(None, measurements(*kernels, batchnorm=layers)).causes[0].cause == cause


@pytest.mark.parametrize(
    ("h", "v", "accuracy", "cause"),
    [
        (0.095, 0.9, {}, "learned-invariance"),  # a tenth of what the other flip does
        (0.12, 0.3, {}, "orientation-sensitive-data"),
        (0.12, 0.3, {"e": 0.98, "H": 0.97}, "learned-invariance"),
        (0.12, 0.9, {"e": 0.98, "H": 0.90}, "orientation-sensitive-data"),
        (0.059, 0.059, {}, "learned-invariance"),
        (0.21, 9.0, {"e": 0.98, "H": 0.98}, "learned-invariance"),  # labels decide
    ],
)
def test_grey_zone_of_flip_variation(h, v, accuracy, cause):
    worse = {"H": 0.5 if accuracy.get("H", 0.0) > 0.95 else 1e-4} if accuracy else {}
    shown = output(transforms=(mirror(h), turned(v)), accuracy=accuracy, worse_p=worse)
    assert diagnosed(behaviour(shown)).causes[0].cause == cause


def test_in_the_grey_zone_predictions_must_agree_or_all_orientations_be_equal():
    shaky = output(transforms=(mirror(0.12, 0.87), turned(1.7)))
    assert diagnosed(behaviour(shaky)).causes[0].cause == "orientation-sensitive-data"
    quarter = replace(turned(0.15), name="r90")
    alike = output(transforms=(mirror(0.12, 0.87), turned(0.1), quarter))
    assert diagnosed(behaviour(alike)).causes[0].cause == "learned-invariance"


def test_small_kernel_without_bias_counts_after_its_first_misfit():
    layers = (
        examples.layer("deep", "DepthwiseConv2D"),
        examples.layer("norm", "BatchNormalization", inbound=(("deep",),)),
    )
    small = initial("deep", "undecidable", 576, fits=True)
    found = facts(behaviour(batchnorm=(fit(0.61, "norm"),)), measurements(initial("head"), small))
    kernel = Kernel("deep", "deep/kernel", "depthwise", "hwcm", 2, (3, 3, 64, 1))
    artifact = replace(examples.model(*layers), kernels=(kernel,))
    assert diagnose(replace(found, artifact=artifact), ()).causes[0].where == "deep"
    # Statistics that match other values of the inputs say nothing against the kernel.
    for other, where in ((0.1, ()), (0.9, ("deep",))):
        bad = fit(0.61, "norm", domain={"e": 0.61, "*255": other})
        seen = Case(replace(found, artifact=artifact, behaviour=behaviour(batchnorm=(bad,))), ())
        assert tuple(kernel.route for kernel in seen.fresh) == where
    fitting = replace(found, artifact=artifact, behaviour=behaviour(batchnorm=(fit(route="norm"),)))
    assert diagnose(fitting, ()).causes[0].cause == "learned-invariance"


def test_saturated_outputs_prove_no_symmetry():
    shown = output(transforms=(mirror(0.0), turned()), saturated=0.9)
    found = diagnosed(behaviour(shown))
    assert found.causes[0].cause == "learned-invariance"
    assert any(each.cause == "invariant-by-construction" for each in found.undecidable)


def test_changed_predictions_are_not_learned_invariance_whatever_the_other_flip_does():
    shown = output(transforms=(mirror(0.078, 0.67), turned(0.587)))
    found = diagnosed(behaviour(shown)).causes[0]
    assert found.cause == "orientation-sensitive-data"
    assert any("The effect is weak" in each.text for each in found.evidence)
