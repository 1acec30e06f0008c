"""Weight groups that Keras 2 named with backslashes on Windows; Keras itself is the oracle."""

from __future__ import annotations

import io
import textwrap
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from modelaudit.api import audit
from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.findings import Finding
from modelaudit.schema import Audit
from tests.sharing import with_tensorflow

WEIGHTS = "model.weights.h5"


def as_on_windows(source: Path, target: Path) -> None:
    """The archive with the names that `os.path.join` of Windows gives the groups of weights."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == WEIGHTS:
                data = _joined(data)
            new.writestr(name, data)


def _joined(data: bytes) -> bytes:
    written = io.BytesIO()
    with h5py.File(io.BytesIO(data)) as old, h5py.File(written, "w") as new:

        def copy(path: str, found: h5py.Dataset | h5py.Group) -> None:
            group, _, last = path.rpartition("/")
            if last == "vars":  # the only part that is not joined by the system's rules
                copied = new.create_group("/".join(filter(None, (group.replace("/", "\\"), last))))
                for name, variable in found.items():
                    copied[name] = variable[()]

        old.visititems(copy)
    return written.getvalue()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import keras
    import tf_keras

    folder = tmp_path_factory.mktemp("windows")
    for name, library in (("keras2", tf_keras), ("keras3", keras)):
        inner = library.Sequential([library.Input((4,)), library.layers.Dense(3, name="inside")])
        model = library.Sequential([library.Input((4,)), inner, library.layers.Dense(2)])
        model.save(folder / f"{name}.keras")
        as_on_windows(folder / f"{name}.keras", folder / f"{name}_windows.keras")
        with pytest.raises(ValueError, match="received 0 variables during loading"):
            library.models.load_model(folder / f"{name}_windows.keras")
    return folder


@pytest.fixture(scope="module")
def audits(made: Path) -> dict[str, Audit]:
    return {each.model.path: each for each in audit(made)}


def found(audits: dict[str, Audit], name: str, code: str) -> list[Finding]:
    results = [result for result in audits[name].results if result.code == code]
    return [each for result in results for each in result.findings]


@pytest.mark.slow
def test_the_backslashes_are_the_cause_and_are_predicted(audits: dict[str, Audit]) -> None:
    for name in ("keras2", "keras3"):
        (finding,) = found(audits, f"{name}_windows.keras", "MA210")
        assert r"named with backslashes (layers\dense" in finding.detail
        rows = audits[f"{name}_windows.keras"].compatibility
        predicted = {each.predicted for each in rows if each.predicted}
        assert predicted == {LoadOutcome.FAILS}
        assert not found(audits, f"{name}_windows.keras", "MA223")
        for code in ("MA112", "MA113"):  # no weight is missing or too many
            assert not found(audits, f"{name}_windows.keras", code)


@pytest.mark.slow
def test_the_same_file_of_another_system_has_no_finding(audits: dict[str, Audit]) -> None:
    for name in ("keras2.keras", "keras3.keras"):
        assert not found(audits, name, "MA210")
        assert not found(audits, name, "MA223")


@pytest.mark.slow
def test_the_code_of_the_advice_repairs_the_file(
    made: Path, audits: dict[str, Audit], tmp_path: Path
) -> None:
    import tf_keras

    (finding,) = found(audits, "keras2_windows.keras", "MA210")
    assert "modelaudit repair keras2_windows.keras" in finding.fix
    code = textwrap.dedent("    import h5py" + finding.fix.partition("    import h5py")[2])
    mended = tmp_path / "mended.keras"
    with zipfile.ZipFile(made / "keras2_windows.keras") as old, zipfile.ZipFile(mended, "w") as new:
        old.extract(WEIGHTS, tmp_path)
        with_tensorflow("-c", code, cwd=tmp_path)
        for name in set(old.namelist()) - {WEIGHTS}:
            new.writestr(name, old.read(name))
        new.write(tmp_path / WEIGHTS, WEIGHTS)
    inputs = np.eye(4, dtype="float32")
    sound = tf_keras.models.load_model(made / "keras2.keras")
    loaded = tf_keras.models.load_model(mended)
    np.testing.assert_array_equal(loaded.predict(inputs), sound.predict(inputs))
