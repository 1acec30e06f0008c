"""Forms that the outputs of an export may have, against closed forms and brute force."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy.special import expit, softmax

from modelaudit.measures.behaviour.output_forms import (
    NAMES,
    OutputForm,
    in_form,
    output_forms,
    relative_errors,
    reordered,
)

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(0, 3, (12, 4))
SINGLE = RNG.normal(0, 3, (12, 1))
MADE = {
    "softmax twice": (softmax(LOGITS, -1), softmax(softmax(LOGITS, -1), -1)),
    "softmax added": (LOGITS, softmax(LOGITS, -1)),
    "softmax missing": (softmax(LOGITS, -1), LOGITS),
    "sigmoid twice": (expit(LOGITS), expit(expit(LOGITS))),
    "sigmoid added": (LOGITS, expit(LOGITS)),
    "sigmoid missing": (expit(LOGITS), LOGITS),
    "complement": (expit(SINGLE), 1 - expit(SINGLE)),
}


@pytest.mark.parametrize("name", NAMES)
def test_every_form_is_tried_and_fits_what_it_is_for(name):
    forms = {form.name: form for form in output_forms(*MADE[name])}
    assert forms[name].errors().max() < 1e-9
    assert forms[""].errors().min() > 0.01
    assert in_form(name, *MADE[name]).errors().max() < 1e-9


def test_the_source_stays_as_it_is_in_the_complement():
    wanted, got = MADE["complement"]
    np.testing.assert_array_equal(in_form("complement", wanted, got).wanted, wanted)


def test_equal_outputs_are_equal_as_they_are():
    for wanted, _ in MADE.values():
        first, *others = output_forms(wanted, wanted)
        assert (first.name, first.errors().max()) == ("", 0.0)
        assert all(form.errors().max() > 0.01 for form in others)


def test_errors_are_in_units_of_the_spread():
    wanted = np.array([[0.0, 0.0], [2.0, 0.0]])  # both are 1 from their mean
    assert relative_errors(wanted, wanted + [0.3, 0.4]).tolist() == pytest.approx([0.5, 0.5])
    same = np.ones((2, 2))
    assert relative_errors(same, same + [[0, 0], [0, 1]]).tolist() == [0.0, np.inf]


def test_the_best_order_is_that_of_brute_force():
    got = LOGITS[:, [2, 0, 1, 3]] + RNG.normal(0, 0.5, LOGITS.shape)
    found = reordered(OutputForm("", LOGITS, got))
    best = min(permutations(range(4)), key=lambda order: ((LOGITS[:, order] - got) ** 2).sum())
    assert found is not None
    assert found.order == best == (2, 0, 1, 3)
    before = OutputForm("", LOGITS, got).errors()
    assert np.median(found.errors()) < 0.3 < np.median(before)


def test_equal_columns_keep_their_places():
    equal = np.repeat(SINGLE, 3, axis=1)
    assert reordered(OutputForm("", equal, equal)) is None
    assert reordered(OutputForm("", SINGLE, SINGLE)) is None
