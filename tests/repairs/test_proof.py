"""What two files must share where no model is run."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.facts import Architecture, Artifact, Layer
from modelaudit.repairs.containers import RepairEdits, scaled
from modelaudit.repairs.proof import check
from modelaudit.repairs.translate.translation import saved_by_keras3
from modelaudit.rules import examples
from modelaudit.settings import Settings
from modelaudit.structs import replace
from tests.measures import artifacts as made

LAYERS = {"in": "InputLayer", "a": "Dense", "inner": "Model", "inner/b": "Lambda", "out": "Dense"}


def model(layers: dict[str, str]) -> Artifact:
    made = tuple(Layer(route, route.rpartition("/")[2], name) for route, name in layers.items())
    whole = Architecture("Functional", "model", "keras2", made, ("in",), ("out",))
    return replace(examples.healthy().artifact, architecture=whole, tensors=())


def failure(after: dict[str, str], **edits: object) -> str:
    found = check(
        model(LAYERS), model(after), None, "it does not run", Settings(), RepairEdits(**edits)
    )
    return found.failure


SAME = {**LAYERS, "inner": "Functional"}


@pytest.mark.parametrize(
    ("after", "edits", "lacking"),
    [
        (SAME, {}, 0),
        ({**SAME, "in_added": "InputLayer"}, {}, 0),
        ({**SAME, "inner/b": "Rescaling"}, {}, 1),
        ({**SAME, "inner/b": "Rescaling"}, {"replaced": {"inner/b"}}, 0),
        ({route: SAME[route] for route in ("in", "a", "out")}, {}, 2),
        ({route: SAME[route] for route in ("in", "a", "out")}, {"replaced": {"inner"}}, 0),
        ({route.replace("a", "z"): SAME[route] for route in SAME}, {"renamed": {"a": "z"}}, 0),
    ],
)
def test_without_outputs_every_layer_is_there_or_replaced_on_purpose(
    after: dict[str, str], edits: dict[str, object], lacking: int
) -> None:
    said = f"the new file lacks {lacking} of 5 layers, and there are no outputs to compare"
    assert failure(after, **edits) == (said if lacking else "")


@pytest.mark.parametrize("name", ["a/a/kernel:0", "a/a/lstm_cell/kernel:0"])
@pytest.mark.parametrize(("factor", "lacking"), [(1.2, False), (1.1, True)])
def test_scaled_gates_are_found_by_the_name_in_a_file_that_was_saved_again(
    name: str, factor: float, lacking: bool
) -> None:
    values = np.arange(8, dtype="float32").reshape(2, 4)
    gates = (1.2, 1.2, 1.0, 1.2)

    def file(tensor: str, values: np.ndarray) -> Artifact:
        stored = replace(made.tensor(tensor, values), role="weight", sha256=str(values.sum()))
        layers = (Layer("a", "a", "LSTM", variables={"kernel": tensor}),)
        whole = Architecture("Functional", "model", "keras2", layers, ("a",), ("a",))
        return replace(model(LAYERS), architecture=whole, tensors=(stored,))

    after = scaled(values, (*(factor,) * 2, 1.0, factor))
    edits = RepairEdits(factors={name: gates})
    sides = file("a/a/kernel:0", values), file(name, after)
    found = check(*sides, None, "it does not run", Settings(), edits)
    assert ("lacks 1 of 1 weights" in found.failure) is lacking


@pytest.mark.parametrize(("dialect", "expected"), [("keras2", False), ("keras3", True)])
def test_a_file_without_a_version_is_of_the_dialect_of_its_config(
    dialect: str, expected: bool
) -> None:
    artifact = model(LAYERS)
    assert artifact.provenance.keras is None
    assert artifact.architecture is not None
    other = replace(artifact.architecture, dialect=dialect)
    assert saved_by_keras3(replace(artifact, architecture=other)) is expected
