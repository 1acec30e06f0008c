"""Faults of plug-ins: each costs a rule, a model or the plug-in, and is named."""

from __future__ import annotations

import io
import json
import shutil
import sys
import tarfile
from pathlib import Path

import msgspec
import numpy as np
import pytest

from modelaudit import pipeline
from modelaudit.errors import ReadError
from modelaudit.facts import Artifact, Format, Tensor, TensorStats
from modelaudit.formats import plugin_formats, sniff
from modelaudit.plugins import loading
from modelaudit.settings import Limits
from modelaudit.settings.installation import plugin_declarations
from modelaudit.store import cache_keys
from modelaudit.structs import checked
from tests.made import files
from tests.plugins.installing import declare, rule, run, run_main, scanned
from tests.runs.nights import audited, nightly


@pytest.mark.parametrize("line", [b"words", b"mine = made:VALUE # \xff"])
def test_a_list_of_entry_points_that_cannot_be_read_is_a_broken_plugin(packages, tmp_path, line):
    declare(packages, "rules", "VALUE = ()\n")
    file = packages / "made-1.2.dist-info" / "entry_points.txt"
    file.write_bytes(b"[modelaudit.rules]\n" + line)
    row = scanned(files.minimal_h5(tmp_path / "a.h5"))
    assert row["verdict"] == "incomplete"
    assert "made-1.2.dist-info could not be loaded" in row["reason"]


def test_of_a_distribution_in_two_places_the_imported_one_counts(packages, tmp_path, monkeypatch):
    import site

    first = tmp_path / "user"
    first.mkdir()
    for folder in (packages, first):
        declare(folder, "rules", rule("return []"))
    (first / "made-1.2.dist-info").rename(first / "Made-1.3.dist-info")
    shutil.copytree(packages / "made-1.2.dist-info", packages / "~ade-1.2.dist-info")
    monkeypatch.setattr(site, "ENABLE_USER_SITE", True)
    monkeypatch.setattr(site, "getusersitepackages", lambda: str(first))
    monkeypatch.setattr(sys, "path", [str(first), *sys.path])
    assert [each.parent.name for each in plugin_declarations()] == ["Made-1.3.dist-info"]
    assert [each.problem for each in loading.load()] == [""]


@pytest.mark.parametrize("names", [False, True])
def test_the_rest_of_an_old_version_does_not_hide_a_plugin(packages, names):
    """An upgrade that was interrupted leaves it, with or without a list of entry points."""
    declare(packages, "rules", rule("return []"))
    shutil.copytree(packages / "made-1.2.dist-info", packages / "made-1.0.dist-info")
    if not names:
        (packages / "made-1.0.dist-info" / "entry_points.txt").unlink()
    assert [each.provides for each in loading.load() if not each.problem] == [("MINE001",)]
    problems = [each.problem for each in loading.load() if each.problem]
    assert len(problems) == names
    assert all("another rule has this code" in each for each in problems)


@pytest.mark.parametrize(
    "others", [{"severity": "'severe'"}, {"needs": "('x',)"}, {"fix": "3"}, {"check": "3"}]
)
def test_a_rule_with_a_field_of_another_type_is_not_loaded(packages, others):
    source = rule("return []").replace("VALUE = (", "from modelaudit.structs import replace\nR = (")
    (field, value), *_ = others.items()
    declare(packages, "rules", f"{source}VALUE = (replace(R[0], {field}={value}),)\n")
    (found,) = loading.load()
    assert found.problem.startswith("ValidationError")


RETURNED = {
    "severity='severe'": "ValidationError",
    "evidence={'measured': object()}": "TypeError",
    "evidence=3": "ValidationError",
}


@pytest.mark.parametrize("argument", RETURNED)
def test_a_finding_with_a_value_of_another_type_is_an_error_of_its_rule(
    packages, tmp_path, argument
):
    declare(packages, "rules", rule(f"yield rule.finding('x', {argument})"))
    row = scanned(files.minimal_h5(tmp_path / "a.h5"))
    assert row["verdict"] == "incomplete"
    assert f"plug-in mine of made 1.2: {RETURNED[argument]}" in row["reason"]


def test_a_number_of_numpy_is_one(packages, tmp_path):
    body = "import numpy; yield rule.finding('x', evidence={'measured': numpy.float32(3.5)})"
    declare(packages, "rules", rule(body))
    assert scanned(files.minimal_h5(tmp_path / "a.h5"))["verdict"] == "fail"


FORMAT = "from modelaudit.plugins import PluginFormat\nfrom modelaudit.facts import *\n"


FIELDS = (
    *("tensors=('x',)", "extra=None", "extra={'x': object()}"),
    "tensors=[Tensor(5, (), 'float32', 4, 'f')]",
)


@pytest.mark.parametrize("field", FIELDS)
def test_an_artifact_with_a_value_of_another_type_is_an_error_of_its_reader(
    packages, tmp_path, field
):
    reader = f"lambda path, limits: Artifact(path, Format.PLUGIN, {field})"
    declare(packages, "formats", f"{FORMAT}VALUE = PluginFormat('mine', (b'MINE',), {reader})\n")
    (tmp_path / "a.mine").write_bytes(b"MINE")
    reason = scanned(tmp_path / "a.mine")["reason"]
    assert "the plug-in mine failed: " in reason
    assert "internal" not in reason


def test_numbers_of_numpy_are_numbers_of_an_artifact():
    mean = TensorStats(0.0, 1.0, np.float64(0.5), 0.5, 0, 0)
    tensor = Tensor("a", (np.int64(2),), "float32", np.int64(8), "f", stats=mean)
    made = Artifact(Path("/a"), Format.PLUGIN, tensors=[tensor], extra={"x": [np.float32(2)]})
    found = checked(made)
    assert found.tensors == (tensor,)
    assert msgspec.to_builtins(found.extra) == {"x": [2.0]}


LATER = """
class Source:
    def array(self):
        print("loud")
        {body}
    def chunks(self, max_bytes=0):
        yield 1
        self.array()
def read(path, limits):
    tensor = Tensor("a", (2, 1), "float32", 8, path.name, source=Source())
    kernel = Kernel("d", "a", "dense", "io", 0, (2, 1))
    return Artifact(path, Format.PLUGIN, tensors=(tensor,), kernels=(kernel,))
VALUE = PluginFormat("mine", (b"MINE",), read)
"""


@pytest.mark.parametrize("body", ["raise RuntimeError('x')", "raise SystemExit('x')"])
@pytest.mark.parametrize(
    "values", [lambda source: source.array(), lambda source: [*source.chunks()]]
)
def test_values_that_a_plugin_reads_later_are_contained_too(
    packages, tmp_path, capsys, body, values
):
    declare(packages, "formats", FORMAT + LATER.format(body=body))
    loading.load()
    (tmp_path / "a.mine").write_bytes(b"MINE")
    (tensor,) = plugin_formats.read_plugin_format(tmp_path / "a.mine", Limits()).tensors
    with pytest.raises(ReadError, match=r"a\.mine: the plug-in mine failed: .*: x"):
        values(tensor.source)
    assert capsys.readouterr() == ("", "loud\n")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("raise RuntimeError('x')", "the plug-in mine failed: RuntimeError: x"),
        ("raise SystemExit('x')", "the plug-in mine failed: SystemExit: x"),
        ("raise ReadError('unreadable', 'a', 'is damaged')", "a.mine: is damaged"),
    ],
)
def test_a_model_whose_values_cannot_be_read_later_is_incomplete(packages, tmp_path, body, reason):
    source = "from modelaudit.errors import ReadError\n" + FORMAT + LATER.format(body=body)
    declare(packages, "formats", source)
    (tmp_path / "a.mine").write_bytes(b"MINE")
    row = scanned(tmp_path / "a.mine")
    assert row["verdict"] == "incomplete"
    assert reason in row["reason"]


def test_values_that_a_plugin_reads_later_are_those_of_its_source(packages, tmp_path):
    declare(packages, "formats", FORMAT + LATER.format(body="return 2"))
    loading.load()
    (tmp_path / "a.mine").write_bytes(b"MINE")
    (tensor,) = plugin_formats.read_plugin_format(tmp_path / "a.mine", Limits()).tensors
    assert (tensor.source.array(), [*tensor.source.chunks()]) == (2, [1])


@pytest.mark.parametrize("magic", [b"\x1f\x8b\x08\x00", b"BZh9", b"\xfd7zX", b"PK\x03\x04x"])
def test_a_format_does_not_take_archives(packages, magic):
    declare(packages, "formats", f"{FORMAT}VALUE = PluginFormat('mine', ({magic!r},), print)\n")
    (found,) = loading.load()
    assert "begins like another format" in found.problem


def test_an_archive_that_begins_like_a_plugin_s_format_stays_an_archive(packages, tmp_path):
    declare(packages, "formats", f"{FORMAT}VALUE = PluginFormat('mine', (b'MINE',), print)\n")
    loading.load()
    model = files.minimal_h5(tmp_path / "a.h5").read_bytes()
    (tmp_path / "a.h5").unlink()
    with tarfile.open(tmp_path / "models.tar", "w") as tar:
        for name, data in (("MINE", b"text"), ("a.h5", model)):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    (tmp_path / "own").write_bytes(b"MINE")
    assert sniff.sniff(tmp_path / "own") is sniff.Format.PLUGIN
    (tmp_path / "own").unlink()
    for place in (tmp_path / "models.tar", tmp_path):
        (row,) = json.loads(run("scan", place, "--json")[1])
        assert (row["path"], row["format"]) == ("models.tar/a.h5", "legacy_h5_full")


@pytest.mark.parametrize(
    "file", ["history.sqlite3", "index.JSON", ".lock", "latest", "a\0.txt", "-f.txt", "Audit.json"]
)
def test_a_report_does_not_overwrite_files_of_the_run(packages, file):
    source = (
        "from modelaudit.plugins import ReportFormat\n"
        f"VALUE = ReportFormat('mine', {file!r}, 'text/plain', 'us', print)\n"
    )
    declare(packages, "reports", source)
    (found,) = loading.load()
    assert "is not the name of a file of its own" in found.problem


def test_plugins_that_are_loaded_between_two_runs_count_in_the_second(packages, tmp_path):
    cache_keys._general.cache_clear()
    pipeline._catalogue_digest.cache_clear()
    models = tmp_path / "models"
    models.mkdir()
    files.minimal_h5(models / "a.h5")
    nightly(models)
    declare(packages, "rules", rule("return []"))
    nightly(models, code=None)
    assert audited(models) == 1
    (audit,) = models.parent.glob("out/models/*/audit.json")
    assert "MINE001" in json.loads(audit.read_text())["passed"]


@pytest.mark.parametrize("first", ["", "."])
def test_an_import_inside_a_check_does_not_search_the_audited_directory(
    packages, tmp_path, monkeypatch, capfd, first
):
    tree = tmp_path / "tree"
    tree.mkdir()
    files.minimal_h5(tree / "a.h5")
    (tree / "made_helper.py").write_text(f"open({str(tree / 'loaded')!r}, 'w')\n")
    declare(packages, "rules", rule("import made_helper; return []"))
    monkeypatch.chdir(tree)
    monkeypatch.setattr(sys, "path", [first and str(tree), *sys.path])  # of `-c`, of `-m`
    run_main(monkeypatch, "scan", "a.h5", "--json")
    assert "No module named 'made_helper'" in json.loads(capfd.readouterr().out)[0]["reason"]
    assert not (tree / "loaded").exists()


def test_what_a_plugin_prints_is_not_in_the_output(packages, tmp_path, monkeypatch, capfd):
    declare(packages, "rules", "print('at import')\n" + rule("print('in a check'); return []"))
    run_main(monkeypatch, "scan", files.minimal_h5(tmp_path / "a.h5"), "--json")
    out, err = capfd.readouterr()
    assert json.loads(out)[0]["verdict"] == "pass"
    assert "at import" in err
