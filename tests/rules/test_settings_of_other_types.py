"""Settings of layers that are lists or dictionaries, which no rule may fail on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.rules.model import Facts, NotApplicable, NotRelevant, Rule
from modelaudit.structs import replace


def changed(facts: Facts) -> Iterator[Facts]:
    """The model with one setting of one layer in a list, and in a dictionary."""
    model = facts.artifact.architecture
    for place, layer in enumerate(model.layers if model else ()):
        for key, value in layer.config.items():
            for other in ([value], {"class_name": value, "config": {}}):
                layers = [*(model.layers if model else ())]
                layers[place] = replace(layer, config={**layer.config, key: other})
                artifact = replace(
                    facts.artifact, architecture=replace(model, layers=tuple(layers))
                )
                yield replace(facts, artifact=artifact)


@pytest.mark.parametrize("rule", CATALOGUE, ids=lambda rule: rule.code)
def test_a_setting_of_another_type(rule: Rule) -> None:
    for facts in (rule.bad(), rule.good()):
        for each in changed(facts):
            try:
                assert all(found.detail for found in rule.check(rule, each))
            except (NotApplicable, NotRelevant):
                continue
