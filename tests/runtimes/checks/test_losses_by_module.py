"""Losses that Keras 3 finds by their module in an archive, and in HDF5 by its table of names."""

from __future__ import annotations

import pytest

from modelaudit.pipeline import static_facts
from modelaudit.rules.compatibility import uncompiled
from modelaudit.rules.engine import run_rules
from modelaudit.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_every_public_loss_is_predicted_to_load_as_it_does(suffix, tmp_path):
    import keras

    public = [getattr(keras.losses, name) for name in dir(keras.losses) if name[0].isupper()]
    for made in public:
        if made is keras.losses.Loss:
            continue
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "softmax")])
        model.compile("adam", made())
        path = tmp_path / f"{made.__name__}.{suffix}"
        model.save(path)
        try:
            keras.models.load_model(path)
            loads = True
        except ValueError:
            loads = False
        results = run_rules(uncompiled.RULES, static_facts(path, Settings()))
        told = [x.detail for each in results for x in each.findings if made.__name__ in x.detail]
        assert loads == (not told), (made.__name__, told)
