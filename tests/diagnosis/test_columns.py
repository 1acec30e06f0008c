"""Rows with a column in another unit are diagnosed as such, with labels and without."""

from __future__ import annotations

import os

import numpy as np
import pytest

from modelaudit.diagnosis import diagnose
from modelaudit.pipeline import add_probe, static_facts
from modelaudit.probe.run import local_probe
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.rules.engine import run_rules
from modelaudit.settings import Settings
from modelaudit.structs import replace
from tests.made.training import train

pytestmark = pytest.mark.slow
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

RNG = np.random.default_rng(3)
MEAN, DEVIATION = np.array([80.0, 15.0, 30.0, 5.0]), np.array([25.0, 6.0, 10.0, 2.0])
SLOPES = np.array([1.0, -0.7, 0.5, 0.2])
ROWS = (RNG.normal(size=(160, 4)) * DEVIATION + MEAN).astype("float32")
TARGETS = ((ROWS - MEAN) / DEVIATION @ SLOPES + RNG.normal(0, 0.1, 160)).astype("float32")


def feet(rows: np.ndarray) -> np.ndarray:
    """The first column in square feet in place of square metres."""
    return rows * np.array([10.764, 1, 1, 1], "float32")


def standardised(rows: np.ndarray) -> np.ndarray:
    return ((rows - MEAN) / DEVIATION).astype("float32")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A network that standardises its rows, and one that takes standardised rows."""
    import keras

    folder = tmp_path_factory.mktemp("columns")
    keras.utils.set_random_seed(1)
    for name in ("raw", "standardised"):
        inputs = keras.Input((4,))
        scaled = inputs
        if name == "raw":
            scaled = keras.layers.Normalization(name="scale")
            scaled.adapt(ROWS)
            scaled = scaled(inputs)
        hidden = keras.layers.Dense(16, activation="relu")(scaled)
        model = keras.Model(inputs, keras.layers.Dense(1)(hidden))
        model.compile(keras.optimizers.Adam(0.02), "mse")
        given = ROWS if name == "raw" else standardised(ROWS)
        train(model, given, TARGETS, epochs=80)
        model.save(folder / f"{name}.keras")
    return folder


@pytest.fixture(scope="module")
def probe():
    with local_probe(Settings()) as running:
        yield running


def diagnosed(models, probe, name: str, rows: np.ndarray, **labels: np.ndarray):
    np.savez(models / "rows.npz", x=rows.astype("float32"), **labels)
    settings = Settings()
    settings = replace(settings, probe=replace(settings.probe, data=str(models / "rows.npz")))
    facts = add_probe(static_facts(models / f"{name}.keras", settings), probe)
    return diagnose(facts, run_rules(CATALOGUE, facts))


@pytest.mark.parametrize(
    ("name", "rows", "form"),
    [
        ("raw", feet(ROWS), "column 0 / "),
        ("raw", standardised(ROWS), "columns as stored"),
        ("standardised", standardised(feet(ROWS)), "column 0 standardised"),
        ("standardised", ROWS, "columns standardised"),
    ],
)
def test_labels_show_which_column_is_in_another_unit(models, probe, name, rows, form, monkeypatch):
    found = diagnosed(models, probe, name, rows, y=TARGETS)
    first = found.causes[0]
    assert first.cause == "input-domain"
    assert first.transform.startswith(form)
    assert "image" not in found.answer + "".join(each.text for each in found.suspects)
    if name == "raw" and form.endswith("/ "):
        values = {"rows": rows.copy()}
        code = first.next_steps[0].code.replace("MODEL", str(models / "raw.keras"))
        exec(code, values)  # what is advised
        left = np.square(values["predictions"][:, 0] - TARGETS).mean() / TARGETS.var()
        assert left < 0.2


@pytest.mark.parametrize(("name", "rows"), [("raw", ROWS), ("standardised", standardised(ROWS))])
@pytest.mark.parametrize("labels", [{}, {"y": TARGETS}], ids=["alone", "labelled"])
def test_rows_as_in_training_are_not_accused(models, probe, name, rows, labels):
    found = diagnosed(models, probe, name, rows, **labels)
    assert "input-domain" not in {each.cause for each in found.causes}


def test_without_labels_what_the_model_holds_of_training_shows_it(models, probe):
    found = diagnosed(models, probe, "raw", feet(ROWS))
    first = found.causes[0]
    assert (first.cause, first.belief) == ("input-domain", None)
    assert "'scale' holds 79.9 and 25.2 of training" in first.evidence[0].text
    # Rows of later years differ, too: a column that is in no other unit is only suspected.
    later = diagnosed(models, probe, "raw", ROWS + np.array([0, 0, 60, 0], "float32"))
    assert "input-domain" not in {each.cause for each in later.causes}
    (doubt,) = [each for each in later.undecidable if each.cause == "input-domain"]
    assert doubt.suspected
    assert "Column 2 (counted from 0) has a mean of 9" in doubt.needs
    assert "Labelled rows would show" in found.answer
    # Rows of a model that holds no statistics may have any scale.
    unknown = diagnosed(models, probe, "standardised", ROWS)
    assert "input-domain" not in {each.cause for each in unknown.causes}
