"""Several registries: each has its own output directory, may move, in any order of directories."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.cli import cli
from modelaudit.errors import UsageError
from modelaudit.runs import found_models
from modelaudit.store.store import Store
from tests.made import files


@pytest.fixture
def two(tmp_path):
    """Directories `one` and `two` with a model of the same name, and another one each."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        files.minimal_h5(tmp_path / name / "m.h5")
        files.minimal_keras(tmp_path / name / f"{name}.keras")
    return tmp_path


def run(command, *words, out, config=None):
    first = ["--config", str(config)] if config else []
    line = [*first, command, *map(str, words), "--no-probe", "-f", "json", "--out", str(out)]
    return CliRunner().invoke(cli, line)


def audited(out):
    with Store.open_to_read(out) as store:
        return store.runs()[-1].audited


def test_a_nightly_run_of_another_registry_is_refused(two):
    out = two / "out"
    assert run("nightly", two / "one", out=out).exit_code == 0
    index = (out / "index.json").read_bytes()
    refused = run("nightly", two / "two", out=out)
    assert isinstance(refused.exception, UsageError)
    assert str(refused.exception).startswith(
        f"{out} holds the audits of {two / 'one'}; use another --out directory for {two / 'two'}"
    )
    assert (out / "index.json").read_bytes() == index
    assert (run("nightly", two / "one", out=out).stdout, audited(out)) == ("", 0)


@pytest.mark.parametrize("how", [shutil.move, shutil.copytree])
def test_a_moved_registry_is_continued(two, how):
    """A copy has other inodes and times, but the same bytes."""
    out = two / "out"
    run("nightly", two / "one", out=out)
    how(two / "one", two / "three")
    done = run("nightly", two / "three", "--moved", out=out)
    assert (done.exit_code, done.stdout, audited(out)) == (0, "", 0)
    (two / "three" / "m.h5").unlink()
    done = run("nightly", two / "three", "--moved", out=out)  # a job may always use the option
    assert f"{two / 'three'}: 2 models before, 1 now: 1 gone since " in done.stdout
    runs = json.loads(CliRunner().invoke(cli, ["history", str(out), "--json"]).stdout)
    assert {each["registry"] for each in runs} == {str(two / "three")}


def test_of_several_directories_it_is_unknown_which_moved(two):
    out = two / "out"
    run("nightly", two / "one", two / "two", out=out)
    refused = run("nightly", two / "one", "--moved", out=out)
    assert str(refused.exception) == "--moved requires a registry of a single directory"


def test_one_directory_cannot_move_to_several(two):
    out = two / "out"
    run("nightly", two / "one", out=out)
    refused = run("nightly", two / "one", two / "two", "--moved", out=out)
    assert str(refused.exception) == "--moved requires a registry of a single directory"


def test_a_run_without_changes_shows_its_own_registry_again(two):
    """Also if none of its models must be audited, because the other registry has other names."""
    out = two / "out"
    (two / "two" / "m.h5").unlink()
    run("nightly", two / "one", out=out)
    run("audit", two / "two", out=out)
    assert json.loads((out / "index.json").read_text())["root"] == str(two / "two")
    silent = run("nightly", two / "one", out=out)
    assert (silent.stdout, audited(out)) == ("", 0)
    assert json.loads((out / "index.json").read_text())["root"] == str(two / "one")


def test_an_audit_of_another_registry_is_reported_and_does_not_take_over(two):
    out = two / "out"
    assert run("audit", two / "two", out=out).stderr == ""
    assert run("nightly", two / "one", out=out).exit_code == 0
    done = run("audit", two / "two", out=out)
    said = f"modelaudit: {out} also holds audits of {two / 'one'}; its index now shows "
    assert (done.exit_code, done.stderr) == (0, f"{said}{two / 'two'}\n")
    assert run("nightly", two / "one", out=out).exit_code == 0
    assert json.loads((out / "index.json").read_text())["root"] == str(two / "one")


def test_directories_in_another_order_are_the_same_registry(two, tmp_path):
    out = two / "out"
    first = run("nightly", two / "one", two / "two", out=out)
    assert first.stdout.startswith(f"{two / 'one'}, {two / 'two'}: 4 models, first run\n")
    again = run("nightly", two / "two", two / "one", out=out)
    assert (again.exit_code, again.stdout, audited(out)) == (0, "", 0)


def test_names_of_models_in_several_directories_include_the_directory(two, tmp_path):
    out, config = two / "out", tmp_path / "modelaudit.toml"
    files.truncated_h5(two / "two")
    config.write_text('[[policy]]\npath = "truncated.h5"\nfail_on = "critical"\n')
    done = run("nightly", two / "one", two / "two", out=out, config=config)
    assert done.exit_code == 0  # the policy matches the path below the directory
    index = json.loads((out / "index.json").read_text())
    names = ["one/m.h5", "one/one.keras", "two/m.h5", "two/truncated.h5", "two/two.keras"]
    assert sorted(row["path"] for row in index["models"]) == names
    for path in out.glob("models/*/audit.json"):
        model = json.loads(path.read_text())["model"]
        assert (Path(model["root"]) / model["path"]).is_file()
    for name in ("two/m.h5", "m.h5"):
        words = ["history", str(out), name, "--json"]
        told = json.loads(CliRunner().invoke(cli, words).stdout)
        places = {f"{each['root']}/{each['path']}" for each in told}
        assert places == {
            str(two / n / "m.h5") for n in ("one", "two") if n in name or "/" not in name
        }
    files.minimal_keras(two / "two" / "n.keras")
    assert (
        "\nnew         two/n.keras  pass"
        in run("nightly", two / "one", two / "two", out=out, config=config).stdout
    )


ROOTS = st.sets(st.lists(st.sampled_from("ab"), max_size=4).map(lambda p: Path("/", *p)))


@given(ROOTS)
def test_labels_distinguish_directories_and_are_as_short_as_possible(roots):
    labels = found_models._labels({root.as_posix() for root in roots})
    assert len({*labels.values()}) == len(roots)
    for root, label in labels.items():
        assert f"/{root}".endswith(f"/{label}" if label else "")
    longest = max((len(label.split("/")) for label in labels.values() if label), default=0)
    if len(roots) < 2:
        assert longest == 0
    elif longest > 1:
        shorter = {"/".join(root.parts[1:][-(longest - 1) :]) for root in roots}
        assert len(shorter) < len(roots)


def test_names_that_differ_in_slashes_only_are_their_own_labels():
    assert found_models._labels({"s3://b/m", "s3:/b/m"}) == {
        name: name for name in ("s3://b/m", "s3:/b/m")
    }
