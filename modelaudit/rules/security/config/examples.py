"""The smallest configs on which the security rules fail or pass."""

from __future__ import annotations

from collections.abc import Callable

from modelaudit.facts import Document, Json
from modelaudit.rules.examples import layer, model
from modelaudit.rules.model import Facts
from modelaudit.structs import replace

# base64 of marshal.dumps(code, 2) under Python 3.8, for code compiled in a file `<example>`.
ARITHMETIC = (  # lambda x: x / 255 - 0.5
    "YwEAAAAAAAAAAAAAAAEAAAACAAAAQwAAAHMMAAAAfABkARsAZAIYAFMAKAMAAABOaf8AAABnAAAAAAAA4D8oAAAAACgB"
    "AAAAdQEAAAB4KAAAAAAoAAAAAHUJAAAAPGV4YW1wbGU+dQgAAAA8bGFtYmRhPgEAAABzAAAAAA=="
)
SYSTEM = (  # lambda x: __import__("os").system("true")
    "YwEAAAAAAAAAAAAAAAEAAAADAAAAQwAAAHMOAAAAdABkAYMBoAFkAqEBUwAoAwAAAE51AgAAAG9zdQQAAAB0cnVlKAIA"
    "AAB1CgAAAF9faW1wb3J0X191BgAAAHN5c3RlbSgBAAAAdQEAAAB4KAAAAAAoAAAAAHUJAAAAPGV4YW1wbGU+dQgAAAA8"
    "bGFtYmRhPgEAAABzAAAAAA=="
)

LOGGING = (  # lambda x: logging.FileHandler("layer.txt")
    "YwEAAAAAAAAAAAAAAAEAAAADAAAAQwAAAHMKAAAAdACgAWQBoQFTACgCAAAATnUJAAAAbGF5ZXIudHh0KAIAAAB1BwAAAGxv"
    "Z2dpbmd1CwAAAEZpbGVIYW5kbGVyKAEAAAB1AQAAAHgoAAAAACgAAAAAdQkAAAA8ZXhhbXBsZT51CAAAADxsYW1iZGE+AQAA"
    "AHMAAAAA"
)


def with_layers(*layers: dict[str, Json], compiled: Json = None) -> Facts:
    """A `.keras` model whose config lists these layers."""
    config: Json = {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"name": "model", "layers": list(layers)},
        "compile_config": compiled,
    }
    document = Document("example.keras:config.json", "", config)
    return Facts(replace(model(layer()), documents=(document,)))


def keras_layer(class_name: str, **config: Json) -> dict[str, Json]:
    """One layer as Keras 3 saves it."""
    settings: dict[str, Json] = {"name": class_name.lower(), **config}
    return {"module": "keras.layers", "class_name": class_name, "config": settings}


def lambda_layer(code: str) -> dict[str, Json]:
    """A Lambda layer with bytecode in base64, as Keras 3 saves it."""
    inner: Json = {"code": code, "defaults": None, "closure": None}
    return keras_layer("Lambda", function={"class_name": "__lambda__", "config": inner})


def function(module: str, name: str) -> dict[str, Json]:
    """A reference to a function as Keras 3 saves it."""
    return {
        "module": module,
        "class_name": "function",
        "config": name,
        "registered_name": "function",
    }


def example(*layers: dict[str, Json], compiled: Json = None) -> Callable[[], Facts]:
    """`with_layers`, evaluated when it is called."""
    return lambda: with_layers(*layers, compiled=compiled)


def dense() -> Facts:
    """One harmless layer."""
    initializer: Json = {
        "module": "keras.initializers",
        "class_name": "GlorotUniform",
        "config": {"seed": None},
        "registered_name": None,
    }
    return with_layers(
        keras_layer("Dense", units=4, activation="relu", kernel_initializer=initializer)
    )
