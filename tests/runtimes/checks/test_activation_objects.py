"""A layer as an activation, without its module: what each Keras 3 says that does not find it."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelaudit.pipeline import static_facts
from modelaudit.rules.compatibility.refusals import causes
from modelaudit.runtimes.predict import predict
from modelaudit.settings import Settings
from tests.runtimes.checks.making import changed, new, setting, stack

# What Keras 3.8.0 and 3.11.3 said; that of the installed one is compared by the tests of causes.
SAID = {
    "tf==2.18.1": "Could not interpret activation function identifier: {'class_name': 'Odd'",
    "tf==2.20.0": "TypeError: …Could not locate class 'Odd'.",
}


@pytest.mark.slow
@pytest.mark.parametrize("target", SAID)
def test_what_a_version_says(tmp_path: Path, target: str) -> None:
    path = tmp_path / "m.h5"
    stack(new(), (4,), new().layers.Dense(2)).save(path)
    changed(path, setting("Dense", activation={"class_name": "Odd", "config": {}}))
    facts = static_facts(path, Settings(targets=(target,)))
    (found,) = [e for e in predict(facts.artifact, (target,)) if e.call == "load_model"]
    (cause,) = [each for each in causes(found) if each.code == "unknown-object"]
    assert cause.error == SAID[target]
