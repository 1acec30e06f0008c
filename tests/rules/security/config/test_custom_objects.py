"""What a loader needs that is a class of Keras itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.settings import Settings
from tests.runtimes.checks.cases.shared import h5
from tests.runtimes.checks.making import stack


@pytest.mark.slow
def test_a_layer_as_activation_is_given_by_the_call_that_loads_it(tmp_path, monkeypatch):
    """HDF5 of Keras 2 names it without a module, so that Keras 3 looks among its activations."""
    pytest.importorskip("tf_keras")
    keras = pytest.importorskip("keras")
    make = h5(
        lambda k: stack(k, (4,), k.layers.Dense(3, activation=k.layers.LeakyReLU(0.2))), plain=True
    )
    path = make(tmp_path)
    with pytest.raises(TypeError, match="LeakyReLU"):
        keras.models.load_model(path, compile=False)

    (finding,) = run_rule(rule("MA715"), static_facts(path, Settings())).findings
    assert "LeakyReLU, a layer of Keras that load_model does not look for" in finding.detail
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(finding.fix.partition("\n\n")[2].replace("    ", ""), names)
    assert names["model"].layers[-1].activation.negative_slope == pytest.approx(0.2)


def test_the_advice_names_the_setting_that_reads_the_code_until_it_is_set(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    written = (
        "import keras\nclass Gain(keras.layers.Layer):\n    def call(self, x):\n        return x\n"
    )
    (tmp_path / "layers.py").write_text(written)
    gain = type("Gain", (keras.layers.Layer,), {"call": lambda self, x: x})
    keras.Sequential([keras.Input((2,)), gain()]).save(tmp_path / "m.keras")
    call = "load_model('m.keras', custom_objects={'Gain': Gain}, compile=False)"
    for code, setting in (((), True), ((str(tmp_path / "layers.py"),), False)):
        facts = static_facts(tmp_path / "m.keras", Settings(source_code=code))
        (found,) = run_rule(rule("MA715"), facts).findings
        assert call in found.fix
        assert ("`source_code`" in found.fix) is setting
