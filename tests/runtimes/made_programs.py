"""Models of the classes in `weights_of_programs.txt`: what is observed and predicted of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.formats.reader import read
from modelaudit.formats.source_code.reading import read_source_code
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.model import LoadRequest, Prediction
from modelaudit.runtimes.predict import predict_calls
from modelaudit.settings import Limits

LOADS, FAILS, DIFFERS = LoadOutcome.LOADS, LoadOutcome.FAILS, LoadOutcome.DIFFERS
TARGETS = {"keras": "tf==2.21.0", "tf_keras": "tf-keras==2.21.0"}
PROGRAM = Path(__file__).with_name("weights_of_programs.txt")
DATA = np.linspace(-1, 1, 8, dtype="float32").reshape(2, 4)


def classes(keras: Any) -> dict[str, Any]:
    """What the program defines."""
    names: dict[str, Any] = {"keras": keras, "__name__": "weights_of_programs"}
    exec(compile(PROGRAM.read_text(encoding="utf-8"), str(PROGRAM), "exec"), names)
    return names


def made(keras: Any, name: str, trained: bool) -> Any:
    """A model of a class of the program that has answered, and was perhaps trained for a step."""
    keras.backend.clear_session()
    model = classes(keras)[name]()
    model(DATA)
    if trained:
        model.compile("adam", "mse", run_eagerly=True)
        model.fit(DATA, np.ones((2, 2), "float32"), verbose=0)
    return model


def observed(load: Callable[[Any], Any], fresh: Any, saved: Any) -> LoadOutcome:
    try:
        load(fresh)
    except Exception:  # whatever a loader says, it does not load
        return FAILS
    same = np.allclose(np.asarray(fresh(DATA)), np.asarray(saved(DATA)), atol=1e-5)
    return LOADS if same else DIFFERS


def predicted(path: Path, target: str, request: LoadRequest) -> Prediction:
    code = read_source_code([str(PROGRAM)])
    asked = [(as_installed(find_profile(target)), request)]
    (found,) = predict_calls(read(path, Limits()), asked, code)
    return found
