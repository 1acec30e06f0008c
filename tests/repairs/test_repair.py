"""Repairs of saved models, checked by loading both files in both Keras."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import pytest

from modelaudit.audit_types.repair import Repair, RepairStatus, RepairWay
from modelaudit.errors import UsageError
from modelaudit.formats.reader import read_artifact
from modelaudit.golden import record_saved
from modelaudit.pipeline import static_facts
from modelaudit.repairs import proof, repair
from modelaudit.repairs.candidates import RepairRuntimes
from modelaudit.repairs.repair import repair_model
from modelaudit.restore.golden_record import read_record
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.runs.repair import open_runtimes, repairs
from modelaudit.settings import ProbeSettings, Settings
from modelaudit.structs import replace
from tests.repairs.models import files
from tests.sharing import made_once, told_with_tensorflow, with_tensorflow

pytestmark = pytest.mark.slow

SAMPLES = Path(__file__).resolve().parents[2] / "sample_models"
SETTINGS = Settings(probe=ProbeSettings(samples=8))
NO_PROBE = ProbeSettings(enabled=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(
        tmp_path_factory,
        "repairs",
        lambda folder: with_tensorflow("-m", "tests.repairs.models", "make", folder),
    )


@pytest.fixture(scope="module")
def runtimes(folder: Path) -> Iterator[RepairRuntimes]:
    with open_runtimes(SETTINGS, "", {folder}) as found:
        assert found is not None
        yield found


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def before(folder: Path) -> dict[str, str]:
    """Digests of the models, taken before any of them is repaired."""
    return {path.name: digest(path) for path, _ in files(folder)}


@pytest.fixture(scope="module")
def repaired(
    folder: Path,
    before: dict[str, str],
    runtimes: RepairRuntimes,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Repair]:
    out = tmp_path_factory.mktemp("out")
    found = {}
    for path, target in files(folder):
        own = replace(runtimes, target=runtimes.of(target.startswith("tf==")))
        found[path.name] = repair_model(path, target, out / path.name, SETTINGS, own)
    return found


def test_every_model_is_repaired_with_a_whole_proof(repaired: dict[str, Repair]) -> None:
    reasons = {name: each.reason for name, each in repaired.items() if each.reason}
    assert reasons == {}
    for each in repaired.values():
        proof = each.proof
        assert proof is not None
        # Safe mode refuses to load an archive with a lambda, so that its outputs are not known.
        unsafe = ("scaled.keras", "keras3-scaled", "compared.keras")
        refused = any(name in each.path for name in unsafe)
        known = proof.outputs is not None and proof.outputs.same
        # Keras 3 loads it as another model, which is no reference.
        assert refused or known or "drops when it reads HDF5" in proof.why_no_outputs
        assert proof.tensors_equal + proof.tensors_scaled == proof.tensors > 0


def test_the_other_keras_computes_the_same(folder: Path, repaired: dict[str, Repair]) -> None:
    done = [each.out for each in repaired.values()]
    found = told_with_tensorflow("-m", "tests.repairs.models", "compare", folder, *done)
    loose = {name: 2e-2 if "mixed" in name else 1e-5 for name in found}
    assert {name: gap for name, gap in found.items() if gap > loose[name]} == {}


def test_the_audit_of_a_new_file_finds_its_weights_in_shape(repaired: dict[str, Repair]) -> None:
    """Also behind operations, whose outputs have no shape in the new file."""
    facts = {name: static_facts(Path(each.out), SETTINGS) for name, each in repaired.items()}
    found = {name: run_rule(rule("MA114"), each).findings for name, each in facts.items()}
    assert {name: findings for name, findings in found.items() if findings} == {}


def test_gates_are_the_only_weights_that_change(repaired: dict[str, Repair]) -> None:
    scaled = {name for name, each in repaired.items() if each.proof and each.proof.tensors_scaled}
    assert scaled == {name for name in repaired if "recurrent" in name}


def test_originals_are_untouched(
    folder: Path, before: dict[str, str], repaired: dict[str, Repair]
) -> None:
    assert {name: digest(folder / name) for name in repaired} == before


def test_an_existing_file_is_not_replaced(
    folder: Path, runtimes: RepairRuntimes, tmp_path: Path
) -> None:
    out = tmp_path / "new.h5"
    out.write_bytes(b"mine")
    with pytest.raises(UsageError, match="exists"):
        repair_model(folder / "keras2-mobile.h5", "tf==2.21", out, SETTINGS, runtimes)
    assert out.read_bytes() == b"mine"


def test_a_model_that_loads_is_left_alone(
    folder: Path, runtimes: RepairRuntimes, tmp_path: Path
) -> None:
    out = tmp_path / "new.keras"
    found = repair_model(folder / "keras3-mobile.keras", "tf==2.21", out, SETTINGS, runtimes)
    assert found.status is RepairStatus.NOT_NEEDED
    assert list(tmp_path.iterdir()) == []


def test_without_running_models_the_proof_is_by_bytes_and_layers(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new.h5"
    found = repair_model(folder / "keras2-mobile.h5", "tf==2.21", out, SETTINGS, None)
    assert (found.status, found.way) == (RepairStatus.REPAIRED, RepairWay.TRANSLATED)
    assert found.proof is not None and found.proof.outputs is None
    assert found.proof.predicted == "loads"


def test_another_format_is_saved_by_the_target(
    folder: Path, runtimes: RepairRuntimes, tmp_path: Path
) -> None:
    out = tmp_path / "new.keras"
    own = replace(runtimes, target=runtimes.keras3)
    found = repair_model(folder / "keras2-mobile.h5", "tf==2.21", out, SETTINGS, own)
    assert (found.status, found.way) == (RepairStatus.REPAIRED, RepairWay.CONVERTED)
    assert out.read_bytes()[:2] == b"PK"


def test_nothing_is_left_where_nothing_is_proven(
    folder: Path, runtimes: RepairRuntimes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modelaudit.repairs import candidates

    written = candidates.write_hdf5

    def wrong(artifact, out, config, edits, keras, *, training):
        written(artifact, out, config, edits, keras, training=training)
        import h5py

        with h5py.File(out, "r+") as file:
            group = file["model_weights"]
            names: list[str] = []
            group.visit(lambda name: names.append(name) if "kernel" in name else None)
            group[names[-1]][...] += 0.01

    monkeypatch.setattr(candidates, "write_hdf5", wrong)
    out = tmp_path / "new.h5"
    found = repair_model(folder / "keras2-mobile.h5", "tf==2.21", out, SETTINGS, runtimes)
    assert found.status is RepairStatus.UNPROVEN
    assert "weights" in found.reason
    assert list(tmp_path.iterdir()) == []


def test_a_directory_is_repaired_into_a_tree_of_the_same_shape(
    folder: Path, tmp_path: Path
) -> None:
    registry, out = tmp_path / "registry", tmp_path / "out"
    (registry / "a").mkdir(parents=True)
    (registry / "a" / "old.h5").write_bytes((folder / "keras2-mobile.h5").read_bytes())
    (registry / "new.keras").write_bytes((folder / "keras3-mobile.keras").read_bytes())
    found = {Path(each.path).name: each for each in repairs(registry, "tf==2.21", out, SETTINGS)}
    assert found["old.h5"].status is RepairStatus.REPAIRED
    assert found["new.keras"].status is RepairStatus.NOT_NEEDED
    record = json.loads((out / "a" / "old.h5.repair.json").read_text())
    assert record["status"] == "repaired"
    assert sorted(path.name for path in out.rglob("*.*")) == ["old.h5", "old.h5.repair.json"]


def test_directories_are_made_only_for_new_files(folder: Path, tmp_path: Path) -> None:
    registry, out = tmp_path / "registry", tmp_path / "out"
    (registry / "b").mkdir(parents=True)
    (registry / "b" / "new.keras").write_bytes((folder / "keras3-mobile.keras").read_bytes())
    (registry / "b" / "other.keras").write_bytes((folder / "keras3-mobile.keras").read_bytes())
    found = list(repairs(registry, "tf==2.21", out, replace(SETTINGS, probe=NO_PROBE)))
    assert {each.status for each in found} == {RepairStatus.NOT_NEEDED}
    assert not out.exists()


def test_a_model_that_changes_meanwhile_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Path(shutil.copy(folder / "keras2-mobile.h5", tmp_path / "old.h5"))
    best = repair.RepairJob.best

    def later(self: repair.RepairJob) -> object:
        found = best(self)
        model.write_bytes(model.read_bytes() + b" ")
        return found

    monkeypatch.setattr(repair.RepairJob, "best", later)
    found = repair_model(model, "tf==2.21", tmp_path / "new.h5", SETTINGS, None)
    assert (found.status, found.reason) == (
        RepairStatus.REFUSED,
        "it was modified while it was repaired",
    )
    assert [path.name for path in tmp_path.iterdir()] == ["old.h5"]


def test_the_golden_record_of_the_original_is_reproduced_or_nothing_is_written(
    folder: Path, runtimes: RepairRuntimes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(shutil.copy(folder / "keras2-branches.h5", tmp_path / "old.h5"))
    artifact = read_artifact(path, SETTINGS.limits)
    record_saved(artifact, SETTINGS.probe, [runtimes.keras2])
    own = replace(runtimes, target=runtimes.keras3)
    done = repair_model(path, "tf==2.21", tmp_path / "new.h5", SETTINGS, own)
    assert done.proof is not None
    assert (done.status, done.proof.golden_outputs) == (RepairStatus.REPAIRED, 1)

    record = read_record(path, SETTINGS.limits)
    assert record is not None
    other = tuple(replace(each, values=each.values + 0.5) for each in record.outputs)
    monkeypatch.setattr(proof, "read_record", lambda *_: replace(record, outputs=other))
    done = repair_model(path, "tf==2.21", tmp_path / "newer.h5", SETTINGS, own)
    assert done.status is RepairStatus.UNPROVEN
    assert "from the golden record" in done.reason
    assert not (tmp_path / "newer.h5").exists()


def test_an_interrupted_repair_leaves_nothing_behind(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        assert list(tmp_path.iterdir())  # the finished file, under a name that nobody reads
        raise KeyboardInterrupt

    monkeypatch.setattr(repair, "_publish_both", stopped)
    with pytest.raises(KeyboardInterrupt):
        repair_model(folder / "keras2-mobile.h5", "tf==2.21", tmp_path / "new.h5", SETTINGS, None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="no directory that nobody may write")
def test_a_place_that_cannot_be_written_is_named(folder: Path) -> None:
    """/proc, which is read-only for root as well."""
    settings = replace(SETTINGS, probe=NO_PROBE)
    (done,) = repairs(folder / "keras2-mobile.h5", "tf==2.21", Path("/proc/new.h5"), settings)
    assert done.status is RepairStatus.REFUSED
    assert done.reason.startswith("it could not be written")
    assert "/proc" in done.reason


@pytest.mark.parametrize("name", ["converted_keras.zip", "converted_keras"])
def test_an_export_of_teachable_machine_as_it_was_downloaded(tmp_path: Path, name: str) -> None:
    export = SAMPLES / "teachable_digits"
    files = [export / "keras_model.h5", export / "labels.txt"]
    if name.endswith(".zip"):
        with zipfile.ZipFile(tmp_path / name, "w") as target:
            for file in files:
                target.write(file, file.name)
    else:
        (tmp_path / name).mkdir()
        for file in files:
            shutil.copy(file, tmp_path / name)
    out = tmp_path / "new.h5"
    (done,) = repairs(tmp_path / name, "tf==2.21", out, replace(SETTINGS, probe=NO_PROBE))
    assert (done.status, done.out) == (RepairStatus.REPAIRED, str(out))
    assert done.proof is not None
    assert done.proof.tensors_equal == done.proof.tensors > 0
    assert out.exists()


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_a_full_disk_leaves_nothing_behind(folder: Path, tmp_path: Path, suffix: str) -> None:
    code = (
        "import resource, signal, sys; from pathlib import Path;"
        "from modelaudit.repairs.repair import repair_model;"
        "from modelaudit.settings import Settings;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096));"
        "repair_model(Path(sys.argv[1]), 'tf==2.21', Path(sys.argv[2]), Settings(), None)"
    )
    out = tmp_path / f"new{suffix}"
    command = [sys.executable, "-c", code, str(folder / f"keras2-mobile{suffix}"), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "OSError: [Errno 27] File too large" in done.stderr
    assert list(tmp_path.iterdir()) == []


LOOKUP = {"class_name": "StringLookup", "config": {"name": "words", "vocabulary": "/etc/passwd"}}


@pytest.mark.parametrize(("layer", "code"), [(LOOKUP, "MA711"), (None, "MA114")])
def test_what_is_wrong_with_the_original_is_not_written_anew(
    tmp_path: Path, layer: dict[str, Any] | None, code: str
) -> None:
    """A file that is read when the model loads, and weights of other shapes than the config's."""
    path = Path(shutil.copy(SAMPLES / "digits_noaug.h5", tmp_path / "old.h5"))
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        layers = config["config"]["layers"]
        if layer is None:
            layers[-1]["config"]["units"] += 1
        else:
            layers.append(layer)
        file.attrs["model_config"] = json.dumps(config)
    found = repair_model(path, "tf==2.15", tmp_path / "new.h5", SETTINGS, None)
    assert found.status is RepairStatus.REFUSED
    assert f"the finding {code}" in found.reason
    assert [each.name for each in tmp_path.iterdir()] == ["old.h5"]


def test_hostile_models_stay_refused(tmp_path: Path) -> None:
    hostile = SAMPLES / "digits_lambda.keras"
    found = repair_model(hostile, "tf-keras==2.21", tmp_path / "new.keras", SETTINGS, None)
    assert found.status is RepairStatus.REFUSED
    assert "critical" in found.reason
    assert list(tmp_path.iterdir()) == []
