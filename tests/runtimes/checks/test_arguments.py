"""Numbers and words that constructors of layers refuse, against the installed Keras itself."""

from __future__ import annotations

import inspect
from types import SimpleNamespace

import pytest

from modelaudit.runtimes.catalogue import find_profile, shipped_profiles
from modelaudit.runtimes.checks.values import check
from modelaudit.runtimes.collecting.arguments import NEEDED, WORDS

PROFILE = find_profile("tf==2.21")
REFUSED = PROFILE.behaviour("arguments_refused")
NUMBERS = (-300, -1.0, -0.3, -1e-3, 0, 0.3, 0.999, 1, 1.001, 1.7, 3, 50.0)


def reasons(name, config, profile=PROFILE):
    context = SimpleNamespace(profile=profile, behaviour=profile.behaviour)
    found = check(name, config, context, "layer", False)
    return [each for each in found if each.code == "argument-refused"]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_predicted_of_other_values_is_what_keras_does(name):
    import keras

    layer = getattr(keras.layers, name)
    signature = inspect.signature(layer.__init__).parameters
    needed = {k: NEEDED[k][0] for k, p in signature.items() if p.default is p.empty and k in NEEDED}
    for key in REFUSED[name]:
        for value in WORDS.get(key, NUMBERS):
            try:
                layer(**{**needed, key: value})
            except Exception as error:
                (found,) = reasons(name, {key: value})
                start = found.error.partition("…")[0].partition(repr(value))[0]
                assert start in str(error)
            else:
                assert reasons(name, {key: value}) == []


def test_values_that_are_no_numbers_or_words_are_not_judged():
    for value in (None, True, [2.0], {"value": 2.0}, float("nan"), "2"):
        assert reasons("GaussianNoise", {"stddev": value}) == []
    assert reasons("GaussianNoise", {"stddev": 2})


def test_keras_2_takes_more():
    assert reasons("GaussianNoise", {"stddev": 2.0}, find_profile("tf==2.15")) == []


def test_every_keras_3_was_asked():
    profiles = [x.read() for x in shipped_profiles() if x.keras >= (3,)]
    assert profiles
    for each in profiles:
        assert reasons("GaussianNoise", {"stddev": 2.0}, each)


@pytest.mark.parametrize(
    ("shape", "refused"), [(2, True), (-1, True), ([None, 1], False), (None, False)]
)
def test_a_second_argument_of_dropout_is_no_shape_of_its_noise(shape, refused):
    """`Dropout(0, 2)` of Keras 2, which Keras 3 took until it began to look at the shape."""
    saved = {"rate": 0, "noise_shape": shape}
    assert bool(reasons("Dropout", saved)) is refused
    assert reasons("Dropout", saved, find_profile("keras==3.12.3")) == []
