"""The diagnosis of models for other data than images speaks of that data, and of no flips."""

from __future__ import annotations

import re

import pytest

from modelaudit.audit_types.loading import Port, Status
from modelaudit.diagnosis import diagnose
from modelaudit.diagnosis.suspects import GUILTY
from modelaudit.facts import Architecture, Layer
from modelaudit.findings import Outcome
from modelaudit.probe.protocol import Observation
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.rules.engine import run_rules
from modelaudit.structs import replace
from tests.diagnosis.cases import behaviour, facts, fit, measurements, norm, output, quiet, silent

OF_IMAGES = re.compile(
    r"image|picture|pixel|mirror|flip|rotated|orientation|colour|red and blue|left and right",
    re.I,
)
INPUTS = {
    "texts": (Port("ids", "int32", (None, 40)), "Embedding"),
    "rows": (Port("x", "float32", (None, 13)), "Dense"),
    "time series": (Port("x", "float32", (None, 60, 3)), "LSTM"),
    "recordings": (Port("mel", "float32", (None, 32, 40, 1)), "Conv2D"),
    "images": (Port("x", "float32", (None, 28, 28, 1)), "Conv2D"),
}
SEEN = {
    "built-in": behaviour(user=False),
    "few": behaviour(n=8),
    "sound": behaviour(),
    "constant": behaviour(silent()),
    "constant on built-in": behaviour(silent(), user=False),
    "quiet": behaviour(quiet()),
    "dead": behaviour(silent(), dead={"relu": 1.0}),
    "noisy": behaviour(deterministic=False),
    "misfit": behaviour(batchnorm=(fit(0.9),)),
    "infinite": behaviour(output(nonfinite=0.3)),
    "not run": None,
}


def diagnosis_of(port: Port, class_name: str, seen, *, lost: bool = True):
    """The diagnosis, and the results of the rules."""
    chain = (
        Layer(port.name, port.name, "InputLayer"),
        Layer("first", "first", class_name, inbound=((port.name,),)),
    )
    known = facts(seen, measurements(batchnorm=(norm(lost=lost),)))
    architecture = Architecture("Functional", "m", "keras3", chain, (port.name,), ("first",))
    loaded = Observation("here", "load_model", Status.LOADED, inputs=(port,))
    known = replace(
        known,
        behaviour=seen,
        artifact=replace(known.artifact, architecture=architecture),
        observations=(loaded,),
        probe_skipped="" if seen else "it takes too long",
    )
    results = run_rules(CATALOGUE, known)
    return diagnose(known, results), results


def texts_of(port: Port, class_name: str, seen):
    """All texts of the diagnosis, and of the rules that were not passed."""
    found, results = diagnosis_of(port, class_name, seen)
    said = [found.answer, *(each.text for each in found.suspects)]
    said += [each.title + each.by for each in found.ruled_out]
    said += [each.what + each.needs for each in found.undecidable]
    said += [each.title + each.text for each in found.consequences]
    for cause in found.causes:
        said += [cause.title, cause.refute, *(step.text for step in cause.next_steps)]
        said += [each.text for each in (*cause.evidence, *cause.against)]
    said += [each.reason for each in results if each.outcome is not Outcome.PASS and not each.moot]
    return said


@pytest.mark.parametrize("many", INPUTS)
@pytest.mark.parametrize("name", SEEN)
def test_only_images_are_spoken_of_as_images(name, many) -> None:
    said = texts_of(*INPUTS[many], SEEN[name])
    of_images = [text for text in said if OF_IMAGES.search(text)]
    assert bool(of_images) is (many == "images"), of_images
    if name in {"built-in", "few", "quiet"}:
        assert any(many in text for text in said)
    assert not [text for text in said if re.search(r"\[\[[^e]|[{][a-zA-Z]+[}]", text)]


@pytest.mark.parametrize("many", INPUTS)
def test_the_command_to_paste_asks_for_images_only_if_the_model_takes_them(many) -> None:
    found, _ = diagnosis_of(*INPUTS[many], SEEN["built-in"], lost=False)
    code = "".join(step.code for cause in found.causes for step in cause.next_steps)
    assert f"--probe-data {'IMAGES' if many == 'images' else 'DATA'}" in code


@pytest.mark.parametrize("many", INPUTS)
def test_filters_are_a_suspect_where_inputs_have_sides(many) -> None:
    found, _ = diagnosis_of(*INPUTS[many], SEEN["sound"], lost=False)
    named = [suspect.name for suspect in found.suspects]
    assert ("filters and architecture" in named) is (many == "images")


def test_filters_are_a_suspect_of_any_model_that_they_explain() -> None:
    found, _ = diagnosis_of(*INPUTS["rows"], SEEN["dead"], lost=False)
    guilty = [suspect.name for suspect in found.suspects if suspect.state == GUILTY]
    assert guilty == ["filters and architecture"]
