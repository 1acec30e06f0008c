"""Rules whose cost grew with the square of the layers."""

from __future__ import annotations

import pytest

from modelaudit.audit_types.kernels import KernelInitialization
from modelaudit.facts import Layer
from modelaudit.findings import Severity
from modelaudit.measures.architecture.layer_graph import layer_graph
from modelaudit.rules import examples
from modelaudit.rules.architecture import augmented_ranges, cancelled_biases, network_design
from modelaudit.rules.architecture.layer_settings import RULES
from modelaudit.rules.initial_weights.untrained_bodies import only_head_moved
from modelaudit.structs import replace

COUNT = 40


def test_layers_behind_many_hidden_ones_are_looked_at_once(monkeypatch):
    hidden = [examples.layer(f"h{n}", config={"units": 4}) for n in range(COUNT)]
    waiting = [examples.layer(f"w{n}", "Dropout") for n in range(COUNT)]
    waiting = [replace(x, inbound=((f"w{n - 1}",),)) for n, x in enumerate(waiting)]
    waiting[0] = replace(waiting[0], inbound=(tuple(x.route for x in hidden),))
    last = replace(examples.layer("pool", "MaxPooling1D"), inbound=((waiting[-1].route,),))
    head = replace(examples.layer("head", config={"units": 1}), inbound=((last.route,),))
    seen = []

    def weighs(layer):
        seen.append(layer.route)
        return layer.class_name == "Dense"

    monkeypatch.setattr(network_design, "weighs", weighs)
    for behind, at_once in ((last, False), (replace(last, class_name="Flatten"), True)):
        seen.clear()
        architecture = examples.model(*hidden, *waiting, behind, head).architecture
        assert network_design._at_once(layer_graph(architecture), hidden) is at_once
        assert len(seen) < 4 * COUNT


def test_layers_behind_many_inputs_are_looked_at_once(monkeypatch):
    inputs = [examples.layer(f"d{n}", config={"units": 4}) for n in range(COUNT)]
    dot = replace(examples.layer("dot", "Dot"), inbound=(tuple(x.route for x in inputs),))
    waiting = [examples.layer(f"w{n}", "Dropout") for n in range(COUNT)]
    waiting = [replace(x, inbound=((f"w{n - 1}",),)) for n, x in enumerate(waiting)]
    waiting[0] = replace(waiting[0], inbound=(("dot",),))
    last = replace(examples.layer("shares", "Softmax"), inbound=((waiting[-1].route,),))
    graph = layer_graph(examples.model(*inputs, dot, *waiting, last).architecture)
    seen = []

    def named(layer):
        seen.append(layer.route)
        return "Dot" if layer.class_name == "Dot" else ""

    monkeypatch.setattr(cancelled_biases, "operation_name", named)
    found = cancelled_biases.cancelled_biases(graph, graph.consumers())
    assert {x.route for x in inputs} <= found
    assert len(seen) < 8 * COUNT


class Counted(tuple[Layer, ...]):
    """Layers that count how often they are gone through."""

    times = 0

    def __iter__(self):
        self.times += 1
        return super().__iter__()


def test_frozen_models_around_kernels_are_collected_once():
    layers = [examples.layer(f"d{n}") for n in range(COUNT)]
    kernels = [
        KernelInitialization(
            x.route,
            f"{x.route}/kernel",
            "GlorotUniform",
            "fresh",
            tests={"fits": True, "bias_initial": x is not layers[-1]},
        )
        for x in layers
    ]
    inner = [replace(x, route=f"base/{x.route}") for x in layers[:-1]]
    base = replace(examples.layer("base", "Functional"), is_model=True, trainable=False)
    artifact = examples.model(base, *inner, layers[-1])
    moved = [replace(k, route=f"base/{k.route}") for k in kernels[:-1]]
    counted = Counted(artifact.architecture.layers)
    artifact = replace(artifact, architecture=replace(artifact.architecture, layers=counted))
    found = only_head_moved(artifact, [*moved, kernels[-1]])
    assert 0 < counted.times < 5
    assert [each.severity for each in found] == [Severity.MEDIUM] * (COUNT - 1)


@pytest.mark.parametrize(
    ("class_name", "config"),
    [
        ("Rescaling", {"scale": 1.0, "offset": 0.0}),
        ("RandomContrast", {"value_range": [0, 255]}),
        ("RandomBrightness", {"value_range": [0, 1]}),
    ],
)
def test_layers_in_a_row_look_at_a_few_of_it(monkeypatch, class_name, config):
    asked = []

    def counted(layers):
        kept = list(row(layers))
        asked.append(len(kept))
        return iter(kept)

    row = augmented_ranges.row
    monkeypatch.setattr(augmented_ranges, "row", counted)
    monkeypatch.setattr("modelaudit.rules.architecture.layer_settings.row", counted)
    settings = next(rule for rule in RULES if rule.code == "MA322")
    layers = [examples.layer(f"l{n}", class_name, {}, config) for n in range(10 * COUNT)]
    assert [*settings.check(settings, examples.chain(*layers))] == []
    assert len(asked) >= len(layers)
    assert max(asked) == 64
