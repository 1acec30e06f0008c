"""Columns in another unit are found by what a model holds of training, or by the other columns."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.facts import Artifact
from modelaudit.measures.column_forms import (
    AS_STORED,
    STANDARDISED,
    ColumnStatistics,
    column_code,
    column_forms,
    column_statistics,
    columns_apart,
    is_table,
    is_unit,
)
from modelaudit.measures.input_corrections import numpy_of, words_of
from tests.measures.artifacts import artifact, chain, layer

MEAN, DEVIATION = np.array([80.0, 15.0, 3.0, 0.5]), np.array([25.0, 6.0, 1.5, 0.2])
STORED = ColumnStatistics("scale", MEAN, DEVIATION)
ROWS = (np.random.default_rng(0).normal(size=(200, 4)) * DEVIATION + MEAN).astype("float32")


def changed(column: int, scale: float, offset: float = 0.0, rows: np.ndarray = ROWS) -> np.ndarray:
    made = rows.copy()
    made[:, column] = made[:, column] * scale + offset
    return made


def names(rows: np.ndarray, stored: ColumnStatistics | None = STORED) -> list[str]:
    return [form.name for form in column_forms(rows, stored)]


def test_rows_as_in_training_have_no_other_form() -> None:
    assert names(ROWS) == []
    assert columns_apart(ROWS, STORED) == ()
    assert names(((ROWS - MEAN) / DEVIATION).astype("float32"), None) == []


@pytest.mark.parametrize("factor", [0.01, 0.0929, 3.28, 10.764, 1000.0])
def test_another_unit_is_undone_by_its_factor(factor: float) -> None:
    (form,) = column_forms(changed(0, factor), STORED)
    undone = form.apply(changed(0, factor))
    np.testing.assert_allclose(undone[:, 1:], ROWS[:, 1:], rtol=1e-6)
    np.testing.assert_allclose(undone[:, 0], ROWS[:, 0], rtol=0.1)  # known from 200 rows
    assert form.name.startswith("column 0 / ")


def test_a_unit_with_another_zero_is_brought_to_what_the_model_holds() -> None:
    fahrenheit = changed(1, 1.8, 32.0)
    (form,) = column_forms(fahrenheit, STORED)
    assert form.name.startswith("column 1 * 0.5")
    assert not is_unit(form.name)
    undone = form.apply(fahrenheit)
    np.testing.assert_allclose(undone[:, 1].mean(), 15.0, rtol=1e-2)
    np.testing.assert_allclose(undone[:, 1].std(), 6.0, rtol=1e-2)
    (apart,) = columns_apart(fahrenheit, STORED)
    assert (apart.column, apart.layer, apart.trained_mean) == (1, "scale", 15.0)


def test_rows_that_were_standardised_before_are_brought_back_as_a_whole() -> None:
    standardised = ((ROWS - ROWS.mean(axis=0)) / ROWS.std(axis=0)).astype("float32")
    (form,) = column_forms(standardised, STORED)
    assert form.name == AS_STORED
    np.testing.assert_allclose(form.apply(standardised).mean(axis=0), MEAN, rtol=1e-3)


def test_without_statistics_the_columns_are_compared_with_each_other() -> None:
    standardised = ((ROWS - MEAN) / DEVIATION).astype("float32")
    assert names(changed(2, 9.0, 40.0, standardised), None) == ["column 2 standardised"]
    (form,) = column_forms(ROWS, None)
    assert form.name == STANDARDISED
    made = form.apply(ROWS)
    np.testing.assert_allclose(made.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(made.std(axis=0), 1, atol=1e-4)


def test_columns_of_two_values_are_left_alone() -> None:
    flags = np.hstack([ROWS, np.tile([[0.0], [1.0]], (100, 1))]).astype("float32")
    stored = ColumnStatistics("scale", np.append(MEAN, 0.01), np.append(DEVIATION, 0.1))
    assert column_forms(flags, stored) == ()
    assert columns_apart(flags, stored) == ()


def test_the_code_does_what_the_form_does() -> None:
    one = changed(2, 9.0, 40.0, ((ROWS - MEAN) / DEVIATION).astype("float32"))
    standardised = ((ROWS - ROWS.mean(axis=0)) / ROWS.std(axis=0)).astype("float32")
    for rows, stored in (
        (changed(0, 10.764), STORED),
        (changed(1, 1.8, 32.0), STORED),
        (standardised, STORED),
        (ROWS, None),
        (one, None),
    ):
        (form,) = column_forms(rows, stored)
        held = (MEAN, DEVIATION) if stored else (rows.mean(axis=0), rows.std(axis=0))
        known = {"images": rows.astype("float64").copy(), "MEANS": held[0], "DEVIATIONS": held[1]}
        known |= {"MEAN": rows[:, 2].mean(), "DEVIATION": rows[:, 2].std()}
        exec(numpy_of(form.name), known)  # code of this package
        np.testing.assert_allclose(known["images"], form.apply(rows), rtol=1e-3, atol=1e-3)
        assert words_of(form.name).startswith("with ")
    assert column_code("/255") == ""


def table(class_name: str, roles: tuple[str, str], mean: np.ndarray = MEAN) -> Artifact:
    mean_name, variance_name = (f"scale/{role}" for role in roles)
    variables = dict(zip(roles, (mean_name, variance_name), strict=True))
    layers = chain(
        layer("x", "InputLayer"),
        layer("scale", class_name, variables=variables),
        layer("d", "Dense"),
    )
    return artifact({mean_name: mean, variance_name: DEVIATION**2}, layers=layers)


@pytest.mark.parametrize(
    ("class_name", "roles"),
    [
        ("Normalization", ("mean", "variance")),
        ("BatchNormalization", ("moving_mean", "moving_variance")),
    ],
)
def test_statistics_are_those_of_the_layer_behind_the_input(class_name, roles) -> None:
    found = column_statistics(table(class_name, roles), 4)
    assert found is not None
    np.testing.assert_allclose(found.mean, MEAN)
    np.testing.assert_allclose(found.deviation, DEVIATION)
    assert found.exact is (class_name == "Normalization")  # moving averages may not have settled
    assert column_statistics(table(class_name, roles), 5) is None
    assert column_statistics(table("Dense", roles), 4) is None
    lost = table(class_name, roles, np.full(4, np.nan))
    assert column_statistics(lost, 4) is None


def test_only_rows_of_finite_fractions_are_tables() -> None:
    assert is_table(ROWS)
    assert not is_table(ROWS.astype("int32"))
    assert not is_table(ROWS[:, :, None])
    assert not is_table(np.full((4, 2), np.nan, "float32"))
