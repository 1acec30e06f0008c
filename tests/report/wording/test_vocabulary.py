"""Codes in words."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.measures.value_transforms import domain_transforms
from modelaudit.report.wording import vocabulary


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 255), (-1, 1), (-2.1, 2.6), (-124, 151)])
def test_every_form_of_the_inputs_has_words(low, high):
    x = np.linspace(low, high, 12).reshape(1, 2, 2, 3)
    names = [each.name for each in domain_transforms(x, 3)]
    for name in (*names, *(f"V + {each}" for each in names)):
        assert all(part != name for part in vocabulary.transform(name).split(", "))
