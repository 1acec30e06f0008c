"""Variables of optimizers by their numbers: predictions compared with what the runtime does.

The oracle is the installed Keras and tf-keras. Nadam as Keras up to 3.9 builds it is written out.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelaudit.formats.reader import read
from modelaudit.runtimes.catalogue import find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest, Prediction
from modelaudit.settings import Limits
from tests.runtimes.fitting_code import fitting_predictions

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
CODE = "optimizer-in-other-order"
NEW, OLD = "tf==2.21", "tf-keras==2.21"
OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "momentum": lambda k: k.optimizers.SGD(0.1, momentum=0.9),
    "adam": lambda k: k.optimizers.Adam(),
    "amsgrad": lambda k: k.optimizers.Adam(amsgrad=True),
    "rmsprop": lambda k: k.optimizers.RMSprop(centered=True, momentum=0.5),
    "adagrad": lambda k: k.optimizers.Adagrad(),
    "ftrl": lambda k: k.optimizers.Ftrl(),
    "nadam": lambda k: k.optimizers.Nadam(),
    "lion": lambda k: k.optimizers.Lion(),
    "adafactor": lambda k: k.optimizers.Adafactor(),
    "averages": lambda k: k.optimizers.Adam(use_ema=True),
    "schedule": lambda k: k.optimizers.Adam(schedule(k)),
    "nadam with a schedule": lambda k: k.optimizers.Nadam(schedule(k)),
    "adafactor with a schedule": lambda k: k.optimizers.Adafactor(schedule(k)),
}


def schedule(keras: Any) -> Any:
    return keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)


@pytest.fixture(scope="module")
def old() -> Any:
    return pytest.importorskip("tf_keras")


@pytest.fixture(scope="module")
def new() -> Any:
    return pytest.importorskip("keras")


def model(keras: Any, optimizer: Any, widths: tuple[int, ...] = (4, 3), bias: bool = True) -> Any:
    """A model whose optimizer has its variables, as after the first step of training."""
    layers = [keras.layers.Dense(width, use_bias=bias) for width in widths]
    made = keras.Sequential([keras.layers.Input((5,)), *layers])
    made.compile(optimizer, "mse")
    optimizer.build(made.trainable_variables)
    return made


def restored(saved: Any, other: Any, path: Path) -> str:
    """Whether a checkpoint of one model can be read into the other one."""
    tensorflow = pytest.importorskip("tensorflow")
    checkpoint = tensorflow.train.Checkpoint
    written = checkpoint(saved).write(str(path))
    try:
        checkpoint(other).read(written).expect_partial()
    except (ValueError, tensorflow.errors.InvalidArgumentError) as error:
        said = str(error)  # Adafactor has integers, whose type is compared first
        assert "incompatible tensor with shape" in said or "does not equal original dtype" in said
        return "fails"
    return "read"


def predicted(
    path: Path, runtime: str, call: LoadCall, trained: bool | None = True, compiled: bool = False
) -> Prediction:
    request = LoadRequest(call, trained=trained, compile=compiled)
    (found,) = fitting_predictions(read(path, Limits()), [(find_profile(runtime), request)])
    return found


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("newer", [True, False])
def test_a_checkpoint_of_the_other_generation(
    tmp_path: Path, old: Any, new: Any, name: str, newer: bool
) -> None:
    make, path = OPTIMIZERS[name], tmp_path / "c"
    one, two = (old, new) if newer else (new, old)
    outcome = restored(model(one, make(one)), model(two, make(two)), path)
    found = predicted(path, NEW if newer else OLD, LoadCall.RESTORE)
    assert (found.predicted.value == "fails") is (outcome == "fails")
    # A model whose optimizer has no variables yet takes what is left later.
    assert predicted(path, NEW, LoadCall.RESTORE, False).predicted.value != "fails"


def test_a_checkpoint_with_one_weight(tmp_path: Path, old: Any, new: Any) -> None:
    """Its variables are moved, and none meets another shape."""
    path = tmp_path / "c"
    one, two = (model(k, k.optimizers.SGD(0.1, momentum=0.9), (3,), False) for k in (old, new))
    assert restored(one, two, path) == "read"
    assert predicted(path, NEW, LoadCall.RESTORE).predicted.value == "differs"


@pytest.fixture
def older(new: Any, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Nadam makes the product of its momenta first, as up to Keras 3.9."""
    backend, base = new.src.backend, new.src.optimizers.optimizer.Optimizer

    def build(self: Any, variables: Any) -> None:
        if self.built:
            return
        base.build(self, variables)
        self._u_product = backend.Variable(1.0, dtype=variables[0].dtype)
        names = ["momentum", "velocity"]
        self._momentums, self._velocities = self.add_optimizer_variables(variables, names)

    monkeypatch.setattr(new.optimizers.Nadam, "build", build)
    return monkeypatch


def nadam(keras: Any, **arguments: Any) -> Any:
    return keras.optimizers.Nadam(**arguments)


@pytest.mark.parametrize("arguments", [{}, {"use_ema": True}])
def test_a_checkpoint_of_an_older_nadam(
    tmp_path: Path, new: Any, older: pytest.MonkeyPatch, arguments: dict[str, Any]
) -> None:
    path = tmp_path / "c"
    saved = model(new, nadam(new, **arguments))
    older.undo()
    assert restored(saved, model(new, nadam(new, **arguments)), path) == "fails"
    assert predicted(path, NEW, LoadCall.RESTORE).because[0].code == CODE
    assert predicted(path, "tf==2.18", LoadCall.RESTORE).predicted.value == "loads"
    assert predicted(path, NEW, LoadCall.RESTORE, False).predicted.value == "loads"


def test_a_checkpoint_of_a_nadam_as_it_is(tmp_path: Path, new: Any) -> None:
    path = tmp_path / "c"
    assert restored(model(new, nadam(new)), model(new, nadam(new)), path) == "read"
    assert predicted(path, NEW, LoadCall.RESTORE).predicted.value == "loads"
    assert predicted(path, "tf==2.18", LoadCall.RESTORE).predicted.value == "fails"


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
def test_files_of_an_older_nadam(
    tmp_path: Path, new: Any, older: pytest.MonkeyPatch, suffix: str
) -> None:
    archive, path = suffix == ".keras", tmp_path / f"m{suffix}"
    saved = model(new, nadam(new))
    (saved.save if archive else saved.save_weights)(path)
    call = LoadCall.LOAD_MODEL if archive else LoadCall.LOAD_WEIGHTS
    found = predicted(path, "tf==2.18", call, True, archive)
    assert CODE not in {each.code for each in found.because}  # an archive has other ones
    older.undo()
    with pytest.raises(ValueError, match="must match") as raised:
        if archive:
            new.saving.load_model(path)
        else:
            model(new, nadam(new)).load_weights(path)
    found = predicted(path, NEW, call, True, archive)
    assert found.because[0].code == CODE
    assert found.because[0].sign in str(raised.value)
    # Without the optimizer, or before it has variables, the weights are read.
    if archive:
        new.saving.load_model(path, compile=False)
    else:
        plain = new.Sequential([new.layers.Input((5,)), *saved.layers])
        plain.compile(nadam(new), "mse")
        plain.load_weights(path)
    assert predicted(path, NEW, call, False).predicted.value == "loads"
    if not archive:
        assert predicted(path, NEW, call, None).predicted.value == "unknown"


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
def test_files_of_a_nadam_as_it_is(tmp_path: Path, new: Any, suffix: str) -> None:
    archive, path = suffix == ".keras", tmp_path / f"m{suffix}"
    saved = model(new, nadam(new))
    (saved.save if archive else saved.save_weights)(path)
    call = LoadCall.LOAD_MODEL if archive else LoadCall.LOAD_WEIGHTS
    assert predicted(path, NEW, call, True, archive).predicted.value == "loads"
    for runtime, moved in (("tf==2.20", False), ("tf==2.18", True)):
        found = predicted(path, runtime, call, True, archive)
        assert (CODE in {each.code for each in found.because}) is moved
    (new.saving.load_model if archive else saved.load_weights)(path)
