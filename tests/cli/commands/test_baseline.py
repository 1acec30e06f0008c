"""Baselines: known findings pass, also under another model name or in another format."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from modelaudit.cli import cli
from modelaudit.errors import ModelAuditError
from modelaudit.findings import Severity
from modelaudit.settings.known_models import Baseline, KnownModel
from tests.growth import LINEAR, growth
from tests.made import files
from tests.sharing import with_tensorflow

SAMPLE = Path(__file__).parents[3] / "sample_models" / "digits_partial_restore.keras"


def invoke(*words):
    return CliRunner().invoke(cli, [str(word) for word in words])


def scan(models: Path, known: Path):
    return json.loads(invoke("scan", models, "--json", "--baseline", known).stdout)


@pytest.fixture
def registry(tmp_path):
    """A directory with a model that fails, its baseline, and the directory's path."""
    models, out, known = tmp_path / "models", tmp_path / "out", tmp_path / "known.json"
    models.mkdir()
    shutil.copy(SAMPLE, models / "a.keras")
    assert invoke("audit", models, "--no-probe", "-f", "json", "--out", out).exit_code == 1
    assert invoke("baseline", out, "--out", known).exit_code == 0
    return models, known


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """`model.keras` and its `export`, from a network with random layers and lost statistics."""
    folder = tmp_path_factory.mktemp("saved")
    code = f"""
import keras, numpy
image = keras.Input((16, 16, 1))
x = keras.layers.RandomFlip("horizontal")(image)
x = keras.layers.Conv2D(4, 3, name="conv")(x)
x = keras.layers.BatchNormalization(name="norm")(x)
x = keras.layers.Dropout(0.3)(keras.layers.Flatten()(x))
model = keras.Model(image, keras.layers.Dense(3, name="digit")(x))
model.get_layer("norm").gamma.assign(numpy.array([0.5, 0.7, 1.3, 1.1]))
model.save({str(folder / "model.keras")!r})
model.export({str(folder / "export")!r}, verbose=False)
"""
    with_tensorflow("-c", code)
    return folder


def test_known_findings_pass_and_are_still_shown(registry):
    models, known = registry
    assert invoke("scan", models).exit_code == 1
    assert invoke("scan", models, "--baseline", known).exit_code == 0
    (row,) = scan(models, known)
    assert (row["verdict"], [f["code"] for f in row["findings"]]) == ("pass", ["MA405", "MA326"])
    assert row["findings"][0]["waived_by"].startswith("in the baseline of 20")


def test_a_renamed_model_is_recognised_by_its_bytes(registry):
    models, known = registry
    (models / "a.keras").rename(models / "b.keras")
    assert scan(models, known)[0]["verdict"] == "pass"


def test_a_model_renamed_and_saved_again_is_recognised_by_its_weights(registry, tmp_path):
    models, known = registry
    with (
        zipfile.ZipFile(models / "a.keras") as old,
        zipfile.ZipFile(models / "c.keras", "w") as new,
    ):
        for name in old.namelist():  # other metadata, other bytes, the same weights
            data = old.read(name)
            if name == "metadata.json":
                data = data.replace(b"{", b'{"note": 1, ', 1)
            new.writestr(name, data)
    (models / "a.keras").unlink()
    assert scan(models, known)[0]["verdict"] == "pass"


@pytest.mark.slow
def test_an_export_with_states_of_random_layers_is_recognised_by_its_weights(tmp_path, saved):
    """Keras 3's `export` writes the seeds of augmentation and dropout, `save` does not."""
    models, out, known = tmp_path / "models", tmp_path / "out", tmp_path / "known.json"
    models.mkdir()
    shutil.copy(saved / "model.keras", models)
    assert invoke("audit", models, "--no-probe", "-f", "json", "--out", out).exit_code == 1
    assert invoke("baseline", out, "--out", known).exit_code == 0
    (models / "model.keras").unlink()
    shutil.copytree(saved / "export", models / "export")
    found = scan(models, known)[0]["findings"]
    new = {each["code"] for each in found if not each["waived_by"] and each["severity"] != "info"}
    # The export draws random numbers, and what comes behind runs in training mode.
    assert new == {"MA221", "MA330", "MA331"}
    assert len(found) > len(new)


def test_findings_of_another_model_are_not_known(registry):
    models, known = registry
    files.truncated_h5(models)
    rows = {row["path"]: row["verdict"] for row in scan(models, known)}
    assert rows["a.keras"] == "pass"
    assert rows["truncated.h5"] == "fail"


def test_a_new_finding_of_a_known_model_fails(registry):
    models, known = registry
    data = json.loads(known.read_text())
    data["models"][0]["findings"] = []
    known.write_text(json.dumps(data))
    assert scan(models, known)[0]["verdict"] == "fail"


def of(path, sha256, weights, *prints):
    return KnownModel(path, sha256, weights, frozenset((each, Severity.HIGH) for each in prints))


MODELS = (
    of("a", "1", "v", "p"),
    of("a", "2", "w", "q"),
    of("a", "3", "w", "r"),
    of("b", "4", "w", "s"),
    of("c", "4", "", "t"),
    of("d", "", "", "u"),
)


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("asked", "prints"),
    [
        (("a", "1", "v"), "p"),
        (("a", "2", "w"), "q"),  # of two registries that share a path
        (("a", "9", "v"), "p"),  # saved again
        (("a", "9", "w"), "qr"),
        (("a", "9", "x"), "pqr"),  # trained again: could be any of the three
        (("a", "4", "x"), "pqr"),  # the bytes of another path do not count
        (("d", "1", "v"), "u"),
        (("e", "4", "w"), "s"),  # renamed
        (("e", "4", ""), "st"),
        (("e", "9", "v"), "p"),
        (("e", "9", "x"), ""),
        (("e", "", ""), ""),
    ],
)
def test_matching_models_to_a_baseline(asked, prints, order):
    found = Baseline("", MODELS[::order]).model(*asked)
    assert (found is None) == (not prints)
    assert sorted(mark for mark, _ in (found.findings if found else ())) == [*prints]


def test_a_baseline_of_many_models_is_indexed():
    def known(count):
        return Baseline("", tuple(of(f"m{n}", f"s{n}", f"w{n}", str(n)) for n in range(count)))

    def look_up(baseline):
        for n, model in enumerate(baseline.models):
            assert baseline.model(f"n{n}", f"x{n}", f"w{n}") == model

    assert growth(known, look_up, 2_000) < LINEAR


def test_two_registries_in_one_baseline(registry, tmp_path):
    """Both have an `a.keras`, and only the second one fails."""
    models, _ = registry
    other = tmp_path / "aa"
    other.mkdir()
    files.minimal_keras(other / "a.keras")
    for folder, out in ((other, "first"), (models, "second")):
        invoke("audit", folder, "--no-probe", "-f", "json", "--out", tmp_path / out)
    known = tmp_path / "both.json"
    for order in (("first", "second"), ("second", "first")):
        outs = [tmp_path / out for out in order]
        assert invoke("baseline", *outs, "--out", known).exit_code == 0
        assert [scan(folder, known)[0]["verdict"] for folder in (models, other)] == ["pass"] * 2


@pytest.fixture
def reports(tmp_path):
    """A directory of reports whose index is the given text, or has the given links."""
    folder = tmp_path / "reports"
    folder.mkdir()

    def write(index):
        if not isinstance(index, str):
            index = json.dumps({"models": [{"links": {"json": link}} for link in index]})
        (folder / "index.json").write_text(index)
        return folder

    return write


@pytest.mark.parametrize(
    ("index", "says"),
    [
        ("[" * 99999, "contains no reports of a run"),
        ("[]", "contains no reports of a run"),
        ('{"models": [3]}', "contains no reports of a run"),
        ('{"models": [], "missing": "x"}', "contains no reports of a run"),
        ([7], "contains no reports of a run"),
        (["a\0b"], "contains no reports of a run"),
        (["../known.json"], "index.json links to a file outside: /"),
        (["/etc/passwd"], "index.json links to a file outside: /etc/passwd"),
        (["out/passwd"], "index.json links to a file outside: /etc/passwd"),
        (["pipe"], "reports/pipe: not a regular file"),
        (["none"], "reports/none: No such file"),
        (["."], "reports: not a regular file"),
        (["large"], "reports/large: limit file bytes exceeded"),
        (["index.json"], "reports/index.json: not a modelaudit audit file"),
        (["bytes"], "reports/bytes: 'utf-8' codec can't decode"),
        (["nameless"], "reports/nameless: not a valid modelaudit audit file"),
    ],
)
def test_an_index_of_another_program_is_rejected(reports, index, says):
    folder = reports(index)
    (folder / "out").symlink_to("/etc")
    os.mkfifo(folder / "pipe")
    (folder / "bytes").write_bytes(b"\xff")
    audit = {"schema_version": "1.0", "tool": {}, "created": "", "model": {}, "verdict": "pass"}
    (folder / "nameless").write_text(json.dumps(audit | {"findings": [], "skipped": []}))
    with (folder / "large").open("wb") as file:
        file.truncate(1 << 30)
    done = invoke("baseline", folder)
    assert isinstance(done.exception, ModelAuditError)
    assert says in str(done.exception)
    assert done.stdout == ""


def test_an_index_that_is_too_large_is_not_read(reports):
    folder = reports("")
    with (folder / "index.json").open("wb") as file:
        file.truncate(1 << 30)
    assert "limit file bytes exceeded" in str(invoke("baseline", folder).exception)


def test_the_indexes_of_an_earlier_and_an_interrupted_run_are_accepted(registry, tmp_path):
    out = tmp_path / "out"
    of_out = invoke("baseline", out)
    assert (of_out.exit_code, of_out.stderr) == (0, "")
    (run,) = (out / "runs").iterdir()
    for folder in (out / "latest", run):
        known = json.loads(invoke("baseline", folder).stdout)["models"]
        assert known == json.loads(of_out.stdout)["models"]
    index = json.loads((out / "index.json").read_text())
    for missing, models in ((1, "1 model"), (7, "7 models")):
        (out / "index.json").write_text(json.dumps(index | {"missing": missing}))
        done = invoke("baseline", out)
        said = f"modelaudit: {out}: the run was interrupted before {models}, which are missing"
        assert done.stderr == f"{said} from the baseline\n"
        assert json.loads(done.stdout)["models"] == known


def test_a_new_baseline_is_a_change_of_settings_to_a_nightly_run(registry, tmp_path):
    models, known = registry
    words = ["nightly", models, "--no-probe", "-f", "json", "--out", tmp_path / "night"]
    assert invoke(*words).exit_code == 1
    done = invoke(*words, "--baseline", known)
    assert "better      a.keras  fail -> pass; same file" in done.stdout
    assert invoke(*words, "--baseline", known).stdout == ""
