"""Cases of the causes in `modelaudit/runtimes/checks/lambda_code.py`."""

from __future__ import annotations

import base64
import marshal
from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np

from tests.runtimes.checks.cases.case import K2, K3, Case, Way
from tests.runtimes.checks.cases.shared import archive, given, h5, in_keras2, in_keras3
from tests.runtimes.checks.making import Config, Keras, of_class, stack


def code_of(source: str) -> str:
    (code,) = [
        each for each in compile(source, "layer.py", "eval").co_consts if isinstance(each, CodeType)
    ]
    return base64.b64encode(marshal.dumps(code)).decode()


def lambda_h5(
    source: str, defaults: list[Any] | None = None, code: str = "", shape: list[int] | None = None
) -> Callable[[Path], Path]:
    """An HDF5 file of Keras 2 with a Lambda."""

    def change(config: Config) -> None:
        for each in of_class(config, "Lambda"):
            each["config"].update(
                function=[code or code_of(source), defaults, None],
                function_type="lambda",
                module="__main__",
                output_shape=shape,
            )

    return h5(
        lambda k: stack(k, (4,), k.layers.Lambda(lambda x: x * 2, name="f"), k.layers.Dense(2)),
        change,
        plain=True,
    )


def unsafe(load: Way) -> Way:
    return lambda path: load(path, safe_mode=False)


def called(path: Path) -> Any:
    """What the first call raises; loading has to succeed."""
    try:
        model = unsafe(in_keras3)(path)
    except Exception as error:
        raise AssertionError("load_model failed") from error
    return model(np.ones((1, 4), "float32"))


def doubled(x: Any) -> Any:
    return x * 2


def lambda_by_name(k: Keras) -> Any:
    return stack(k, (4,), k.layers.Lambda(doubled, name="f"), k.layers.Dense(2))


def lambda_with_module(k: Keras) -> Any:
    import math

    return stack(k, (4,), k.layers.Lambda(lambda x: x * math.pi), k.layers.Dense(2))


def lambda_with_array(k: Keras) -> Any:
    bounds = np.array([1.0, 2.0, 3.0, 4.0], "float32")
    layer = k.layers.Lambda(lambda x: x - bounds, output_shape=(4,))
    return stack(k, (4,), layer, k.layers.Dense(2))


def lambda_with_arrays(k: Keras) -> Any:
    low, high = np.zeros(4, "float32"), np.array([1.0, 2.0, 3.0, 4.0], "float32")
    layer = k.layers.Lambda(lambda x: x / (high - low), output_shape=(4,))
    return stack(k, (4,), layer, k.layers.Dense(2))


CASES = (
    Case(
        "lambda-refused", K3, lambda_h5("lambda x: x * 2"), {"safe_mode=False": unsafe(in_keras3)}
    ),
    Case(
        "lambda-refused",
        K3,
        archive(lambda k: stack(k, (4,), k.layers.Lambda(lambda x: x * 2)), keras2=False),
        {"safe_mode=False": unsafe(in_keras3)},
        note="archive",
    ),
    Case(
        "lambda-refused",
        K2,
        archive(lambda k: stack(k, (4,), k.layers.Lambda(lambda x: x * 2))),
        {"safe_mode=False": unsafe(in_keras2)},
        note="archive",
    ),
    Case(
        "lambda-defaults",
        K3,
        lambda_h5("lambda x, y=2: x * y", [2]),
        {},
        load=lambda p: unsafe(in_keras3)(p)(np.ones((1, 4))),
    ),
    Case(
        "lambda-closure",
        K3,
        archive(lambda_with_module, keras2=False),
        {},
        load=lambda p: unsafe(in_keras3)(p)(np.ones((1, 4))),
    ),
    Case(
        "lambda-array",
        K3,
        archive(lambda_with_array, keras2=False),
        {},
        load=lambda p: unsafe(in_keras3)(p)(np.ones((1, 4), "float32")),
    ),
    Case(
        "lambda-array",
        K2,
        archive(lambda_with_array),
        {},
        load=lambda p: unsafe(in_keras2)(p)(np.ones((1, 4), "float32")),
    ),
    Case(
        "lambda-lists",
        K3,
        h5(lambda_with_arrays, keras2=False),
        {},
        load=lambda p: unsafe(in_keras3)(p)(np.ones((1, 4), "float32")),
    ),
    Case(
        "lambda-lists",
        K2,
        h5(lambda_with_arrays),
        {},
        load=lambda p: in_keras2(p)(np.ones((1, 4), "float32")),
    ),
    Case("lambda-unreadable", K3, lambda_h5("", code="4wEA"), {}, load=unsafe(in_keras3)),
    Case("lambda-unreadable", K2, lambda_h5("", code="4wEA"), {}),
    Case("lambda-of-global", K2, lambda_h5("lambda x: backend.abs(x)"), {}),
    Case(
        "lambda-of-global",
        K2,
        lambda_h5("", code=base64.b64decode(code_of("lambda x: backend.abs(x)")).decode("latin-1")),
        {},
        note="each byte a character, as Keras 1 wrote it",
    ),
    Case("lambda-of-global", K3, lambda_h5("lambda x: backend.abs(x)"), {}, load=unsafe(in_keras3)),
    Case(
        "lambda-of-global",
        K3,
        lambda_h5("lambda x: backend.abs(x)", shape=[4]),
        {},
        load=called,
        note="with a shape",
    ),
    Case(
        "lambda-of-global",
        K2,
        lambda_h5("lambda x: backend.abs(x)", shape=[4]),
        {},
        note="with a shape",
    ),
    Case(
        "lambda-of-unknown-function",
        K3,
        h5(lambda_by_name, keras2=False),
        {"custom_objects": given(in_keras3, "doubled")},
    ),
    Case(
        "lambda-of-unknown-function",
        K3,
        archive(lambda_by_name, keras2=False),
        {"custom_objects": given(in_keras3, "doubled")},
        note="archive",
    ),
)
