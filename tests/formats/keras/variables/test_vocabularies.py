"""Tables of words have a number among the layers with weights of Keras 2."""

from __future__ import annotations

import pytest

from modelaudit.pipeline import static_facts
from modelaudit.rules.engine import run_rules
from modelaudit.rules.integrity import completeness, consistency, files
from modelaudit.settings import Settings

WORDS = ["a", "model", "reads", "words"]
RULES = (*files.RULES, *completeness.RULES, *consistency.RULES)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("name", ["TextVectorization", "StringLookup"])
def test_layers_behind_a_table_keep_their_variables(tmp_path, name, given):
    import tf_keras

    layers = tf_keras.layers
    words = {"vocabulary": WORDS} if given else {}
    lookup = getattr(layers, name)(**words)
    if not given:
        lookup.set_vocabulary(WORDS)
    text = name == "TextVectorization"
    pooled = [layers.GlobalAveragePooling1D()] if text else [layers.Flatten()]
    model = tf_keras.Sequential(
        [
            tf_keras.Input(() if text else (3,), dtype="string"),
            *(lookup, layers.Embedding(20, 8), *pooled, layers.Dense(16), layers.Dense(3)),
        ]
    )
    model.save(tmp_path / "model", save_traces=False)
    facts = static_facts(tmp_path / "model", Settings())
    assert facts.artifact.architecture is not None
    known = facts.artifact.architecture.layers
    bound = [layer for layer in known if layer.class_name == "Dense"]
    assert [sorted(layer.variables) for layer in bound] == [["bias", "kernel"]] * 2
    codes = {f.code for result in run_rules(RULES, facts) for f in result.findings}
    assert not codes & {"MA112", "MA114", "MA123"}
