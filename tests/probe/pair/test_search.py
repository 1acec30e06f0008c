"""The search for the form of the inputs in which an export answers as its source does."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.measures.transforms import transforms_for
from modelaudit.measures.value_transforms import DomainTransform, paired_transforms
from modelaudit.probe.pair.search import FormSearch, for_all
from modelaudit.probe.study.combinations import variant_name
from modelaudit.probe.study.runner import InputVariant

RNG = np.random.default_rng(3)
X = RNG.random((16, 6, 6, 3))
MOVES = {move.name: move for move in transforms_for(X.shape)}
DOMAINS = {each.name: each for each in paired_transforms(X, 3)}
WEIGHTS = RNG.normal(size=(108, 5))


def source(x):
    return np.tanh(x.reshape(len(x), -1) @ WEIGHTS)


def changed(x, variant):
    moved = MOVES[variant.move].apply(x) if variant.move != "e" else x
    return variant.domain.apply(moved) if variant.domain else moved


def found(export, x=X, enough=0.05):
    """What the search finds for an export that takes other inputs than the source."""
    asked = []

    def ask(variant):
        asked.append(variant)
        return export(changed(x, variant))

    best = FormSearch(source(x), ask, list(MOVES), [*DOMAINS.values()], enough).run()
    assert best is not None
    return best, len(asked)


def undone(transform: DomainTransform):
    """The inverse of a transform without a flip, as an export has it inside."""
    return lambda x: (x - np.array(transform.offset)) / np.array(transform.scale)


def test_equal_models_are_asked_once():
    best, asked = found(source)
    assert (best.complexity, best.error, asked) == (0, 0.0, 1)


@pytest.mark.parametrize("name", ["*255", "/255", "2x-1", "0-1>imagenet", "imagenet>0-1", "1-x"])
def test_another_range_is_found(name):
    inside = undone(DOMAINS[name])
    best, asked = found(lambda x: source(inside(x)))
    assert variant_name(best.variant) == name
    assert best.error < 1e-5
    assert asked <= 1 + len(DOMAINS) + len(MOVES)


@pytest.mark.parametrize("name", sorted(MOVES))
def test_another_orientation_is_found(name):
    back = MOVES[name].inverse
    best, _ = found(lambda x: source(back.apply(x)))
    assert variant_name(best.variant) == name


def test_several_differences_together_are_found():
    inside = undone(DOMAINS["*255"])
    best, _ = found(lambda x: source(inside(MOVES["H"].apply(x)[..., ::-1])))
    assert variant_name(best.variant) == "H + *255 + BGR"


def test_the_order_of_the_classes_is_found_with_another_range():
    inside = undone(DOMAINS["2x-1"])
    best, _ = found(lambda x: source(inside(x))[:, [1, 0, 2, 4, 3]])
    assert (variant_name(best.variant), best.output.order) == ("2x-1", (1, 0, 2, 4, 3))


def test_an_order_is_fitted_again_to_all_inputs():
    """Classes that none of the few inputs has may be in any order."""
    classes = np.arange(40) % 8
    wanted = np.eye(8)[classes]
    order = (1, 2, 3, 4, 5, 6, 7, 0)
    few = np.flatnonzero(classes < 4)
    search = FormSearch(wanted[few], lambda _: wanted[few][:, order], [], [], 0.05)
    best = search.run()
    assert best is not None
    assert best.output.order is not None
    assert best.output.order != order
    found = for_all(best, wanted, wanted[:, order])
    assert (found.output.order, found.error) == (order, 0.0)


def test_noise_of_quantization_has_no_better_form():
    """An export whose outputs are rounded stays as it is."""
    best, _ = found(lambda x: np.round(source(x) * 8) / 8, enough=0.3)
    assert best.complexity == 0


def test_a_symmetric_model_has_no_orientation():
    """Where the mirror image gives the same, inputs as they are come first."""

    def symmetric(x):
        return source((x + x[:, :, ::-1]) / 2)

    def ask(variant):
        return symmetric(changed(X, variant)) + 0.01

    best = FormSearch(symmetric(X), ask, list(MOVES), [], 0.0).run()
    assert best is not None
    assert best.variant == InputVariant()


def test_an_export_that_gives_nothing():
    assert FormSearch(source(X), lambda _: None, list(MOVES), [], 0.1).run() is None
