"""NumPy archives of weights, which NumPy writes: what is read, judged, and never loaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modelaudit.api import audit
from modelaudit.facts import Format
from modelaudit.findings import Verdict
from modelaudit.formats.reader import read
from modelaudit.formats.sniff import sniff
from modelaudit.registry.discover import discover
from modelaudit.schema import Audit
from modelaudit.settings import Limits, ProbeSettings, Settings

RNG = np.random.default_rng(0)


def glorot(*shape: int) -> np.ndarray:
    bound = np.sqrt(6 / (np.prod(shape[:-1]) + shape[-1]))
    return RNG.uniform(-bound, bound, shape).astype("float32")


def trained(*shape: int) -> np.ndarray:
    return (glorot(*shape) + RNG.standard_t(3, shape) * 0.3).astype("float32")


def layers(make, *, bias: float) -> dict[str, np.ndarray]:
    found = {}
    for i, shape in enumerate(((3, 3, 3, 16), (3, 3, 16, 32), (128, 10))):
        found[f"layer_{i}/kernel:0"] = make(*shape)
        found[f"layer_{i}/bias:0"] = np.full(shape[-1], bias, "float32") * RNG.normal(
            size=shape[-1]
        )
    return {name: value.astype("float32") for name, value in found.items()}


def audited(path: Path) -> Audit:
    (found,) = audit(path, settings=Settings(probe=ProbeSettings(enabled=False)))
    return found


def codes(found: Audit) -> set[str]:
    return {each.code for result in found.results for each in result.findings}


@pytest.mark.parametrize("numbered", [False, True])
@pytest.mark.parametrize("compressed", [False, True])
def test_sound_weights_are_audited_in_part(
    tmp_path: Path, numbered: bool, compressed: bool
) -> None:
    named = layers(trained, bias=0.1)
    path = tmp_path / "weights.npz"
    save = np.savez_compressed if compressed else np.savez
    save(path, *named.values()) if numbered else save(path, **named)
    artifact = read(path, Limits())
    assert (artifact.format, artifact.complete) == (Format.NPZ_WEIGHTS, True)
    with np.load(path) as known:
        assert {t.name: t.shape for t in artifact.tensors} == {k: known[k].shape for k in known}
        for tensor in artifact.tensors:
            assert tensor.stats is not None
            assert tensor.stats.mean == pytest.approx(float(known[tensor.name].mean()), abs=1e-6)
    assert [kernel.shape for kernel in artifact.kernels] == [
        value.shape for value in named.values() if value.ndim > 1
    ]
    found = audited(path)
    assert found.verdict is Verdict.INCOMPLETE
    assert "has weights but no architecture" in found.reason
    assert not codes(found) & {"MA111", "MA404", "MA405", "MA735"}


@pytest.mark.parametrize("numbered", [False, True])
def test_untrained_weights_are_found_as_in_a_weights_file(tmp_path: Path, numbered: bool) -> None:
    named = layers(glorot, bias=0.0)
    path = tmp_path / "weights.npz"
    np.savez(path, *named.values()) if numbered else np.savez(path, **named)
    found = audited(path)
    assert codes(found) & {"MA404", "MA405"}
    assert found.verdict is not Verdict.PASS


def test_values_that_are_not_finite(tmp_path: Path) -> None:
    named = layers(trained, bias=0.1)
    named["layer_1/kernel:0"][0, 0, 0, 0] = np.nan
    np.savez(tmp_path / "m.npz", **named)
    assert "MA111" in codes(audited(tmp_path / "m.npz"))


def test_pickles_are_found_and_not_loaded(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    pickled = np.empty(1, object)
    pickled[0] = Hostile()
    np.savez(tmp_path / "m.npz", **layers(trained, bias=0.1), weights=pickled)
    found = audited(tmp_path / "m.npz")
    assert "MA735" in codes(found)
    assert found.verdict is Verdict.FAIL
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("file", "names"),
    [("data", ("x", "y")), ("mnist", ("x_train", "y_train")), ("images", ("arr_0", "arr_1"))],
)
def test_data_are_no_weights(tmp_path: Path, file: str, names: tuple[str, ...]) -> None:
    path = tmp_path / f"{file}.npz"
    np.savez(path, **dict.fromkeys(names, np.ones((4, 3))))
    assert sniff(path) is Format.ARCHIVE_OTHER
    assert not discover(tmp_path).candidates
