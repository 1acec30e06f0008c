"""Verdicts and causes, on made facts."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.audit_types.restore import TensorChange, TensorDifference
from modelaudit.measures.behaviour.output_forms import OutputForm
from modelaudit.measures.statistics import wilson
from modelaudit.measures.value_transforms import DomainTransform
from modelaudit.probe.pair.model import (
    ExportNumbers,
    PairCause,
    PairedOutput,
    PairExplanation,
    PairVerdict,
)
from modelaudit.probe.pair.search import PairForm
from modelaudit.probe.pair.verdict import PairFacts, judge, order_by_names
from modelaudit.probe.study.runner import InputVariant
from modelaudit.restore.model import WeightComparison
from modelaudit.structs import replace

WANTED = np.random.default_rng(0).normal(size=(40, 4))
ALIKE = WeightComparison(8, 8)
TIMES_255 = DomainTransform("*255", (255.0,))


def output(error: float, order=None, agreed=40) -> tuple[OutputForm, PairedOutput]:
    """Outputs whose errors are all this, and their description."""
    size = float(np.sqrt(((WANTED - WANTED.mean(0)) ** 2).sum(1).mean()))
    shift = np.zeros(4)
    shift[0] = error * size
    form = OutputForm("", WANTED, (WANTED if order is None else WANTED[:, list(order)]) + shift)
    paired = PairedOutput("y", 40, error, error, error, agreed=agreed, interval=wilson(agreed, 40))
    return form, paired


def facts(error=0.0, numbers=ExportNumbers.INTEGER, **changes):
    """A pair with this error as it is; of the best form, `best` is the error."""
    plain, paired = output(error, agreed=changes.pop("agreed", 40))
    variant, order = changes.pop("variant", InputVariant()), changes.pop("order", None)
    best = changes.pop("best", None)
    if best is None:
        form = PairForm(variant, plain, error)
    else:
        fitted = OutputForm("", WANTED, output(best, order)[0].got, order)
        form = PairForm(variant, fitted, fitted.error)
    told = {"user": True, "given": "0-1", "named": None, "weights": ALIKE} | changes
    return PairFacts(numbers=numbers, outputs=(paired,), plain=plain, best=form, **told)


@pytest.mark.parametrize(
    ("numbers", "error", "verdict"),
    [
        (ExportNumbers.FLOAT, 0.0, PairVerdict.EQUAL),
        (ExportNumbers.FLOAT, 0.05, PairVerdict.DIFFERENT),
        (ExportNumbers.FLOAT16, 0.01, PairVerdict.QUANTISED),
        (ExportNumbers.INTEGER, 0.1, PairVerdict.QUANTISED),
        (ExportNumbers.INTEGER, 0.0005, PairVerdict.QUANTISED),
        (ExportNumbers.INTEGER, 0.9, PairVerdict.DIFFERENT),
    ],
)
def test_what_numbers_excuse(numbers, error, verdict):
    assert judge(facts(error, numbers), ())[:2] == (verdict, ())


def test_small_errors_do_not_excuse_other_classes():
    assert judge(facts(0.1, agreed=20), ())[0] is PairVerdict.DIFFERENT


def test_made_inputs_do_not_show_calibration():
    verdict, causes, reason = judge(facts(0.9, user=False), ())
    assert (verdict, causes) == (PairVerdict.UNKNOWN, ())
    assert "--probe-data" in reason
    assert judge(facts(0.9, ExportNumbers.FLOAT, user=False), ())[0] is PairVerdict.DIFFERENT


@pytest.mark.parametrize(
    ("variant", "given", "causes"),
    [
        (InputVariant("e", TIMES_255), "0-1", [(PairCause.VALUES, "*255")]),
        (InputVariant("e", TIMES_255), "0-255", [(PairCause.TWICE, "*255")]),
        (InputVariant("H"), "0-1", [(PairCause.ORIENTATION, "H")]),
        (
            InputVariant("V", TIMES_255.swapped(3)),
            "0-1",
            [
                (PairCause.VALUES, "*255"),
                (PairCause.CHANNELS, "BGR"),
                (PairCause.ORIENTATION, "V"),
            ],
        ),
        (
            InputVariant("e", DomainTransform("BGR", flip=(3,))),
            "0-1",
            [(PairCause.CHANNELS, "BGR")],
        ),
    ],
)
def test_a_form_of_the_inputs_is_the_cause(variant, given, causes):
    verdict, found, _ = judge(facts(1.2, best=0.01, variant=variant, given=given), ())
    assert verdict is PairVerdict.DIFFERENT
    assert [(each.kind, each.detail) for each in found] == causes
    assert all(each.certain for each in found)


def test_a_form_that_leaves_much_is_a_guess():
    (cause,) = judge(facts(1.2, best=0.5, variant=InputVariant("H")), ())[1]
    assert not cause.certain


def test_a_form_that_is_no_better_is_no_cause():
    assert judge(facts(1.2, best=1.1, variant=InputVariant("H")), ())[1] == ()


def differing(distance):
    change = TensorDifference("conv/kernel", "c", TensorChange.VALUES, distance=distance)
    return WeightComparison(8, 7, (change,))


def test_other_weights_are_the_cause_if_no_form_is():
    verdict, (cause,), _ = judge(facts(0.1, weights=differing(0.5)), ())
    assert (verdict, cause.kind, cause.detail) == (
        PairVerdict.DIFFERENT,
        PairCause.WEIGHTS,
        "conv/kernel",
    )
    assert judge(facts(0.0, weights=differing(0.5)), ())[:2] == (PairVerdict.QUANTISED, ())
    (cause,) = judge(facts(1.2, best=0.0, variant=InputVariant("H"), weights=differing(1.0)), ())[1]
    assert cause.kind is PairCause.ORIENTATION


def test_other_statistics_are_named():
    weights = WeightComparison(8, 3, differing(0.5).differing, refolded=("conv", "conv_1"))
    (cause,) = judge(facts(0.2, weights=weights), ())[1]
    assert (cause.kind, cause.detail) == (PairCause.NORMALIZATION, "conv")


def test_calibration_is_a_guess_where_nothing_else_is_known():
    guess = PairExplanation(PairCause.SATURATED, "conv", certain=False)
    assert judge(facts(0.9), [guess])[:2] == (PairVerdict.DIFFERENT, (guess,))
    assert judge(facts(0.1), [guess])[:2] == (PairVerdict.QUANTISED, ())


ORDER = (1, 2, 3, 0)


def test_an_order_that_the_names_say_is_no_difference():
    (cause,) = judge(facts(1.0, best=0.0, order=ORDER), ())[1]
    assert (cause.kind, cause.detail) == (PairCause.CLASSES, "4 of 4")
    assert cause.numbers["order"] == [3, 0, 1, 2]
    said = facts(1.0, best=0.0, order=ORDER, named=ORDER)
    assert judge(said, ())[:2] == (PairVerdict.QUANTISED, ())


def test_names_in_another_order_than_the_outputs():
    verdict, (cause,), _ = judge(facts(0.0, named=ORDER), ())
    assert (verdict, cause.kind) == (PairVerdict.DIFFERENT, PairCause.LABELS)


def test_order_by_names():
    assert order_by_names(["a", "b", "c"], ["c", "a", "b"]) == (2, 0, 1)
    assert order_by_names(["a", "b"], ["a", "b"]) is None
    assert order_by_names(["a", "b"], ["a", "x"]) is None
    assert order_by_names([], []) is None


def test_no_order_is_certain_where_outputs_fit_in_none():
    verdict, causes, _ = judge(facts(0.9, named=ORDER), ())
    assert (verdict, causes) == (PairVerdict.DIFFERENT, ())


@pytest.mark.parametrize(
    ("error", "verdict"), [(0.1, PairVerdict.QUANTISED), (0.9, PairVerdict.DIFFERENT)]
)
def test_an_order_that_the_names_say_does_not_excuse_another_output(error, verdict):
    pair = facts(1.0, best=0.0, order=ORDER, named=ORDER)
    other = output(error)[1]
    assert judge(replace(pair, outputs=(*pair.outputs, other)), ())[0] is verdict
