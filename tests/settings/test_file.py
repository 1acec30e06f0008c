"""Settings files: every key is accepted or rejected, none is ignored."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from modelaudit.cli.options.settings_check import check
from modelaudit.errors import UsageError
from modelaudit.findings import Severity
from modelaudit.measures.transforms import transforms_for
from modelaudit.settings import TRANSFORMS, Expectation, Limits, OtherRuntime, Waiver
from modelaudit.settings import file as settings_file
from tests.made.signing import new_key, public_pem

BIG = "9" * 20  # more than 64 bits hold


def _write(folder: Path, text: str, name: str = "modelaudit.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_complete_file(tmp_path: Path) -> None:
    path = _write(
        tmp_path,
        """
        fail_on = "critical"
        jobs = 4
        probe_data = "images"
        [limits]
        archive_ratio = 50
        [[expect]]
        path = "drive/*"
        output = "steering"
        action = "odd"
        [[ignore]]
        rule = "MA405"
        reason = "random features by design"
        expires = 2027-03-01
        owner = "vision team"
        """,
    )
    found = settings_file.load(path)
    assert found.options == {
        "fail_on": "critical",
        "jobs": 4,
        "probe_data": str(tmp_path / "images"),
    }
    assert found.limits == Limits(archive_ratio=50)
    assert found.expectations == (Expectation("odd", "drive/*", "steering"),)
    assert found.waivers == (
        Waiver(
            "MA405",
            "random features by design",
            expires=datetime.date(2027, 3, 1),
            owner="vision team",
        ),
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("jbos = 3", "unknown key `jbos`; known keys: architecture, baseline"),
        ("jobs = 'three'", "jobs: Expected `int`, got `str`"),
        ("jobs = true", "jobs: Expected `int`, got `bool`"),
        ("timeout = 'long'", "timeout: Expected `float`, got `str`"),
        ("[limits]\nfoo = 1", "[limits]: unknown key `foo`; known keys: archive_bytes"),
        ("[limits]\nfiles = 0", "files in [limits]: Expected `int` >= 1"),
        ("[limits]\nfiles = 1.5", "files in [limits]: Expected `int`, got `float`"),
        ("[limits]\nfiles = true", "files in [limits]: Expected `int`, got `bool`"),
        ("[limits]\nread_seconds = inf", "read_seconds in [limits]: Expected `float` <= 2592000"),
        ("[limits]\nhdf5_ratio = nan", "hdf5_ratio in [limits]: Expected `float` > 0.0"),
        (
            "[limits]\nread_seconds = 1e7",
            "read_seconds in [limits]: Expected `float` <= 2592000",
        ),
        (
            "[limits]\nread_memory = 9000000000000000000",
            "read_memory in [limits]: Expected `int` <= 1152921504606846976",
        ),
        ("timeout = inf", "timeout: Expected `float` <= 2592000"),
        ("timeout = nan", "timeout: Expected `float` > 0.0"),
        ("timeout = -1.0", "timeout: Expected `float` > 0.0"),
        ("memory = 9000000000000000000", "memory: Expected `int` <= 1099511627776"),
        (f"jobs = {BIG}", "jobs: Expected `int` <= 1152921504606846976"),
        (f"[thresholds]\nMA608 = {BIG * 20}", "MA608 in [thresholds]: Number out of range"),
        (
            f"[limits]\nread_memory = {BIG}",
            "read_memory in [limits]: Expected `int` <= 1152921504606846976",
        ),
        (f"[nightly]\nkeep = {BIG}", "keep in [nightly]: Expected `int` <= 1152921504606846976"),
        (
            f"[[policy]]\npath = ['x', {{y = -{BIG}}}]",
            "path in [[policy]] number 1: Expected `str`, got `array`",
        ),
        ("jobs = 0x" + 9999 * "f", "jobs: Expected `int` <= 1152921504606846976"),
        ("jobs = " + 5000 * "9", "thousands of digits"),
        (f"jobs.{'a.' * 2000}b = 1", "jobs: Expected `int`, got `object`"),
        (f"jobs = '{'x' * 9999}'", "jobs: Expected `int`, got `str`"),
        ("limits = 3", "limits: Expected `object`, got `int`"),
        ("ignore = 3", "ignore: Expected `array`, got `int`"),
        ("[[ignore]]\nrule = 'MA405'", "[[ignore]] number 1: a reason is required"),
        (
            "[[ignore]]\nreason = 'x'",
            "[[ignore]] number 1 requires a rule, a path or a fingerprint",
        ),
        (
            "[[ignore]]\npath = 'a'\nreason = 'x'\n[[ignore]]\npath = 'b'\nreason = ' '",
            "[[ignore]] number 2: a reason is required",
        ),
        ("[[ignore]]\nfingerprint = 'abc'\nreason = 'x'", "must be the 32 hexadecimal digits"),
        ("[[expect]]\naction = 'odd'\ntransform = 'LR'", "H (mirrored left-right), V"),
        ("[[expect]]\naction = 'odd'\ntransform = 'LR'", "not 'LR'"),
        ("[[expect]]\naction = 'sideways'", "[[expect]] number 1: action must be one of inv"),
        ("[thresholds]\nMA604 = 'low'", "MA604 in [thresholds]: Expected `float`, got `str`"),
        ("[thresholds]\nMA604 = nan", "MA604 in [thresholds]: Expected `float`"),
        ("[thresholds]\nMA604 = true", "MA604 in [thresholds]: Expected `float`, got `bool`"),
        (
            "[[policy]]\npath = '*'\nthresholds = 3",
            "thresholds in [[policy]] number 1: Expected `object`, got `int`",
        ),
        (
            "[[ignore]]\nrule = 'MA405'\nreason = 'x'\nexpires = 'soon'",
            "expires in [[ignore]] number 1: Invalid RFC3339 encoded date",
        ),
        ("[[ignore]]\nrule = 'MA405'\nreason = 'x'\nuntil = 3", "unknown key `until`"),
        ("[[expect]]\naction = 'upside-down'", "must be one of"),
        (
            "[[expect]]\naction = 'odd'\noutput = 3",
            "output in [[expect]] number 1: Expected `str`, got `int`",
        ),
        (
            "[[policy]]\nfail_on = 'high'",
            "[[policy]] number 1: Object missing required field `path`",
        ),
        (
            "[[policy]]\npath = '*'\nfail_on = 'worst'",
            "fail_on in [[policy]] number 1: Invalid enum value 'worst'; known values: info, low",
        ),
        (
            "[[policy]]\npath = '*'\ntargets = 'tf==2.16'",
            "targets in [[policy]] number 1: Expected `array`, got `str`",
        ),
        (
            "[[policy]]\npath = '*'\n[policy.severity]\nMA101 = 3",
            "MA101 in [[policy]] number 1: Expected `str`, got `int`",
        ),
        ("[[policy]]\npath = '*'\njobs = 3", "unknown key `jobs`"),
        ("[serving]\nruntime = ''", "runtime in [serving]"),
        ("[serving]\nruntime = 3", "runtime in [serving]: Expected `str`, got `int`"),
        ("[serving]", "[serving]: Object missing required field `runtime`"),
        ("[nightly]\nkeep = 1", "keep in [nightly]: Expected `int` >= 2"),
        ("[nightly]\nkeep = true", "keep in [nightly]: Expected `int`, got `bool`"),
        ("[nightly]\nping = 'file:///etc/passwd'", "must be an https:// or http:// address"),
        ("[nightly]\nping = 'https:///check'", "must be an https:// or http:// address"),
        ("[nightly]\nping = 'https://[::1/check'", "must be an https:// or http:// address"),
        ("[nightly]\nping = 'https://host:port/check'", "must be an https:// or http:// address"),
        ("[nightly]\nwebhook = 'https://host/a b'", "must be an https:// or http:// address"),
        ("[nightly]\nnotify = 'mail ops'", "notify in [nightly]: Expected `array`, got `str`"),
        ("[nightly]\nslack = 'x'", "unknown key `slack`"),
        ("not toml", "not valid TOML"),
    ],
)
def test_invalid_settings_are_rejected(tmp_path: Path, text: str, says: str) -> None:
    path = _write(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        settings_file.load(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < len(str(path)) + 400


def test_one_of_rule_path_and_fingerprint_is_enough_for_a_waiver(tmp_path: Path) -> None:
    mark = "0123456789abcdef" * 2
    entries = ["rule = 'MA405'", "path = 'lab/*'", f"fingerprint = '{mark}'"]
    found = settings_file.load(
        _write(tmp_path, "".join(f"[[ignore]]\n{each}\nreason = 'r'\n" for each in entries))
    )
    assert found.waivers == (
        Waiver("MA405", "r"),
        Waiver("", "r", path="lab/*"),
        Waiver("", "r", fingerprint=mark),
    )


def test_thresholds_of_all_models_and_of_some(tmp_path: Path) -> None:
    found = settings_file.load(
        _write(
            tmp_path,
            "[thresholds]\nMA604 = 0.3\n[[policy]]\npath = 'a/*'\nthresholds = { MA606 = 1 }",
        )
    )
    assert found.thresholds == (("MA604", 0.3),)
    assert found.policies[0].thresholds == (("MA606", 1.0),)


def test_every_transform_that_is_measured_can_be_declared_and_no_other() -> None:
    shapes = [
        (None, 8, 8, 3),
        (None, 8, 9, 3),
        (None, 8, 3),
        (None, 4, 5, 6, 1),
        (None, 6, 6, 6, 1),
    ]
    measured = {move.name for shape in shapes for move in transforms_for(shape)}
    assert measured == set(TRANSFORMS)


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "modelaudit.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not valid TOML"):
        settings_file.load(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        settings_file.load(tmp_path / "absent.toml")


def test_the_project_file_has_a_table_for_us(tmp_path: Path) -> None:
    assert settings_file.find(tmp_path) is None
    project = _write(tmp_path, "[tool.black]\nx = 1", "pyproject.toml")
    assert settings_file.find(tmp_path) is None
    project = _write(tmp_path, "[tool.modelaudit]\njobs = 3", "pyproject.toml")
    assert settings_file.find(tmp_path) == project
    assert settings_file.load(project).options == {"jobs": 3}
    own = _write(tmp_path, "jobs = 5")
    assert settings_file.find(tmp_path) == own


def test_the_guide_s_example_is_valid(tmp_path: Path) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "guide.md").read_text(encoding="utf-8")
    example = guide.partition("```toml\n")[2].partition("```")[0]
    (tmp_path / "team.pub").write_bytes(public_pem(new_key()))
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "layers.py").touch()
    found = settings_file.load(_write(tmp_path, example))
    steering, scores = found.expectations
    assert steering == Expectation("odd", "driving/*", "steering")
    assert scores == Expectation(path="scores/*", task="regression")
    assert found.waivers[0].owner == "vision team"
    assert found.policies[0].targets == ("tf==2.16", "tf-keras==2.21")
    assert found.policies[0].severities == (("MA601", Severity.CRITICAL),)
    check(found)
    assert found.limits.archive_bytes == 2_000_000_000


def test_runtimes_profiles_and_custom_objects(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "tf-2.14.0.json").touch()
    path = _write(
        tmp_path,
        """
        profiles = "mine"
        custom_objects = ["MyLayer", "my_loss"]
        source_code = "mine"
        [runtimes.old]
        python = "env/bin/python"
        [runtimes.made]
        python = "3.11"
        requirement = ["tensorflow-cpu==2.16.*", "tf-keras==2.16.*"]
        legacy_keras = true
        """,
    )
    found = settings_file.load(path)
    assert found.runtimes == (
        OtherRuntime("old", str(tmp_path / "env/bin/python")),
        OtherRuntime("made", "3.11", ("tensorflow-cpu==2.16.*", "tf-keras==2.16.*"), True),
    )
    assert found.profiles == (str(tmp_path / "mine" / "tf-2.14.0.json"),)
    assert found.custom_objects == ("MyLayer", "my_loss")
    assert found.source_code == (str(tmp_path / "mine"),)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[runtimes.x]", "requires python"),
        ('[runtimes.x]\npyhton = "/x"', "unknown key `pyhton`"),
        ('[runtimes.x]\nrequirement = "tensorflow"\npython = "/opt/python"', "must be a version"),
        ("[runtimes.x]\nrequirement = 3", "Expected `str . array`, got `int`"),
        ('[runtimes.x]\npython = "/x"\nlegacy_keras = "yes"', "Expected `bool`, got `str`"),
        ('profiles = "nowhere"', "nowhere, which does not exist"),
        ('source_code = "nowhere"', "source_code lists nowhere, which does not exist"),
        ("runtimes = 1", "runtimes: Expected `object`, got `int`"),
    ],
)
def test_wrong_runtimes_are_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        settings_file.load(_write(tmp_path, text))
