"""Values in a config that Keras does not write, each beside one that it does."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from modelaudit.formats.reader import read
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.settings import Limits

CONFIG = (
    '{"class_name": "Sequential", "config": {"name": "s", "layers": [{"class_name": "Dense",'
    ' "config": {"name": "d", %s}}]}}'
)
IMPOSSIBLE = [
    ('"units": NaN', '"units": 1'),
    ('"rate": -Infinity', '"rate": -1.5'),
    ('"rate": [0.5, Infinity]', '"rate": [0.5, 1e300]'),
    ('"max_value": NaN', '"max_value": Infinity'),
    ('"max_value": Infinity, "rate": Infinity', '"bin_boundaries": [-Infinity, 0, Infinity]'),
    ('"rate": 1e400', '"rate": 1e30'),
    ('"rate": -1.5e999', '"rate": "1e999"'),
    ('"rate": 9e99999', '"rate": 9e-99999'),
    (f'"units": {"1" * 5000}', f'"units": {"1" * 15}'),
    (f'"seed": -{"9" * 4400}', '"seed": -9999'),
    (f'"x": [{"7" * 2000}]', f'"x": ["{"7" * 2000}"]'),
    ('"a": "\\ud800"', '"a": "\\ud83d\\ude00"'),
    ('"a\\udfff": 1', '"a\\ue000": 1'),
    ('"a": "x\\\\\\ud812y"', '"a": "x\\\\ud812y"'),
    (f'"units": -{"1" * 400}', f'"units": {"1" * 400}'),
    ('"units": -3', '"units": 3'),
    ('"units": 2.5', '"units": 2.0'),
    ('"units": "NaN"', '"units": {"class_name": "X", "config": {}}'),
    ('"units": null', '"input_dim": null'),
    ('"units": true', '"use_bias": true'),
    ('"kernel_size": [3, false]', '"kernel_size": [3, 3], "use_bias": false'),
    ('"batch_shape": [null, true]', '"batch_shape": [null, 4], "sparse": true'),
]


def found(path: Path, text: str) -> list[str]:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", CONFIG % text)
        archive.writestr("metadata.json", '{"keras_version": "3.5.0"}')
    facts = Facts(read(path, Limits()))
    return [each.detail for each in run_rule(rule("MA718"), facts).findings]


@pytest.mark.parametrize(("impossible", "possible"), IMPOSSIBLE)
def test_values_that_keras_does_not_write(impossible: str, possible: str, tmp_path: Path) -> None:
    assert found(tmp_path / "possible.keras", possible) == []
    (detail,) = found(tmp_path / "impossible.keras", impossible)
    assert "Keras does not write" in detail


def test_a_config_that_is_null_is_no_config(tmp_path: Path) -> None:
    for text, kinds in (("null", ["config-invalid"]), (CONFIG % '"a": null', [])):
        with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
            archive.writestr("config.json", text)
            archive.writestr("metadata.json", '{"keras_version": "3.5.0"}')
        problems = read(tmp_path / "m.keras", Limits()).problems
        assert [x.kind for x in problems if x.kind == "config-invalid"] == kinds
