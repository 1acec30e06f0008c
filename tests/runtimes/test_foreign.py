"""Models in other TensorFlow versions: observations match a direct load in that runtime."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest

from modelaudit.audit_types.loading import LoadOutcome, Status
from modelaudit.findings import Confidence, Severity, Verdict
from modelaudit.pipeline import add_probe, finish_audit, static_facts
from modelaudit.probe.host.runtime import RuntimeHandle
from modelaudit.probe.other_runtimes import start_other_runtime
from modelaudit.probe.run import probe_with, start_runtimes
from modelaudit.rules.model import Facts
from modelaudit.runtimes.model import predicted_call
from modelaudit.settings import ProbeSettings, Settings
from modelaudit.settings.audit_target import AuditTarget
from modelaudit.structs import replace
from tests.made import files
from tests.probe.restricted import needs_linux
from tests.runtimes.environments import interpreters, wanted
from tests.sharing import QUIET, told_with_tensorflow

pytestmark = [pytest.mark.slow, needs_linux]

DIRECT = Path(__file__).with_name("direct_load.py")
MODELS = (
    *("keras2_sequential.h5", "keras2_nested.h5", "keras2_sequential.keras", "keras2_savedmodel"),
    *("keras3_sequential.keras", "keras3_nested.h5", "keras3_export", "hard_sigmoid.h5"),
)
HOME = ("here", "here-legacy")
ENDINGS = {Status.LOADED: "outputs", Status.FAILED: "error"}


@pytest.fixture(scope="module")
def pythons() -> dict[str, str]:
    return interpreters()


@pytest.fixture(scope="module")
def models(made: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    changed = tmp_path_factory.mktemp("foreign") / "hard_sigmoid.h5"
    files.minimal_h5(changed)
    with h5py.File(changed, "r+") as file:  # in Keras 2's format, with classes of Keras 3
        model = json.loads(file.attrs["model_config"])
        model["config"]["layers"][1]["config"]["activation"] = "hard_sigmoid"
        file.attrs["model_config"] = json.dumps(model).encode()
        file.attrs["keras_version"] = b"2.15.0"
    return {name: changed if name == changed.name else made / name for name in MODELS}


@pytest.fixture(scope="module")
def handles(pythons: dict[str, str]) -> Iterator[Sequence[RuntimeHandle]]:
    """The installed Keras 3 and tf-keras, and the wanted runtimes."""
    with start_runtimes(Settings(runtimes=wanted())) as started:
        yield started


@pytest.fixture(scope="module")
def seen(
    pythons: dict[str, str], handles: Sequence[RuntimeHandle], models: dict[str, Path]
) -> dict[str, Facts]:
    """Facts of every model, loaded in all runtimes."""
    assert pythons
    settings = Settings(probe=ProbeSettings(samples=8, timeout=120), runtimes=wanted())
    probe = probe_with(handles)
    return {n: add_probe(static_facts(path, settings), probe) for n, path in models.items()}


@pytest.fixture(scope="module")
def direct(
    pythons: dict[str, str],
    models: dict[str, Path],
    seen: dict[str, Facts],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[tuple[str, str, str], dict[str, object]]:
    """(model, runtime, call) -> result of a plain script that makes the same call there."""
    found = {}
    folder = tmp_path_factory.mktemp("direct")
    for runtime, python in (dict.fromkeys(HOME, "") | pythons).items():
        wanted = [
            (name, each.call)
            for name, facts in seen.items()
            for each in (*facts.observations, *facts.elsewhere)
            if each.runtime == runtime
        ]
        request = folder / f"{runtime}.json"
        request.write_text(json.dumps([[os.fspath(models[n]), call] for n, call in wanted]))
        legacy = {"TF_USE_LEGACY_KERAS": "1" if runtime.endswith("legacy") else "0"}
        if not python:
            answers = told_with_tensorflow(DIRECT, request, env=legacy)
        else:
            done = subprocess.run(
                [python, "-E", os.fspath(DIRECT), os.fspath(request)],
                env=os.environ | legacy | QUIET,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr[-2000:]
            answers = json.loads(done.stdout.splitlines()[-1])
        for (name, call), answer in zip(wanted, answers, strict=True):
            found[name, runtime, call] = answer
    return found


def test_every_runtime_was_tried_by_every_call(seen: dict[str, Facts]) -> None:
    names = {*HOME, *(runtime.name for runtime in wanted())}
    for name, facts in seen.items():
        tried = [(each.runtime, each.call) for each in (*facts.observations, *facts.elsewhere)]
        assert {runtime for runtime, _ in tried} == names, name
        assert len(tried) == len(set(tried))
        saved_model = name in {"keras2_savedmodel", "keras3_export"}
        calls = {"load_model", "saved_model.load", "TFSMLayer"} if saved_model else {"load_model"}
        assert {call for _, call in tried} == calls, name


def test_observations_are_those_of_a_direct_load(
    seen: dict[str, Facts], direct: dict[tuple[str, str, str], dict[str, object]]
) -> None:
    endings = set()
    for name, facts in seen.items():
        for each in (*facts.observations, *facts.elsewhere):
            answer = direct[name, each.runtime, each.call]
            where = (name, each.runtime, each.call, each.error[:200], str(answer)[:80])
            assert ENDINGS[each.status] in answer, where
            if each.status is Status.FAILED:
                assert each.error_type == answer["error"], where
            endings.add((each.runtime, each.status))
    # Each runtime loads some models and rejects others, so the test is not trivial.
    assert len(endings) == 2 * (2 + len(wanted()))


def test_agreement_is_that_of_direct_outputs(
    seen: dict[str, Facts], direct: dict[tuple[str, str, str], dict[str, object]]
) -> None:
    verdicts = []
    for name, facts in seen.items():
        for each in facts.elsewhere:
            if each.status is not Status.LOADED:
                continue
            found = each.agreement
            assert found is not None, (name, each.runtime)
            assert found.not_compared == "", (name, each.runtime)
            mine = np.asarray(direct[name, each.runtime, each.call]["outputs"])
            theirs = np.asarray(direct[name, found.reference, found.reference_call]["outputs"])
            assert found.same == bool(np.allclose(mine, theirs, rtol=2e-5, atol=2e-5)), (
                name,
                each.runtime,
                found,
            )
            assert found.noise < 1e-5
            verdicts.append((name, found.same))
    assert ("hard_sigmoid.h5", False) in verdicts
    assert sum(same for _, same in verdicts) > len(verdicts) / 2


def test_predictions_are_correct_for_versions_with_a_profile(seen: dict[str, Facts]) -> None:
    exact = 0
    for name, facts in seen.items():
        known = {(each.runtime, each.call): each for each in facts.predictions}
        for each in (*facts.observations, *facts.elsewhere):
            found = known[each.target, predicted_call(each.call)]
            if found.confidence is not Confidence.HIGH:
                continue
            exact += 1
            loads = found.predicted is not LoadOutcome.FAILS
            assert (each.status is Status.LOADED) == loads, (name, each.runtime, found)
    assert exact > len(MODELS)


def test_an_audit_shows_predicted_and_observed_results(
    seen: dict[str, Facts], models: dict[str, Path]
) -> None:
    name = "hard_sigmoid.h5"
    target = AuditTarget(models[name], models[name].parent, name, name)
    audit = finish_audit(seen[name], target, "2026-01-01T00:00:00Z", {})
    rows = {(row.runtime, row.call): row.observed for row in audit.compatibility if row.observed}
    assert {runtime for runtime, _ in rows} == {*HOME, *(each.name for each in wanted())}
    observed = rows["here-legacy", "load_model"]
    assert observed.reference == "here"
    assert observed.same is False
    assert observed.max_abs_diff > observed.tolerance > observed.noise
    assert "MA224" in [finding.code for finding in audit.findings]
    same = finish_audit(seen["keras2_savedmodel"], target, "2026-01-01T00:00:00Z", {})
    assert "MA224" not in [finding.code for finding in same.findings]
    # Nothing is noted on a version with a profile: its prediction is correct.
    exact = {p.runtime for p in seen[name].predictions if p.confidence is Confidence.HIGH}
    otherwise = [f for a in (audit, same) for f in a.findings if f.code == "MA223"]
    assert not exact & {f.evidence["runtime"] for f in otherwise}


def test_a_missing_runtime_is_reported(
    handles: Sequence[RuntimeHandle], models: dict[str, Path]
) -> None:
    missing = replace(wanted()[0], python="/nowhere/python", requirements=())
    # The finding that the model was never trained must not hide the missing runtime.
    settings = Settings(
        probe=ProbeSettings(samples=4), runtimes=(missing,), fail_on=Severity.CRITICAL
    )
    name = "keras3_sequential.keras"
    with start_other_runtime(missing, None) as none:
        probe = probe_with([*handles[: len(HOME)], none])
        facts = add_probe(static_facts(models[name], settings), probe)
    (absent,) = [each for each in facts.elsewhere if each.runtime == missing.name]
    assert absent.status is Status.UNAVAILABLE
    assert "/nowhere/python cannot be started" in absent.error
    target = AuditTarget(models[name], models[name].parent, name, name)
    audit = finish_audit(facts, target, "2026-01-01T00:00:00Z", {})
    assert audit.verdict is Verdict.INCOMPLETE
    assert f"the runtime {missing.name} is not available" in audit.reason
